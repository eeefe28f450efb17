"""DER of a certificate to the facts that pinning needs (RFC 5280), however odd the certificate is.

Only what every judgement rests on can make a certificate unreadable: its outer structure, its names, validity and
SubjectPublicKeyInfo. Whatever else is wrong is kept in ``problems`` as a sentence, so that a pin comparison is never
lost to a serial number that some library dislikes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from monitord.errors import MonitordError
from monitord.pinning import der
from monitord.pinning.names import canonical_name, display_name
from monitord.pinning.pins import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.pinning.der import Element

_VERSION_TAG, _EXTENSIONS_TAG = 0xA0, 0xA3
_UNIQUE_ID_TAGS = (0x81, 0x82)
_V3 = 2
_PEM = re.compile(rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>.*?)-----END (?P=label)-----", re.DOTALL)
_PEM_TRUSTED = b"TRUSTED CERTIFICATE"
_PEM_CERTIFICATE_LABELS = (b"CERTIFICATE", b"X509 CERTIFICATE", _PEM_TRUSTED)
_RSA_KEYS = ("1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10")
_COMMON_BYTES = 64
# "No well-defined expiration" is 99991231235959Z (RFC 5280 section 4.1.2.5), and whoever reckons with that leaves the
# calendar. What a server sends must not end a round, so no validity reaches that far.
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(4999, 12, 31, 23, 59, 59, tzinfo=UTC)
_EC_KEY, _ED25519_KEY = "1.2.840.10045.2.1", "1.3.101.112"


class CertificateUnreadable(MonitordError):  # noqa: N818 - named as in FailureReason.CERTIFICATE_UNREADABLE
    """The bytes are not a certificate, not even in a broken form."""


class KeyType(StrEnum):
    """The kind of public key in a certificate, as far as TLS negotiates by it."""

    RSA = "rsa"
    ECDSA = "ecdsa"
    ED25519 = "ed25519"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension of a certificate: its OID in dotted form, the critical flag, the DER inside its OCTET STRING."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Certificate:
    """The facts of one certificate. Two are equal when their DER is: ``sha256`` is the identity.

    ``issuer_key`` and ``subject_key`` are the canonical form of the names, in which names that RFC 5280 section 7.1
    calls equal are equal bytes. ``not_before`` and ``not_after`` are both inside the validity, and between the years
    1900 and 4999. ``spki`` is the raw DER of the SubjectPublicKeyInfo. ``problems`` are sentences about defects that
    did not prevent reading.
    """

    der: bytes
    sha256: bytes
    version: int
    issuer_key: bytes
    subject_key: bytes
    not_before: datetime
    not_after: datetime
    spki: bytes
    spki_sha256: bytes
    key_type: KeyType
    extensions: tuple[Extension, ...]
    problems: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        """Equal when the DER is equal."""
        return self.sha256 == other.sha256 if isinstance(other, Certificate) else NotImplemented

    def __hash__(self) -> int:
        """Consistent with equality."""
        return hash(self.sha256)

    @property
    def serial(self) -> bytes:
        """The content of the INTEGER that is the serial number."""
        return _parts(self.der).serial

    @property
    def issuer(self) -> bytes:
        """The raw DER of the issuer's name."""
        return _parts(self.der).issuer

    @property
    def subject(self) -> bytes:
        """The raw DER of the subject's name."""
        return _parts(self.der).subject

    @property
    def tbs(self) -> bytes:
        """The raw DER of what is signed."""
        return _parts(self.der).body.raw

    @property
    def signature_algorithm(self) -> bytes:
        """The raw DER of the outer AlgorithmIdentifier."""
        return _parts(self.der).signature_algorithm

    @property
    def signature(self) -> bytes:
        """The signature, without the count of unused bits."""
        return _parts(self.der).signature

    @property
    def pin(self) -> Pin:
        """The pin of the public key: SHA-256 over the raw SubjectPublicKeyInfo (RFC 7469 section 2.4)."""
        return Pin(self.spki_sha256)

    @property
    def certificate_pin(self) -> Pin:
        """The pin of the certificate as a whole: SHA-256 over its DER."""
        return Pin(self.sha256)

    @property
    def self_issued(self) -> bool:
        """Whether issuer and subject are the same name (which a self-signed root has, and some that are not)."""
        return self.issuer_key == self.subject_key

    @property
    def display_subject(self) -> str:
        """The subject for people, as in RFC 4514; every control character escaped."""
        return display_name(self.subject)

    @property
    def display_issuer(self) -> str:
        """The issuer's name for people, as in RFC 4514; every control character escaped."""
        return display_name(self.issuer)

    def extension(self, oid: str) -> Extension | None:
        """The first extension with this OID."""
        return next((extension for extension in self.extensions if extension.oid == oid), None)

    def valid_at(self, now: datetime) -> bool:
        """Whether ``now`` lies in the validity: both ends included, to the second (RFC 5280 section 4.1.2.5)."""
        return self.not_before <= now.replace(microsecond=0) <= self.not_after


