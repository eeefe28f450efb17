"""Who issues for a host, and whether the next certificate comes from somebody else.

A host whose issuers come back after others, or whose CA draws them at random, has a *pool*: each member is as likely
at each renewal, so with k of n members pinned a renewal fails with 1 - k/n. Certificates of the same name that are
logged and served elsewhere show the pool too. A host without a pool changes its issuer now and then (``priors``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import exp
from typing import TYPE_CHECKING

from monitord.pinning import priors
from monitord.pinning.authorities import authority_of
from monitord.pinning.cadence import times

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.history import History

    Chain = tuple[Certificate, ...]

_YEAR = timedelta(days=365.25)
_ROTATING = 0.4
_POOL_MEMORY = 8


@dataclass(frozen=True, slots=True)
class Issuance:
    """Who issues for a host: ``pool`` has a chain of each direct issuer in use if they alternate, else it is empty.

    ``pool_size`` may be larger than what was seen, where the CA is known to draw from that many. ``drawn`` is the
    probability that this line's certificates come from the pool at all.
    """

    pool: tuple[Chain, ...]
    pool_size: int
    drawn: float
    changes: int
    authority_changes: int
    years: float
    sentence: str

    def change_within(self, ahead: timedelta) -> float:
        """That another direct issuer comes within this time, where there is no pool."""
        return _rate(self.changes, priors.ISSUER_CHANGES, self.years, ahead)

    def authority_change_within(self, ahead: timedelta) -> float:
        """That another CA comes within this time."""
        return _rate(self.authority_changes, priors.AUTHORITY_CHANGES, self.years, ahead)


def _rate(changes: int, prior: float, years: float, ahead: timedelta) -> float:
    return 1 - exp(-(changes + prior) / (years + 1) * max(0.0, ahead / _YEAR))


def issuance(chain: Chain, history: History, logged: Iterable[Chain], now: datetime) -> Issuance:
    """Who issues the certificates of the line that shows ``chain``; ``logged`` are chains that CT shows."""
    key_type = chain[0].key_type
    line = [tenure.chain for tenure in history.tenures if tenure.leaf.key_type is key_type]
    keys = _issuer_keys(line)
    changes = sum(earlier != later for earlier, later in pairwise(keys))
    moves = sum(earlier != later for earlier, later in pairwise([one[-1].issuer_key for one in line]))
    years = (now - history.began) / _YEAR if history.began else 0.0
    siblings = [one for one in logged if one[0].key_type is key_type and _one_parent(one, chain)]
    members: dict[bytes, Chain] = {}
    for one in (*line[-_POOL_MEMORY:], *siblings):
        issuer = direct_issuer(one)
        if issuer is not None:
            members[issuer.spki_sha256] = one
    pool: tuple[Chain, ...] = ()
    size, drawn, sentence = 0, 0.0, _changed(changes)
    known = authority_of(chain[0])
    if known and known.pool > 1:
        pool, size, drawn = tuple(members.values()), max(known.pool, len(members)), 1.0
        sentence = f"{known.organization} issues from {size} intermediates at random"
    elif len(members) > 1:
        drawn = _drawn(keys, _issuer_keys(sorted((*line, *siblings), key=lambda one: one[0].not_before)), len(members))
        if drawn:
            pool, size = tuple(members.values()), len(members)
            sentence = f"its certificates come from {size} intermediates in turn"
    return Issuance(pool, size, drawn, changes, moves, years, sentence)


def _drawn(served: Sequence[bytes], issued: Sequence[bytes], members: int) -> float:
    """That the next certificate is drawn from the issuers that were seen; 0 where they do not take turns.

    Where only certificates that are served elsewhere show them, each renewal that came from the same issuer again
    speaks against it (Bayes' rule).
    """
    if _take_turns(served):
        return 1.0
    if not _take_turns(issued):
        return 0.0
    changed = any(earlier != later for earlier, later in pairwise(served))
    luck = priors.POOL_OF_SIBLINGS * (1 / members) ** max(0, len(served) - 1)
    return priors.POOL_OF_SIBLINGS if changed else luck / (luck + 1 - priors.POOL_OF_SIBLINGS)


def _take_turns(keys: Sequence[bytes]) -> bool:
    """Whether an issuer came back after another, or they change more often than not."""
    pairs = list(pairwise(keys))
    changes = sum(earlier != later for earlier, later in pairs)
    returned = any(later != earlier and later in keys[:place] for place, (earlier, later) in enumerate(pairs))
    return returned or (changes > 1 and changes >= _ROTATING * len(pairs))


def _issuer_keys(chains: Iterable[Chain]) -> list[bytes]:
    return [issuer.spki_sha256 for one in chains if (issuer := direct_issuer(one))]


def _one_parent(one: Chain, other: Chain) -> bool:
    """Whether the direct issuers of two leaves are issued by one authority, or are the same."""
    first, second = direct_issuer(one), direct_issuer(other)
    return first is not None and second is not None and first.issuer_key == second.issuer_key


def _changed(changes: int) -> str:
    return f"{times(changes)} another issuer was seen" if changes else "no change of issuer was seen yet"


def direct_issuer(chain: Sequence[Certificate]) -> Certificate | None:
    """The presented certificate that issued the leaf, by name."""
    return next((other for other in chain[1:] if other.subject_key == chain[0].issuer_key), None)
