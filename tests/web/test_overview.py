from __future__ import annotations

from dataclasses import replace

import pytest

from monitord.pinning.pins import Pin
from monitord.web.fleet import Fleet, Snapshot, State
from monitord.web.overview import WEEKS, overview
from monitord.web.query import PAGE_SIZE, Query
from tests.web.fleets import DAY, NOW, POLICY, SPARE, Watched, pinset, prediction

WRONG = Pin(b"\x01" * 32)
FIRST = "First to fail, as far as can be foreseen: {}-0.example.com:443, pin set app, from {} (CT issued, 85% sure)."
OTHERS = "For the others no failure is predicted until 5 April 2027."


def fleet(**kinds: int) -> Snapshot:
    """So many endpoints of each kind: fine, soon (in 6 days), later (in 60), failing, down, new."""
    made = Fleet(lambda: POLICY.horizon)
    one = Watched("x.example", 100)
    well = one.pinned(pinset("app", one.root.certificate.pin, SPARE)).seen()
    down = one.seen(one.down())
    ill = one.pinned(pinset("app", WRONG, SPARE)).seen()
    rounds = {
        "fine": well,
        "soon": replace(well, predictions=(prediction(6, "app"),)),
        "later": replace(well, predictions=(prediction(60, "app"),)),
        "failing": ill,
        "down": down,
    }
    places = [(kind, number) for kind, count in kinds.items() for number in range(count)]
    targets = {
        (kind, number): replace(
            rounds[kind].target if kind in rounds else well.target, host=f"{kind}-{number}.example.com"
        )
        for kind, number in places
    }
    made.set_targets(targets.values())
    for (kind, _), target in targets.items():
        if kind in rounds:
            made.record(replace(rounds[kind], target=target))
    return made.snapshot()


@pytest.mark.parametrize(
    ("kinds", "tone", "answer", "until"),
    [
        ({"fine": 1}, State.OK, "The apps connect to the endpoint.", "No failure is predicted until 5 April 2027."),
        ({"fine": 3}, State.OK, "The apps connect to all 3 endpoints.", "No failure is predicted until 5 April 2027."),
        (
            {"fine": 1, "later": 1},
            State.OK,
            "The apps connect to both endpoints.",
            FIRST.format("later", "30 April 2026 on, in 60 days"),
        ),
        (
            {"fine": 1200, "soon": 1},
            State.SOON,
            "The apps connect to all 1,201 endpoints.",
            FIRST.format("soon", "7 March 2026 on, in 6 days"),
        ),
        (
            {"fine": 2, "down": 1, "new": 1},
            State.UNKNOWN,
            "The apps connect to 2 of 4 endpoints.",
            f"{OTHERS} 1 endpoint could not be judged. Not looked at yet: 1 endpoint.",
        ),
        (
            {"failing": 2, "fine": 1},
            State.FAILING,
            "Apps cannot connect to 2 of 3 endpoints.",
            OTHERS,
        ),
        (
            {"failing": 1, "soon": 1},
            State.FAILING,
            "Apps cannot connect to 1 of 2 endpoints.",
            FIRST.replace("First", "Next").format("soon", "7 March 2026 on, in 6 days"),
        ),
        ({"down": 2}, State.UNKNOWN, "Nothing can be said: 2 endpoints could not be judged.", ""),
        ({"new": 2}, State.WAITING, "2 endpoints, not looked at yet.", ""),
    ],
)
def test_it_says_first_whether_the_apps_are_fine_and_until_when(
    kinds: dict[str, int], tone: State, answer: str, until: str
) -> None:
    """What is not known is never counted as fine, and never as failing."""
    page = overview(fleet(**kinds), Query(), NOW)
    assert (page.tone, page.answer, page.until) == (tone, answer, until)


def test_a_failure_that_may_come_at_any_moment_is_said_so() -> None:
    """It is no date in the past."""
    snapshot = fleet(soon=1)
    page = overview(snapshot, Query(), NOW + 7 * DAY)
    assert page.until == (
        "First to fail, as far as can be foreseen: soon-0.example.com:443, pin set app, at any moment "
        "(CT issued, 85% sure)."
    )


def test_pages_have_every_endpoint_once() -> None:
    """And the counts are of all, whatever is searched for."""
    snapshot = fleet(fine=PAGE_SIZE + 3, soon=1)
    first, second, third = (overview(snapshot, Query(page=number), NOW) for number in (1, 2, 3))
    assert (first.pages, first.first_shown, second.first_shown, third.first_shown) == (2, 1, PAGE_SIZE + 1, 0)
    shown = [entry.endpoint for page in (first, second, third) for entry in page.rows]
    assert len(shown) == len(set(shown)) == PAGE_SIZE + 4
    assert shown[0] == ("soon-0.example.com", 443)
    found = overview(snapshot, Query(text="fine-1"), NOW)
    assert (found.matched, found.total, found.counts[State.OK]) == (11, PAGE_SIZE + 4, PAGE_SIZE + 3)


def test_weeks_count_what_is_predicted_in_each() -> None:
    """From Monday of this week on; what fails already is no prediction."""
    page = overview(fleet(soon=2, later=1, failing=3, fine=4), Query(), NOW)
    assert len(page.weeks) == WEEKS
    assert page.weeks[0].begins == NOW.replace(day=23, month=2, hour=0)
    assert {week.begins.date().isoformat(): week.count for week in page.weeks if week.count} == {
        "2026-03-02": 2,
        "2026-04-27": 1,
    }
    late = overview(fleet(soon=1), Query(), NOW + 30 * DAY)
    assert late.weeks[0].count == 1
