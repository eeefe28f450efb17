from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.pinning.evidence import LoggedCertificate
from monitord.pinning.target import Target
from monitord.signals.source import Subject
from tests.support.ctentries import Issuance, filler, issuance
from tests.support.ctlogs import Rfc6962Log, TiledLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import Any

    from monitord.pinning.certificate import Certificate
    from monitord.signals.source import Poll
    from tests.support.ctlogs import LocalLog

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = "api.example.test"
ROOT = pki.issue("Test Root")
ISSUER = pki.issue("Test Issuer", issuer=ROOT)
ISSUERS = (ISSUER.certificate, ROOT.certificate)


def issued(*names: str, now: datetime = NOW, **options: Any) -> Issuance:
    """A certificate and its precertificate for these names, by default for the host, with both issuers."""
    return issuance(ISSUER, *(names or (HOST,)), now=now, above=(ROOT.certificate,), **options)


def watching(*hosts: str) -> Sequence[Subject]:
    """The registered endpoints."""
    return [Subject(Target(host)) for host in hosts or (HOST,)]


def facts(poll: Poll) -> list[LoggedCertificate]:
    """What was learned."""
    return [one.fact for one in poll.learned if isinstance(one.fact, LoggedCertificate)]


def logged(poll: Poll) -> list[tuple[str, tuple[Certificate, ...]]]:
    """What was learned: hosts and chains."""
    return [(one.host, fact.chain) for one, fact in zip(poll.learned, facts(poll), strict=True)]


@pytest.fixture(params=[Rfc6962Log, TiledLog], ids=["rfc6962", "tiled"])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[LocalLog]:
    """A log of each kind, with three entries about others."""
    async with request.param(NOW, *map(filler, range(3))) as listening:
        yield listening
