"""What was last written about each endpoint, kept in memory, so that a round that saw nothing new writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from monitord.pinning.observation import FailureReason
from monitord.pinning.outcome import Streaks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.pinning.certificate import KeyType
    from monitord.pinning.observation import Observation
    from monitord.pinning.outcome import Outcome
    from monitord.pinning.verdict import Verdict

    Seen = Mapping["Address", frozenset["Sighting"]]


class Address(NamedTuple):
    """An address of an endpoint, with the port that was connected to; the address is "" where it was never known."""

    address: str
    port: int


class Sighting(NamedTuple):
    """What makes one observation differ from another: not its time, duration, or the wording of its failure."""

    key_type: KeyType | None
    chain: bytes | None
    tls_version: str | None
    failure: FailureReason | None


@dataclass(frozen=True, slots=True)
class Remembered:
    """An endpoint as last written: what each address shows (one sighting a key type or more), and the verdicts."""

    streaks: Streaks = field(default_factory=Streaks)
    seen: Seen = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)

    def after(self, outcome: Outcome) -> Remembered:
        """The endpoint after this round; equal to this one when the round saw nothing new.

        An address that was not seen is gone, and a pin set that was not judged is no longer there, except after a
        round without observations and, for addresses, one in which they could not be found out.
        """
        if not outcome.observations:
            return Remembered(outcome.streaks, self.seen, self.verdicts)
        grouped: dict[Address, set[Sighting]] = {}
        for observation in outcome.observations:
            grouped.setdefault(address_of(observation), set()).add(sighting_of(observation))
        seen = {address: frozenset(sightings) for address, sightings in grouped.items()}
        if any(_hides_addresses(observation) for observation in outcome.observations):
            seen = {**self.seen, **seen}
        verdicts = _verdicts(tuple((judged.pinset.name, judged.verdict) for judged in outcome.verdicts))
        return Remembered(outcome.streaks, seen, verdicts)


@lru_cache(maxsize=1024)  # nearly all endpoints have the same, and there may be a million
def _verdicts(judged: tuple[tuple[str, Verdict], ...]) -> Mapping[str, Verdict]:
    return MappingProxyType(dict(judged))


def address_of(observation: Observation) -> Address:
    """The address that was observed."""
    return Address(observation.address, observation.port)


def sighting_of(observation: Observation) -> Sighting:
    """The observation without what may differ from round to round."""
    return Sighting(
        observation.key_type,
        observation.chain_sha256 if observation.chain else None,
        observation.tls_version,
        observation.failure.reason if observation.failure else None,
    )


def _hides_addresses(observation: Observation) -> bool:
    failure = observation.failure
    return failure is not None and (not observation.address or failure.reason is FailureReason.DNS)
