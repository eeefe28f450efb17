from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.pinning.target import Target
from monitord.schedule import Due, Timetable

WALL = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = 5_000.0


def target(host: str = "a.example.com", minutes: float = 15, port: int = 443) -> Target:
    """An endpoint with an interval."""
    return Target(host, port, interval=timedelta(minutes=minutes))


def many(count: int, minutes: float = 15) -> list[Target]:
    """``count`` endpoints with the same interval."""
    return [target(f"h{number}.example.com", minutes) for number in range(count)]


def run(timetable: Timetable, start: float, end: float, step: float = 1.0) -> list[Due]:
    """What comes due between two times, looked at each ``step``; each round ends at once."""
    found = []
    for number in range(int((end - start) / step) + 1):
        now = start + number * step
        for due in timetable.due(now):
            found.append(due)
            timetable.finished(due.key, now)
    return found


def started(targets: list[Target], wall: datetime = WALL, monotonic: float = START) -> Timetable:
    """A timetable that begins with these targets."""
    timetable = Timetable(wall, monotonic)
    timetable.update(targets, monotonic)
    return timetable


@given(
    st.dictionaries(st.integers(0, 50), st.sampled_from([20, 60, 90]), min_size=1, max_size=8),
    st.floats(0, 1e7),
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - given a zone
)
def test_each_endpoint_comes_once_in_each_interval(intervals: dict[int, int], monotonic: float, wall: datetime) -> None:
    """After the first round an endpoint is due exactly once in each interval, at a fixed distance, without drift."""
    targets = [target(f"h{number}.test", seconds / 60) for number, seconds in intervals.items()]
    times = defaultdict(list)
    for due in run(started(targets, wall, monotonic), monotonic, monotonic + 360):
        times[due.key].append(due.at)
    for found in targets:
        interval = found.interval.total_seconds()
        first, *regular = times[found.host, found.port]
        assert 0 <= first - monotonic <= 0.02 * len(targets)
        # A slot that passes between the first due time and the look that notices it is merged with it.
        assert regular[0] - first <= interval + 1
        assert all(after - before == pytest.approx(interval, abs=1e-6) for before, after in pairwise(regular))
        assert monotonic + 360 - regular[-1] <= interval


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(0, 10_000_000))
def test_the_phase_is_the_same_after_a_restart(before: float, after: float, seconds: int) -> None:
    """By the wall clock, an endpoint's slots lie at the same place in the interval whenever the daemon starts."""

    def phase(wall: datetime, monotonic: float) -> float:
        timetable = started([target()], wall, monotonic)
        _, slot = run(timetable, monotonic, monotonic + 950, step=50)[:2]
        return (wall.timestamp() + slot.at - monotonic) % 900

    difference = abs(phase(WALL, before) - phase(WALL + timedelta(seconds=seconds), after))
    assert min(difference, 900 - difference) < 1e-3


