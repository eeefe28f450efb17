"""Would a client accept this path for this host at this time? Every reason against it, in sentences.

``STRICT`` is the union of what the clients of today enforce (OpenSSL's default checks, the JDK, Conscrypt, Chromium,
Apple), because the ``generic`` client stands for all of them: RFC 5280 section 6.1 with the anchor's own dates and
constraints checked, alternative names only, server authentication on every certificate that limits its purposes, keys
and hashes that all of them take. EC points in compressed form are refused, for the JDK cannot read them and fails
whatever else holds. What only a linter would object to (a serial number of zero, a missing key identifier) is no
reason. Single clients are laxer, by a ``Strictness`` of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.pinning import extensions
from monitord.pinning.constraints import CommonNames, name_violation
from monitord.pinning.extensions import read_profile
from monitord.pinning.hostname import describe_names, names_host
from monitord.pinning.signature import compressed_point, rsa_bits, usable_key, weak_signature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.paths import Path

_V3 = 3
# Critical extensions that every client handles. Key identifiers and authority information access are not among them,
# so that they are refused when they are critical.
HANDLED_WHEN_CRITICAL = frozenset(
    {
        extensions.KEY_USAGE,
        extensions.SUBJECT_ALT_NAME,
        extensions.BASIC_CONSTRAINTS,
        extensions.NAME_CONSTRAINTS,
        extensions.EXTENDED_KEY_USAGE,
        "2.5.29.32",  # certificate policies
        "2.5.29.33",  # policy mappings
        "2.5.29.36",  # policy constraints
        "2.5.29.54",  # inhibit any policy
    }
)


class AnchorChecks(StrEnum):
    """How much of an anchor itself is looked at."""

    ALL = "all"
    """Dates and constraints as those of any issuer (OpenSSL, Apple)."""
    FLAGS = "flags"
    """Whether it calls itself an authority that may sign (the JDK)."""
    NONE = "none"
    """Name and key only (Conscrypt, RFC 5280 section 6.1.1)."""


class BareAnchors(StrEnum):
    """Which anchors pass though they have no basic constraints."""

    OLD = "old"
    """Those of version 1 or 2, which cannot have any (the JDK)."""
    OLD_ROOTS = "old_roots"
    """Self-issued ones of version 1: what the others have in common."""
    SIGNERS = "signers"
    """Those whose key usage lets them sign, and self-issued ones of version 1 (OpenSSL)."""


class Purposes(StrEnum):
    """Whose extended key usage must be for server authentication, where it is given."""

    LEAF = "leaf"
    """The leaf's; any purpose is enough (the JDK, Conscrypt)."""
    EVERY = "every"
    """That of every certificate, the anchor included; any purpose is not enough (OpenSSL)."""


@dataclass(frozen=True, slots=True)
class Strictness:
    """In what the clients differ; the defaults are the strictest of each.

    ``leaf_usages``: bits of the key usage, of which a leaf that has one needs any. ``critical``: the extensions that
    are handled when critical. ``common_name``, ``mapped_addresses``: see ``names_host``. ``constrained`` and
    ``wildcards``: see ``name_violation``. ``compressed_points``: compressed EC points are read.
    ``empty_subject``: a leaf may have no subject though its alternative names are not critical.
    """

    anchor: AnchorChecks = AnchorChecks.ALL
    bare_anchors: BareAnchors = BareAnchors.OLD_ROOTS
    purposes: Purposes = Purposes.EVERY
    leaf_usages: int = extensions.DIGITAL_SIGNATURE
    critical: frozenset[str] = HANDLED_WHEN_CRITICAL
    least_rsa_bits: int = 2048
    refused_hashes: frozenset[str] = frozenset({"MD5", "SHA-1"})
    compressed_points: bool = False
    common_name: bool = False
    mapped_addresses: bool = False
    empty_subject: bool = False
    constrained: frozenset[CommonNames] = frozenset(CommonNames)
    wildcards: bool = True


STRICT = Strictness()


class RejectionKind(StrEnum):
    """Why a path is refused; a closed list."""

    UNKNOWN_ROOT = "unknown_root"
    DATE = "date"
    NAME = "name"
    CA_FLAG = "ca_flag"
    PATH_LENGTH = "path_length"
    KEY_USAGE = "key_usage"
    NAME_CONSTRAINTS = "name_constraints"
    WEAK = "weak"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One reason to refuse a path; ``position`` is the certificate's place on it, the leaf being 0."""

    kind: RejectionKind
    position: int
    sentence: str


