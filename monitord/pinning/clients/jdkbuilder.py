"""The JDK's search for a path, for chains that are not in order.

Source: OpenJDK 17 ``sun.security.provider.certpath.SunCertPathBuilder``, ``ForwardBuilder``. From the leaf on:

1. The leaf must be in date and have no critical extension that is unknown.
2. Issuers are found by name. Anchors come first to hand: those of the leaf whatever their dates, those of others only
   while in date. Then presented ones, as long as fewer than 5 intermediates that are not self-issued are on the path:
   those in date that call themselves authorities and whose path length allows what is below.
3. They are tried in this order: the authority key identifier agrees; the store knows their issuer's name; neither.
   Among equals the one that came last to hand goes first. Key identifiers exclude nobody.
4. One with the subject, key and alternative names of a certificate on the path is left out.
5. Only at an anchor the signatures and constraints of the whole path are checked. If they fail, the next one is tried;
   if they hold, this is the path, even if the anchor itself is then refused.
6. After two self-issued certificates in a row, the second one not trusted, this level is given up. Otherwise it goes
   back freely.

The store is a hash set: anchors of one name come in an order that depends on the run. All orders of a few are tried.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise, permutations, product, takewhile
from typing import TYPE_CHECKING

from monitord.pinning import extensions
from monitord.pinning.clients.jdkstore import JDK, anchors_named, knows_name
from monitord.pinning.extensions import read_profile
from monitord.pinning.paths import Path
from monitord.pinning.signature import signed_by
from monitord.pinning.validation import AnchorChecks, issuer_rejections, key_fault, rejections

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.clients.platform import Presented

    Order = Mapping[bytes, Sequence[Certificate]]

_MAX_INTERMEDIATES = 5
_MAX_ORDERS = 100
_PERMUTED = 4
# For all runs of one search together: what is presented can be made to explode.
_MAX_STEPS = 5000
# What is below an anchor that will be refused is checked without it.
_BELOW = replace(JDK, anchor=AnchorChecks.NONE)


def build_paths(presented: Presented) -> tuple[Path | None, ...]:
    """The path that each run may take, each once; None for runs that find none."""
    builder = _Builder(presented)
    orders = takewhile(lambda _: not builder.exhausted, _orders(presented))
    taken = tuple(dict.fromkeys(builder.run(order) for order in orders))
    # A run that was cut off says nothing about what others find.
    return tuple(path for path in taken if path is not None) if builder.exhausted else taken


def _orders(presented: Presented) -> Iterator[Order]:
    """The orders in which anchors of one name may come to hand, a bounded number of them."""
    names = list(dict.fromkeys(certificate.issuer_key for certificate in presented.chain))
    choices = [list(_turns(anchors_named(name, presented.trust))) for name in names]
    for chosen in islice(product(*choices), _MAX_ORDERS):
        yield dict(zip(names, chosen, strict=True))


def _turns(anchors: tuple[Certificate, ...]) -> Iterator[tuple[Certificate, ...]]:
    if len(anchors) <= _PERMUTED:
        return permutations(anchors)
    return (anchors[start:] + anchors[:start] for start in range(len(anchors)))


class _Builder:
    def __init__(self, presented: Presented) -> None:
        self._chain = presented.chain
        self._host = presented.host
        self._trust = presented.trust
        self._now = presented.now
        self._steps = 0

    @property
    def exhausted(self) -> bool:
        """Whether no steps are left, for this run or another."""
        return self._steps >= _MAX_STEPS

    def run(self, order: Order) -> Path | None:
        return self._search((self._chain[0],), 0, order)

    def _search(self, path: tuple[Certificate, ...], intermediates: int, order: Order) -> Path | None:
        current = path[-1]
        for issuer in self._candidates(path, intermediates, order):
            if self.exhausted:
                return None
            self._steps += 1
            if issuer in self._trust:
                found = Path((*path, issuer), anchored=True)
                if self._holds(found):
                    return found
                continue
            if any(issuer_rejections(issuer, len(path), self._now, JDK)):
                continue
            if current.self_issued and issuer.self_issued:
                return None
            deeper = self._search((*path, issuer), intermediates + (not issuer.self_issued), order)
            if deeper:
                return deeper
        return None

    def _candidates(self, path: tuple[Certificate, ...], intermediates: int, order: Order) -> list[Certificate]:
        """Steps 2 to 4."""
        current = path[-1]
        at_hand = [one for one in order[current.issuer_key] if len(path) == 1 or one.valid_at(self._now)]
        if intermediates < _MAX_INTERMEDIATES:
            at_hand += [
                one
                for one in self._chain
                if one.subject_key == current.issuer_key
                and one.valid_at(self._now)
                and _allows_below(one, intermediates)
            ]
        wanted = read_profile(current).authority_key_identifier

        def rank(issuer: Certificate) -> int:
            if wanted and read_profile(issuer).subject_key_identifier == wanted:
                return 0
            return 1 if knows_name(issuer.issuer_key, self._trust) else 2

        last_first = list(reversed(dict.fromkeys(at_hand)))
        return sorted((one for one in last_first if not any(_same(one, other) for other in path)), key=rank)

    def _holds(self, path: Path) -> bool:
        """Step 5."""
        return (
            key_fault(path.certificates[-1], JDK) is None
            and all(signed_by(below, above) for below, above in pairwise(path.certificates))
            and not rejections(path, self._host, self._now, _BELOW)
        )


def _allows_below(issuer: Certificate, intermediates: int) -> bool:
    basic = read_profile(issuer).basic_constraints
    return basic is not None and basic.ca and (basic.path_length is None or basic.path_length >= intermediates)


def _same(one: Certificate, other: Certificate) -> bool:
    return (
        one.subject_key == other.subject_key
        and one.spki == other.spki
        and _alternative_names(one) == _alternative_names(other)
    )


def _alternative_names(certificate: Certificate) -> bytes | None:
    extension = certificate.extension(extensions.SUBJECT_ALT_NAME)
    return extension.value if extension else None