_in_use: WeakValueDictionary[bytes, Certificate] = WeakValueDictionary()


def parse_certificate(data: bytes) -> Certificate:
    """The certificate in this DER; the same object for the same DER, as long as somebody holds it.

    Raises CertificateUnreadable where not even the key can be found.
    """
    known = _in_use.get(data)
    if known is not None:
        return known
    try:
        parsed = _parse(data)
    except der.DerError as error:
        raise CertificateUnreadable(f"not a readable certificate: {error}") from error
    _in_use[parsed.der] = parsed
    return parsed


def key_type_of(spki: bytes) -> KeyType:
    """The kind of the key in this SubjectPublicKeyInfo; OTHER where that cannot be told."""
    try:
        return _key_type(der.read_element(spki))
    except der.DerError:
        return KeyType.OTHER


def certificates_in(data: bytes) -> Iterator[bytes]:
    """The DER of each certificate in a file: every PEM CERTIFICATE block in order, else the whole as DER.

    Text between the blocks and blocks of other kinds are passed over. Raises CertificateUnreadable for a block that
    is not base64, naming its number.
    """
    blocks = [match for match in _PEM.finditer(data) if match["label"] in _PEM_CERTIFICATE_LABELS]
    if not blocks and b"-----BEGIN " not in data:
        if data:
            yield data
        return
    for number, match in enumerate(blocks, 1):
        try:
            data = base64.b64decode(b"".join(match["body"].split()), validate=True)
            # OpenSSL's TRUSTED CERTIFICATE has settings of its own behind the certificate.
            yield der.read_element(data, allow_trailing=True).raw if match["label"] == _PEM_TRUSTED else data
        except der.DerError as error:
            raise CertificateUnreadable(f"PEM block {number} is not a certificate: {error}") from error
        except (binascii.Error, ValueError) as error:
            raise CertificateUnreadable(f"PEM block {number} is not valid base64: {error}") from error


def _parse(data: bytes) -> Certificate:
    parts = _split(data)
    problems: list[str] = []
    if parts.inner_algorithm != parts.signature_algorithm:
        problems.append("the signature algorithm inside differs from the one outside")
    not_before, not_after = _validity(parts.validity)
    key_type = _key_type(parts.key)
    extensions = _extensions(parts.body.children(behind=parts.key), problems)
    if extensions and parts.version != _V3:
        problems.append(f"it has extensions but is version {parts.version + 1}")
    return Certificate(
        der=data,
        sha256=hashlib.sha256(data).digest(),
        version=parts.version + 1,
        issuer_key=_canonical(parts.issuer),
        subject_key=_canonical(parts.subject),
        not_before=not_before,
        not_after=not_after,
        spki=parts.key.raw,
        spki_sha256=hashlib.sha256(parts.key.raw).digest(),
        key_type=key_type,
        extensions=extensions,
        problems=tuple(problems),
    )


class _Parts(NamedTuple):
    """What a certificate is made of: ``body`` is what is signed, and ``key`` the SubjectPublicKeyInfo."""

    body: Element
    version: int
    serial: bytes
    inner_algorithm: bytes
    issuer: bytes
    validity: Element
    subject: bytes
    key: Element
    signature_algorithm: bytes
    signature: bytes


