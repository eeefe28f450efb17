"""The numbered rules of whose turn it is, and what holds whatever waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.turns import DIGEST, MANY, Digest, Gathering, Told, Turn, Waiting, choose, first_in_line, turns

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WAIT, INTERVAL = timedelta(seconds=5), timedelta(minutes=5)
GATHERING = Gathering(WAIT, INTERVAL, NOON - timedelta(hours=1))


def after(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def waiting(name: str, *, at: float = 0, receiver: str = "ops", group: str | None = "x", number: int = 1) -> Waiting:
    """A message about an incident of this name, queued then, never tried."""
    return Waiting(f"{name}.{number}", receiver, name, number, after(at), after(at), group=group)


def names(found: list[Turn]) -> list[str]:
    """The messages of each turn."""
    return ["+".join(one.incident for one in turn.messages) for turn in found]


def test_1_only_the_first_in_line_has_a_turn() -> None:
    """Of an incident a receiver gets one message at a time, in order; another receiver has its own line."""
    line = [waiting("a", number=number) for number in (3, 1, 2)]
    assert first_in_line([*line, waiting("a", receiver="pager", number=2)]) == [
        waiting("a", number=1),
        waiting("a", receiver="pager", number=2),
    ]


def test_2_a_turn_comes_when_the_attempt_is_due_and_nobody_sends_it() -> None:
    """A lease and a retry are waited for, whichever is longer."""
    message = replace(waiting("a", group=None), attempts=1, due_at=after(60), lease_until=after(30))
    assert [turn.at for turn in turns([message], GATHERING, {})] == [after(60)]
    assert [turn.at for turn in turns([replace(message, lease_until=after(90))], GATHERING, {})] == [after(90)]


def test_3_a_message_of_a_group_waits_for_others() -> None:
    """One without a group does not; nor does any where nothing is gathered, or for a receiver that wants each."""
    message = waiting("a")
    assert [turn.at for turn in turns([message], GATHERING, {})] == [after(5)]
    assert [turn.at for turn in turns([replace(message, group=None)], GATHERING, {})] == [NOON]
    assert [turn.at for turn in turns([message], None, {})] == [NOON]
    assert [turn.at for turn in turns([message], replace(GATHERING, alone=frozenset({"ops"})), {})] == [NOON]


@pytest.mark.parametrize("count", [MANY - 1, MANY, 40])
def test_4_many_are_one_delivery_and_few_are_not(count: int) -> None:
    """The oldest decides when, and those that came after it go along; another group or receiver stays out."""
    messages = [waiting(f"m{number:02}", at=number / 10) for number in range(count)]
    others = [waiting("other", group="y"), waiting("pager", receiver="pager")]
    found = turns([*others, *messages], GATHERING, {})
    together = [turn for turn in found if len(turn.messages) > 1]
    if count < MANY:
        assert together == []
        assert sorted(turn.at for turn in found if turn.messages[0] in messages) == [
            after(5 + number / 10) for number in range(count)
        ]
    else:
        assert together == [Turn(after(5), tuple(messages), batch=True)]


def test_4_a_batch_stays_together() -> None:
    """At its next attempt it is the same, whatever has come to its group; it goes when its last message may."""
    batch = [replace(waiting(f"m{number}"), batch="b", attempts=1, due_at=after(number)) for number in range(3)]
    found = turns([*batch, waiting("new")], GATHERING, {})
    assert names(found) == ["m0+m1+m2", "new"]
    assert found[0].at == after(2)
    assert found[0].batch


def test_4_a_huge_batch_is_cut() -> None:
    """No message lists more than five hundred."""
    found = turns([waiting(f"m{number:04}") for number in range(1100)], GATHERING, {})
    assert [len(turn.messages) for turn in found] == [500, 500, 100]


def test_5_more_of_a_known_cause_are_gathered() -> None:
    """After four of a group the next wait until five minutes after the last, then go together though they are few."""
    told = {("ops", "x"): Told(MANY - 1, after(-60))}
    found = turns([waiting("a"), waiting("b", at=30)], GATHERING, told)
    assert names(found) == ["a+b"]
    assert found[0].at == after(240)
    (single,) = turns([waiting("a")], GATHERING, told)
    assert (single.at, single.batch) == (after(240), False)


def test_5_few_that_were_told_delay_nothing() -> None:
    """An endpoint or two of one cause are each told at once."""
    told = {("ops", "x"): Told(MANY - 2, after(-60))}
    assert [turn.at for turn in turns([waiting("a")], GATHERING, told)] == [after(5)]


def test_6_what_was_due_before_the_start_does_not_wait() -> None:
    """After a restart it goes at once, and together where it is much."""
    gathering = replace(GATHERING, since=NOON)
    told = {("ops", "x"): Told(40, after(-1))}
    assert [turn.at for turn in turns([waiting("a", at=-1)], gathering, told)] == [after(-1)]
    found = turns([waiting(f"m{number}", at=-number) for number in range(MANY)], gathering, {})
    assert [(turn.at, len(turn.messages)) for turn in found] == [(after(1 - MANY), MANY)]


def test_the_oldest_go_first_and_no_receiver_gets_more_than_it_may() -> None:
    """A batch counts as one; who is not named gets what others get."""
    found = turns(
        [
            *(waiting(f"m{number}") for number in range(MANY)),
            waiting("late", at=4, group=None),
            waiting("early", at=-4, group=None),
            waiting("pager", receiver="pager", group=None),
            waiting("gone", receiver="gone", group=None),
        ],
        GATHERING,
        {},
    )
    assert names(choose(found, {"ops": 2, "pager": 0}, 1, after(10))) == ["early", "gone", "m0+m1+m2+m3+m4"]
    assert names(choose(found, {"ops": 9}, 0, after(4))) == ["early", "late"]


messages = st.lists(
    st.builds(
        Waiting,
        id=st.uuids().map(str),
        receiver=st.sampled_from(["ops", "pager"]),
        incident=st.integers(0, 30).map(str),
        number=st.integers(1, 4),
        created_at=st.integers(-900, 900).map(after),
        due_at=st.integers(-900, 900).map(after),
        attempts=st.integers(0, 1),
        lease_until=st.none() | st.integers(-900, 900).map(after),
        group=st.none() | st.sampled_from(["x", "y"]),
        batch=st.none() | st.sampled_from(["b", "c"]),
    ),
    max_size=40,
)


@given(messages, st.integers(-900, 900), st.sampled_from([None, GATHERING]))
def test_each_first_in_line_has_one_turn(waiting: list[Waiting], start: int, gathering: Gathering | None) -> None:
    """Nothing is forgotten or sent twice; what goes together is for one receiver, and nothing goes before it is due."""
    gathering = gathering and replace(gathering, since=after(start))
    heads = first_in_line(waiting)
    found = turns(heads, gathering, {})
    given = [one for turn in found for one in turn.messages]
    assert sorted(one.id for one in given) == sorted(one.id for one in heads)
    for turn in found:
        assert {one.receiver for one in turn.messages} == {turn.receiver}
        assert len({one.incident for one in turn.messages}) == len(turn.messages)
        assert len(turn.messages) == 1 or turn.batch
        if not turn.batch or turn.messages[0].batch:
            assert turn.at >= max(one.claimable_at for one in turn.messages)


@given(messages, st.integers(-900, 900))
def test_without_news_every_turn_comes(waiting: list[Waiting], start: int) -> None:
    """No message waits longer than its own time and the two waits, even of a group that was told a moment ago."""
    told = {(receiver, group): Told(9, after(900)) for receiver in ("ops", "pager") for group in ("x", "y")}
    found = turns(first_in_line(waiting), replace(GATHERING, since=after(start)), told)
    assert all(turn.at <= after(900) + WAIT + INTERVAL for turn in found)


DAILY = Digest(timedelta(days=1), timedelta(hours=8))
DIGESTED = replace(GATHERING, digests={"ops": DAILY})
MORNING = datetime(2026, 3, 3, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("every", "at", "moment", "expected"),
    [
        ("1d", "8h", "2026-03-02T12:00", "2026-03-03T08:00"),
        ("1d", "8h", "2026-03-02T07:59", "2026-03-02T08:00"),
        ("1d", "8h", "2026-03-02T08:00", "2026-03-03T08:00"),
        ("12h", "8h", "2026-03-02T12:00", "2026-03-02T20:00"),
        ("7d", "8h", "2026-03-02T12:00", "2026-03-09T08:00"),
        ("7d", "8h", "2026-03-08T12:00", "2026-03-09T08:00"),
        ("1d", "0h", "1969-12-31T12:00", "1970-01-01T00:00"),
    ],
)
def test_when_the_next_digest_is(every: str, at: str, moment: str, expected: str) -> None:
    """Each so often, at a time of the day; a weekly one on Mondays. The day of the start changes nothing."""
    hours = {"1d": 24, "12h": 12, "7d": 168}
    digest = Digest(timedelta(hours=hours[every]), timedelta(hours=int(at.removesuffix("h"))))
    found = digest.next_after(datetime.fromisoformat(f"{moment}+00:00"))
    assert found == datetime.fromisoformat(f"{expected}+00:00")


def test_7_what_can_wait_goes_in_one_at_its_time() -> None:
    """However few, whatever they are about, several messages of an incident too; what cannot wait is not held up."""
    held = [waiting("a", group=DIGEST), waiting("b", at=60, group=DIGEST), waiting("a", at=90, group=DIGEST, number=2)]
    found = turns([*held, waiting("c", group=None)], DIGESTED, {}, after(120))
    assert [(turn.at, turn.batch, names([turn])) for turn in found] == [
        (MORNING, True, ["a+b+a"]),
        (NOON, False, ["c"]),
    ]
    assert [(turn.at, turn.batch) for turn in turns(held[:1], DIGESTED, {}, after(120))] == [(MORNING, False)]


def test_7_a_start_sends_no_digest_early_and_a_wrong_clock_holds_none_for_ever() -> None:
    """What is due at once because of a start is held all the same; what was queued in the future is taken as of now."""
    released = replace(waiting("a", group=DIGEST), due_at=after(600))
    assert [turn.at for turn in turns([released], replace(DIGESTED, since=after(600)), {}, after(601))] == [MORNING]
    future = waiting("a", at=86_400 * 365, group=DIGEST)
    assert [turn.at for turn in turns([future], DIGESTED, {}, NOON)] == [MORNING]


def test_7_what_waits_longer_waits_for_its_own_digest() -> None:
    """One digest at a time: the next is found once the first is on its way, and what is behind it waits for it."""
    old, new = waiting("a", group=DIGEST), waiting("b", at=86_400, group=DIGEST)
    follower = waiting("a", at=86_400, group=DIGEST, number=2)
    assert names(turns([old, new, follower], DIGESTED, {}, after(90_000))) == ["a"]
    sent = replace(old, attempts=1, batch="first", lease_until=after(90_000))
    assert names(turns([sent, new, follower], DIGESTED, {}, after(90_000))) == ["a", "b"]


def test_7_what_became_urgent_takes_its_beginning_along() -> None:
    """What is held of an incident goes at once when something waits behind it that is not to be held."""
    pressed = replace(waiting("a", group=DIGEST), pressed=True)
    found = turns([pressed, waiting("b", group=DIGEST)], DIGESTED, {}, NOON)
    assert [(turn.at, names([turn])) for turn in found] == [(NOON, ["a"]), (MORNING, ["b"])]


@pytest.mark.parametrize("gathering", [None, GATHERING])
def test_7_nothing_is_held_where_there_is_no_digest(gathering: Gathering | None) -> None:
    """It was taken out of the configuration, or the store does not work: one at a time, in order."""
    held = [waiting("a", group=DIGEST), waiting("a", group=DIGEST, number=2), waiting("b", group=DIGEST)]
    found = turns(held, gathering, {}, NOON)
    assert [(turn.at, names([turn])) for turn in found] == [(NOON, ["a"]), (NOON, ["b"])]
