"""A line: one chain in service for one pin set, and what ``judge`` says of the chains that may follow it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from monitord.pinning.judge import judge
from monitord.pinning.observation import Observation
from monitord.pinning.target import Target

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.evidence import Signals
    from monitord.pinning.history import History
    from monitord.pinning.pins import PinSet
    from monitord.pinning.prediction import Cause
    from monitord.pinning.trust import TrustStore
    from monitord.pinning.verdict import Verdict

    Chain = tuple[Certificate, ...]
    Stores = tuple[TrustStore, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One chain in service, for one pin set: ``stores`` are those that the set may meet.

    ``others`` are the leaves that the endpoint serves beside it, at other addresses or with other types of key.
    """

    name: str
    pinset: PinSet
    chain: Chain
    stores: Stores
    history: History
    signals: Signals
    now: datetime
    others: frozenset[Certificate] = frozenset()

    @property
    def leaf(self) -> Certificate:
        """The leaf in service."""
        return self.chain[0]

    def judged(self, chain: Chain, at: datetime, stores: Stores | None = None) -> tuple[Verdict, str]:
        """What ``judge`` says of another chain, time or stores."""
        return judged(self.name, self.pinset, chain, stores or self.stores, at)

    def fails(self, chain: Chain, at: datetime, stores: Stores | None = None) -> bool:
        """Whether apps would refuse it."""
        return self.judged(chain, at, stores)[0].apps_fail


@dataclass(frozen=True, slots=True)
class Future:
    """A future that fails.

    ``at`` is when it is expected, ``until`` by when it will have come if it comes; ``pending``: it may come at any
    moment from now on. ``known`` is the chain that will be served then, where it is a real one.
    """

    cause: Cause
    at: datetime
    until: datetime
    confidence: float
    expected: Verdict
    evidence: str
    known: Chain = ()
    pending: bool = False


@lru_cache(maxsize=16384)
def judged(name: str, pinset: PinSet, chain: Chain, stores: Stores, at: datetime) -> tuple[Verdict, str]:
    """What ``judge`` says of a chain that is presented for this name; looked up where it was asked before."""
    observation = Observation(at, "", 0, chain, key_type=chain[0].key_type)
    verdict = judge(Target(name, pinsets=(pinset,)), (observation,), {store.name: store for store in stores}, at)[0]
    return verdict.verdict, verdict.reason
