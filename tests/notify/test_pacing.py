from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitord.config.receivers import Rate
from monitord.notify.pacing import Pace
from tests.notify.events import NOW

steps = st.lists(st.timedeltas(timedelta(minutes=-5), timedelta(minutes=5)), max_size=40)


@given(steps=steps, per_minute=st.integers(1, 600), burst=st.integers(1, 50))
def test_no_stretch_of_time_has_more_than_its_rate_and_one_burst(
    steps: list[timedelta], per_minute: int, burst: int
) -> None:
    """However greedy the sender is, and however the clock jumps, forward time alone gives more."""
    now, forward, sent = NOW, timedelta(), 0
    pace = Pace(Rate(per_minute, burst), now)
    for step in steps:
        now += step
        forward += max(step, timedelta())
        while pace.allowance(now):
            pace.take()
            sent += 1
        assert sent <= burst + forward / timedelta(minutes=1) * per_minute + 1e-6


@given(per_minute=st.integers(1, 600), burst=st.integers(1, 50))
def test_when_it_says_so_one_more_may_be_sent(per_minute: int, burst: int) -> None:
    """Who waits as long as he is told does not wait in vain, nor longer than a minute."""
    pace = Pace(Rate(per_minute, burst), NOW)
    for _ in range(burst):
        assert pace.next_at(NOW) is None
        pace.take()
    then = pace.next_at(NOW)
    assert then is not None
    assert NOW < then <= NOW + timedelta(minutes=1)
    assert pace.allowance(then + timedelta(microseconds=1)) == 1


def test_the_longer_of_two_holds_counts() -> None:
    """A receiver that asks for an hour and then for a minute is left alone for the hour."""
    pace = Pace(Rate(), NOW)
    pace.hold(NOW + timedelta(hours=1))
    pace.hold(NOW + timedelta(minutes=1))
    assert pace.next_at(NOW) == NOW + timedelta(hours=1)
    assert pace.allowance(NOW + timedelta(minutes=59)) == 0
    assert pace.allowance(NOW + timedelta(hours=1)) == Rate().burst
