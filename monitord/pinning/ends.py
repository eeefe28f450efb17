"""What ends by itself: the certificates above the leaf, and a leaf that nobody renews."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from monitord.pinning import priors
from monitord.pinning.cadence import never_installed, overdue_expiry
from monitord.pinning.imagine import renewed
from monitord.pinning.issuance import direct_issuer
from monitord.pinning.line import Future, judged
from monitord.pinning.paths import find_paths
from monitord.pinning.pins import Client
from monitord.pinning.prediction import Cause
from monitord.pinning.report import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.line import Chain, Line, Stores
    from monitord.pinning.pins import PinSet
    from monitord.pinning.renewal import Renewal
    from monitord.pinning.verdict import Verdict

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


def time_passes(line: Line, renewal: Renewal, until: datetime) -> Iterator[Future]:
    """The first end above the leaf, up to ``until``, after which the chain fails, with a fresh leaf.

    Where a renewal comes before the end of the direct issuer, it brings the next one (``successors``). If the leaf in
    service is to outlive its issuer, the CA does not look at such ends, and the renewal may change nothing.
    """
    if line.pinset.client is Client.CERTIFICATE:
        return
    issuer_end = end_of_issuer(line.chain, line.stores)
    outlives = issuer_end is not None and line.leaf.not_after > issuer_end
    for end in _ends(line.name, line.pinset, line.chain, line.stores):
        if not line.now < end.at <= until:
            continue
        first = issuer_end is not None and renewal.at < issuer_end <= end.at
        if first and not outlives:
            return
        probability = priors.DATED_BUT_RENEWED_BEFORE if first else priors.DATED
        yield Future(end.cause, end.at, end.at, probability, end.expected, end.evidence)
        return


@dataclass(frozen=True, slots=True)
class _End:
    """A moment from which on a chain fails because certificates above the leaf have ended."""

    at: datetime
    cause: Cause
    expected: Verdict
    evidence: str


@lru_cache(maxsize=4096)
def _ends(name: str, pinset: PinSet, chain: Chain, stores: Stores) -> tuple[_End, ...]:
    paths = [path.certificates for store in stores for path in find_paths(chain, store).paths]
    above = {one for path in paths for one in path[1:]} | set(chain[1:])
    found = []
    for end in sorted({one.not_after for one in above}):
        at = end + _SECOND
        fresh = renewed(chain[0], chain[0].not_before, at + _DAY, new_key=False)
        verdict, reason = judged(name, pinset, (fresh, *chain[1:]), stores, at)
        if verdict.apps_fail:
            ended = sorted((one for one in above if one.not_after == end), key=lambda one: one.sha256)
            names = ", ".join(dict.fromkeys(one.display_subject for one in ended))
            said = f"{names} ends at {timestamp(end)}; then {reason}"
            found.append(_End(at, _cause_of_end(chain, stores, ended), verdict, said))
    return tuple(found)


def _cause_of_end(chain: Chain, stores: Stores, ended: Sequence[Certificate]) -> Cause:
    anchors = {anchor for store in stores for anchor in store.anchors}
    if any(one in anchors for one in ended):
        return Cause.ROOT_EXPIRY
    tops = {(one.subject_key, one.spki_sha256) for one in (*anchors, *chain[1:]) if one.self_issued}
    crossed = any((one.subject_key, one.spki_sha256) in tops for one in ended)
    return Cause.CROSS_SIGN_EXPIRY if crossed else Cause.INTERMEDIATE_EXPIRY


def end_of_issuer(chain: Chain, stores: Stores) -> datetime | None:
    """When the leaf's issuer ends: the latest end of the certificates that name and key of it have."""
    issuer = direct_issuer(chain)
    if issuer is None:
        return None
    alike = [anchor for store in stores for anchor in store.named(issuer.subject_key)]
    known = [one for one in (*chain[1:], *alike) if one.subject_key == issuer.subject_key]
    return max(one.not_after for one in known if one.spki_sha256 == issuer.spki_sha256)


def runs_out(line: Line, renewal: Renewal, awaited: tuple[float, timedelta] | None) -> Iterator[Future]:
    """The leaf ends because its renewal, which is overdue, does not come.

    ``awaited``: a certificate that was issued is going to be deployed with this probability, and has been known for so
    long. Then it is not the renewal that may have been forgotten, but to install it.
    """
    leaf = line.leaf
    at = leaf.not_after + _SECOND
    if renewal.forced or at <= line.now:
        return
    left_behind = _left_behind(line)
    probability = overdue_expiry(line.now, renewal.due, leaf, renewal.cadence, left_behind)
    if probability <= 0:
        return
    if awaited is not None and left_behind is None:
        issued, waited = awaited
        probability = issued * never_installed(waited, leaf) + (1 - issued) * probability
    verdict, _ = line.judged(line.chain, at)
    if verdict.apps_fail:
        said = (
            f"the certificate ends at {timestamp(leaf.not_after)}, and its renewal was due at {timestamp(renewal.due)}"
        )
        yield Future(Cause.LEAF_EXPIRY, at, at, probability, verdict, said)


def _left_behind(line: Line) -> timedelta | None:
    """For how long another address has had the leaf that takes this one's place."""
    since = [one.since for one in line.history.tenures if one.replaced == line.leaf and one.leaf in line.others]
    return line.now - min(since) if since else None
