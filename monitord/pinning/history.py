"""What an endpoint has shown so far, folded into what a forecast learns from: its leaf certificates and renewals."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from monitord.pinning.observation import Observation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate, KeyType
    from monitord.pinning.observation import Failure

_KEPT = 64


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that an address shows; usually one, or one a key type."""

    key_type: KeyType | None
    chain: tuple[Certificate, ...]
    tls_version: str | None
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """What an address shows since then; nothing where it is no longer an address of the endpoint."""

    since: datetime
    address: str
    port: int
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Tenure:
    """A leaf certificate in service: ``chain`` as first presented, since when, and the leaf that it replaced, if any.

    ``replaced`` is None for what was there when the watch began, and for a second line of service beside another.
    """

    chain: tuple[Certificate, ...]
    since: datetime
    replaced: Certificate | None = None

    @property
    def leaf(self) -> Certificate:
        """The certificate itself."""
        return self.chain[0]


@dataclass(frozen=True, slots=True)
class History:
    """Every leaf that the endpoint was seen to serve, oldest first (the latest 64), and since when it is watched."""

    began: datetime | None = None
    tenures: tuple[Tenure, ...] = ()

    @property
    def renewals(self) -> tuple[Tenure, ...]:
        """The leaves that took another's place."""
        return tuple(tenure for tenure in self.tenures if tenure.replaced is not None)

    def after(self, at: datetime, observations: Sequence[Observation], before: Sequence[Observation] = ()) -> History:
        """The history after a round at ``at``; this very one where no new leaf was seen.

        ``before`` are the observations of the round before, to know whose place a new leaf took.
        """
        known = {tenure.leaf for tenure in self.tenures}
        fresh = [one for one in observations if one.chain and one.chain[0] not in known]
        if not fresh and self.began is not None:
            return self
        tenures = list(self.tenures)
        for one in fresh:
            if one.chain[0] in known:
                continue
            known.add(one.chain[0])
            tenures.append(Tenure(one.chain, at, _replaced(one, tenures, before)))
        return History(self.began or at, tuple(tenures[-_KEPT:]))


def history_of(points: Sequence[ChangePoint]) -> History:
    """The history that these change points tell; they come oldest first."""
    history = History()
    shown: dict[tuple[str, int], list[Observation]] = {}
    for since, together in groupby(points, key=lambda point: point.since):
        before = [one for several in shown.values() for one in several]
        for point in together:
            shown[point.address, point.port] = [
                Observation(since, point.address, point.port, seen.chain, seen.failure, seen.key_type)
                for seen in point.seen
            ]
        history = history.after(since, [one for several in shown.values() for one in several], before)
    return history


def _replaced(fresh: Observation, tenures: Sequence[Tenure], before: Sequence[Observation]) -> Certificate | None:
    """The leaf in whose place a new one is: at its address, of its type of key; else the newest of its type."""
    leaf = fresh.chain[0]
    alike = [one.chain[0] for one in before if one.chain and one.chain[0].key_type is leaf.key_type]
    here = [
        one.chain[0]
        for one in before
        if one.chain
        and (one.address, one.port) == (fresh.address, fresh.port)
        and one.chain[0].key_type is leaf.key_type
    ]
    if here:
        return here[0]
    if alike:
        return max(alike, key=lambda one: one.not_before)
    older = [tenure.leaf for tenure in tenures if tenure.leaf.key_type is leaf.key_type and tenure.leaf != leaf]
    older = [one for one in older if one.not_before <= leaf.not_before]
    return older[-1] if older else None
