"""Certificates with a part that no library would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord import pki
from monitord.pinning import der
from monitord.pinning.certificate import Certificate, parse_certificate

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pki import Issued

SERIAL_PLACE, VALIDITY_PLACE, SUBJECT_PLACE, KEY_PLACE = 1, 4, 5, 6
"""Where parts stand in what is signed (RFC 5280 section 4.1), behind the version."""


def with_part(certificate: Certificate, place: int, part: bytes, issuer: Issued | None = None) -> Certificate:
    """The certificate, of version 3, with this DER in the place of one part; signed anew if its issuer is given."""
    return parse_certificate(der_with_part(certificate, place, part, issuer))


def der_with_part(certificate: Certificate, place: int, part: bytes, issuer: Issued | None = None) -> bytes:
    """The same as DER, which need not be readable."""
    body, algorithm, signature = (element.raw for element in der.read_element(certificate.der).children())
    parts = [element.raw for element in der.read_element(body).children()]
    parts[place] = part
    body = der.encode(der.SEQUENCE, b"".join(parts))
    if issuer is not None:
        signature = der.encode(der.BIT_STRING, b"\0" + pki.sign(issuer.key, body))
    return der.encode(der.SEQUENCE, body + algorithm + signature)


def validity(begins: datetime, ends: datetime) -> bytes:
    """The DER of a validity, in any year of four digits."""
    times = (f"{time.year:04}{time:%m%d%H%M%S}Z".encode() for time in (begins, ends))
    return der.encode(der.SEQUENCE, b"".join(der.encode(der.GENERALIZED_TIME, time) for time in times))
