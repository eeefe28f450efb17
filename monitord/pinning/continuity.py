"""Whether the next renewal brings a new key: what the renewals of this host did with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.pinning import priors

if TYPE_CHECKING:
    from monitord.pinning.certificate import KeyType
    from monitord.pinning.history import History


@dataclass(frozen=True, slots=True)
class KeyContinuity:
    """How many of the renewals that were seen brought a new key, one that the host had not shown before."""

    new: int
    renewals: int

    @property
    def new_key_probability(self) -> float:
        """That the next renewal brings a new key.

        Hosts are of three kinds (``priors``): they make new keys, they keep theirs, or either; for the last kind
        Laplace's rule holds, (k + 1) / (n + 2). What was seen weighs the kinds (Bayes' rule).
        """
        slip, kept = priors.KEY_SLIP, self.renewals - self.new
        # How likely each kind is to have done what was seen; of the mixed ones all rates are alike, a Beta integral.
        makes = priors.NEW_KEY_HOSTS * (1 - slip) ** self.new * slip**kept
        keeps = priors.KEPT_KEY_HOSTS * slip**self.new * (1 - slip) ** kept
        mixed = priors.MIXED_HOSTS * _beta(self.new, kept)
        laplace = (self.new + 1) / (self.renewals + 2)
        return (makes * (1 - slip) + keeps * slip + mixed * laplace) / (makes + keeps + mixed)

    @property
    def sentence(self) -> str:
        """What that rests on."""
        if not self.renewals:
            return "no renewal of this host was seen yet, and most clients make a new key each time"
        return f"{self.new} of {self.renewals} renewals seen brought a new key"


def _beta(new: int, kept: int) -> float:
    """The integral of p^new (1-p)^kept over p from 0 to 1."""
    found = 1.0 / (new + kept + 1)
    for place in range(1, min(new, kept) + 1):
        found *= place / (new + kept + 1 - place)
    return found


def key_continuity(history: History, key_type: KeyType) -> KeyContinuity:
    """What the renewals of this host did with keys of this type; one that it had before is not new.

    The types of a host are certificates of their own, renewed on their own.
    """
    shown: set[bytes] = set()
    new, renewals = 0, 0
    for tenure in history.tenures:
        if tenure.leaf.key_type is key_type:
            if tenure.replaced is not None:
                shown.add(tenure.replaced.spki_sha256)
                renewals += 1
                new += tenure.leaf.spki_sha256 not in shown
            shown.add(tenure.leaf.spki_sha256)
    return KeyContinuity(new, renewals)
