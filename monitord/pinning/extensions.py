"""The certificate extensions that decide about a path, read from their raw DER (RFC 5280 section 4.2).

Every reader takes the DER inside the extension's OCTET STRING and raises DerError for anything malformed: verifiers
refuse a certificate whose constraints they cannot read, and so must a judgement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from monitord.pinning import der
from monitord.pinning.der import DerError
from monitord.pinning.names import canonical_name

if TYPE_CHECKING:
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.der import Element

SUBJECT_KEY_IDENTIFIER, KEY_USAGE, SUBJECT_ALT_NAME = "2.5.29.14", "2.5.29.15", "2.5.29.17"
BASIC_CONSTRAINTS, NAME_CONSTRAINTS = "2.5.29.19", "2.5.29.30"
AUTHORITY_KEY_IDENTIFIER, EXTENDED_KEY_USAGE = "2.5.29.35", "2.5.29.37"
AUTHORITY_INFORMATION_ACCESS = "1.3.6.1.5.5.7.1.1"
SERVER_AUTH, ANY_EXTENDED_KEY_USAGE = "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"

# Bits of the key usage extension (RFC 5280 section 4.2.1.3), in its first octet.
DIGITAL_SIGNATURE, KEY_ENCIPHERMENT, KEY_AGREEMENT, KEY_CERT_SIGN = 0x80, 0x20, 0x08, 0x04

_OTHER_NAME, _EMAIL, _DNS, _DIRECTORY, _URI, _IP = 0xA0, 0x81, 0x82, 0xA4, 0x86, 0x87
_NAME_KINDS = {_OTHER_NAME: "other", _EMAIL: "email", _DNS: "dns", _DIRECTORY: "directory", _URI: "uri", _IP: "ip"}
_PERMITTED, _EXCLUDED = 0xA0, 0xA1
_KEY_IDENTIFIER, _AUTHORITY_ISSUER, _AUTHORITY_SERIAL = 0x80, 0xA1, 0x82
_IP_LENGTHS = (4, 16)


@dataclass(frozen=True, slots=True)
class BasicConstraints:
    """Whether the subject is a CA, and how many intermediates may follow below it (None: any number)."""

    ca: bool = False
    path_length: int | None = None


@dataclass(frozen=True, slots=True)
class GeneralName:
    """One alternative name: its kind (dns, ip, email, uri, directory, other) and its content octets."""

    kind: str
    value: bytes

    @property
    def text(self) -> str:
        """The name as text, for kinds that are text."""
        return self.value.decode("ascii", "backslashreplace")


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """Subtrees that names below the certificate must lie in (where any of that kind is given) or must not lie in."""

    permitted: tuple[GeneralName, ...] = ()
    excluded: tuple[GeneralName, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """What the extensions of one certificate say; None: the extension is absent.

    ``faults`` are sentences about extensions that are there but malformed.
    """

    basic_constraints: BasicConstraints | None = None
    key_usage: int | None = None
    extended_key_usage: frozenset[str] | None = None
    alternative_names: tuple[GeneralName, ...] | None = None
    name_constraints: NameConstraints | None = None
    subject_key_identifier: bytes | None = None
    authority_key_identifier: bytes | None = None
    faults: tuple[str, ...] = field(default=())

    @property
    def key_cert_sign(self) -> bool | None:
        """Whether the key may sign certificates."""
        return None if self.key_usage is None else bool(self.key_usage & KEY_CERT_SIGN)


@dataclass(frozen=True, slots=True)
class AuthorityCertificate:
    """The issuer's certificate as an authority key identifier names it: its issuer, in canonical form, and its serial.

    None: that is not said. ``serial`` is the content of the INTEGER.
    """

    issuer: bytes | None = None
    serial: bytes | None = None


@lru_cache(maxsize=8192)
def read_profile(certificate: Certificate) -> Profile:
    """What the extensions of this certificate say; malformed ones are reported in ``faults``."""
    faults: list[str] = []
    found: dict[str, object] = {}
    for oid, (name, attribute, reader) in _READERS.items():
        extension = certificate.extension(oid)
        if extension is None:
            continue
        try:
            found[attribute] = reader(extension.value)
        except DerError as error:
            faults.append(f"its {name} is malformed ({error})")
    found.pop("", None)
    return Profile(**found, faults=tuple(faults))  # type: ignore[arg-type]  # the table pairs attribute and reader


def _basic_constraints(value: bytes) -> BasicConstraints:
    ca, path_length = False, None
    for part in der.expect(der.read_element(value), der.SEQUENCE, "the sequence").children():
        if part.tag == der.BOOLEAN:
            ca = part.content != b"\0"
        elif part.tag == der.INTEGER:
            path_length = int.from_bytes(part.content, signed=True)
        else:
            raise DerError("an unexpected element")
    return BasicConstraints(ca, path_length)


def _key_usage(value: bytes) -> int:
    bits = der.expect(der.read_element(value), der.BIT_STRING, "the bit string").content
    if len(bits) < 2:  # noqa: PLR2004 - the count of unused bits and one octet
        raise DerError("no bit is set")
    return bits[1]


def _extended_key_usage(value: bytes) -> frozenset[str]:
    purposes = [
        der.dotted_oid(der.expect(part, der.OID, "a purpose").content)
        for part in der.expect(der.read_element(value), der.SEQUENCE, "the sequence").children()
    ]
    if not purposes:
        raise DerError("no purpose is given")
    return frozenset(purposes)


def _general_name(element: Element) -> GeneralName:
    kind = _NAME_KINDS.get(element.tag, "unknown")
    return GeneralName(kind, element.content)


def _alternative_names(value: bytes) -> tuple[GeneralName, ...]:
    names = tuple(
        _general_name(part) for part in der.expect(der.read_element(value), der.SEQUENCE, "the sequence").children()
    )
    if not names:
        raise DerError("no name is given")
    for name in names:
        if name.kind == "ip" and len(name.value) not in _IP_LENGTHS:
            raise DerError(f"an IP address of {len(name.value)} bytes")
        if name.kind == "dns" and not name.value.isascii():
            raise DerError("a DNS name that is not ASCII")
    return names


def _name_constraints(value: bytes) -> NameConstraints:
    subtrees: dict[int, tuple[GeneralName, ...]] = {}
    for part in der.expect(der.read_element(value), der.SEQUENCE, "the sequence").children():
        if part.tag not in (_PERMITTED, _EXCLUDED):
            raise DerError("an unexpected element")
        subtrees[part.tag] = tuple(_subtree(item) for item in part.children())
        if not subtrees[part.tag]:
            raise DerError("an empty list of subtrees")
    if not subtrees:
        raise DerError("neither permitted nor excluded subtrees are given")
    return NameConstraints(subtrees.get(_PERMITTED, ()), subtrees.get(_EXCLUDED, ()))


def _subtree(item: Element) -> GeneralName:
    base = _general_name(next(item.children(), None) or item)
    if base.kind == "ip":
        half = len(base.value) // 2
        if half not in _IP_LENGTHS or len(base.value) != 2 * half:
            raise DerError(f"an IP subtree of {len(base.value)} bytes")
        mask = int.from_bytes(base.value[half:])
        if mask != (1 << 8 * half) - (1 << 8 * half - mask.bit_count()):
            raise DerError("an IP subtree whose mask is not a prefix")
    if base.kind == "dns" and b"*" in base.value:
        raise DerError("a DNS subtree with a wildcard")
    return base


def _subject_key_identifier(value: bytes) -> bytes:
    return der.expect(der.read_element(value), der.OCTET_STRING, "the octet string").content


def _authority_key_identifier(value: bytes) -> bytes:
    sequence = der.expect(der.read_element(value), der.SEQUENCE, "the sequence")
    return next((part.content for part in sequence.children() if part.tag == _KEY_IDENTIFIER), b"")


@lru_cache(maxsize=8192)
def authority_certificate(certificate: Certificate) -> AuthorityCertificate:
    """What the authority key identifier says beside the key identifier; nothing where it cannot be read."""
    extension = certificate.extension(AUTHORITY_KEY_IDENTIFIER)
    if extension is None:
        return AuthorityCertificate()
    issuer = serial = None
    try:
        for part in der.read_element(extension.value).children():
            if part.tag == _AUTHORITY_SERIAL:
                serial = part.content
            elif part.tag == _AUTHORITY_ISSUER:
                directories = (name.content for name in part.children() if name.tag == _DIRECTORY)
                issuer = next((canonical_name(der.read_element(name).raw) for name in directories), None)
    except DerError:
        return AuthorityCertificate()
    return AuthorityCertificate(issuer, serial)


def names_only_a_key(value: bytes) -> bool:
    """Whether an authority key identifier gives the key identifier and neither issuer nor serial number."""
    try:
        return [part.tag for part in der.read_element(value).children()] == [_KEY_IDENTIFIER]
    except DerError:
        return False


def _authority_information_access(value: bytes) -> None:
    descriptions = list(der.expect(der.read_element(value), der.SEQUENCE, "the sequence").children())
    for description in descriptions:
        parts = list(der.expect(description, der.SEQUENCE, "a description").children())
        if len(parts) != 2:  # noqa: PLR2004 - method and location
            raise DerError("a description does not have two parts")
        der.expect(parts[0], der.OID, "an access method")
    if not descriptions:
        raise DerError("no description is given")


_READERS = {
    BASIC_CONSTRAINTS: ("basic constraints extension", "basic_constraints", _basic_constraints),
    KEY_USAGE: ("key usage extension", "key_usage", _key_usage),
    EXTENDED_KEY_USAGE: ("extended key usage extension", "extended_key_usage", _extended_key_usage),
    SUBJECT_ALT_NAME: ("subject alternative name extension", "alternative_names", _alternative_names),
    NAME_CONSTRAINTS: ("name constraints extension", "name_constraints", _name_constraints),
    SUBJECT_KEY_IDENTIFIER: ("subject key identifier", "subject_key_identifier", _subject_key_identifier),
    AUTHORITY_KEY_IDENTIFIER: ("authority key identifier", "authority_key_identifier", _authority_key_identifier),
    AUTHORITY_INFORMATION_ACCESS: ("authority information access extension", "", _authority_information_access),
}
