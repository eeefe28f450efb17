"""An endpoint with a past, and what is foreseen of it: what the tests of forecasts share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from monitord import pki
from monitord.pinning.conditions import Policy
from monitord.pinning.evidence import LoggedCertificate, Signals
from monitord.pinning.forecast import forecast
from monitord.pinning.history import History
from monitord.pinning.judge import judge
from monitord.pinning.observation import Observation
from monitord.pinning.pins import Client, Pin, PinSet
from monitord.pinning.target import Target
from monitord.pinning.trust import Distrust, TrustStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.pinning.prediction import Cause, Prediction

HOST = "api.example.com"
DAY = timedelta(days=1)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = BEGAN + 35 * DAY
RENEWAL = BEGAN + 60 * DAY  # two thirds of 90 days
SPARE = Pin(bytes(32))
POLICY = Policy(2, 3, release_time=14 * DAY, horizon=30 * DAY, repeat=timedelta(hours=4))

ROOT = pki.issue("Root")
OTHER_ROOT = pki.issue("Other Root")
INTER = pki.issue("Inter", issuer=ROOT)
SIBLING = pki.issue("Sibling", issuer=ROOT)
FOREIGN = pki.issue("Foreign", issuer=OTHER_ROOT)


def leaf(issuer: pki.Issued = INTER, begins: datetime = BEGAN, days: int = 90, **options: Any) -> pki.Issued:
    """A certificate for the host, of 90 days unless told otherwise."""
    options.setdefault("names", [HOST])
    return pki.issue(HOST, issuer=issuer, not_before=begins, not_after=begins + days * DAY, **options)


LEAF = leaf()


@dataclass
class Endpoint:
    """What is served and known; ``predict`` asks for the future. ``beside`` is served at further addresses."""

    chain: tuple[pki.Issued, ...] = (LEAF, INTER)
    anchors: tuple[pki.Issued, ...] = (ROOT, OTHER_ROOT)
    client: Client = Client.OKHTTP
    signals: Signals = field(default_factory=Signals)
    past: Sequence[tuple[datetime, tuple[pki.Issued, ...]]] = ()
    distrusts: dict[bytes, Distrust] = field(default_factory=dict)
    now: datetime = NOW
    store: str = "test"
    beside: tuple[tuple[pki.Issued, ...], ...] = ()

    def predict(self, *pins: Pin, **pinset: Any) -> dict[Cause, Prediction]:
        """The predictions of a pin set with these pins, by cause."""
        chosen = PinSet("app", self.client, pins, trust=(self.store,), **pinset)
        target = Target(HOST, pinsets=(chosen,))
        stores = {self.store: TrustStore(self.store, [one.certificate for one in self.anchors], self.distrusts)}
        history = History()
        before: tuple[Observation, ...] = ()
        for at, chain in (*self.past, *(() if self.past else ((BEGAN, self.chain),))):
            history = history.after(at, observations := (seen(chain, at),), before)
            before = observations
        chains = (self.chain, *self.beside)
        now = [seen(chain, self.now, f"192.0.2.{number}") for number, chain in enumerate(chains, 1)]
        verdicts = judge(target, now, stores, self.now)
        found = forecast(target, verdicts, history, self.signals, stores, self.now, POLICY)
        return {one.cause: one for one in found}


def seen(chain: tuple[pki.Issued, ...], at: datetime, address: str = "192.0.2.1") -> Observation:
    """An observation of a chain."""
    certificates = tuple(one.certificate for one in chain)
    return Observation(at, address, 443, certificates, key_type=certificates[0].key_type)


def certificates(*chain: pki.Issued) -> tuple[Any, ...]:
    """The certificates of a chain."""
    return tuple(one.certificate for one in chain)


def logged(*chain: pki.Issued, at: datetime = NOW) -> Signals:
    """A certificate that was just seen in CT."""
    return Signals(logged=(LoggedCertificate(certificates(*chain), at),))


def renewals(count: int, *, new_key: bool, issuers: Sequence[pki.Issued] = (INTER,)) -> Endpoint:
    """An endpoint that renewed this often, each time after two thirds of 90 days."""
    past: list[tuple[datetime, tuple[pki.Issued, ...]]] = []
    key = pki.new_key()
    for number in range(count + 1):
        begins = BEGAN + number * 60 * DAY
        issuer = issuers[number % len(issuers)]
        past.append((begins, (leaf(issuer, begins, key=pki.new_key() if new_key else key), issuer)))
    return Endpoint(chain=past[-1][1], past=past, now=BEGAN + count * 60 * DAY + 35 * DAY)


def pin_of(issued: pki.Issued) -> Pin:
    """The pin of a key."""
    return issued.certificate.pin
