"""Trust stores as values: named sets of anchors, found by name; loading them is an edge's work."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.pins import Pin


class TrustStore:
    """The anchors that one kind of client trusts, immutable.

    ``sha256`` identifies the set: two stores with the same anchors have the same one, whatever their name.
    """

    __slots__ = ("_by_key", "_by_subject", "_members", "anchors", "name", "sha256")

    def __init__(self, name: str, anchors: Iterable[Certificate]) -> None:
        """A store of these anchors, each once, in the order given."""
        self.name = name
        self.anchors = tuple(dict.fromkeys(anchors))
        self._members = frozenset(self.anchors)
        by_subject: dict[bytes, list[Certificate]] = defaultdict(list)
        for anchor in self.anchors:
            by_subject[anchor.subject_key].append(anchor)
        by_key: dict[bytes, list[Certificate]] = defaultdict(list)
        for anchor in self.anchors:
            by_key[anchor.spki_sha256].append(anchor)
        self._by_key = {key: tuple(found) for key, found in by_key.items()}
        self._by_subject = {subject: tuple(found) for subject, found in by_subject.items()}
        self.sha256 = hashlib.sha256(b"".join(sorted(anchor.sha256 for anchor in self.anchors))).digest()

    def __contains__(self, certificate: Certificate) -> bool:
        """Whether exactly this certificate is an anchor."""
        return certificate in self._members

    def __len__(self) -> int:
        """How many anchors there are."""
        return len(self.anchors)

    def named(self, subject_key: bytes) -> tuple[Certificate, ...]:
        """The anchors whose subject has this canonical form."""
        return self._by_subject.get(subject_key, ())

    def keyed(self, pin: Pin) -> tuple[Certificate, ...]:
        """The anchors whose key has this pin."""
        return self._by_key.get(pin.digest, ())
