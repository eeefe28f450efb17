from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.pinning.target import Target
from monitord.schedule.timetable import Due, Hurry, Timetable

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


def started(
    targets: list[Target], wall: datetime = WALL, monotonic: float = START, hurry: Hurry | None = None
) -> Timetable:
    """A timetable that begins with these targets."""
    timetable = Timetable(wall, monotonic, hurry)
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
        "from monitord.schedule.timetable import Timetable\n"
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
    for count, ramp in ((1, 0.02), (500, 10.0), (3_000, 30.0), (20_000, 200.0)):
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
    per_minute = Counter(int(slot // 60) for slot in slots if 120 <= slot < 960)
    assert len(per_minute) == 14
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


KEY = ("a.example.com", 443)


def keys(found: list[Due]) -> Counter[str]:
    """How often each host came."""
    return Counter(due.key[0] for due in found)


def test_a_hurried_endpoint_comes_each_minute() -> None:
    """Until it is told otherwise; what was due already still comes."""
    timetable = started([target()])
    run(timetable, START, START + 1)
    assert timetable.pace(KEY, START + 10, hurried=True)
    found = run(timetable, START + 11, START + 611)
    assert len(found) == 10
    assert all(after.at - before.at == pytest.approx(60) for before, after in pairwise(found))
    assert found[0].at <= START + 70
    assert not timetable.pace(KEY, START + 612, hurried=False)
    assert len(run(timetable, START + 613, START + 613 + 900)) <= 2


@given(st.sampled_from([90, 900, 3_600]), st.integers(1, 80), st.integers(0, 4_000), st.integers(1, 4_000))
def test_regular_slots_are_not_moved_by_a_hurry(interval: int, seconds: int, begin: int, length: int) -> None:
    """Every slot that an undisturbed endpoint has comes, at the same time, before, during and after a hurry."""
    one = target(minutes=interval / 60)
    hurry = Hurry(float(seconds))
    timetable, undisturbed = started([one], hurry=hurry), started([one])
    found = run(timetable, START, START + begin)
    timetable.pace(KEY, START + begin, hurried=True)
    found += run(timetable, START + begin + 1, START + begin + length)
    timetable.pace(KEY, START + begin + length, hurried=False)
    found += run(timetable, START + begin + length + 1, START + begin + length + 4_000)
    expected = [due.at for due in run(undisturbed, START, START + begin + length + 4_000)]
    seen = [due.at for due in found]
    # A slot that passes within a second after another one is merged with it, as without a hurry.
    assert all(any(0 <= slot - at <= 1 + 1e-6 for at in seen) for slot in expected)
    late = [at for at in seen if at > START + begin + length + seconds]
    assert late == [at for at in expected if at > START + begin + length + seconds]


def test_a_hurry_survives_a_request_and_a_slow_round() -> None:
    """Both change single rounds only, and no round begins while one runs."""
    timetable = started([target()])
    run(timetable, START, START + 1)
    timetable.pace(KEY, START + 1, hurried=True)
    timetable.request(KEY, START + 2)
    (running,) = timetable.due(START + 2)
    assert timetable.due(START + 200) == []
    timetable.finished(running.key, START + 201)
    assert keys(run(timetable, START + 202, START + 202 + 600)) == {"a.example.com": 10}


def test_telling_again_changes_nothing() -> None:
    """Each round tells anew."""
    once, often = started([target()]), started([target()])
    for timetable in (once, often):
        run(timetable, START, START + 1)
        timetable.pace(KEY, START + 2, hurried=True)
    seen = []
    for second in range(3, 1_000):
        now = START + second
        seen += run(often, now, now)
        often.pace(KEY, now, hurried=True)
    assert [due.at for due in seen] == [due.at for due in run(once, START + 3, START + 999)]


def test_only_so_many_are_hurried_and_the_first_come_first() -> None:
    """A place that gets free goes to who has waited longest, by itself."""
    targets = many(4)
    timetable = started(targets, hurry=Hurry(60.0, 2))
    run(timetable, START, START + 1)
    granted = [timetable.pace((one.host, 443), START + 2, hurried=True) for one in targets]
    assert granted == [True, True, False, False]
    first = keys(run(timetable, START + 3, START + 903))
    assert [first[one.host] for one in targets] == [15, 15, 1, 1]
    timetable.pace((targets[0].host, 443), START + 904, hurried=False)
    second = keys(run(timetable, START + 905, START + 1805))
    assert second[targets[0].host] <= 2
    assert [second[one.host] for one in targets[1:]] == [15, 15, 1]


def test_no_endpoint_is_hurried_where_none_may_be() -> None:
    """A limit of 0 turns it off."""
    timetable = started([target()], hurry=Hurry(limit=0))
    assert not timetable.pace(KEY, START, hurried=True)
    assert len(run(timetable, START, START + 900)) <= 2


def test_who_has_a_short_interval_takes_no_place() -> None:
    """It is probed often enough."""
    timetable = started([target("often.test", minutes=0.5), target()], hurry=Hurry(60.0, 1))
    assert not timetable.pace(("often.test", 443), START, hurried=True)
    assert timetable.pace(KEY, START, hurried=True)
    assert not timetable.pace(("unknown.test", 443), START, hurried=True)


def test_a_crowd_in_a_hurry_does_not_starve_the_others() -> None:
    """Trap: thousands of open windows must not take the turns of the regular rounds, nor come in one bunch."""
    targets = many(3_000)
    timetable, undisturbed = started(targets), started(targets)
    for one in targets[:2_500]:
        timetable.pace((one.host, 443), START, hurried=True)
    found, expected = run(timetable, START, START + 900), run(undisturbed, START, START + 900)
    calm = {one.host for one in targets[100:]}
    assert [due for due in found if due.key[0] in calm] == [due for due in expected if due.key[0] in calm]
    assert len(found) - len(expected) <= 100 * 15
    busiest = Counter(int(due.at) for due in found if due.key[0] not in calm and due.at > START + 60)
    assert max(busiest.values()) <= 10


def test_a_reload_frees_the_places_of_those_that_are_gone() -> None:
    """Removed and changed endpoints leave the line too, and never take a place afterwards."""
    gone, changed, waits = target("gone.test"), target("changed.test"), target("waits.test")
    removed_in_line = target("removed.test")
    timetable = started([gone, changed, removed_in_line, waits], hurry=Hurry(60.0, 2))
    run(timetable, START, START + 1)
    for one in (gone, changed, removed_in_line, waits):
        timetable.pace((one.host, 443), START + 1, hurried=True)
    timetable.update([target("changed.test", minutes=30), waits], START + 2)
    found = keys(run(timetable, START + 3, START + 903))
    assert found["waits.test"] == 15
    assert found["changed.test"] <= 2
    assert found.keys() == {"waits.test", "changed.test"}


@given(st.integers(1, 7), st.integers(1, 40))
def test_under_pressure_all_get_late_alike_and_none_is_left_out(most: int, count: int) -> None:
    """What has been due for longest begins first, however few can begin at a time; the last one is late by the rest."""
    timetable = started(many(count))
    now, begun = START + 60, []
    while found := timetable.due(now, most):
        assert len(found) <= most
        begun += found
        for due in found:
            timetable.finished(due.key, now)
    assert sorted(due.at for due in begun) == [due.at for due in begun]
    assert {due.key for due in begun} == {(one.host, one.port) for one in many(count)}
    assert timetable.overdue(now) == 0


def test_the_shortest_interval_is_of_what_is_watched() -> None:
    """It goes with the endpoint that it belongs to; where nothing is watched nothing can be late."""
    timetable = Timetable(WALL, START)
    assert timetable.shortest_interval == inf
    slow, fast = (
        Target(host, 443, interval=timedelta(seconds=seconds)) for host, seconds in (("slow", 900), ("fast", 10))
    )
    timetable.update([slow, fast], START)
    assert timetable.shortest_interval == 10.0
    timetable.update([slow], START)
    assert timetable.shortest_interval == 900.0


def test_how_long_the_first_in_line_has_waited() -> None:
    """It is the one that has been due for longest; a round that runs no longer waits."""
    timetable = started(many(3))
    assert timetable.overdue(START - 1) == 0
    (first,) = timetable.due(START + 60, 1)
    (second,) = timetable.due(START + 60, 1)
    assert first.at <= second.at
    (third,) = started(many(3)).due(START + 60)[2:]
    assert timetable.overdue(START + 60) == pytest.approx(START + 60 - third.at)
    assert [due.key for due in timetable.due(START + 60, 5)] == [third.key]
    assert timetable.overdue(START + 60) == 0


def test_those_that_come_first_do_not_wait_for_the_others_and_do_not_crowd_them_out() -> None:
    """Three of them for one of the others, whatever has been due for longer."""
    targets = many(12)
    timetable = started(targets)
    urgent = [(one.host, one.port) for one in targets[4:]]
    for key in urgent:
        timetable.put_first(key, first=True)
    order = [timetable.due(START + 60, 1)[0].key in urgent for _ in targets]
    assert order == [True, True, True, False, True, True, True, False, True, True, False, False]


def test_one_that_comes_first_no_more_takes_its_turn_as_before() -> None:
    """To be told so again and again changes nothing, nor does another configuration of the endpoint."""
    targets = many(8)
    timetable, plain = started(targets), started(targets)
    last = plain.due(START + 60)[-1].key
    for first in (True, True, False, True):
        timetable.put_first(last, first=first)
    timetable.update([target(one.host, 30) if (one.host, 443) == last else one for one in targets], START)
    assert timetable.due(START + 60, 1)[0].key == last
    timetable = started(targets)
    timetable.put_first(last, first=True)
    timetable.put_first(last, first=False)
    assert timetable.due(START + 60)[-1].key == last


def test_slots_that_passed_while_an_endpoint_waited_are_counted() -> None:
    """They are made up for by one round, and nobody need guess how many there were."""
    timetable = started([target(minutes=1)])
    run(timetable, START, START + 60)
    assert timetable.skipped == 0
    assert len(timetable.due(START + 60 * 7)) == 1
    assert timetable.skipped == 5
