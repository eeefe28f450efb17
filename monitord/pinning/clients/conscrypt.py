"""Android: Conscrypt's way to a path (``TrustManagerImpl.checkTrustedRecursive``), which pins then see as a whole.

From the leaf on, going back where a choice leads nowhere:

1. A self-issued certificate ends the path.
2. Anchors that signed the current certificate come first: self-issued ones before others, then EC before RSA, the
   bigger key, the stronger signature, the later end of validity (``CertificatePriorityComparator``).
3. Above an anchor only anchors follow; one that no anchor signed ends the path.
4. Else the presented certificates with the issuer's name, in presented order, expired ones passed over.

What is below the first anchor is validated; of the anchor only name and key are used, its dates are not checked.
Intermediates that the device has cached are step 5, and a device's own: see ``platform``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.pinning.certificate import KeyType
from monitord.pinning.clients.platform import Trust, refusal
from monitord.pinning.paths import MAX_STEPS, Path, find_paths
from monitord.pinning.signature import key_bits, signature_strength, signed_by
from monitord.pinning.validation import AnchorChecks, Purposes, Strictness, rejections

if TYPE_CHECKING:
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.clients.platform import Presented

ANDROID = Strictness(anchor=AnchorChecks.NONE, purposes=Purposes.LEAF, least_rsa_bits=1024, constrained=frozenset())


def trust_manager(presented: Presented) -> Trust:
    """The one path that Conscrypt takes, or why it takes none."""
    leaf = presented.chain[0]
    anchors = [anchor for anchor in presented.trust.named(leaf.subject_key) if anchor.spki == leaf.spki]
    search = _Search(presented)
    found = search.from_anchor((), (anchors[0],)) if anchors else search.from_presented((leaf,))
    if found is not None:
        return Trust((found,), complete=search.steps <= MAX_STEPS)
    dead_end = "Android does not find the path that is there"
    return refusal(presented, find_paths(presented.chain, presented.trust), ANDROID, dead_end)


class _Search:
    def __init__(self, presented: Presented) -> None:
        self._presented = presented
        self.steps = 0

    def from_presented(self, untrusted: tuple[Certificate, ...]) -> Path | None:
        current = untrusted[-1]
        self.steps += 1
        if current.self_issued or self.steps > MAX_STEPS:
            return None
        for anchor in self._anchors_above(current):
            found = None if anchor in untrusted else self.from_anchor(untrusted, (anchor,))
            if found:
                return found
        for candidate in self._presented.chain[1:]:
            if candidate in untrusted or candidate.subject_key != current.issuer_key:
                continue
            if not candidate.valid_at(self._presented.now) or not signed_by(current, candidate):
                continue
            found = self.from_presented((*untrusted, candidate))
            if found:
                return found
        return None

    def from_anchor(self, untrusted: tuple[Certificate, ...], anchors: tuple[Certificate, ...]) -> Path | None:
        current = anchors[-1]
        self.steps += 1
        if self.steps > MAX_STEPS:
            return None
        if not current.self_issued:
            above = [anchor for anchor in self._anchors_above(current) if anchor not in (*untrusted, *anchors)]
            for anchor in above:
                found = self.from_anchor(untrusted, (*anchors, anchor))
                if found:
                    return found
            if above:
                return None
        return self._validated(untrusted, anchors)

    def _validated(self, untrusted: tuple[Certificate, ...], anchors: tuple[Certificate, ...]) -> Path | None:
        validated = Path((*untrusted, anchors[0]), anchored=True)
        if rejections(validated, self._presented.host, self._presented.now, ANDROID):
            return None
        return Path((*untrusted, *anchors), anchored=True)

    def _anchors_above(self, certificate: Certificate) -> list[Certificate]:
        signers = [
            anchor for anchor in self._presented.trust.named(certificate.issuer_key) if signed_by(certificate, anchor)
        ]
        return sorted(signers, key=_priority, reverse=True)


def _priority(anchor: Certificate) -> tuple[bool, bool, int, int, float]:
    return (
        anchor.self_issued,
        anchor.key_type is KeyType.ECDSA,
        key_bits(anchor) or 0,
        signature_strength(anchor),
        anchor.not_after.timestamp(),
    )
