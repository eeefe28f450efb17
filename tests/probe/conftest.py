from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.target import ConnectAddress, Target
from monitord.pki import Issued, issue
from monitord.probe.prober import Prober

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitord.pinning.certificate import Certificate
    from tests.support.tlsserver import LocalServer

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOST = "api.example.test"


@dataclass(frozen=True)
class Authority:
    """A root, an intermediate below it and leaves below that."""

    root: Issued
    intermediate: Issued
    leaf: Issued
    other_leaf: Issued

    @property
    def below_root(self) -> tuple[Certificate, ...]:
        """What a well-kept server sends after its leaf."""
        return (self.intermediate.certificate,)

    @property
    def chain(self) -> tuple[Certificate, ...]:
        """What a well-kept server sends."""
        return (self.leaf.certificate, *self.below_root)


@pytest.fixture(scope="session")
def authority() -> Authority:
    """One authority for all tests: keys are costly."""
    root = issue("Root")
    intermediate = issue("Intermediate", issuer=root)
    return Authority(
        root,
        intermediate,
        issue("leaf", issuer=intermediate, names=[HOST]),
        issue("other leaf", issuer=intermediate, names=["other.example.test"]),
    )


@pytest.fixture
async def prober() -> AsyncIterator[Prober]:
    """A prober at a fixed time, closed afterwards."""
    prober = Prober(now=lambda: NOW)
    yield prober
    prober.close()


def target_of(server: LocalServer, *addresses: str, host: str = HOST, server_name: str | None = None) -> Target:
    """A target that is connected to at these addresses of the server, by default its first."""
    chosen = addresses or server.addresses[:1]
    return Target(host, server.port, server_name, connect_to=tuple(ConnectAddress(address) for address in chosen))