def leaf_rejections(
    leaf: Certificate, host: str, now: datetime, strictness: Strictness = STRICT
) -> Iterator[Rejection]:
    """What is wrong with a leaf whatever its path: its dates and its names."""
    yield from _dates(leaf, 0, now)
    yield from name_rejections(leaf, host, strictness)


def name_rejections(leaf: Certificate, host: str, strictness: Strictness = STRICT) -> Iterator[Rejection]:
    """What is wrong with a leaf's names, for this host."""
    options = {"common_name": strictness.common_name, "mapped_addresses": strictness.mapped_addresses}
    if not names_host(leaf, host, **options):
        names = describe_names(read_profile(leaf))
        yield Rejection(RejectionKind.NAME, 0, f"the certificate is for {names}, not for {host}")
    alternative = leaf.extension(extensions.SUBJECT_ALT_NAME)
    if alternative and not alternative.critical and not leaf.subject_key and not strictness.empty_subject:
        # The JDK refuses to parse it (RFC 5280 section 4.2.1.6).
        yield Rejection(RejectionKind.NAME, 0, "its subject is empty but its alternative names are not critical")


def issuer_rejections(
    issuer: Certificate, position: int, now: datetime, strictness: Strictness = STRICT
) -> Iterator[Rejection]:
    """What is wrong with an issuer below the anchor, whatever its path."""
    yield from _dates(issuer, position, now)
    yield from _authority(issuer, position, strictness, is_anchor=False)
    yield from _form(issuer, position, strictness, is_anchor=False)
    yield from _key(issuer, position, strictness)


def rejections(path: Path, host: str, now: datetime, strictness: Strictness = STRICT) -> tuple[Rejection, ...]:
    """Every reason to refuse this path, worst first in the order a person would want to read them."""
    leaf, last = path.certificates[0], len(path.certificates) - 1
    found = list(leaf_rejections(leaf, host, now, strictness))
    if not path.anchored:
        root = path.certificates[-1].display_subject
        found.append(Rejection(RejectionKind.UNKNOWN_ROOT, last, f"the root {root} is not in the trust store"))
    for position, certificate in enumerate(path.certificates):
        if position == 0:
            found.extend(_leaf(certificate, strictness))
            found.extend(_form(certificate, position, strictness, is_anchor=path.anchored and position == last))
            found.extend(_key(certificate, position, strictness))
        elif path.anchored and position == last:
            found.extend(_anchor(certificate, position, now, strictness))
        else:
            found.extend(issuer_rejections(certificate, position, now, strictness))
        if position < last or not path.anchored or strictness.anchor is AnchorChecks.ALL:
            found.extend(_place(certificate, path, position, strictness))
    checked = path.certificates
    if path.anchored and strictness.anchor is not AnchorChecks.ALL:
        checked = checked[:-1]
    violation = name_violation(checked, common=strictness.constrained, wildcards=strictness.wildcards)
    if violation:
        found.append(Rejection(RejectionKind.NAME_CONSTRAINTS, 0, violation))
    return tuple(found)


def key_fault(certificate: Certificate, strictness: Strictness = STRICT) -> str | None:
    """What is wrong with a certificate's key, as the end of a sentence; None if nothing is."""
    bits, least = rsa_bits(certificate), strictness.least_rsa_bits
    if bits is not None and bits < least:
        return f"has an RSA key of {bits} bits where {least} are the least"
    if not usable_key(certificate):
        return "has a kind of key that clients do not accept"
    if compressed_point(certificate) and not strictness.compressed_points:
        return "has an EC key in compressed form, which not all clients can read"
    return None


def _who(certificate: Certificate, position: int) -> str:
    return "the certificate" if position == 0 else f"the issuer {certificate.display_subject}"


def _dates(certificate: Certificate, position: int, now: datetime) -> Iterator[Rejection]:
    who = _who(certificate, position)
    if certificate.valid_at(now):
        return
    if now < certificate.not_before:
        when = f"{certificate.not_before:%Y-%m-%dT%H:%M:%SZ}"
        yield Rejection(RejectionKind.DATE, position, f"{who} is not valid before {when}")
    else:
        yield Rejection(RejectionKind.DATE, position, f"{who} expired at {certificate.not_after:%Y-%m-%dT%H:%M:%SZ}")


