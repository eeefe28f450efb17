"""Precertificates (RFC 6962 section 3.1): what a CA logs before it issues the certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.pinning import der
from monitord.pinning.extensions import read_profile

if TYPE_CHECKING:
    from monitord.pinning.certificate import Certificate

POISON = "1.3.6.1.4.1.11129.2.4.3"
_SIGNS_PRECERTIFICATES = "1.3.6.1.4.1.11129.2.4.4"
_EXTENSIONS_TAG = 0xA3


def is_precertificate(certificate: Certificate) -> bool:
    """Whether it carries the poison extension, which keeps every client from accepting it."""
    return certificate.extension(POISON) is not None


def signs_precertificates(certificate: Certificate) -> bool:
    """Whether this is a CA certificate for precertificates alone: another CA issues the certificates themselves."""
    return _SIGNS_PRECERTIFICATES in (read_profile(certificate).extended_key_usage or ())


def tbs_without_poison(precertificate: Certificate) -> bytes:
    """The TBSCertificate that a log keeps of a precertificate: without the poison, all else as it is encoded.

    Raises DerError where the extensions cannot be read to the end.
    """
    fields = []
    for field in der.read_element(precertificate.tbs).children():
        if field.tag != _EXTENSIONS_TAG:
            fields.append(field.raw)
            continue
        kept = [item.raw for item in der.read_element(field.content).children() if not _is_poison(item)]
        if kept:
            fields.append(der.encode(_EXTENSIONS_TAG, der.encode(der.SEQUENCE, b"".join(kept))))
    return der.encode(der.SEQUENCE, b"".join(fields))


def _is_poison(extension: der.Element) -> bool:
    oid = der.expect(next(extension.children(), None), der.OID, "an extension's identifier")
    return der.dotted_oid(oid.content) == POISON
