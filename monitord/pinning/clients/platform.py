"""The platform's part of every client's decision: is the chain trusted, and by which path?

Trust comes first: a chain that the platform refuses never reaches the pins. What a platform says is a ``Trust``: the
paths that it may take (one for most; several where which one is taken differs from device to device or run to run), or
the reason why there is none. "No path exists" and "a path exists and is refused" are told apart:

1. No path at all is ``undetermined``, since a device may hold or fetch what is missing; unless the leaf itself is
   expired or misnamed, which no issuer can mend.
2. Paths that are all refused are ``untrusted``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.pinning.paths import find_paths
from monitord.pinning.validation import STRICT, leaf_rejections, rejections
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.paths import Path, Search
    from monitord.pinning.trust import TrustStore
    from monitord.pinning.validation import Strictness

    Platform = Callable[["Presented"], "Trust"]


@dataclass(frozen=True, slots=True)
class Presented:
    """What a platform is given: the presented chain, the host, the trust store, the time, and what it may have kept."""

    chain: tuple[Certificate, ...]
    host: str
    trust: TrustStore
    now: datetime
    remembered: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Trust:
    """The paths that may be taken; empty: ``verdict`` and ``reason`` say why.

    ``refused`` is then the path that came closest, if any. ``complete`` is False where the search was cut off.
    ``doubt``: where it depends on the run whether the chain is trusted at all, why some runs refuse it.
    """

    paths: tuple[Path, ...]
    verdict: Verdict = Verdict.OK
    reason: str = ""
    refused: tuple[Certificate, ...] = ()
    complete: bool = True
    doubt: str = ""


def any_valid_path(presented: Presented, strictness: Strictness = STRICT) -> Trust:
    """Every path that is valid: for a client that may take any of them."""
    search = find_paths(presented.chain, presented.trust)
    valid = tuple(path for path in search.paths if not rejections(path, presented.host, presented.now, strictness))
    return Trust(valid, complete=search.complete) if valid else refusal(presented, search, strictness)


def refusal(presented: Presented, search: Search, strictness: Strictness, otherwise: str = "") -> Trust:
    """Why a platform takes none of the paths found; ``otherwise`` is said if nothing is wrong with the closest one."""
    if not search.paths:
        hopeless = next(leaf_rejections(presented.chain[0], presented.host, presented.now, strictness), None)
        if hopeless:
            return Trust((), Verdict.UNTRUSTED, hopeless.sentence)
        return Trust((), Verdict.UNDETERMINED, _incomplete(search, presented))
    judged = [(path, rejections(path, presented.host, presented.now, strictness)) for path in search.paths]
    closest, reasons = min(judged, key=lambda pair: (not pair[0].anchored, len(pair[1])))
    sentences: Sequence[str] = [reason.sentence for reason in reasons] or [otherwise]
    return Trust((), Verdict.UNTRUSTED, "; ".join(dict.fromkeys(sentences)), closest.certificates)


def _incomplete(search: Search, presented: Presented) -> str:
    if not search.complete:
        return "the chain could not be completed: there are too many possible paths"
    if search.missing_issuer is None:
        return "the chain could not be completed"
    issuer = search.missing_issuer.display_issuer
    if search.impostor:
        return f"the chain could not be completed: {issuer} is known only with another key than the one that signed"
    absent = f"{issuer} is neither presented nor in the trust store {presented.trust.name}"
    return f"the chain could not be completed: {absent}{_would_help(presented)}"


def _would_help(presented: Presented) -> str:
    """Which remembered intermediate would complete the chain, for the sentence."""
    paths = find_paths(presented.chain, presented.trust, presented.remembered).paths if presented.remembered else ()
    borrowed = next((path.borrowed for path in paths if path.anchored), ())
    if not borrowed:
        return ""
    names = ", ".join(certificate.display_subject for certificate in borrowed)
    return f"; devices that have cached or fetch {names} (Android, Apple) can connect, others (OkHttp, curl) cannot"