def test_the_place_does_not_depend_on_the_process() -> None:
    """Another process, with another seed for str hashes, gives the same slots."""
    script = (
        "from datetime import UTC, datetime\n"
        "from monitord.pinning.target import Target\n"
        "from monitord.schedule import Timetable\n"
        "t = Timetable(datetime(2026, 3, 1, 12, tzinfo=UTC), 0.0)\n"
        "t.update([Target('a.example.com')], 0.0)\n"
        "t.due(31.0); t.finished(('a.example.com', 443), 31.0)\n"
        "print(t.due(931.0)[0].at)\n"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_a_start_is_spread_over_a_short_ramp() -> None:
    """One endpoint is due at once, hundreds over some seconds, and thousands within half a minute."""
    for count, ramp in ((1, 0.02), (500, 10.0), (5_000, 30.0)):
        first = [due.at - START for due in started(many(count)).due(START + ramp)]
        assert len(first) == count
        assert 0 <= min(first) <= max(first) <= ramp
        if count > 1:
            assert max(first) > ramp / 2


def test_a_short_interval_has_a_shorter_ramp() -> None:
    """No endpoint waits longer for its first round than its interval."""
    assert len(started(many(5_000, minutes=1 / 30)).due(START + 2)) == 5_000


def test_the_load_is_even() -> None:
    """Regular slots of many endpoints fill the interval without bunches."""
    timetable = started(many(9_000))
    slots = [due.at - START for due in run(timetable, START, START + 960)]
    per_minute = Counter(int(slot // 60) for slot in slots if 60 <= slot < 960)
    assert len(per_minute) == 15
    assert all(400 < count < 800 for count in per_minute.values())


def test_what_is_overdue_comes_once() -> None:
    """After a long sleep each endpoint comes once, with its lag, and then goes on in its old slots."""
    timetable = started(many(50))
    run(timetable, START, START + 1000)
    regular = {due.key: due.at for due in run(timetable, START + 1001, START + 1900)}
    woken = START + 1900 + 10 * 900 + 450
    late = timetable.due(woken)
    assert len(late) == 50
    for due in late:
        timetable.finished(due.key, woken)
        assert due.at - regular[due.key] == pytest.approx(900)
    for due in run(timetable, woken + 1, woken + 900):
        slots = (due.at - regular[due.key]) / 900
        assert slots == pytest.approx(round(slots), abs=1e-9)


def test_a_running_endpoint_is_not_started_again() -> None:
    """A round that takes longer than the interval leaves slots out, which are counted, and then goes on."""
    timetable = started([target()])
    (running,) = timetable.due(START + 1)
    assert timetable.due(START + 901) == []
    assert timetable.due(START + 1801) == []
    assert timetable.skipped == 2
    timetable.finished(running.key, START + 1802)
    assert [due.key for due in timetable.due(START + 2701)] == [running.key]


def test_a_request_brings_the_round_forward() -> None:
    """A requested endpoint is due now, once, and keeps its slots."""
    timetable = started([target()])
    run(timetable, START, START + 1)
    assert timetable.request(("a.example.com", 443), START + 5)
    assert timetable.request(("a.example.com", 443), START + 6)
    (due,) = run(timetable, START + 7, START + 8)
    assert due.at == START + 5
    slots = run(timetable, START + 9, START + 9 + 1800)
    assert len(slots) == 2
    assert slots[1].at - slots[0].at == pytest.approx(900)


def test_a_request_during_a_round_is_kept() -> None:
    """An endpoint that is asked for while it runs is due as soon as it has ended."""
    timetable = started([target()])
    (running,) = timetable.due(START + 1)
    assert timetable.request(running.key, START + 2)
    assert timetable.due(START + 3) == []
    timetable.finished(running.key, START + 4)
    assert [due.at for due in timetable.due(START + 4)] == [START + 4]


def test_a_request_for_an_unknown_endpoint_is_refused() -> None:
    """Only what is registered can be asked for."""
    assert not started([target()]).request(("b.example.com", 443), START)


def test_a_reload_keeps_what_is_unchanged() -> None:
    """New and changed endpoints come at once, removed ones no more, and the others as if nothing had happened."""
    kept, changed, removed = target("kept.test"), target("changed.test"), target("removed.test")
    timetable = started([kept, changed, removed])
    undisturbed = started([kept])
    run(timetable, START, START + 60)
    run(undisturbed, START, START + 60)
    reload = START + 61
    timetable.update([kept, target("changed.test", minutes=5), target("new.test")], reload)
    found = run(timetable, reload, reload + 1800)
    assert {due.key[0] for due in found if due.at < reload + 1} == {"changed.test", "new.test"}
    assert "removed.test" not in {due.key[0] for due in found}
    expected = [due.at for due in run(undisturbed, reload, reload + 1800)]
    assert [due.at for due in found if due.key[0] == "kept.test"] == expected
    slots = [due.at for due in found if due.key[0] == "changed.test"][1:]
    assert slots[1] - slots[0] == pytest.approx(300)


def test_a_change_during_a_round_is_probed_after_it() -> None:
    """A round that began with the old target is followed by one with the new one."""
    timetable = started([target()])
    (running,) = timetable.due(START + 1)
    timetable.update([target(minutes=5)], START + 2)
    timetable.due(START + 3)
    timetable.finished(running.key, START + 4)
    (again,) = timetable.due(START + 4)
    assert again.target == target(minutes=5)


def test_an_endpoint_that_was_removed_while_it_ran_does_not_come_back() -> None:
    """The end of its round, and a request before it, change nothing any more."""
    timetable = started([target()])
    (running,) = timetable.due(START + 1)
    timetable.request(running.key, START + 2)
    timetable.update([], START + 3)
    timetable.finished(running.key, START + 4)
    assert run(timetable, START + 4, START + 2000) == []


def test_endpoints_are_told_apart_by_port() -> None:
    """Two ports of a host have places of their own."""
    timetable = started([target(), target(port=8443)])
    run(timetable, START, START + 1)
    first, second = run(timetable, START + 2, START + 901)
    assert {first.key, second.key} == {("a.example.com", 443), ("a.example.com", 8443)}
    assert first.at != second.at
