"""Trust stores as values: named sets of anchors, found by name; loading them is an edge's work."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.pins import Pin


@dataclass(frozen=True, slots=True)
class Distrust:
    """A root programme stops to trust a root for leaves issued later (Mozilla's distrust-after, Chrome's and Apple's).

    ``not_before_after``: leaves whose notBefore lies after this instant are refused; earlier ones go on to be
    accepted. ``programme`` says who decided, for people.
    """

    not_before_after: datetime
    programme: str = "a root programme"


class TrustStore:
    """The anchors that one kind of client trusts, immutable.

    ``sha256`` identifies the set: two stores with the same anchors have the same one, whatever their name.
    ``distrusts`` are by the SHA-256 of a root's SubjectPublicKeyInfo.
    """

    __slots__ = ("_by_key", "_by_subject", "_members", "_reduced", "anchors", "distrusts", "name", "sha256")

    def __init__(
        self, name: str, anchors: Iterable[Certificate], distrusts: Mapping[bytes, Distrust] | None = None
    ) -> None:
        """A store of these anchors, each once, in the order given."""
        self.name = name
        self.distrusts = dict(distrusts or {})
        self._reduced: dict[frozenset[Certificate], TrustStore] = {}
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

    def distrusting(self, distrusts: Mapping[bytes, Distrust]) -> TrustStore:
        """The same anchors, with these distrust rules instead of its own."""
        return TrustStore(self.name, self.anchors, distrusts)

    def accepting(self, leaf: Certificate) -> TrustStore:
        """This store without the anchors that are distrusted for such a leaf; itself where there is none."""
        if not self.distrusts:
            return self
        refused = frozenset(anchor for anchor in self.anchors if self.distrusted(anchor, leaf))
        if not refused:
            return self
        if refused not in self._reduced:
            self._reduced[refused] = TrustStore(self.name, [one for one in self.anchors if one not in refused])
        return self._reduced[refused]

    def distrusted(self, anchor: Certificate, leaf: Certificate) -> Distrust | None:
        """The rule by which a leaf below this anchor is refused, if any."""
        rule = self.distrusts.get(anchor.spki_sha256)
        return rule if rule and leaf.not_before > rule.not_before_after else None

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
