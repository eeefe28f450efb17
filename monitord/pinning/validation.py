"""Would a client accept this path for this host at this time? Every reason against it, in sentences.

``STRICT`` is the union of what the clients of today enforce (OpenSSL's default checks, the JDK, Conscrypt, Chromium,
Apple), because the ``generic`` client stands for all of them: RFC 5280 section 6.1 with the anchor's own dates and
constraints checked, alternative names only, server authentication, keys and hashes that Apple and the JDK still take.
What only a linter would object to (a serial number of zero, a missing key identifier) is no reason. Single clients are
laxer, by a ``Strictness`` of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.pinning import extensions
from monitord.pinning.constraints import name_violation
from monitord.pinning.extensions import read_profile
from monitord.pinning.hostname import describe_names, names_host
from monitord.pinning.signature import rsa_bits, usable_key, weak_signature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.paths import Path

_V3 = 3
# Critical extensions outside this list are refused: what OpenSSL's X509_supported_extension handles. Key identifiers
# and authority information access are not in it, so that they are refused when they are critical.
_HANDLED_WHEN_CRITICAL = frozenset(
    {
        extensions.KEY_USAGE,
        extensions.SUBJECT_ALT_NAME,
        extensions.BASIC_CONSTRAINTS,
        extensions.NAME_CONSTRAINTS,
        extensions.EXTENDED_KEY_USAGE,
        "2.5.29.31",  # CRL distribution points
        "2.5.29.32",  # certificate policies
        "2.5.29.33",  # policy mappings
        "2.5.29.36",  # policy constraints
        "2.5.29.54",  # inhibit any policy
        "1.3.6.1.5.5.7.48.1.5",  # OCSP no check
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


@dataclass(frozen=True, slots=True)
class Strictness:
    """In what the clients differ: the anchor, weak RSA keys, SHA-1, and the common name where no DNS name is given."""

    anchor: AnchorChecks = AnchorChecks.ALL
    least_rsa_bits: int = 2048
    refused_hashes: frozenset[str] = frozenset({"MD5", "SHA-1"})
    common_name: bool = False


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
    if not names_host(leaf, host, common_name=strictness.common_name):
        names = describe_names(read_profile(leaf))
        yield Rejection(RejectionKind.NAME, 0, f"the certificate is for {names}, not for {host}")


def rejections(path: Path, host: str, now: datetime, strictness: Strictness = STRICT) -> tuple[Rejection, ...]:
    """Every reason to refuse this path, worst first in the order a person would want to read them."""
    found = list(leaf_rejections(path.certificates[0], host, now, strictness))
    last = len(path.certificates) - 1
    if not path.anchored:
        root = path.certificates[-1].display_subject
        found.append(Rejection(RejectionKind.UNKNOWN_ROOT, last, f"the root {root} is not in the trust store"))
    for position, certificate in enumerate(path.certificates):
        is_anchor = path.anchored and position == last
        lenient = is_anchor and strictness.anchor is not AnchorChecks.ALL
        if position == 0:
            found.extend(_leaf(certificate))
        elif not lenient:
            found.extend(_dates(certificate, position, now))
        if position and not (lenient and strictness.anchor is AnchorChecks.NONE):
            found.extend(_authority(certificate, position, is_anchor=is_anchor))
        if position and not lenient:
            found.extend(_constraints(certificate, path, position))
        if not lenient:
            found.extend(_form(certificate, position, is_anchor=is_anchor))
            found.extend(_strength(certificate, position, strictness, is_anchor=is_anchor))
    checked = path.certificates
    if path.anchored and strictness.anchor is not AnchorChecks.ALL:
        checked = checked[:-1]
    violation = name_violation(checked)
    if violation:
        found.append(Rejection(RejectionKind.NAME_CONSTRAINTS, 0, violation))
    return tuple(found)


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


def _leaf(leaf: Certificate) -> Iterator[Rejection]:
    profile = read_profile(leaf)
    purposes = profile.extended_key_usage
    if purposes is not None and extensions.SERVER_AUTH not in purposes:
        yield Rejection(RejectionKind.KEY_USAGE, 0, "the certificate is not for server authentication")
    if leaf.version != _V3:
        yield Rejection(RejectionKind.MALFORMED, 0, f"the certificate is of X.509 version {leaf.version}")
    alternative = leaf.extension(extensions.SUBJECT_ALT_NAME)
    if alternative and not alternative.critical and not leaf.subject_key:
        # The JDK refuses to parse it (RFC 5280 section 4.2.1.6).
        yield Rejection(RejectionKind.MALFORMED, 0, "its subject is empty but its alternative names are not critical")


def _authority(certificate: Certificate, position: int, *, is_anchor: bool) -> Iterator[Rejection]:
    profile, who = read_profile(certificate), _who(certificate, position)
    basic = profile.basic_constraints
    if basic is None:
        # Old private roots are of version 1 and have none; OpenSSL, Conscrypt and the JDK take them as anchors.
        if not (is_anchor and certificate.version < _V3):
            yield Rejection(RejectionKind.CA_FLAG, position, f"{who} does not say that it is an authority")
    elif not basic.ca:
        yield Rejection(RejectionKind.CA_FLAG, position, f"{who} says that it is no authority")
    if profile.key_cert_sign is False:
        yield Rejection(RejectionKind.KEY_USAGE, position, f"{who} may not sign certificates")


def _constraints(certificate: Certificate, path: Path, position: int) -> Iterator[Rejection]:
    profile, who = read_profile(certificate), _who(certificate, position)
    longest = profile.basic_constraints.path_length if profile.basic_constraints else None
    below = sum(1 for between in path.certificates[1:position] if not between.self_issued)
    if longest is not None and below > longest:
        allowed = f"allows {longest} intermediates below it and there are {below}"
        yield Rejection(RejectionKind.PATH_LENGTH, position, f"{who} {allowed}")
    purposes = profile.extended_key_usage
    if purposes is not None and not purposes & {extensions.SERVER_AUTH, extensions.ANY_EXTENDED_KEY_USAGE}:
        yield Rejection(RejectionKind.KEY_USAGE, position, f"{who} may not issue for server authentication")


def _form(certificate: Certificate, position: int, *, is_anchor: bool) -> Iterator[Rejection]:
    who = _who(certificate, position)
    for problem in (*certificate.problems, *read_profile(certificate).faults):
        yield Rejection(RejectionKind.MALFORMED, position, f"{who} is malformed: {problem}")
    if not certificate.issuer_key and not is_anchor:
        yield Rejection(RejectionKind.MALFORMED, position, f"{who} names no issuer")
    if position and not certificate.subject_key:
        yield Rejection(RejectionKind.MALFORMED, position, "an issuer has no name")
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _HANDLED_WHEN_CRITICAL:
            sentence = f"{who} has the critical extension {extension.oid} that clients do not know"
            yield Rejection(RejectionKind.MALFORMED, position, sentence)


def _strength(
    certificate: Certificate, position: int, strictness: Strictness, *, is_anchor: bool
) -> Iterator[Rejection]:
    who = _who(certificate, position)
    broken = None if is_anchor or certificate.self_issued else weak_signature(certificate)
    if broken in strictness.refused_hashes:
        yield Rejection(RejectionKind.WEAK, position, f"{who} is signed with {broken}")
    bits, least = rsa_bits(certificate), strictness.least_rsa_bits
    if bits is not None and bits < least:
        yield Rejection(
            RejectionKind.WEAK, position, f"{who} has an RSA key of {bits} bits where {least} are the least"
        )
    elif not usable_key(certificate):
        yield Rejection(RejectionKind.WEAK, position, f"{who} has a kind of key that clients do not accept")
