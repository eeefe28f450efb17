"""Name constraints along a path (RFC 5280 sections 4.2.1.10 and 6.1)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from monitord.pinning.der import DerError, read_element
from monitord.pinning.extensions import GeneralName, read_profile
from monitord.pinning.names import canonical_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.extensions import NameConstraints

MAX_COMPARISONS = 100_000


def name_violation(path: Sequence[Certificate]) -> str | None:
    """The first breach of a name constraint on a path (leaf first), as a sentence; None if there is none.

    The constraints of every issuer, the anchor included, hold for each certificate below it, save self-issued
    intermediates. Comparisons are bounded: a path that needs more is a breach, as it is for the clients.
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
            names = list(_names(certificate))
            comparisons += len(names) * (len(constraints.permitted) + len(constraints.excluded))
            if comparisons > MAX_COMPARISONS:
                return "its name constraints are too many to be checked"
            for name in names:
                if not _allowed(name, constraints):
                    return (
                        f"the name constraints of {issuer.display_subject} do not allow a name in "
                        f"{certificate.display_subject}"
                    )
    return None


def _names(certificate: Certificate) -> Iterator[GeneralName]:
    yield from read_profile(certificate).alternative_names or ()
    if canonical_name(certificate.subject):
        yield GeneralName("directory", certificate.subject)


def _allowed(name: GeneralName, constraints: NameConstraints) -> bool:
    same_kind = [subtree for subtree in constraints.permitted if subtree.kind == name.kind]
    try:
        if any(
            subtree.kind == name.kind and _within(name, subtree, excluding=True) for subtree in constraints.excluded
        ):
            return False
        return not same_kind or any(_within(name, subtree) for subtree in same_kind)
    except DerError:
        return False


def _within(name: GeneralName, subtree: GeneralName, *, excluding: bool = False) -> bool:
    if name.kind == "dns":
        return _dns_within(name.text.lower(), subtree.text.lower(), excluding=excluding)
    if name.kind == "ip":
        return _ip_within(name.value, subtree.value)
    if name.kind == "directory":
        return _directory_within(name.value, subtree.value)
    if name.kind == "email":
        return _email_within(name.text, subtree.text)
    # URIs and other names are never what a TLS client connects to, but a constraint on their kind is a constraint
    # that cannot be checked here, and what cannot be checked is not allowed.
    return excluding


def _dns_within(name: str, base: str, *, excluding: bool) -> bool:
    # A leading dot is not in RFC 5280, but private authorities write it and verifiers read it as "subdomains".
    suffix = base if base.startswith(".") else "." + base
    if base in ("", name) or name.endswith(suffix):
        return True
    # An excluded name inside what a wildcard stands for makes the wildcard a breach.
    return excluding and name.startswith("*.") and base.endswith(name[1:]) and base.count(".") == name.count(".")


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
