"""Name constraints along a path (RFC 5280 sections 4.2.1.10 and 6.1)."""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.pinning.der import DerError, read_element
from monitord.pinning.extensions import GeneralName, read_profile
from monitord.pinning.names import canonical_name, common_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.extensions import NameConstraints

MAX_COMPARISONS = 100_000
_JDK_LABEL = re.compile(r"[A-Za-z0-9*](?:[A-Za-z0-9*-]{0,61}[A-Za-z0-9*])?")
_OPENSSL_NAME = re.compile(r"[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*")


class CommonNames(StrEnum):
    """Whose common names are held against constraints as if they were host names; RFC 5280 knows no such rule."""

    JDK = "jdk"
    """Of every certificate: its last one, unless it has an alternative name of that kind; addresses too."""
    OPENSSL = "openssl"
    """Of the leaf: all of two labels or more, unless it has a DNS name."""


def name_violation(
    path: Sequence[Certificate], *, common: Collection[CommonNames] = (), wildcards: bool = True
) -> str | None:
    """The first breach of a name constraint on a path (leaf first), as a sentence; None if there is none.

    The constraints of every issuer, the anchor included, hold for each certificate below it, save self-issued
    intermediates. Comparisons are bounded: a path that needs more is a breach, as it is for the clients.
    ``wildcards``: a wildcard breaks an excluded name that lies inside it.
    """
    comparisons = 0
    for position, issuer in enumerate(path):
        constraints = read_profile(issuer).name_constraints
        if constraints is None or position == 0:
            continue
        for below in range(position):
            certificate = path[below]
            if below and certificate.self_issued:
                continue
            names = [*_names(certificate), *_common(certificate, common, is_leaf=below == 0)]
            comparisons += len(names) * (len(constraints.permitted) + len(constraints.excluded))
            if comparisons > MAX_COMPARISONS:
                return "its name constraints are too many to be checked"
            for name in names:
                if not _allowed(name, constraints, wildcards=wildcards):
                    return (
                        f"the name constraints of {issuer.display_subject} do not allow a name in "
                        f"{certificate.display_subject}"
                    )
    return None


def _names(certificate: Certificate) -> Iterator[GeneralName]:
    yield from read_profile(certificate).alternative_names or ()
    if canonical_name(certificate.subject):
        yield GeneralName("directory", certificate.subject)


def _common(certificate: Certificate, rules: Collection[CommonNames], *, is_leaf: bool) -> Iterator[GeneralName]:
    """The common names that these rules take for host names."""
    names = common_names(certificate.subject) if rules else ()
    given = {name.kind for name in read_profile(certificate).alternative_names or ()}
    if CommonNames.JDK in rules:
        found = [name for name in map(_as_host, names[-1:]) if name is not None]
        yield from (name for name in found if name.kind not in given)
    if CommonNames.OPENSSL in rules and is_leaf and "dns" not in given:
        yield from (
            GeneralName("dns", name.encode()) for name in names if "." in name and _OPENSSL_NAME.fullmatch(name)
        )


def _as_host(name: str) -> GeneralName | None:
    try:
        return GeneralName("ip", ipaddress.ip_address(name).packed)
    except ValueError:
        labels = name.split(".")
        return GeneralName("dns", name.encode()) if all(map(_JDK_LABEL.fullmatch, labels)) else None


def _allowed(name: GeneralName, constraints: NameConstraints, *, wildcards: bool) -> bool:
    same_kind = [subtree for subtree in constraints.permitted if subtree.kind == name.kind]
    try:
        excluded = [subtree for subtree in constraints.excluded if subtree.kind == name.kind]
        if any(_within(name, subtree, excluding=True) for subtree in excluded):
            return False
        if wildcards and name.kind == "dns" and any(_inside(subtree, name) for subtree in excluded):
            return False
        return not same_kind or any(_within(name, subtree) for subtree in same_kind)
    except DerError:
        return False


def _within(name: GeneralName, subtree: GeneralName, *, excluding: bool = False) -> bool:
    if name.kind == "dns":
        return _dns_within(name.text.lower(), subtree.text.lower())
    if name.kind == "ip":
        return _ip_within(name.value, subtree.value)
    if name.kind == "directory":
        return _directory_within(name.value, subtree.value)
    if name.kind == "email":
        return _email_within(name.text, subtree.text)
    # URIs and other names are never what a TLS client connects to, but a constraint on their kind is a constraint
    # that cannot be checked here, and what cannot be checked is not allowed.
    return excluding


def _dns_within(name: str, base: str) -> bool:
    # A leading dot is not in RFC 5280, but private authorities write it and verifiers read it as "subdomains".
    suffix = base if base.startswith(".") else "." + base
    return base in ("", name) or name.endswith(suffix)


def _inside(subtree: GeneralName, wildcard: GeneralName) -> bool:
    """Whether a subtree lies inside what a wildcard stands for."""
    base, name = subtree.text.lower(), wildcard.text.lower()
    return name.startswith("*.") and base.endswith(name[1:]) and base.count(".") == name.count(".")


def _ip_within(address: bytes, subtree: bytes) -> bool:
    half = len(subtree) // 2
    if len(address) != half:
        return False
    base, mask = int.from_bytes(subtree[:half]), int.from_bytes(subtree[half:])
    return int.from_bytes(ipaddress.ip_address(address).packed) & mask == base & mask


def _directory_within(name: bytes, subtree: bytes) -> bool:
    # A subtree's Name is inside an explicit tag; its canonical form must be a prefix, attribute by attribute.
    return canonical_name(name).startswith(canonical_name(read_element(subtree).raw))


def _email_within(address: str, base: str) -> bool:
    domain = address.rpartition("@")[2].lower()
    if "@" in base:
        return address.rpartition("@")[0] == base.rpartition("@")[0] and domain == base.rpartition("@")[2].lower()
    return domain.endswith(base.lower()) if base.startswith(".") else domain == base.lower()
