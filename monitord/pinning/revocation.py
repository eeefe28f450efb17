"""Certificate revocation lists (RFC 5280 sections 5 and 6.3): which of some certificates does a list call revoked?

Conservative on purpose: a revocation is predicted to break apps, and "not revoked" calms people. So a list counts only
where it is current, signed by the very key that signed the certificate, and complete for it. Whatever is not
understood (indirect and delta lists, unknown critical extensions, a scope that may not hold the certificate) makes it
unclear, which is neither "revoked" nor "not revoked".

Lists have up to millions of entries of 20 to 40 bytes. They are walked once, by their lengths, and only entries that
are asked about or may have a critical extension are looked into.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.errors import MonitordError
from monitord.pinning import der
from monitord.pinning.certificate import read_time
from monitord.pinning.extensions import read_profile
from monitord.pinning.names import canonical_name, display_name
from monitord.pinning.report import timestamp
from monitord.pinning.signature import signature_holds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.der import Element

SKEW = timedelta(minutes=5)
"""By how much a CA's clock may be ahead of ours."""

_POINTS = "2.5.29.31"
_NUMBER, _DELTA, _SCOPE, _AUTHORITY = "2.5.29.20", "2.5.29.27", "2.5.29.28", "2.5.29.35"
_REASON, _INVALIDITY_DATE, _CERTIFICATE_ISSUER = "2.5.29.21", "2.5.29.24", "2.5.29.29"
_CRL_SIGN = 0x02  # of the key usage extension (RFC 5280 section 4.2.1.3), in its first octet
_URI, _FULL_NAME, _EXTENSIONS, _ENUMERATED = 0x86, 0xA0, 0xA0, 0x0A
_POINT_NAME, _POINT_REASONS, _POINT_ISSUER = 0xA0, 0x81, 0xA2
_SCOPE_NAME, _ONLY_USER, _ONLY_CA, _SOME_REASONS, _INDIRECT, _ONLY_ATTRIBUTE = 0xA0, 0x81, 0x82, 0x83, 0x84, 0x85
_LONG_FORM, _HEADER = 0x80, 2
_BOOLEAN = bytes((der.BOOLEAN, 1))  # what every critical flag begins with
_LONGEST_URL = 2000
_REMOVED = "removeFromCRL"
_REASONS = (
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "",
    _REMOVED,
    "privilegeWithdrawn",
    "aACompromise",
)


class RevocationUnclear(MonitordError):  # noqa: N818 - a finding about an answer, not an error of ours
    """Nothing may be concluded; the text goes on after the name of the list or the answer: "has expired …"."""


