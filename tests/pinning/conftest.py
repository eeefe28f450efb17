"""A small PKI that the tests of the rules share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.pinning.judge import judge
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.pins import Client, Pin, PinSet
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore

if TYPE_CHECKING:
    from monitord.pinning.verdict import PinSetVerdict
    from monitord.pki import Issued

HOST = "api.example.com"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """A root, an intermediate and a leaf for ``HOST``, with a second root and a cross-sign of the first by it."""

    root: Issued
    intermediate: Issued
    leaf: Issued
    other_root: Issued
    cross: Issued

    def observe(self, *chain: Issued, address: str = "192.0.2.1", at: datetime = NOW) -> Observation:
        """An observation of these certificates."""
        certificates = tuple(issued.certificate for issued in chain)
        return Observation(at, address, 443, certificates, key_type=certificates[0].key_type, tls_version="TLSv1.3")

    def silence(self, address: str = "192.0.2.9") -> Observation:
        """An observation of an address that did not answer."""
        return Observation(NOW, address, 443, failure=Failure(FailureReason.TIMEOUT, "no answer"))

    def judge(
        self,
        *observations: Observation,
        pins: tuple[Pin, ...] = (),
        anchors: tuple[Issued, ...] | None = None,
        now: datetime = NOW,
        host: str = HOST,
        expires: datetime | None = None,
    ) -> PinSetVerdict:
        """The verdict on one pin set of client generic, with the root as only anchor unless others are given."""
        store = TrustStore("test", [anchor.certificate for anchor in (anchors or (self.root,))])
        target = Target(host, pinsets=(PinSet("app", pins=pins, trust=("test",), expires=expires),))
        (verdict,) = judge(target, observations, {"test": store}, now)
        return verdict


@dataclass(frozen=True)
class Case:
    """A presented chain and a trust store, to be judged under any client."""

    world: World
    chain: tuple[Issued, ...]
    anchors: tuple[Issued, ...]

    def judge(
        self, client: Client, *pins: Pin, now: datetime = NOW, host: str = HOST, **options: object
    ) -> PinSetVerdict:
        """The verdict of one client with these pins."""
        store = TrustStore("store", [anchor.certificate for anchor in self.anchors])
        pinset = replace(PinSet("app", client=client, pins=pins, trust=("store",)), **options)  # type: ignore[arg-type]
        target = Target(host, pinsets=(pinset,))
        (verdict,) = judge(target, [self.world.observe(*self.chain)], {"store": store}, now)
        return verdict


@pytest.fixture(scope="session")
def world() -> World:
    """The shared PKI; keys are made once."""
    root = pki.issue("Root")
    intermediate = pki.issue("Intermediate", issuer=root)
    other_root = pki.issue("Other Root")
    return World(
        root=root,
        intermediate=intermediate,
        leaf=leaf_of(intermediate),
        other_root=other_root,
        cross=pki.issue("Root", issuer=other_root, key=root.key),
    )


def leaf_of(issuer: Issued, **options: object) -> Issued:
    """A leaf for ``HOST`` that is valid around ``NOW``."""
    settings = {
        "names": [HOST],
        "not_before": NOW - timedelta(days=30),
        "not_after": NOW + timedelta(days=60),
        **options,
    }
    return pki.issue(HOST, issuer=issuer, **settings)  # type: ignore[arg-type]


def unknown_pin(number: int = 0) -> Pin:
    """A pin of no known key."""
    return Pin(bytes([number]) * 32)


def pin_of(issued: Issued) -> Pin:
    """The pin of a certificate's key."""
    return issued.certificate.pin
