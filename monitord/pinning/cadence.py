"""When this host renews its certificates, and what it means that a renewal has not come.

A host renews at the part of the lifetime that ``lifetimes`` gives; with history, at the median of what was seen. A
renewal far before that time is an exception (a reissue) unless most renewals were like it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from statistics import median
from typing import TYPE_CHECKING

from monitord.pinning import priors
from monitord.pinning.lifetimes import often_by_hand, usual_renewal

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from monitord.pinning.certificate import Certificate, KeyType
    from monitord.pinning.history import History, Tenure

_RECENT = 5
_EXCEPTIONAL = 0.75
_HALF = 0.5
_OFTEN = 2


@dataclass(frozen=True, slots=True)
class Cadence:
    """The part of its lifetime after which a certificate of this host is replaced, and why that is thought.

    ``regular`` renewals were seen at that part, ``irregular`` ones at others; without either it is a model of clients.
    """

    fraction: float
    sentence: str
    regular: int = 0
    irregular: int = 0

    @property
    def learned(self) -> bool:
        """Whether it rests on renewals of this host."""
        return bool(self.regular or self.irregular)

    @property
    def punctual(self) -> bool:
        """Whether renewals were seen to come at that part more than once, and never much earlier or later."""
        return self.regular >= _OFTEN and not self.irregular


def cadence_of(lifetime: timedelta, key_type: KeyType, history: History) -> Cadence:
    """How this host renews certificates of this lifetime and type of key; what it does with another says nothing."""
    usual = usual_renewal(lifetime)
    renewals = [tenure for tenure in history.renewals if tenure.leaf.key_type is key_type]
    seen = [fraction for tenure in renewals[-_RECENT:] if (fraction := _fraction(tenure)) is not None]
    early = [fraction for fraction in seen if fraction < _EXCEPTIONAL * usual]
    kept = seen if len(early) > len(seen) / 2 and len(seen) > 1 else [one for one in seen if one not in early]
    if not kept:
        share = "half" if usual == _HALF else "two thirds"
        return Cadence(usual, f"most clients renew after {share} of the lifetime")
    middle = median(kept)
    regular = sum(abs(one - middle) <= priors.REGULAR for one in kept)
    sentence = f"this host renewed after {middle:.0%} of the lifetime ({times(len(kept))} seen)"
    return Cadence(middle, sentence, regular, len(kept) - regular)


def _fraction(tenure: Tenure) -> float | None:
    old = tenure.replaced
    if old is None or old.not_after <= old.not_before:
        return None
    return min(1.0, max(0.0, (tenure.since - old.not_before) / (old.not_after - old.not_before)))


def overdue_expiry(
    now: datetime, due: datetime, leaf: Certificate, cadence: Cadence, left_behind: timedelta | None = None
) -> float:
    """How likely a certificate is to run out unrenewed, given that the renewal was due and has not come.

    ``left_behind`` is how long another address has had the leaf that follows, if one has. By Bayes' rule over what the
    host may be: what was expected by now and has not come is the less likely the more time has passed.
    """
    if now <= due or leaf.not_after <= due:
        return 0.0
    left = max(0.0, (leaf.not_after - now) / (leaf.not_after - due))
    if left_behind is not None:
        waiting = priors.STRAGGLING * exp(-left_behind / priors.ROLL_OUT) + priors.STRAGGLER_LATE * left
        return priors.STRAGGLER_FORGOTTEN / (waiting + priors.STRAGGLER_FORGOTTEN)
    if often_by_hand(leaf.not_after - leaf.not_before):
        automated, late, forgotten = priors.AUTOMATED_LONG, priors.BY_HAND, priors.FORGOTTEN_LONG
    else:
        automated, late, forgotten = priors.AUTOMATED, priors.LATE, priors.FORGOTTEN
    if cadence.regular:
        late = late / (1 + cadence.regular) + priors.REPAIRED
    late *= 1 + cadence.irregular
    waiting = (automated + cadence.regular) * exp(-(1 - left) / priors.GRACE) + late * left
    return forgotten / (waiting + forgotten)


def never_installed(waited: timedelta, leaf: Certificate) -> float:
    """How likely a certificate that was issued is forgotten to be installed, after waiting for it in vain so long."""
    by_hand = often_by_hand(leaf.not_after - leaf.not_before)
    usual = priors.INSTALLED_BY_HAND if by_hand else priors.INSTALLED
    still = (1 - priors.NEVER_INSTALLED) * exp(-waited / usual)
    return priors.NEVER_INSTALLED / (priors.NEVER_INSTALLED + still)


def times(count: int) -> str:
    """``once``, or how many times."""
    return "once" if count == 1 else f"{count} times"
