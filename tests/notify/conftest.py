from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitord.pki import Issued, issue
from tests.support.sinks import server_tls

if TYPE_CHECKING:
    import ssl
    from pathlib import Path


@pytest.fixture(scope="session")
def authority() -> Issued:
    """An authority that nobody but the tests trusts."""
    return issue("Test Root")


@pytest.fixture(scope="session")
def loopback_tls(authority: Issued) -> ssl.SSLContext:
    """What a server on 127.0.0.1 with a certificate of the authority presents."""
    return server_tls(issue("loopback", issuer=authority, names=["127.0.0.1", "::1"]))


@pytest.fixture(scope="session")
def ca_file(authority: Issued, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority as a file."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    path.write_bytes(authority.pem)
    return path
