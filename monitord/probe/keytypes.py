"""Which types of key an endpoint has, so that all are looked at and an endpoint with one is not asked twice a round.

Rules:

1. A look that takes any key comes first. Then every type that the endpoint is known to have and has not shown is
   asked for.
2. Types that it is not known to have are tried at first sight, when it shows a certificate that it has not shown
   lately, and each day. That they are refused then means that the endpoint does not have them, which is no failure.
3. Not to see a type is a failure only where it must be there: it was seen beside another type in two rounds. An
   endpoint that changes from one type to the other, and maybe back, never had to have both.
4. A type that must be there was replaced, which is no failure, if it is refused and a leaf that is newer than the last
   sight of it is shown instead.
5. Otherwise it is a failure until it has been missing for an hour, and for three rounds at least. Then it is taken for
   given up.
6. What fails for who would take any key is no choice of the operator: then nothing is taken for replaced or given up.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitord.pinning.observation import FailureReason
from monitord.pinning.target import format_endpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping, Sequence

    from monitord.pinning.certificate import KeyType
    from monitord.pinning.observation import Observation

DAY = 86_400.0
HOUR = 3_600.0
# Looks that are less apart are attempts of one round.
MINUTE = 60.0
# How servers say that they have no such key: by an alert, by a key of another type, or by hanging up.
_REFUSALS = (FailureReason.TLS_ALERT, FailureReason.TLS_PROTOCOL, FailureReason.RESET)
# A key that is there, with a chain that nobody can use: it does not go away by being overlooked.
_UNUSABLE = (FailureReason.CERTIFICATE_UNREADABLE, FailureReason.TOO_LARGE)
# What may be the fault of one key alone, unlike an address that does not answer.
_FAULTS_OF_A_KEY = (*_REFUSALS, *_UNUSABLE)
_ROUNDS_TO_CONFIRM = 2
_ROUNDS_TO_GIVE_UP = 3
_MOST_SHOWN = 16


@dataclass(slots=True)
class _Had:
    """A type of key that an endpoint has: when it was last seen, and in how many rounds.

    ``beside`` are the rounds in which it was seen beside another type, ``missed`` those since then without it.
    """

    seen: float
    beside: int = 0
    missed: int = 0

    @property
    def confirmed(self) -> bool:
        """Whether it must be there."""
        return self.beside >= _ROUNDS_TO_CONFIRM


@dataclass(slots=True)
class _Known:
    """What is known of an endpoint; times are seconds of the monotonic clock.

    ``shown`` has the digests of the last few leaves, the latest last, each with the time of its first sight: an address
    may be several servers that differ. ``had`` are the types that it has, ``try_at`` is when the others are tried
    again, ``round_at`` when the last round began, and ``another_round`` whether that was with the last look.
    """

    try_at: float
    round_at: float | None = None
    another_round: bool = True
    shown: tuple[tuple[bytes, float], ...] = ()
    had: dict[KeyType, _Had] = field(default_factory=dict)


class KeyTypes:
    """Remembers the types of key of the endpoints that were looked at within two days, ``max_endpoints`` at the most.

    To forget one that is looked at costs a handshake for each type at its next round, so there is room for very many.
    ``separable`` are the types that can be asked for alone.
    """

    def __init__(self, separable: Sequence[KeyType], max_endpoints: int = 2_000_000) -> None:
        """A memory of nothing."""
        self._separable = separable
        self._max_endpoints = max_endpoints
        self._endpoints: OrderedDict[Hashable, _Known] = OrderedDict()
        self._log = logging.getLogger(__name__)

    def to_ask_for(self, endpoint: Hashable, first: Observation, now: float) -> tuple[KeyType, ...]:
        """The types to ask for after a look that took any key and saw this."""
        known = self._known(endpoint, now)
        if not first.chain:
            must_have = tuple(key_type for key_type, had in known.had.items() if had.confirmed)
            may_have_another = len(must_have) > 1 and first.failure and first.failure.reason in _FAULTS_OF_A_KEY
            return must_have if may_have_another else ()
        wanted = set(known.had)
        if now >= known.try_at or all(digest != first.chain[0].sha256 for digest, _ in known.shown):
            known.try_at = now + DAY
            wanted = set(self._separable)
        return tuple(key_type for key_type in self._separable if key_type in wanted and key_type is not first.key_type)

    def take_in(
        self, endpoint: Hashable, first: Observation, asked: Mapping[KeyType, Observation], now: float
    ) -> list[Observation]:
        """Learn from a look that took any key and those for each type that was then asked for.

        The value is those of the latter that say something about the endpoint: a chain, or a failure to have one.
        """
        known = self._known(endpoint, now)
        known.another_round = known.round_at is None or now - known.round_at >= MINUTE
        if known.another_round:
            known.round_at = now
        shown = [observation for observation in (first, *asked.values()) if observation.chain]
        self._note_shown(known, shown, now)
        telling = [
            observation
            for key_type, observation in asked.items()
            if observation.chain or not first.chain or self._lacks(known, key_type, observation, shown, now)
        ]
        if len(shown) == len(known.had) == 1:
            for had in known.had.values():
                had.beside = 0
        return telling

    def _known(self, endpoint: Hashable, now: float) -> _Known:
        known = self._endpoints.get(endpoint)
        if known is None:
            known = self._endpoints[endpoint] = _Known(try_at=now)
            self._forget(now)
        else:
            self._endpoints.move_to_end(endpoint)
        return known

    def _forget(self, now: float) -> None:
        """Drop those that were looked at longest ago: what is beyond the bound, and what is looked at no more."""
        if len(self._endpoints) > self._max_endpoints:
            self._endpoints.popitem(last=False)
        for _ in range(2):
            endpoint, oldest = next(iter(self._endpoints.items()))
            if oldest.round_at is None or now - oldest.round_at < 2 * DAY:
                break
            del self._endpoints[endpoint]

    def _note_shown(self, known: _Known, shown: Collection[Observation], now: float) -> None:
        for observation in shown:
            leaf = observation.chain[0]
            if not known.shown or known.shown[-1][0] != leaf.sha256:
                others = dict(known.shown)
                since = others.pop(leaf.sha256, now)
                known.shown = (*others.items(), (leaf.sha256, since))[-_MOST_SHOWN:]
            if leaf.key_type in self._separable:
                had = known.had.setdefault(leaf.key_type, _Had(now))
                had.seen, had.missed = now, 0
                had.beside += known.another_round and len(shown) > 1

    def _lacks(
        self, known: _Known, key_type: KeyType, missing: Observation, shown: Collection[Observation], now: float
    ) -> bool:
        """Whether it is a failure that this type was not seen; forgets a type that the endpoint no longer has."""
        had = known.had.get(key_type)
        reason = missing.failure.reason if missing.failure else None
        refused = reason in _REFUSALS
        if had is None:
            if not refused:
                known.try_at = min(known.try_at, now + HOUR)
            return False
        if had.confirmed and reason in _UNUSABLE:
            return True
        if refused and (not had.confirmed or any(dict(known.shown)[one.chain[0].sha256] > had.seen for one in shown)):
            del known.had[key_type]
            return False
        if known.another_round and now - had.seen >= HOUR and had.missed >= _ROUNDS_TO_GIVE_UP:
            del known.had[key_type]
            known.try_at = min(known.try_at, now + HOUR)
            if had.confirmed:
                where = format_endpoint(missing.address, missing.port)
                self._log.info("%s has lacked its %s key for long: taken for given up", where, key_type)
            return False
        had.missed += known.another_round
        return had.confirmed
