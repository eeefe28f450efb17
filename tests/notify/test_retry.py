from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitord.notify.retry import DELAYS, LIFETIME, next_delay

NEW = timedelta()


def test_the_schedule_is_the_promised_one() -> None:
    """5 s, 15 s, 1 min, 5 min, then as Standard Webhooks, then the end."""
    found = [next_delay(attempts, LIFETIME, None, 0.5) for attempts in range(1, 13)]
    seconds = [None if delay is None else round(delay.total_seconds()) for delay in found]
    hour = 3600
    assert seconds == [5, 15, 60, 300, 1800, *(hours * hour for hours in (2, 5, 10, 14, 20, 24)), None]


@given(chances=st.lists(st.floats(0, 1, exclude_max=True), min_size=len(DELAYS), max_size=len(DELAYS)))
def test_a_message_that_is_tried_when_due_is_given_up_after_the_twelfth_attempt(chances: list[float]) -> None:
    """Whatever the jitter, no attempt is added to the schedule."""
    age = NEW
    for attempts, chance in enumerate(chances, start=1):
        delay = next_delay(attempts, age, None, chance)
        assert delay is not None
        age += delay
    assert next_delay(len(DELAYS) + 1, age, None, 0.5) is None


@given(
    attempts=st.integers(len(DELAYS) + 1, 1000),
    age=st.timedeltas(max_value=LIFETIME).filter(lambda age: age < LIFETIME),
)
def test_restarts_do_not_use_up_the_schedule(attempts: int, age: timedelta) -> None:
    """A young message, or one from the future of a clock that was set back, goes on with the longest delay."""
    assert next_delay(attempts, age, None, 0.5) == DELAYS[-1]


@given(attempts=st.integers(1, len(DELAYS)), chance=st.floats(0, 1, exclude_max=True))
def test_jitter_is_within_ten_percent(attempts: int, chance: float) -> None:
    """Whatever the chance, the delay stays near its step."""
    delay = next_delay(attempts, NEW, None, chance)
    assert delay is not None
    assert 0.899 <= delay / DELAYS[attempts - 1] <= 1.101


def test_a_longer_wait_that_was_asked_for_is_kept() -> None:
    """Retry-After delays, and never hastens."""
    assert next_delay(1, NEW, timedelta(minutes=2), 0.5) == timedelta(minutes=2)
    assert next_delay(5, NEW, timedelta(minutes=2), 0.5) == timedelta(minutes=30)
