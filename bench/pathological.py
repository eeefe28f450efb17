"""Chains made to hurt: how much longer each takes to judge than a plain one, under every client."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitord import pki
from monitord.pinning.judge import judge
from monitord.pinning.observation import Observation
from monitord.pinning.pins import Client, Pin, PinSet
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.pki import Issued

HOST = "bench.example"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def measure() -> None:
    """Print, for each graph, the slowest client's CPU time as a multiple of a plain chain's."""
    root = pki.issue("Root")
    plain = [pki.issue("Intermediate", issuer=root)]
    for name, chain in {"plain": plain, **_graphs(root)}.items():
        leaf = pki.issue("leaf", issuer=chain[0], names=[HOST])
        seconds = {client: _judge(root, [leaf, *chain], client) for client in Client}
        slowest = max(seconds, key=lambda client: seconds[client])
        if name == "plain":
            base = seconds[slowest]
        print(f"{name}, {len(chain) + 1} certificates: {seconds[slowest] / base:.0f} times a plain chain ({slowest})")


def _graphs(root: Issued) -> dict[str, list[Issued]]:
    deep = [root]
    for level in range(60):
        deep.append(pki.issue(f"Level {level}", issuer=deep[-1]))
    return {
        "hundreds of one name": [pki.issue("Twin", issuer=root) for _ in range(300)],
        "cyclic, as many as a server may send": _cycle(5)[:19],
        "cyclic, from a file": _cycle(12),
        "deep": deep[:0:-1],
    }


def _cycle(size: int) -> list[Issued]:
    """Authorities that have all signed each other, and no way out."""
    authorities = [pki.issue(f"Authority {number}") for number in range(size)]
    return [
        pki.issue(f"Authority {number}", issuer=signer, key=authorities[number].key)
        for number in range(size)
        for signer in authorities
        if signer is not authorities[number]
    ]


def _judge(root: Issued, chain: Sequence[Issued], client: Client) -> float:
    pinset = PinSet("app", client=client, pins=(chain[0].certificate.pin, Pin(bytes(32))), trust=("bench",))
    observation = Observation(NOW, "192.0.2.1", 443, tuple(issued.certificate for issued in chain))
    store = TrustStore("bench", [root.certificate])
    began = time.process_time()
    judge(Target(HOST, pinsets=(pinset,)), [observation], {"bench": store}, NOW)
    return time.process_time() - began
