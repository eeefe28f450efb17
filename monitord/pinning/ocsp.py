"""Questions to an OCSP responder, and what its answers are worth (RFC 6960, and RFC 5019 for the short way).

As with lists (``revocation``): an answer counts only where it is current, about the very certificate, and signed by
the key that signed the certificate or by a responder whom that key appointed. Anything else is unclear.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.pinning import der
from monitord.pinning.certificate import CertificateUnreadable, parse_certificate, read_time
from monitord.pinning.extensions import AUTHORITY_INFORMATION_ACCESS, DIGITAL_SIGNATURE, read_profile
from monitord.pinning.report import timestamp
from monitord.pinning.revocation import SKEW, RevocationUnclear, Revoked, http_urls, read_reason
from monitord.pinning.signature import signature_holds, signed_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.der import Element

WITHOUT_END = timedelta(days=1)
"""How old an answer may be that does not say until when it holds."""

_RESPONDER, _BASIC, _NONCE = "1.3.6.1.5.5.7.48.1", "1.3.6.1.5.5.7.48.1.1", "1.3.6.1.5.5.7.48.1.2"
_SIGNING = "1.3.6.1.5.5.7.3.9"
_SHA1, _SHA256 = "1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1"
_SHA1_ALGORITHM = bytes.fromhex("300906052b0e03021a0500")
_HASHES: dict[str, Callable[[bytes], bytes]] = {
    _SHA1: lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),  # it only names a key (RFC 5019, 2.1.1)
    _SHA256: lambda data: hashlib.sha256(data).digest(),
}
_ENUMERATED = 0x0A
_FIRST, _SECOND = 0xA0, 0xA1  # context-specific tags; what they mean depends on the place
_GOOD, _REVOKED, _UNKNOWN = 0x80, 0xA1, 0x82
_FAILURES = {1: "malformedRequest", 2: "internalError", 3: "tryLater", 5: "sigRequired", 6: "unauthorized"}
_MOST_SIGNERS = 5


class Status(StrEnum):
    """What a responder says of a certificate (RFC 6960 section 2.2); UNKNOWN: that it does not know it."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """A valid answer; ``revoked`` is there if ``status`` is REVOKED. ``until`` None: it does not say."""

    status: Status
    until: datetime | None
    revoked: Revoked | None = None


def responders(certificate: Certificate) -> tuple[str, ...]:
    """The http URLs of the responders that a certificate names (RFC 5280 section 4.2.2.1).

    Raises RevocationUnclear for an extension that is malformed.
    """
    extension = certificate.extension(AUTHORITY_INFORMATION_ACCESS)
    if extension is None:
        return ()
    found: list[Element] = []
    try:
        for item in der.expect(der.read_element(extension.value), der.SEQUENCE, "the sequence").children():
            method, location, *_ = _parts(der.expect(item, der.SEQUENCE, "a description"), 2, "a description")
            oid = der.dotted_oid(der.expect(method, der.OID, "an access method").content)
            if oid == _RESPONDER:
                found.append(location)
    except der.DerError as error:
        raise RevocationUnclear(f"has authority information that cannot be read: {error}") from error
    return http_urls(found)


def request_about(certificate: Certificate, issuer: Certificate) -> bytes:
    """The DER of a question about one certificate, without a nonce, so that answers may be cached (RFC 5019)."""
    name_hash, key_hash = _names(certificate, issuer, _SHA1)
    identity = der.encode(
        der.SEQUENCE,
        _SHA1_ALGORITHM
        + der.encode(der.OCTET_STRING, name_hash)
        + der.encode(der.OCTET_STRING, key_hash)
        + der.encode(der.INTEGER, certificate.serial),
    )
    wrapped = identity
    for _ in ("Request", "requestList", "TBSRequest", "OCSPRequest"):
        wrapped = der.encode(der.SEQUENCE, wrapped)
    return wrapped


def read_answer(data: bytes, certificate: Certificate, issuer: Certificate, now: datetime) -> Answer:
    """What the response in this DER says of the certificate. Raises RevocationUnclear where that is nothing."""
    try:
        signed, algorithm, signature, appointed = _open(data)
        _require_signature(signed, algorithm, signature, issuer, _signers(appointed, issuer, now))
        responses = _responses(signed)
        return _current(next((one for one in responses if _is_about(one, certificate, issuer)), None), now)
    except der.DerError as error:
        raise RevocationUnclear(f"cannot be read: {error}") from error


def _names(certificate: Certificate, issuer: Certificate, oid: str) -> tuple[bytes, bytes]:
    """The hashes of the issuer's name and key that identify it (RFC 6960 section 4.1.1)."""
    key = _parts(der.read_element(issuer.spki), 2, "the issuer's key")[1].content[1:]
    return _HASHES[oid](certificate.issuer), _HASHES[oid](key)


