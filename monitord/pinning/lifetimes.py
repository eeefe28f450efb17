"""How long certificates live and when they are renewed, as far as standards and habits say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

# CA/Browser Forum ballot SC-081v3: the longest lifetime of a certificate issued from each date on.
_LIMITS = (
    (datetime(2029, 3, 15, tzinfo=UTC), timedelta(days=47)),
    (datetime(2027, 3, 15, tzinfo=UTC), timedelta(days=100)),
    (datetime(2026, 3, 15, tzinfo=UTC), timedelta(days=200)),
)
# certbot and most ACME clients: a third of the lifetime before the end, half of it for lifetimes below ten days.
_SHORT, _SHORT_FRACTION, _USUAL_FRACTION = timedelta(days=10), 0.5, 2 / 3
_BY_HAND = timedelta(days=100)


def longest_lifetime(issued_at: datetime) -> timedelta | None:
    """The longest lifetime that the public web's CAs may give; None before there was a limit worth to be told."""
    return next((limit for since, limit in _LIMITS if issued_at >= since), None)


def usual_renewal(lifetime: timedelta) -> float:
    """The part of its lifetime after which a certificate is renewed, where nothing is known of its host."""
    return _SHORT_FRACTION if lifetime < _SHORT else _USUAL_FRACTION


def often_by_hand(lifetime: timedelta) -> bool:
    """Whether certificates of this lifetime are often renewed by hand, near their end."""
    return lifetime > _BY_HAND