@dataclass(frozen=True, slots=True)
class DistributionPoint:
    """Where the issuer publishes a whole list: its URLs with http, and every name it has as the raw DER."""

    urls: tuple[str, ...]
    names: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Question:
    """Whether a certificate is on the list that one of its distribution points gives.

    ``issuer`` is the certificate whose key signed it, ``names`` are the names of the distribution point.
    """

    certificate: Certificate
    issuer: Certificate
    names: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Revoked:
    """Since when a certificate is revoked, and why in the words of RFC 5280 section 5.3.1; None: not said."""

    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What a list says about the certificates asked about, each by its SHA-256.

    Those in neither ``revoked`` nor ``unclear`` are not revoked. ``until``: when the next list is due.
    """

    until: datetime
    revoked: Mapping[bytes, Revoked]
    unclear: Mapping[bytes, str]


def distribution_points(certificate: Certificate) -> tuple[DistributionPoint, ...]:
    """The places with http from which the certificate's issuer gives its whole list (RFC 5280 section 4.2.1.13).

    Left out are those for some reasons only and those of other issuers. Raises RevocationUnclear for an extension
    that is malformed, or from which nothing is left.
    """
    extension = certificate.extension(_POINTS)
    if extension is None:
        return ()
    try:
        points = [
            _point(item)
            for item in der.expect(der.read_element(extension.value), der.SEQUENCE, "the sequence").children()
        ]
    except der.DerError as error:
        raise RevocationUnclear(f"has distribution points that cannot be read: {error}") from error
    usable = tuple(point for point in points if point is not None and point.urls)
    if not usable:
        raise RevocationUnclear("names no revocation list of its own issuer that is whole and to be had by http")
    return usable


def look_up(data: bytes, questions: Sequence[Question], now: datetime) -> Findings:
    """What the list in this DER says. Raises RevocationUnclear where it says nothing about any certificate."""
    try:
        revocations = _read(data)
        until = _require_current(revocations, now)
        signers = {
            spki: signature_holds(spki, revocations.algorithm, revocations.signature, revocations.signed.raw)
            for spki in {one.issuer.spki for one in questions}
        }
        unclear = {
            one.certificate.sha256: complaint
            for one in questions
            if (complaint := _objection(revocations, one, signed=signers[one.issuer.spki]))
        }
        serials: dict[bytes, list[bytes]] = {}
        for one in questions:
            if one.certificate.sha256 not in unclear:
                for spelling in {one.certificate.serial, _minimal(one.certificate.serial)}:
                    serials.setdefault(spelling, []).append(one.certificate.sha256)
        return Findings(until, _walk(revocations, serials) if serials else {}, unclear)
    except der.DerError as error:
        raise RevocationUnclear(f"cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class _Scope:
    """The issuing distribution point extension (RFC 5280 section 5.2.5)."""

    names: frozenset[bytes] | None = None
    only_user: bool = False
    only_ca: bool = False


@dataclass(frozen=True, slots=True)
class _List:
    """A revocation list with its entries unread."""

    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    entries: Element | None
    scope: _Scope
    signed: Element
    algorithm: bytes
    signature: bytes


def _point(item: Element) -> DistributionPoint | None:
    parts = {part.tag: part for part in der.expect(item, der.SEQUENCE, "a distribution point").children()}
    name = parts.get(_POINT_NAME)
    if name is None or _POINT_REASONS in parts or _POINT_ISSUER in parts:
        return None
    names = _full_names(name)
    return DistributionPoint(http_urls(names), frozenset(one.raw for one in names))


def http_urls(names: Iterable[Element]) -> tuple[str, ...]:
    """The URLs with http among some GeneralNames: https would need what is to be checked (RFC 5280 section 8)."""
    urls = (one.content.decode("ascii") for one in names if one.tag == _URI and one.content.isascii())
    return tuple(
        url for url in urls if url.lower().startswith("http://") and url.isprintable() and len(url) <= _LONGEST_URL
    )


def _full_names(name: Element) -> list[Element]:
    """The GeneralNames of a DistributionPointName; none where it is relative to an issuer."""
    inner = next(name.children(), None)
    return list(inner.children()) if inner is not None and inner.tag == _FULL_NAME else []


def _read(data: bytes) -> _List:
    outer = der.expect(der.read_element(data), der.SEQUENCE, "the list")
    parts = iter(outer.children())
    signed = der.expect(next(parts, None), der.SEQUENCE, "the signed part")
    algorithm = der.expect(next(parts, None), der.SEQUENCE, "the signature algorithm")
    signature = der.expect(next(parts, None), der.BIT_STRING, "the signature")

    fields = iter(signed.children())
    field = next(fields, None)
    if field is not None and field.tag == der.INTEGER:
        field = next(fields, None)
    inner = der.expect(field, der.SEQUENCE, "the inner signature algorithm")
    if inner.raw != algorithm.raw:
        raise RevocationUnclear("names two different signature algorithms")
    issuer = der.expect(next(fields, None), der.SEQUENCE, "the issuer")
    this_update = next(fields, None)
    if this_update is None:
        raise der.DerError("the time of issue is missing")
    rest = list(fields)
    next_update = entries = extensions = None
    for field in rest:
        if field.tag in (der.UTC_TIME, der.GENERALIZED_TIME):
            next_update = read_time(field)
        elif field.tag == der.SEQUENCE:
            entries = field
        elif field.tag == _EXTENSIONS:
            extensions = der.read_element(field.content)
        else:
            raise der.DerError(f"the signed part has an element with tag 0x{field.tag:02x}")
    return _List(
        canonical_name(issuer.raw),
        read_time(this_update),
        next_update,
        entries,
        _scope_of(extensions),
        signed,
        algorithm.raw,
        signature.content[1:],
    )


def _scope_of(extensions: Element | None) -> _Scope:
    scope = _Scope()
    for oid, critical, value in _extensions(extensions):
        if oid == _DELTA:
            raise RevocationUnclear("is a delta, which tells only what changed")
        if oid == _SCOPE:
            scope = _read_scope(value)
        elif critical and oid not in (_NUMBER, _AUTHORITY):
            raise RevocationUnclear(f"has the critical extension {oid}, which monitord does not know")
    return scope


def _extensions(block: Element | None) -> Iterator[tuple[str, bool, bytes]]:
    """OID, critical flag and value of each extension of a list or of an entry."""
    for item in block.children() if block is not None else ():
        parts = list(der.expect(item, der.SEQUENCE, "an extension").children())
        oid = der.dotted_oid(der.expect(parts[0] if parts else None, der.OID, "an extension's identifier").content)
        critical = any(part.tag == der.BOOLEAN and part.content != b"\0" for part in parts[1:-1])
        yield oid, critical, der.expect(parts[-1], der.OCTET_STRING, "an extension's value").content


def _read_scope(value: bytes) -> _Scope:
    names: frozenset[bytes] | None = None
    flags: set[int] = set()
    for part in der.expect(der.read_element(value), der.SEQUENCE, "the issuing distribution point").children():
        if part.tag == _SCOPE_NAME:
            names = frozenset(one.raw for one in _full_names(part))
        elif part.tag == _SOME_REASONS or part.content != b"\0":
            flags.add(part.tag)
    if _INDIRECT in flags:
        raise RevocationUnclear("is indirect: it may speak of other issuers' certificates")
    if _SOME_REASONS in flags:
        raise RevocationUnclear("covers only some reasons of revocation")
    if flags - {_ONLY_USER, _ONLY_CA}:
        raise RevocationUnclear("is not for the certificates of servers or CAs")
    return _Scope(names, _ONLY_USER in flags, _ONLY_CA in flags)


def _require_current(revocations: _List, now: datetime) -> datetime:
    """When the list ends. Raises RevocationUnclear if that, or its beginning, is not where it should be."""
    if revocations.this_update > now + SKEW:
        raise RevocationUnclear(f"is dated in the future, {timestamp(revocations.this_update)}")
    if revocations.next_update is None:
        raise RevocationUnclear("does not say when the next one is due, as it must (RFC 5280 section 5.1.2.5)")
    if revocations.next_update < now:
        raise RevocationUnclear(f"expired at {timestamp(revocations.next_update)}")
    return revocations.next_update


def _objection(revocations: _List, question: Question, *, signed: bool) -> str | None:
    """Why the list does not settle the question (RFC 5280 section 6.3.3 steps b, f and g)."""
    issuer, scope = question.issuer, revocations.scope
    profile = read_profile(question.certificate)
    ca = profile.basic_constraints is not None and profile.basic_constraints.ca
    if revocations.issuer != question.certificate.issuer_key:
        return "is of another issuer"
    if scope.names is not None and not scope.names & question.names:
        return "is for other certificates of the issuer"
    if (scope.only_user and ca) or (scope.only_ca and not ca):
        return "is for CA certificates only" if scope.only_ca else "is for certificates of servers only"
    usage = read_profile(issuer).key_usage
    if usage is not None and not usage & _CRL_SIGN:
        return f"should be signed by {display_name(issuer.subject)}, whose key may not sign lists"
    if not signed:
        return f"is not signed by the key of {display_name(issuer.subject)}"
    return None


def _walk(revocations: _List, serials: Mapping[bytes, Sequence[bytes]]) -> dict[bytes, Revoked]:
    """The entries with these serial numbers, by the SHA-256 of the certificates."""
    if revocations.entries is None:
        return {}
    data, position, end = revocations.entries.data, revocations.entries.content_start, revocations.entries.end
    found: dict[bytes, Revoked] = {}
    flag = data.find(_BOOLEAN, position, end)
    while position < end:
        stop, serial = _entry_at(data, position, end)
        critical = position < flag < stop
        if critical or serial in serials:
            entry = _read_entry(der.element_at(data, position, end))
            found.update(dict.fromkeys(serials.get(serial, ()), entry))
        if flag >= 0 and flag < stop:
            flag = data.find(_BOOLEAN, stop, end)
        position = stop
    return found


def _entry_at(data: bytes, position: int, end: int) -> tuple[int, bytes]:
    """Where the entry that begins here ends, and its serial number."""
    # By hand for the usual short ones: as Elements, a hundred thousand would take a second instead of 50 ms.
    head = data[position : position + 2 * _HEADER]
    if len(head) == 2 * _HEADER and head[0] == der.SEQUENCE and head[2] == der.INTEGER:
        stop, serial_end = position + _HEADER + head[1], position + 2 * _HEADER + head[3]
        if head[1] < _LONG_FORM and head[3] < _LONG_FORM and serial_end <= stop <= end:
            return stop, data[position + 2 * _HEADER : serial_end]
    entry = der.expect(der.element_at(data, position, end), der.SEQUENCE, "an entry")
    return entry.end, der.expect(next(entry.children(), None), der.INTEGER, "an entry's serial number").content


def _read_entry(entry: Element) -> Revoked:
    parts = list(entry.children())
    if len(parts) < 2:  # noqa: PLR2004 - serial number and time
        raise der.DerError("an entry has no time of revocation")
    reason = None
    extensions = parts[2] if len(parts) > 2 else None  # noqa: PLR2004
    for oid, critical, value in _extensions(extensions):
        if oid == _CERTIFICATE_ISSUER:
            raise RevocationUnclear("is indirect: it speaks of other issuers' certificates")
        if oid == _REASON:
            reason = read_reason(der.read_element(value))
            if reason == _REMOVED:
                raise RevocationUnclear("takes revocations back, which only a delta may do")
        elif critical and oid != _INVALIDITY_DATE:
            raise RevocationUnclear(f"has entries with the critical extension {oid}, which monitord does not know")
    return Revoked(read_time(parts[1]), reason)


def read_reason(element: Element) -> str | None:
    """A CRLReason by its name (RFC 5280 section 5.3.1); None for numbers that have none. Raises DerError."""
    number = int.from_bytes(der.expect(element, _ENUMERATED, "the reason").content)
    return (_REASONS[number] or None) if number < len(_REASONS) else None


def _minimal(serial: bytes) -> bytes:
    """An INTEGER's content without octets that DER forbids, which some old certificates have."""
    value = int.from_bytes(serial, signed=True)
    return value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, signed=True)
