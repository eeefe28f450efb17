"""Web configuration files for tests: cheap passwords, and certificates of an authority of their own."""

from __future__ import annotations

import ssl
from functools import cache
from typing import TYPE_CHECKING

import bcrypt

from monitord import pki

if TYPE_CHECKING:
    from pathlib import Path


@cache
def hashed(password: str, cost: int = 4) -> str:
    """A bcrypt hash, as cheap as there is."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


class Authority:
    """An authority whose files are in a directory: ``ca.pem``, and what it issues."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = pki.issue("Web Root")
        (directory / "ca.pem").write_bytes(self.root.pem)

    def write(self, name: str, *names: str, issuer: pki.Issued | None = None) -> None:
        """Issue a certificate for these names into ``name.pem``, its key into ``name-key.pem``."""
        issued = pki.issue(name, issuer=issuer or self.root, names=names or ["127.0.0.1"], server_auth=False)
        (self.directory / f"{name}-key.pem").write_bytes(issued.key_pem)
        (self.directory / f"{name}.pem").write_bytes(issued.pem)

    def client(self, name: str | None = None) -> ssl.SSLContext:
        """TLS of a client that trusts the authority, and that shows this certificate."""
        context = ssl.create_default_context(cafile=self.directory / "ca.pem")
        if name is not None:
            context.load_cert_chain(self.directory / f"{name}.pem", self.directory / f"{name}-key.pem")
        return context