def _split(data: bytes) -> _Parts:
    outer = der.expect(der.read_element(data), der.SEQUENCE, "the certificate")
    parts = iter(outer.children())
    tbs = der.expect(next(parts, None), der.SEQUENCE, "the to-be-signed part")
    signature_algorithm = der.expect(next(parts, None), der.SEQUENCE, "the signature algorithm")
    signature = der.expect(next(parts, None), der.BIT_STRING, "the signature")

    fields = iter(tbs.children())
    field = next(fields, None)
    version = 0
    if field is not None and field.tag == _VERSION_TAG:
        version = int.from_bytes(der.read_element(field.content).content or b"\0")
        field = next(fields, None)
    return _Parts(
        body=tbs,
        version=version,
        serial=der.expect(field, der.INTEGER, "the serial number").content,
        inner_algorithm=der.expect(next(fields, None), der.SEQUENCE, "the inner signature algorithm").raw,
        issuer=der.expect(next(fields, None), der.SEQUENCE, "the issuer").raw,
        validity=der.expect(next(fields, None), der.SEQUENCE, "the validity"),
        subject=der.expect(next(fields, None), der.SEQUENCE, "the subject").raw,
        key=der.expect(next(fields, None), der.SEQUENCE, "the public key"),
        signature_algorithm=signature_algorithm.raw,
        signature=signature.content[1:],
    )


# What a certificate is asked for now and then is not kept with it, for there may be a million of them. What many have
# in common is kept once: the names of issuers, and extensions that say what those of other certificates say.
_parts = lru_cache(maxsize=2048)(_split)
_canonical = lru_cache(maxsize=4096)(canonical_name)


def _validity(validity: Element) -> tuple[datetime, datetime]:
    times = [read_time(element) for element in validity.children()]
    if len(times) != 2:  # noqa: PLR2004 - notBefore and notAfter
        raise der.DerError("the validity does not have two times")
    not_before, not_after = (min(max(time, _EARLIEST), _LATEST) for time in times)
    return not_before, not_after


def read_time(element: Element) -> datetime:
    """The instant in a UTCTime or GeneralizedTime of the profile (RFC 5280 section 4.1.2.5). Raises DerError."""
    text = element.content.decode("ascii", "replace")
    try:
        if element.tag == der.UTC_TIME:
            # RFC 5280 section 4.1.2.5.1: years 00 to 49 are 20xx; seconds are missing in some old roots.
            digits = text.removesuffix("Z").ljust(12, "0")
            century = "20" if int(digits[:2]) < 50 else "19"  # noqa: PLR2004
            return datetime.strptime(century + digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        if element.tag == der.GENERALIZED_TIME:
            return datetime.strptime(text.removesuffix("Z").split(".")[0], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as error:
        raise der.DerError(f"the time {text[:20]!r} cannot be read") from error
    raise der.DerError(f"a time has tag 0x{element.tag:02x}")


def _key_type(spki: Element) -> KeyType:
    algorithm = der.expect(next(spki.children(), None), der.SEQUENCE, "the key algorithm")
    oid = der.dotted_oid(der.expect(next(algorithm.children(), None), der.OID, "the key algorithm").content)
    if oid in _RSA_KEYS:
        return KeyType.RSA
    return {_EC_KEY: KeyType.ECDSA, _ED25519_KEY: KeyType.ED25519}.get(oid, KeyType.OTHER)


def _extensions(fields: Iterator[Element], problems: list[str]) -> tuple[Extension, ...]:
    found: list[Extension] = []
    try:
        block = next((field for field in fields if field.tag not in _UNIQUE_ID_TAGS), None)
        if block is None:
            return ()
        der.expect(block, _EXTENSIONS_TAG, "the extension block")
        for item in der.read_element(block.content).children():
            found.append(_extension(item))  # noqa: PERF401 - what was read before a fault is kept
    except der.DerError as error:
        problems.append(f"its extensions cannot be read to the end: {error}")
    seen = {extension.oid for extension in found}
    if len(seen) != len(found):
        problems.append("it has an extension twice")
    return tuple(found)


def _extension(item: Element) -> Extension:
    parts = list(item.children())
    if not 2 <= len(parts) <= 3:  # noqa: PLR2004 - OID, optional critical flag, value
        raise der.DerError("an extension does not have two or three parts")
    oid = der.dotted_oid(der.expect(parts[0], der.OID, "an extension's identifier").content)
    critical = len(parts) == 3 and der.expect(parts[1], der.BOOLEAN, "a critical flag").content != b"\0"  # noqa: PLR2004
    value = der.expect(parts[-1], der.OCTET_STRING, "an extension's value").content
    return _common(oid, critical, value) if len(value) <= _COMMON_BYTES else Extension(oid, critical, value)


@lru_cache(maxsize=4096)
def _common(oid: str, critical: bool, value: bytes) -> Extension:  # noqa: FBT001 - as in Extension
    return Extension(oid, critical, value)
