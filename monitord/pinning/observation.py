"""What a probe saw. A failed probe is data too, never an exception."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.certificate import Certificate, KeyType


class FailureReason(StrEnum):
    """Why no complete handshake was seen; a closed list that metrics and JSON use."""

    DNS = "dns"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    TLS_ALERT = "tls_alert"
    TLS_PROTOCOL = "tls_protocol"
    STARTTLS = "starttls"
    PROXY = "proxy"
    TOO_LARGE = "too_large"
    CERTIFICATE_UNREADABLE = "certificate_unreadable"


@dataclass(frozen=True, slots=True)
class Failure:
    """A reason from the closed list and one sentence that says what happened (may quote the server: untrusted)."""

    reason: FailureReason
    detail: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One address of an endpoint, once; an address that has several types of key is observed for each.

    ``address`` is the IP address that was connected to, or "" when it was never known (DNS failed). Through a proxy
    it is the one that the proxy was asked for or, where that was a name, the proxy's own.
    ``key_type`` is that of the leaf; without a chain, the one that was asked for in particular, if any.
    ``chain`` is what the server presented, leaf first, in the order sent; it may be there beside a ``failure`` that
    came later in the handshake. ``duration`` is that of the connection, in seconds.
    """

    at: datetime
    address: str
    port: int
    chain: tuple[Certificate, ...] = ()
    failure: Failure | None = None
    key_type: KeyType | None = None
    tls_version: str | None = None
    cipher: str | None = None
    duration: float = 0.0

    @property
    def chain_sha256(self) -> bytes:
        """Identity of the presented chain: the digest over the digests of its certificates, in order."""
        return hashlib.sha256(b"".join(certificate.sha256 for certificate in self.chain)).digest()
