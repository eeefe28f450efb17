"""What a public authority may not issue, though clients do not look: RFC 5280 and the CA/B Baseline Requirements.

No client of ``clients`` refuses a path for these, so they make no verdict about what apps do. ``verify`` reports them:
a chain that has not been deployed yet is best judged by the strictest reading.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from monitord.pinning import extensions
from monitord.pinning.extensions import read_profile
from monitord.pinning.signature import named_curve, rsa_bits, signed_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.paths import Path

_POLICY_CONSTRAINTS = "2.5.29.36"
_MAX_SERIAL_BYTES = 20
_DNS_NAME = re.compile(r"(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE)


def objections(path: Path) -> tuple[str, ...]:
    """Every breach of the profile along a path, as sentences; empty for what a public authority would issue."""
    found: list[str] = []
    for position, certificate in enumerate(path.certificates):
        who = "the certificate" if position == 0 else f"the issuer {certificate.display_subject}"
        faults = [*_key_and_policy(certificate), *(_authority if position else _leaf)(certificate)]
        if certificate is not path.certificates[-1]:
            faults.extend(_issuance(certificate))
        found.extend(f"{who} {fault}" for fault in faults)
    return tuple(found)


def _issuance(certificate: Certificate) -> Iterator[str]:
    """Faults of everything below the anchor; there are real roots with a serial number of zero."""
    serial = certificate.serial
    if not any(serial) or serial[0] & 0x80 or len(serial) > _MAX_SERIAL_BYTES:
        yield "has a serial number that is not a positive number of at most 20 bytes"
    if not read_profile(certificate).authority_key_identifier:
        yield "has no authority key identifier"


def _key_and_policy(certificate: Certificate) -> Iterator[str]:
    bits = rsa_bits(certificate)
    if bits is not None and bits % 8:
        yield f"has an RSA key of {bits} bits, which is no multiple of 8"
    if not named_curve(certificate):
        yield "has a key on a curve that is not given by name"
    policy = certificate.extension(_POLICY_CONSTRAINTS)
    if policy and not policy.critical:
        yield "has policy constraints that are not critical"


def _leaf(leaf: Certificate) -> Iterator[str]:
    profile = read_profile(leaf)
    names = [name for name in profile.alternative_names or () if name.kind in ("dns", "ip")]
    if any(name.kind == "dns" and not _DNS_NAME.fullmatch(name.text) for name in names):
        yield "has an alternative name that is no host name"
    alternative = leaf.extension(extensions.SUBJECT_ALT_NAME)
    if alternative and alternative.critical and leaf.subject_key:
        yield "has critical alternative names beside a subject"
    if profile.name_constraints is not None:
        yield "has name constraints though it is no authority"
    is_ca = bool(profile.basic_constraints and profile.basic_constraints.ca)
    if profile.key_cert_sign is not None and profile.key_cert_sign != is_ca:
        yield "contradicts itself about being an authority"
    purposes = leaf.extension(extensions.EXTENDED_KEY_USAGE)
    if purposes and purposes.critical:
        yield "has a critical extended key usage"
    if extensions.ANY_EXTENDED_KEY_USAGE in (profile.extended_key_usage or ()):
        yield "may be used for any purpose"


def _authority(certificate: Certificate) -> Iterator[str]:
    profile = read_profile(certificate)
    if not profile.subject_key_identifier:
        yield "has no subject key identifier"
    basic = certificate.extension(extensions.BASIC_CONSTRAINTS)
    if basic and not basic.critical:
        yield "has basic constraints that are not critical"
    constraints = profile.name_constraints
    if constraints and any(
        name.kind == "dns" and name.value.startswith(b".") for name in (*constraints.permitted, *constraints.excluded)
    ):
        yield "has a name constraint with a leading dot"
    if certificate.self_issued and signed_by(certificate, certificate):
        yield from _root(certificate)


def _root(certificate: Certificate) -> Iterator[str]:
    profile = read_profile(certificate)
    identifier = certificate.extension(extensions.AUTHORITY_KEY_IDENTIFIER)
    if identifier and not extensions.names_only_a_key(identifier.value):
        yield "has an authority key identifier that gives more or less than a key"
    elif identifier and profile.authority_key_identifier != profile.subject_key_identifier:
        yield "is self-signed but its key identifiers differ"
    if profile.extended_key_usage is not None:
        yield "has an extended key usage though it is a root"
