"""All paths from a presented leaf to the anchors of a trust store.

Theory. A server presents a leaf and some other certificates, in an order that means little; a client holds anchors.
A *path* is leaf, issuer, issuer's issuer … in which each certificate's signature was made by the next one's key and
names it as issuer (RFC 5280 section 6.1). There may be several: a root and its cross-sign, two generations of an
intermediate, an anchor that is also presented. Which one a client takes is its own business (``clients``); here all
are found, and nothing is left out because of dates, names or constraints: those are reasons for rejection
(``validation``), told apart because "there is a path and it is refused" and "there is no path" are different facts.

The search is depth first from the leaf (RFC 4158 section 2.4.2 calls it forward building):

1. A certificate of the trust store ends a path: it is an anchor. If it is not self-issued the search also goes on,
   as clients do that want a self-issued end.
2. A self-signed certificate that is not in the store ends a path to an untrusted root.
3. Else every certificate whose subject is the issuer's name continues it: those whose key identifier agrees with the
   authority key identifier first, anchors before presented ones. Identifiers are hints and exclude nothing; the
   signature decides.
4. No name with the same key comes twice on a path (RFC 4158 section 5.2), so cycles of cross-signs end.

Graphs made to explode (hundreds of certificates of one name) are bounded by a budget of steps; ``Search.complete``
says whether the search was exhaustive, so that "all paths" is never claimed of a search that was cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.pinning.extensions import read_profile
from monitord.pinning.signature import signed_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.trust import TrustStore

MAX_STEPS = 2000
MAX_PATHS = 100
MAX_LENGTH = 22


@dataclass(frozen=True, slots=True)
class Path:
    """A chain of signatures, leaf first. ``anchored``: it ends in the trust store, else in an untrusted root.

    ``borrowed`` are those of its certificates that were neither presented nor anchors: a device that has not met them
    before cannot take this path, unless it fetches them.
    """

    certificates: tuple[Certificate, ...]
    anchored: bool
    borrowed: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """The paths found, in the order of the search; ``complete`` is False where a bound cut it off.

    ``missing_issuer`` is the certificate at which the most promising attempt ended for want of an issuer;
    ``impostor`` says that the store or the server has the issuer's name, with another key.
    """

    paths: tuple[Path, ...]
    complete: bool
    missing_issuer: Certificate | None = None
    impostor: bool = False


def find_paths(presented: Sequence[Certificate], trust: TrustStore, remembered: Sequence[Certificate] = ()) -> Search:
    """Every path from the first presented certificate, using the others and the anchors of ``trust``.

    ``remembered`` are intermediates known from elsewhere (another endpoint, an earlier round), which devices may have
    cached or can fetch; a path that needs one says so.
    """
    return _Searcher(presented, trust, remembered).run()


class _Searcher:
    def __init__(self, presented: Sequence[Certificate], trust: TrustStore, remembered: Sequence[Certificate]) -> None:
        self._leaf = presented[0]
        self._others = tuple(dict.fromkeys((*presented[1:], *remembered)))
        self._borrowed = frozenset(remembered).difference(presented)
        self._trust = trust
        self._steps = 0
        self._paths: list[Path] = []
        self._dead_end: tuple[Certificate, ...] = ()
        self._impostor = False
        self._complete = True

    def run(self) -> Search:
        self._extend((self._leaf,))
        missing = self._dead_end[-1] if self._dead_end and not self._paths else None
        return Search(tuple(self._paths), self._complete, missing, impostor=missing is not None and self._impostor)

    def _extend(self, path: tuple[Certificate, ...]) -> None:
        last = path[-1]
        anchored = last in self._trust
        if anchored or (last.self_issued and signed_by(last, last)):
            issuers = path[1:-1] if anchored else path[1:]
            self._paths.append(Path(path, anchored, tuple(one for one in issuers if one in self._borrowed)))
            if last.self_issued:
                return
        continued = False
        for issuer in self._candidates(last):
            self._steps += 1
            if self._steps > MAX_STEPS or len(self._paths) >= MAX_PATHS or len(path) >= MAX_LENGTH:
                self._complete = False
                return
            if any(issuer.spki == seen.spki and issuer.subject_key == seen.subject_key for seen in path):
                continue
            if signed_by(last, issuer):
                continued = True
                self._extend((*path, issuer))
            else:
                self._impostor = True
        if not continued and not anchored and len(path) > len(self._dead_end):
            self._dead_end = path

    def _candidates(self, certificate: Certificate) -> list[Certificate]:
        named = self._trust.named(certificate.issuer_key)
        presented = (other for other in self._others if other.subject_key == certificate.issuer_key)
        candidates = list(dict.fromkeys((*named, *presented)))
        if len(candidates) > 1:
            wanted = read_profile(certificate).authority_key_identifier
            candidates.sort(key=lambda candidate: bool(wanted) and _identifier(candidate) != wanted)
        return candidates


def _identifier(certificate: Certificate) -> bytes | None:
    return read_profile(certificate).subject_key_identifier
