"""The plausible futures of one chain that an endpoint serves, and which of them fail. See ``forecast``."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning import priors
from monitord.pinning.deployment import Origin, candidates
from monitord.pinning.ends import runs_out, time_passes
from monitord.pinning.imagine import another_issuer, renewed
from monitord.pinning.line import Future
from monitord.pinning.migration import alias_moved
from monitord.pinning.prediction import ALERT_CONFIDENCE, Cause
from monitord.pinning.renewal import next_renewal
from monitord.pinning.report import timestamp
from monitord.pinning.storechanges import issuer_revoked, store_changes
from monitord.pinning.successors import renewals
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.pinning.deployment import Candidate
    from monitord.pinning.line import Line
    from monitord.pinning.renewal import Renewal

LOOK_AHEAD = timedelta(days=400)
_DAY = timedelta(days=1)


def futures_of(line: Line) -> list[Future]:
    """Every failing future of the line."""
    until = line.now + LOOK_AHEAD
    renewal = next_renewal(line.leaf, line.history, line.signals, line.now)
    coming = _coming(line, renewal)
    found = [*time_passes(line, renewal, until), *store_changes(line), *issuer_revoked(line)]
    likeliest = max(coming, key=lambda one: one.probability, default=None)
    awaited = (likeliest.probability, line.now - likeliest.learned_at) if likeliest else None
    found += runs_out(line, renewal, awaited)
    return [*found, *_next_certificate(line, coming, list(renewals(line, renewal, until)))]


def _next_certificate(line: Line, coming: list[Candidate], imagined: list[Future]) -> Iterator[Future]:
    """What the next certificate brings: one that is known, which fails or holds, or else the imagined one.

    The known ones exclude each other and the imagined one. That one of them comes is as likely as the likeliest, for
    they do not speak for each other (a host with a drawer has many in it), and each has its part in that.
    """
    known = [(one, future) for one in coming if (future := _deployed(line, one)) or _holds(line, one)]
    chances = [one.probability for one, _ in known]
    comes = max(chances, default=0.0)
    part = comes / sum(chances) if comes else 0.0
    bad = sorted((future for _, future in known if future), key=lambda one: -one.confidence)
    fails = part * sum(future.confidence for future in bad)
    if bad:
        yield replace(bad[0], confidence=fails)
        yield from (replace(future, confidence=part * future.confidence) for future in bad[1:])
    good = [one for one, future in known if future is None]
    holds = part * sum(one.probability for one in good)
    for future in imagined:
        if fails < ALERT_CONFIDENCE:
            yield replace(future, confidence=fails + (1 - comes) * future.confidence)
        elif future.cause is Cause.DISTRUST:
            # The coming certificate is known, so the imagined one says nothing more, but for a date that is announced.
            yield replace(future, confidence=(1 - holds) * future.confidence)
    if holds >= ALERT_CONFIDENCE:
        yield from _after(line, max(good, key=lambda one: one.probability), holds)


def _coming(line: Line, renewal: Renewal) -> list[Candidate]:
    """What may be served next in this line's place: of its type of key, or of any if it is the only type."""
    migrating = alias_moved(line) is not None
    found = candidates(line.chain, line.history, line.signals, renewal, line.now, migrating=migrating)
    alone = all(one.key_type is line.leaf.key_type for one in line.others)
    return [one for one in found if alone or one.leaf.key_type is line.leaf.key_type]


def _holds(line: Line, candidate: Candidate) -> bool:
    verdict, _ = line.judged(candidate.chain, max(candidate.at, candidate.leaf.not_before))
    return verdict in (Verdict.OK, Verdict.NOT_PINNED)


def _after(line: Line, good: Candidate, probability: float) -> Iterator[Future]:
    """What comes after a good certificate that is known to come with this probability."""
    later = replace(line, chain=good.chain)
    first = next_renewal(good.leaf, line.history, line.signals, line.now)
    for future in renewals(later, first, line.now + LOOK_AHEAD):
        yield replace(future, confidence=future.confidence * probability)


def _deployed(line: Line, candidate: Candidate) -> Future | None:
    """The future in which a known certificate is served, if it fails."""
    at = max(candidate.at, candidate.leaf.not_before)
    verdict, reason = line.judged(candidate.chain, at)
    probability = candidate.probability
    if verdict is Verdict.UNDETERMINED and candidate.leaf.pin not in line.pinset.all_pins:
        # Its issuers are not known; it may be assumed that they are not the pinned ones.
        probability *= priors.UNKNOWN_ISSUER
        assumed = (renewed(line.leaf, at, at + _DAY, new_key=True), *line.chain[1:])
        verdict, reason = line.judged(another_issuer(assumed), at)
    if not verdict.apps_fail:
        return None
    cause = Cause.CT_ISSUED
    if candidate.origin is Origin.SIGHTED:
        cause = Cause.PARTIAL_ROLLOUT
    elif candidate.origin is Origin.STAGED:
        same = candidate.leaf.issuer_key == line.leaf.issuer_key
        cause = Cause.LEAF_RENEWAL if same else Cause.ISSUER_ROTATION
    said = (
        f"a certificate issued at {timestamp(candidate.leaf.not_before)} by {candidate.leaf.display_issuer} was seen "
        f"at {candidate.source} at {timestamp(candidate.learned_at)} and is not served yet; with it, {reason}"
    )
    until = max(candidate.until, at + _DAY)
    return Future(cause, at, until, probability, verdict, said, candidate.chain, pending=True)
