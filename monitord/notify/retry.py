"""When to try again."""

from __future__ import annotations

from datetime import timedelta

# Quick at first, since most faults are short; then the schedule that Standard Webhooks recommends. About 3 days in all.
DELAYS = (
    timedelta(seconds=5),
    timedelta(seconds=15),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
_JITTER = 0.1
# The least time that the schedule takes, so that a message that is tried when it is due gets no more attempts than it.
LIFETIME = sum(DELAYS, timedelta()) * (1 - _JITTER)


def next_delay(attempts: int, age: timedelta, asked: timedelta | None, chance: float) -> timedelta | None:
    """How long to wait after this many attempts, all failed, for a message of this age; None: give up.

    Each restart tries everything at once, so a message that has used up its attempts is given up only if it is also
    as old as the schedule is long; until then it is tried after the longest delay again.
    ``asked`` is what the receiver asked for, which is kept if it is longer. ``chance`` in [0, 1) spreads the delay by
    10 % either way, so that messages that failed together do not all come back together.
    """
    if attempts > len(DELAYS) and age >= LIFETIME:
        return None
    delay = DELAYS[min(attempts, len(DELAYS)) - 1] * (1 - _JITTER + 2 * _JITTER * chance)
    return delay if asked is None else max(delay, asked)
