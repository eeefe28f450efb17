"""Which types of key an endpoint has, so that all are looked at and an endpoint with one is not asked twice a round.

Rules:

1. A look that takes any key comes first. Then every type that the endpoint is known to have and has not shown is
   asked for.
2. Types that it is not known to have are tried at first sight, when it shows a certificate that it has not shown
   lately, and each day. That they are refused then means that the endpoint does not have them, which is no failure.
3. A type that was seen counts as had for a day at least. Not to see it is a failure: an app that can use nothing else
   fails. When it is still refused after that day, it is taken for given up on purpose.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitord.pinning.observation import FailureReason

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from monitord.pinning.certificate import KeyType
    from monitord.pinning.observation import Observation

DAY = 86_400.0
HOUR = 3_600.0
# How servers say that they have no such key: by an alert, by a key of another type, or by hanging up.
_REFUSALS = (FailureReason.TLS_ALERT, FailureReason.TLS_PROTOCOL, FailureReason.RESET)
# What may be the fault of one key alone, unlike an address that does not answer.
_FAULTS_OF_A_KEY = (*_REFUSALS, FailureReason.CERTIFICATE_UNREADABLE, FailureReason.TOO_LARGE)
_MOST_SHOWN = 8


@dataclass(slots=True)
class _Known:
    """What is known of an endpoint; times are seconds of the monotonic clock.

    ``shown`` has the digests of the leaves that it chose by itself, the last few: an address may be several servers
    that differ. ``seen`` is when each type was last seen, ``try_at`` when the others are tried again.
    """

    try_at: float
    shown: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    seen: dict[KeyType, float] = field(default_factory=dict)


class KeyTypes:
    """Remembers the types of key of the endpoints that were looked at last, ``max_endpoints`` of them.

    ``separable`` are the types that can be asked for alone.
    """

    def __init__(self, separable: Sequence[KeyType], max_endpoints: int = 50_000) -> None:
        """A memory of nothing."""
        self._separable = separable
        self._max_endpoints = max_endpoints
        self._endpoints: OrderedDict[Hashable, _Known] = OrderedDict()

    def to_ask_for(self, endpoint: Hashable, first: Observation, now: float) -> tuple[KeyType, ...]:
        """The types to ask for after a look that took any key and saw this."""
        known = self._known(endpoint, now)
        if not first.chain:
            may_have_another = len(known.seen) > 1 and first.failure and first.failure.reason in _FAULTS_OF_A_KEY
            return tuple(known.seen) if may_have_another else ()
        wanted = set(known.seen)
        if now >= known.try_at or first.chain[0].sha256 not in known.shown:
            known.try_at = now + DAY
            wanted = set(self._separable)
        self._note_shown(known, first, now)
        return tuple(key_type for key_type in self._separable if key_type in wanted and key_type is not first.key_type)

    def counts(self, endpoint: Hashable, asked: KeyType, second: Observation, now: float) -> bool:
        """Take in what a look for one type has seen; whether it says something about the endpoint."""
        known = self._known(endpoint, now)
        if second.chain:
            known.seen[asked] = now
            return True
        refused = second.failure is not None and second.failure.reason in _REFUSALS
        if asked not in known.seen:
            if not refused:
                known.try_at = min(known.try_at, now + HOUR)
            return False
        if refused and now - known.seen[asked] >= DAY:
            del known.seen[asked]
            return False
        return True

    def _known(self, endpoint: Hashable, now: float) -> _Known:
        known = self._endpoints.get(endpoint)
        if known is None:
            known = self._endpoints[endpoint] = _Known(try_at=now)
            if len(self._endpoints) > self._max_endpoints:
                self._endpoints.popitem(last=False)
        else:
            self._endpoints.move_to_end(endpoint)
        return known

    def _note_shown(self, known: _Known, first: Observation, now: float) -> None:
        leaf = first.chain[0]
        known.shown[leaf.sha256] = None
        known.shown.move_to_end(leaf.sha256)
        if len(known.shown) > _MOST_SHOWN:
            known.shown.popitem(last=False)
        if leaf.key_type in self._separable:
            known.seen[leaf.key_type] = now
