"""What the signals say, as values: the outside facts that ``forecast`` builds its futures from.

Each fact says when it was learned. A later fact about the same subject replaces the earlier one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.certificate import Certificate


@dataclass(frozen=True, slots=True)
class RenewalWindow:
    """When an ACME server suggests to renew a certificate (RFC 9773 section 4.2).

    ``certificate`` is the SHA-256 of the leaf's DER. ``previous_start`` is the start of the window that this one
    replaced, if it moved: one that moves into the past is a forced reissue.
    """

    certificate: bytes
    start: datetime
    end: datetime
    learned_at: datetime
    explanation: str | None = None
    previous_start: datetime | None = None


@dataclass(frozen=True, slots=True)
class LoggedCertificate:
    """A certificate for the host that Certificate Transparency shows, with the issuers that are known of it.

    ``chain`` begins with it; a precertificate's poison extension does not count for judging. ``source`` says where it
    was found, for people.
    """

    chain: tuple[Certificate, ...]
    learned_at: datetime
    source: str = "Certificate Transparency"

    @property
    def identity(self) -> tuple[bytes, bytes]:
        """Issuer and serial number: the same for a precertificate and its certificate (RFC 6962 section 3.1)."""
        return self.chain[0].issuer_key, self.chain[0].serial


@dataclass(frozen=True, slots=True)
class StagedChain:
    """A chain seen at the operator's staging endpoint, or named by the operator: it will be served.

    ``source`` says where it was found, as ``host:port`` of the staging endpoint. A later chain found there takes the
    place of the earlier one of its type of key, also one that is served by now: nothing else is staged any more.
    """

    chain: tuple[Certificate, ...]
    learned_at: datetime
    source: str = ""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A certificate is revoked, by its issuer's CRL or by OCSP. ``certificate`` is the SHA-256 of its DER."""

    certificate: bytes
    learned_at: datetime
    revoked_at: datetime | None = None
    reason: str | None = None
    source: str = "CRL"


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """What DNS says of the host: its chain of aliases, and the CAs that CAA permits (RFC 8659); None: no CAA at all."""

    learned_at: datetime
    cname: tuple[str, ...] = ()
    caa: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class StoreChange:
    """A trust store differs from what it was before: ``added`` and ``removed`` are anchors."""

    store: str
    learned_at: datetime
    added: tuple[Certificate, ...] = ()
    removed: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Signals:
    """All that is known from outside about one endpoint, each kind in the order in which it was learned."""

    windows: tuple[RenewalWindow, ...] = ()
    logged: tuple[LoggedCertificate, ...] = ()
    staged: tuple[StagedChain, ...] = ()
    revoked: tuple[Revocation, ...] = ()
    dns: tuple[DnsAnswer, ...] = ()
    stores: tuple[StoreChange, ...] = ()

    @property
    def identity(self) -> str:
        """Differs when anything that is known differs, and stays the same over restarts."""
        known: list[str] = [
            *(f"w{one.certificate.hex()}{one.start}{one.end}" for one in self.windows),
            *(f"l{issuer.hex()}{serial.hex()}" for issuer, serial in (one.identity for one in self.logged)),
            *(f"s{one.chain[0].sha256.hex()}" for one in self.staged if one.chain),
            *(f"r{one.certificate.hex()}" for one in self.revoked),
            *(f"d{one.cname}{one.caa}" for one in self.dns),
            *(f"t{one.store}{one.learned_at}" for one in self.stores),
        ]
        return hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]
