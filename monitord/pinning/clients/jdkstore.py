"""What the JDK asks of certificates, and which of a trust store it can read: common to its ways to a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.pinning.constraints import CommonNames
from monitord.pinning.signature import compressed_point
from monitord.pinning.validation import AnchorChecks, BareAnchors, Purposes, Strictness

if TYPE_CHECKING:
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.trust import TrustStore

JDK = Strictness(
    anchor=AnchorChecks.FLAGS,
    bare_anchors=BareAnchors.OLD,
    purposes=Purposes.LEAF,
    least_rsa_bits=1024,
    refused_hashes=frozenset({"MD5"}),
    mapped_addresses=True,
    constrained=frozenset({CommonNames.JDK}),
)


def anchors_named(subject_key: bytes, trust: TrustStore) -> tuple[Certificate, ...]:
    """The anchors of this name that the JDK can read, in the store's order."""
    return tuple(anchor for anchor in trust.named(subject_key) if not compressed_point(anchor))


def knows_name(subject_key: bytes, trust: TrustStore) -> bool:
    """Whether there is an anchor of this name that the JDK can read."""
    return any(not compressed_point(anchor) for anchor in trust.named(subject_key))
