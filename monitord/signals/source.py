"""What a source of signals is: asked now and then, it answers with facts, a state to keep, and when to ask again."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from monitord.errors import MonitordError
from monitord.pinning.evidence import DnsAnswer, LoggedCertificate, RenewalWindow, Revocation, StagedChain, StoreChange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.target import Target

Fact = RenewalWindow | LoggedCertificate | StagedChain | Revocation | DnsAnswer | StoreChange


class SignalFault(MonitordError):  # noqa: N818 - it is what a source reports, not an error of ours
    """A source could not be asked or its answer not be used; one sentence for the log, without secrets."""


class SourceName(StrEnum):
    """The sources; a closed list that metrics, the store and the log use."""

    ARI = "ari"
    CT_HOOK = "ct_hook"
    CT_SEARCH = "ct_search"
    CT_LOG = "ct_log"
    CRL = "crl"
    OCSP = "ocsp"
    DNS = "dns"
    TRUST_STORE = "trust_store"
    STAGING = "staging"


@dataclass(frozen=True, slots=True)
class Subject:
    """An endpoint that signals are wanted for, and the distinct chains that it serves now, each leaf first."""

    target: Target
    chains: tuple[tuple[Certificate, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Learned:
    """A fact about a host; host "" for facts that concern every endpoint (a trust store's change)."""

    host: str
    fact: Fact


@dataclass(frozen=True, slots=True)
class Poll:
    """What asking a source came to.

    ``state`` replaces what the source keeps for itself, key by key (None deletes a key); JSON-ready. Facts and state
    are written in one transaction, so that no fact is lost between the two. ``faults`` are sentences about parts that
    failed; what succeeded counts all the same. ``next_at``: not before then; the watch asks again at that time.
    ``asked``: the source was asked, although neither facts nor state came of it. ``after_saving``: it is not to be
    asked again before this is written, since it then lets go of what it was told.
    """

    next_at: datetime
    learned: tuple[Learned, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    asked: bool = False
    after_saving: bool = False


class Source(Protocol):
    """One way to learn something."""

    @property
    def name(self) -> SourceName:
        """Which of the closed list it is."""

    async def poll(self, subjects: Sequence[Subject], state: Mapping[str, Any], now: datetime) -> Poll:
        """Ask what is due. ``state`` is what the source had written last. Never raises for what a server does."""