def _leaf(leaf: Certificate, strictness: Strictness) -> Iterator[Rejection]:
    profile = read_profile(leaf)
    purposes = profile.extended_key_usage
    if purposes is not None and not purposes & _good_purposes(strictness):
        yield Rejection(RejectionKind.KEY_USAGE, 0, "the certificate is not for server authentication")
    if profile.key_usage is not None and not profile.key_usage & strictness.leaf_usages:
        yield Rejection(RejectionKind.KEY_USAGE, 0, "the certificate's key usage does not allow TLS")
    if leaf.version != _V3 and not strictness.common_name:
        yield Rejection(RejectionKind.MALFORMED, 0, f"the certificate is of X.509 version {leaf.version}")


def _good_purposes(strictness: Strictness) -> frozenset[str]:
    if strictness.purposes is Purposes.EVERY:
        return frozenset({extensions.SERVER_AUTH})
    return frozenset({extensions.SERVER_AUTH, extensions.ANY_EXTENDED_KEY_USAGE})


def _anchor(anchor: Certificate, position: int, now: datetime, strictness: Strictness) -> Iterator[Rejection]:
    if strictness.anchor is AnchorChecks.NONE:
        return
    if strictness.anchor is AnchorChecks.ALL:
        yield from _dates(anchor, position, now)
    yield from _authority(anchor, position, strictness, is_anchor=True)
    if strictness.anchor is AnchorChecks.ALL:
        yield from _form(anchor, position, strictness, is_anchor=True)
        yield from _key(anchor, position, strictness)


def _authority(
    certificate: Certificate, position: int, strictness: Strictness, *, is_anchor: bool
) -> Iterator[Rejection]:
    profile, who = read_profile(certificate), _who(certificate, position)
    basic = profile.basic_constraints
    if basic is None:
        if not (is_anchor and _passes_bare(certificate, strictness.bare_anchors)):
            yield Rejection(RejectionKind.CA_FLAG, position, f"{who} does not say that it is an authority")
    elif not basic.ca:
        yield Rejection(RejectionKind.CA_FLAG, position, f"{who} says that it is no authority")
    if profile.key_cert_sign is False:
        yield Rejection(RejectionKind.KEY_USAGE, position, f"{who} may not sign certificates")


def _passes_bare(anchor: Certificate, accepted: BareAnchors) -> bool:
    """Whether an anchor without basic constraints is one all the same: old private roots have none."""
    if accepted is BareAnchors.OLD:
        return anchor.version < _V3
    old_root = anchor.version == 1 and anchor.self_issued
    return old_root or (accepted is BareAnchors.SIGNERS and bool(read_profile(anchor).key_cert_sign))


def _place(certificate: Certificate, path: Path, position: int, strictness: Strictness) -> Iterator[Rejection]:
    """What is wrong with a certificate at this place of the path."""
    profile, who, last = read_profile(certificate), _who(certificate, position), len(path.certificates) - 1
    broken = None if position == last else weak_signature(certificate)
    if broken in strictness.refused_hashes:
        yield Rejection(RejectionKind.WEAK, position, f"{who} is signed with {broken}")
    if not position:
        return
    longest = profile.basic_constraints.path_length if profile.basic_constraints else None
    below = sum(1 for between in path.certificates[1:position] if not between.self_issued)
    if longest is not None and below > longest:
        allowed = f"allows {longest} intermediates below it and there are {below}"
        yield Rejection(RejectionKind.PATH_LENGTH, position, f"{who} {allowed}")
    purposes = profile.extended_key_usage
    if strictness.purposes is Purposes.EVERY and purposes is not None and extensions.SERVER_AUTH not in purposes:
        yield Rejection(RejectionKind.KEY_USAGE, position, f"{who} may not issue for server authentication")


def _form(certificate: Certificate, position: int, strictness: Strictness, *, is_anchor: bool) -> Iterator[Rejection]:
    who = _who(certificate, position)
    for problem in (*certificate.problems, *read_profile(certificate).faults):
        yield Rejection(RejectionKind.MALFORMED, position, f"{who} is malformed: {problem}")
    if not certificate.issuer_key and not is_anchor:
        yield Rejection(RejectionKind.MALFORMED, position, f"{who} names no issuer")
    if position and not certificate.subject_key:
        yield Rejection(RejectionKind.MALFORMED, position, "an issuer has no name")
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in strictness.critical:
            sentence = f"{who} has the critical extension {extension.oid} that clients do not know"
            yield Rejection(RejectionKind.MALFORMED, position, sentence)


def _key(certificate: Certificate, position: int, strictness: Strictness) -> Iterator[Rejection]:
    fault = key_fault(certificate, strictness)
    if fault:
        yield Rejection(RejectionKind.WEAK, position, f"{_who(certificate, position)} {fault}")