def _open(data: bytes) -> tuple[Element, bytes, bytes, list[bytes]]:
    """The signed part, the algorithm, the signature and the certificates that come with it."""
    parts = _parts(der.expect(der.read_element(data), der.SEQUENCE, "the response"), 1, "the response")
    status = int.from_bytes(der.expect(parts[0], _ENUMERATED, "the status").content)
    if status:
        raise RevocationUnclear(f"is a refusal: {_FAILURES.get(status, f'status {status}')}")
    wrapper = der.expect(parts[1] if len(parts) > 1 else None, _FIRST, "the content")
    kind, content, *_ = _parts(der.read_element(wrapper.content), 2, "the content")
    if der.dotted_oid(der.expect(kind, der.OID, "the kind of response").content) != _BASIC:
        raise RevocationUnclear("is of a kind that monitord does not know")
    basic = der.read_element(der.expect(content, der.OCTET_STRING, "the response").content)
    fields = iter(der.expect(basic, der.SEQUENCE, "the basic response").children())
    signed = der.expect(next(fields, None), der.SEQUENCE, "the signed part")
    algorithm = der.expect(next(fields, None), der.SEQUENCE, "the signature algorithm")
    signature = der.expect(next(fields, None), der.BIT_STRING, "the signature")
    block = next(fields, None)
    certificates = list(der.read_element(block.content).children()) if block and block.tag == _FIRST else []
    return signed, algorithm.raw, signature.content[1:], [one.raw for one in certificates[:_MOST_SIGNERS]]


def _signers(appointed: list[bytes], issuer: Certificate, now: datetime) -> Iterator[Certificate]:
    """Who may sign: the issuer, and whom it gave a certificate for just that (RFC 6960 section 4.2.2.2)."""
    yield issuer
    for data in appointed:
        try:
            signer = parse_certificate(data)
        except CertificateUnreadable:
            continue
        profile = read_profile(signer)
        usage = profile.key_usage
        if (
            signer.issuer_key == issuer.subject_key
            and signer.valid_at(now)
            and _SIGNING in (profile.extended_key_usage or ())
            and (usage is None or usage & DIGITAL_SIGNATURE)
            and signed_by(signer, issuer)
        ):
            yield signer


def _require_signature(
    signed: Element, algorithm: bytes, signature: bytes, issuer: Certificate, signers: Iterator[Certificate]
) -> None:
    if not any(signature_holds(signer.spki, algorithm, signature, signed.raw) for signer in signers):
        raise RevocationUnclear(f"is signed neither by {issuer.display_subject} nor by whom it appointed")


def _responses(signed: Element) -> list[Element]:
    """Every single response (RFC 6960 section 4.2.1); whatever must be understood is."""
    fields = [field for field in signed.children() if field.tag != _FIRST]  # the version
    _refuse_critical(field for field in fields[1:] if field.tag == _SECOND)  # the first may be a responder's name
    block = next((field for field in fields if field.tag == der.SEQUENCE), None)
    return list(der.expect(block, der.SEQUENCE, "the list of responses").children())


def _refuse_critical(blocks: Iterator[Element]) -> None:
    for block in blocks:
        for item in der.read_element(block.content).children():
            oid, *flags = _parts(item, 1, "an extension")
            critical = any(flag.tag == der.BOOLEAN and flag.content != b"\0" for flag in flags)
            if critical and der.dotted_oid(der.expect(oid, der.OID, "an extension").content) != _NONCE:
                raise RevocationUnclear("has a critical extension that monitord does not know")


def _is_about(response: Element, certificate: Certificate, issuer: Certificate) -> bool:
    identity = der.expect(next(response.children(), None), der.SEQUENCE, "a certificate's identity")
    parts = list(identity.children())
    if [part.tag for part in parts] != [der.SEQUENCE, der.OCTET_STRING, der.OCTET_STRING, der.INTEGER]:
        raise der.DerError("a certificate's identity does not have its four parts")
    oid = der.dotted_oid(der.expect(next(parts[0].children(), None), der.OID, "the hash").content)
    if oid not in _HASHES:
        return False
    return (parts[1].content, parts[2].content) == _names(certificate, issuer, oid) and int.from_bytes(
        parts[3].content, signed=True
    ) == int.from_bytes(certificate.serial, signed=True)


def _current(response: Element | None, now: datetime) -> Answer:
    if response is None:
        raise RevocationUnclear("is about another certificate")
    _, status, this_update, *rest = _parts(response, 3, "a response")
    begin = read_time(this_update)
    until = next((read_time(der.read_element(part.content)) for part in rest if part.tag == _FIRST), None)
    _refuse_critical(part for part in rest if part.tag == _SECOND)
    if begin > now + SKEW:
        raise RevocationUnclear(f"is dated in the future, {timestamp(begin)}")
    if (until or begin + WITHOUT_END) < now:
        raise RevocationUnclear(f"is out of date since {timestamp(until or begin + WITHOUT_END)}")
    if status.tag == _REVOKED:
        at, *more = _parts(status, 1, "a revocation")
        reason = read_reason(der.read_element(more[0].content)) if more else None
        return Answer(Status.REVOKED, until, Revoked(read_time(at), reason))
    if status.tag not in (_GOOD, _UNKNOWN):
        raise der.DerError(f"a certificate's status has tag 0x{status.tag:02x}")
    return Answer(Status.GOOD if status.tag == _GOOD else Status.UNKNOWN, until)


def _parts(element: Element, least: int, what: str) -> list[Element]:
    parts = list(element.children())
    if len(parts) < least:
        raise der.DerError(f"{what} is cut off")
    return parts
