"""Trust stores that changed, and what that foretells for others; issuers that are revoked."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from monitord.pinning import priors
from monitord.pinning.imagine import another_issuer, renewed
from monitord.pinning.line import Future
from monitord.pinning.prediction import Cause
from monitord.pinning.report import timestamp
from monitord.pinning.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.evidence import StoreChange
    from monitord.pinning.line import Line

_DAY = timedelta(days=1)
_LATEST_REISSUES = timedelta(days=5)
_PREVIEWS = frozenset({"beta", "alpha", "preview", "dev", "canary", "nightly", "next", "rc", "insider", "unstable"})


def store_changes(line: Line) -> Iterator[Future]:
    """Another trust store changed: this one may follow."""
    for change in line.signals.stores:
        if line.now - change.learned_at > priors.STORE_FORGOTTEN:
            continue
        for store in line.stores:
            followed = None if change.store == store.name else _followed(store, change.added, change.removed)
            if followed is None:
                continue
            at = change.learned_at + priors.STORE_FOLLOWS
            while at <= line.now:
                at += priors.STORE_FOLLOWS
            chain = (renewed(line.leaf, line.leaf.not_before, at + _DAY, new_key=False), *line.chain[1:])
            stores = tuple(followed if one is store else one for one in line.stores)
            verdict, reason = line.judged(chain, at, stores)
            if verdict.apps_fail and not line.fails(chain, at):
                said = (
                    f"the trust store {change.store} changed at {timestamp(change.learned_at)} "
                    f"({len(change.added)} roots more, {len(change.removed)} fewer); if {store.name} follows, {reason}"
                )
                until = at + priors.STORE_FOLLOWS
                yield Future(Cause.TRUST_STORE_CHANGE, at, until, _follows(store.name, change), verdict, said)


@lru_cache(maxsize=256)
def _followed(store: TrustStore, added: tuple[Certificate, ...], removed: tuple[Certificate, ...]) -> TrustStore | None:
    """The store as it is when it has followed a change; None if that is nothing new for it."""
    new = [anchor for anchor in added if anchor not in store]
    left = [anchor for anchor in store.anchors if anchor not in removed]
    if not new and len(left) == len(store.anchors):
        return None
    return TrustStore(store.name, [*left, *new], store.distrusts)


def _follows(store: str, change: StoreChange) -> float:
    """How likely a store is to become as another one, by their names and by what changed."""
    family, version, _ = _read(store)
    other_family, other_version, preview = _read(change.store)
    if preview and other_family in ((), family):
        return priors.PREVIEW_RELEASED
    if family == other_family:
        return priors.OLDER_FOLLOWS if version and other_version > version else priors.RELATIVE_FOLLOWS
    return priors.OTHERS_REMOVE if change.removed else priors.OTHERS_ADD


def _read(name: str) -> tuple[tuple[str, ...], tuple[int, ...], bool]:
    """A store's name as its family, its version and whether it is a preview: android-14 is of the family android."""
    parts = re.findall(r"[a-z]+|\d+", name.lower())
    words = tuple(part for part in parts if not part.isdigit() and part not in _PREVIEWS)
    return words, tuple(int(part) for part in parts if part.isdigit()), any(part in _PREVIEWS for part in parts)


def issuer_revoked(line: Line) -> Iterator[Future]:
    """An issuer on the path is revoked, so another one has to follow."""
    revoked = {one.certificate: one for one in line.signals.revoked}
    for issuer in line.chain[1:] if revoked else ():
        fact = revoked.get(issuer.sha256)
        if fact is None:
            continue
        at = fact.learned_at + _DAY
        while at <= line.now:
            at += _DAY
        end = at + (line.leaf.not_after - line.leaf.not_before)
        leaf = renewed(line.leaf, at, end, new_key=True)
        other = another_issuer((leaf, *line.chain[1:]), also=issuer)
        verdict, _ = line.judged(other, at)
        if verdict.apps_fail:
            said = f"{fact.source} says that {issuer.display_subject} is revoked, so another issuer has to follow"
            until = at + _LATEST_REISSUES
            yield Future(Cause.REVOKED, at, until, priors.REVOKED_ISSUER, verdict, said, pending=True)
