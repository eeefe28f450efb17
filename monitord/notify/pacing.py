"""How fast a receiver is sent messages: a token bucket, and a hold while it wants to be left alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.config.receivers import Rate


class Pace:
    """How many messages one receiver may be sent now: ``burst`` at once, then so many a minute.

    A clock that is set back gives nothing away and takes nothing; one that is set forward fills the bucket.
    """

    def __init__(self, rate: Rate, now: datetime) -> None:
        """A full bucket."""
        self._rate = rate
        self._left = float(rate.burst)
        self._at = now
        self._held_until: datetime | None = None

    def replace(self, rate: Rate) -> None:
        """Go on at another rate with what is left, as far as that fits."""
        self._rate = rate
        self._left = min(self._left, float(rate.burst))

    def allowance(self, now: datetime) -> int:
        """How many messages may be sent now."""
        self._refill(now)
        return 0 if self._held_until is not None else int(self._left)

    def next_at(self, now: datetime) -> datetime | None:
        """When one may be sent again; None if one may be sent now."""
        if self.allowance(now):
            return None
        lacking = max(1 - self._left, 0) * timedelta(minutes=1) / self._rate.per_minute
        return max(now + lacking, self._held_until or now)

    def take(self) -> None:
        """One message is being sent."""
        self._left -= 1

    def hold(self, until: datetime) -> None:
        """Send nothing until then; a hold that lasts longer stays."""
        self._held_until = max(until, self._held_until or until)

    def release(self) -> None:
        """Forget the hold, as when the clock that it was measured by was wrong."""
        self._held_until = None

    def _refill(self, now: datetime) -> None:
        if self._held_until is not None and self._held_until <= now:
            self._held_until = None
        passed = max((now - self._at) / timedelta(minutes=1), 0)
        self._left = min(self._left + passed * self._rate.per_minute, float(self._rate.burst))
        self._at = now
