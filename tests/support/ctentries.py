"""What CAs submit to logs of Certificate Transparency, and what logs make of it (RFC 6962 sections 3.1 to 3.4)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509

from monitord import pki

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.certificate import Certificate

_POISON = (x509.PrecertPoison(), True)
# A list with no timestamp in it is enough for what stands in its place in a certificate.
_TIMESTAMPS = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), b"\x04\x02\0\0"), False)
_X509, _PRECERT = b"\0\0", b"\0\1"
_NO_EXTENSIONS = b"\0\0"
LIFETIME = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Issuance:
    """One act of a CA: the precertificate that it logs first, the certificate that it issues then, and its issuers."""

    precertificate: Certificate
    certificate: Certificate
    issuers: tuple[Certificate, ...]

    @property
    def tbs(self) -> bytes:
        """The TBSCertificate that both have in common, by another reader of certificates than monitord's."""
        return x509.load_der_x509_certificate(self.certificate.der).tbs_precertificate_bytes

    @property
    def logged_first(self) -> Entry:
        """The precertificate, as an entry."""
        return precertificate_entry(self.precertificate, self.tbs, *self.issuers)

    @property
    def logged_later(self) -> Entry:
        """The certificate, as an entry."""
        return certificate_entry(self.certificate, *self.issuers)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a log: what its tree covers, and what was submitted beside that, all DER."""

    timestamped: bytes
    precertificate: bytes | None
    issuers: tuple[bytes, ...]

    @property
    def leaf(self) -> bytes:
        """The MerkleTreeLeaf (RFC 6962 section 3.4)."""
        return b"\0\0" + self.timestamped

    @property
    def extra_data(self) -> bytes:
        """As ``get-entries`` gives it (RFC 6962 section 4.6)."""
        before = b"" if self.precertificate is None else sized(3, self.precertificate)
        return before + sized(3, b"".join(sized(3, issuer) for issuer in self.issuers))

    @property
    def tile_leaf(self) -> bytes:
        """As a data tile has it (static-ct-api, "Log entries")."""
        before = b"" if self.precertificate is None else sized(3, self.precertificate)
        return self.timestamped + before + sized(2, b"".join(hashlib.sha256(one).digest() for one in self.issuers))


def issuance(
    issuer: pki.Issued, *names: str, now: datetime, above: tuple[Certificate, ...] = (), **options: Any
) -> Issuance:
    """A certificate for these names and its precertificate, valid for 90 days from now on."""
    common = {
        "issuer": issuer,
        "key": pki.new_key(),
        "names": names,
        "serial": x509.random_serial_number(),
        "not_before": now - timedelta(hours=1),
        "not_after": now + LIFETIME,
    } | options
    return Issuance(
        pki.issue(names[0], extra=[_POISON], **common).certificate,
        pki.issue(names[0], extra=[_TIMESTAMPS], **common).certificate,
        (issuer.certificate, *above),
    )


def certificate_entry(certificate: Certificate | bytes, *issuers: Certificate) -> Entry:
    """An entry for a certificate."""
    der = certificate if isinstance(certificate, bytes) else certificate.der
    return Entry(_timestamped(_X509, sized(3, der)), None, tuple(one.der for one in issuers))


def precertificate_entry(precertificate: Certificate | bytes, tbs: bytes, *issuers: Certificate) -> Entry:
    """An entry for a precertificate; its issuer is the first of the issuers."""
    der = precertificate if isinstance(precertificate, bytes) else precertificate.der
    signed = hashlib.sha256(issuers[0].spki).digest() + sized(3, tbs)
    return Entry(_timestamped(_PRECERT, signed), der, tuple(one.der for one in issuers))


def unknown_entry() -> Entry:
    """An entry of a type that RFC 6962 does not have."""
    return Entry(_timestamped(b"\x7f\x7f", sized(3, b"something new")), None, ())


def filler(number: int) -> Entry:
    """One of the many entries that are about others; cheap to make, and no certificate."""
    return certificate_entry(b"\x30\x08\x02\x06" + number.to_bytes(6))


def sized(octets: int, content: bytes) -> bytes:
    """The content behind its length (RFC 8446 section 3.4)."""
    return len(content).to_bytes(octets) + content


def _timestamped(kind: bytes, signed: bytes) -> bytes:
    return (1_700_000_000_000).to_bytes(8) + kind + signed + _NO_EXTENSIONS
