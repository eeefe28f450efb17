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


def next_delay(attempts: int, asked: timedelta | None, chance: float) -> timedelta | None:
    """How long to wait after this many attempts, all failed; None: give up.

    ``asked`` is what the receiver asked for, which is kept if it is longer. ``chance`` in [0, 1) spreads the delay by
    10 % either way, so that messages that failed together do not all come back together.
    """
    if attempts > len(DELAYS):
        return None
    delay = DELAYS[attempts - 1] * (1 - _JITTER + 2 * _JITTER * chance)
    return delay if asked is None else max(delay, asked)
