"""Is a pin that does not match today a spare? What is known of each pin of a set, in three words.

A pin set is only as good as its spares, and a dead pin (of an intermediate that was retired, of a key that was never
made) looks just like one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.pins import Pin
    from monitord.pinning.trust import TrustStore


class Standing(StrEnum):
    """What is known of a pin."""

    LIVE = "live"
    """It matches a path that clients take now."""
    PLAUSIBLE = "plausible"
    """It is the key of a certificate that is known and in date: a trusted root, or one that was presented."""
    NEVER_SEEN = "never_seen"
    """No certificate in date is known that has this key; it may be a key kept offline, or nothing at all."""


def standings(
    pins: Iterable[Pin],
    matched: Collection[Pin],
    presented: Iterable[Certificate],
    stores: Iterable[TrustStore],
    now: datetime,
) -> Mapping[Pin, Standing]:
    """The standing of each pin, given the pins that matched, all certificates presented, and the clients' stores."""
    spares = [pin for pin in pins if pin not in matched]
    known = [*presented, *(anchor for store in stores for pin in spares for anchor in store.keyed(pin))]
    in_date = {pin for one in known if spares and one.valid_at(now) for pin in (one.pin, one.certificate_pin)}
    return {
        pin: Standing.LIVE if pin in matched else Standing.PLAUSIBLE if pin in in_date else Standing.NEVER_SEEN
        for pin in pins
    }
