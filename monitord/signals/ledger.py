"""All facts that are known, and how a new one meets those that are there.

1. A fact has an identity among those about its host: what it is about, not when it was learned or who told it.
2. A later fact takes the place of the earlier one of its identity. What says nothing new changes nothing, so that
   the same answer, given each hour, is one fact from its first day on.
3. Answers of DNS and changes of trust stores are series: each is a fact of its own where it differs from the last.
4. Of each kind the latest few about a host are kept, whatever a server or a log comes up with.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from monitord.pinning.evidence import (
    DnsAnswer,
    LoggedCertificate,
    RenewalWindow,
    Revocation,
    Signals,
    StagedChain,
    StoreChange,
)
from monitord.pinning.precertificate import is_precertificate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from monitord.pinning.target import StagingEndpoint, Target
    from monitord.signals.source import Fact, Learned

EVERY_HOST = ""
_KEPT: dict[type, int] = {
    RenewalWindow: 64,
    LoggedCertificate: 64,
    StagedChain: 16,
    Revocation: 64,
    DnsAnswer: 8,
    StoreChange: 32,
}


@dataclass(frozen=True, slots=True)
class Noted:
    """A fact about a host under its identity, and the name of the source that told it."""

    host: str
    identity: str
    source: str
    fact: Fact


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of facts that came in: those that are new or stand in place of another, and those that gave way."""

    noted: tuple[Noted, ...] = ()
    gone: tuple[tuple[str, str], ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts about which there is something new, each once."""
        return tuple(dict.fromkeys(one.host for one in self.noted))


@dataclass(slots=True)
class _About:
    """What is known about one host, by identity, and that as Signals for each staging endpoint that was asked for."""

    notes: dict[str, Noted] = field(default_factory=dict)
    views: dict[StagingEndpoint | None, Signals] = field(default_factory=dict)


_NOTHING = Signals()


class Ledger:
    """Every fact in memory, by host."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._hosts: dict[str, _About] = {}

    def restore(self, notes: Iterable[Noted]) -> None:
        """Take these in as they are: what was kept from an earlier run."""
        for one in notes:
            self._about(one.host).notes[one.identity] = one

    def take_in(self, source: str, learned: Iterable[Learned]) -> Changes:
        """Take in what a source has learned; what was known already is no change."""
        noted: dict[tuple[str, str], Noted] = {}
        gone: dict[tuple[str, str], None] = {}
        for host, fact in ((one.host, one.fact) for one in learned):
            about = self._about(host)
            identity = identity_of(fact)
            earlier = about.notes.get(identity) or _last_of_series(about.notes.values(), fact)
            kept = fact if earlier is None else _meet(earlier.fact, fact)
            if earlier is not None and kept is earlier.fact:
                continue
            fresh = Noted(host, identity, source, kept)
            about.notes.pop(identity, None)
            about.notes[identity] = noted[host, identity] = fresh
            gone.pop((host, identity), None)
            for crowded in _beyond(about.notes, type(fact)):
                del about.notes[crowded]
                noted.pop((host, crowded), None)
                gone[host, crowded] = None
            self._outdate(host)
        return Changes(tuple(noted.values()), tuple(gone))

    def signals_for(self, target: Target) -> Signals:
        """All that is known for this endpoint; the very same object until that changes."""
        about = self._hosts.get(target.host)
        if about is None:
            if not self._hosts.get(EVERY_HOST):
                return _NOTHING
            about = self._about(target.host)
        found = about.views.get(target.staging)
        if found is None:
            found = about.views[target.staging] = self._view(about, target)
        return found

    def prune(self, hosts: Collection[str], before: datetime) -> None:
        """Forget what was learned before then, and what is about other hosts than these."""
        for host in [host for host in self._hosts if host and host not in hosts]:
            del self._hosts[host]
        for host, about in self._hosts.items():
            old = [identity for identity, one in about.notes.items() if one.fact.learned_at < before]
            for identity in old:
                del about.notes[identity]
            if old:
                self._outdate(host)

    def count(self) -> Mapping[str, int]:
        """How many facts there are by the source that told them."""
        return Counter(one.source for about in self._hosts.values() for one in about.notes.values())

    def _about(self, host: str) -> _About:
        return self._hosts.setdefault(host, _About())

    def _outdate(self, host: str) -> None:
        """The views of a host are no longer right; where the host is every host, none is."""
        for about in self._hosts.values() if host == EVERY_HOST else [self._about(host)]:
            about.views.clear()

    def _view(self, about: _About, target: Target) -> Signals:
        common = self._hosts.get(EVERY_HOST, _About())
        # In an order that is the same after a restart.
        notes = [*about.notes.values(), *common.notes.values()]
        notes.sort(key=lambda one: (one.fact.learned_at, one.identity))
        facts = [one.fact for one in notes]
        staging = target.staging.endpoint if target.staging else None
        return Signals(
            windows=tuple(fact for fact in facts if isinstance(fact, RenewalWindow)),
            logged=tuple(fact for fact in facts if isinstance(fact, LoggedCertificate)),
            # What was found at a staging endpoint that is no longer configured is nobody's plan any more.
            staged=tuple(fact for fact in facts if isinstance(fact, StagedChain) and fact.source == staging),
            revoked=tuple(fact for fact in facts if isinstance(fact, Revocation)),
            dns=tuple(fact for fact in facts if isinstance(fact, DnsAnswer)),
            stores=tuple(fact for fact in facts if isinstance(fact, StoreChange)),
        )


def identity_of(fact: Fact) -> str:
    """What a fact is about: equal for two facts of which the later takes the place of the earlier."""
    if isinstance(fact, RenewalWindow):
        return f"window:{fact.certificate.hex()}"
    if isinstance(fact, LoggedCertificate):
        issuer, serial = fact.identity
        return f"logged:{hashlib.sha256(len(issuer).to_bytes(4) + issuer + serial).hexdigest()}"
    if isinstance(fact, StagedChain):
        return f"staged:{fact.source}:{fact.chain[0].key_type}"
    if isinstance(fact, Revocation):
        return f"revoked:{fact.certificate.hex()}"
    if isinstance(fact, DnsAnswer):
        return f"dns:{fact.learned_at.isoformat()}"
    return f"store:{fact.store}:{fact.learned_at.isoformat()}"


def _meet(earlier: Fact, later: Fact) -> Fact:
    """What is known after both: the earlier fact itself where the later one says nothing new."""
    if isinstance(earlier, RenewalWindow) and isinstance(later, RenewalWindow):
        return _later_window(earlier, later)
    if isinstance(earlier, LoggedCertificate) and isinstance(later, LoggedCertificate):
        return _fuller_entry(earlier, later)
    if isinstance(earlier, Revocation) and isinstance(later, Revocation):
        filled = earlier.revoked_at is None and later.revoked_at is not None
        return replace(later, learned_at=earlier.learned_at) if filled else earlier
    if replace(later, learned_at=earlier.learned_at) == earlier:
        return earlier
    return later


def _later_window(earlier: RenewalWindow, later: RenewalWindow) -> RenewalWindow:
    if (earlier.start, earlier.end) != (later.start, later.end):
        return later if later.previous_start else replace(later, previous_start=earlier.start)
    if later.explanation in (None, earlier.explanation):
        return earlier
    return replace(earlier, explanation=later.explanation)


def _fuller_entry(earlier: LoggedCertificate, later: LoggedCertificate) -> LoggedCertificate:
    """The certificate instead of its precertificate, and as many of its issuers as any of the two knows."""
    final = is_precertificate(earlier.chain[0]) and not is_precertificate(later.chain[0])
    leaf = later.chain[0] if final else earlier.chain[0]
    issuers = max(earlier.chain[1:], later.chain[1:], key=len)
    chain = (leaf, *issuers)
    return earlier if chain == earlier.chain else replace(earlier, chain=chain)


def _last_of_series(notes: Iterable[Noted], fact: Fact) -> Noted | None:
    """The latest answer of DNS, for another answer of DNS."""
    if not isinstance(fact, DnsAnswer):
        return None
    answers = [one for one in notes if isinstance(one.fact, DnsAnswer)]
    return max(answers, key=lambda one: one.fact.learned_at, default=None)


def _beyond(notes: Mapping[str, Noted], kind: type) -> Iterator[str]:
    """The identities of the oldest facts of a kind, as many as there are too many."""
    alike = [one for one in notes.values() if isinstance(one.fact, kind)]
    if len(alike) > _KEPT[kind]:
        oldest = sorted(alike, key=lambda one: one.fact.learned_at)[: len(alike) - _KEPT[kind]]
        yield from [one.identity for one in oldest]
