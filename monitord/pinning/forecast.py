"""When will the pins stop to match? A forecast is a judgement moved forward in time.

Theory. For each chain that an endpoint serves (a *line*: one leaf, on one or several addresses) the plausible futures
are built as chains and trust stores, real ones where they are known and imagined ones (``imagine``) where not, and each
is judged by the very same ``judge``. There is no second rule book. The futures (``futures``):

1. **Time passes** (``ends``). At each end of a certificate above the leaf the chain is judged again, with a fresh leaf:
   root, cross-sign and intermediate expiry.
2. **The leaf runs out** (``ends``), because its renewal is overdue and does not come, or was issued and not installed.
3. **The leaf is renewed** (``successors``), again and again, at the times that ARI, a revocation or the host's cadence
   tell (``renewal``): in the same way, with a new key, with a new key and issuer, from another CA. The mildest of these
   that fails tells which probability counts (``continuity``, ``issuance``, ``migration``). A renewal may also fail as
   such: when the root is distrusted for leaves issued by then, when the client pins whole certificates, or when the
   issuer cannot issue that long any more.
4. **A known certificate is deployed**: logged in CT, staged, or seen at an address (``deployment``). It takes the place
   of the imagined renewal, as far as it is likely to come: if it fails that is predicted; if it is good, a backup pin
   counts, since a known future presents it.
5. **The trust store becomes like another one** that changed, or an issuer is revoked (``storechanges``).

A pin survives as long as futures present it; the set fails when the future of that time matches no pin. A set that
fails already has no forecast. Confidence is the probability that a prediction comes true: what is not learned from the
host's past is stated, with its reason, in ``priors``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.pinning.advice import advice_for
from monitord.pinning.clients.libraries import could_pin
from monitord.pinning.clients.rules import expiry_blocks, expiry_of
from monitord.pinning.futures import futures_of
from monitord.pinning.incident import Severity
from monitord.pinning.line import Future, Line
from monitord.pinning.prediction import ALERT_CONFIDENCE, Cause, Prediction, nearness
from monitord.pinning.report import roles, timestamp
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.conditions import Policy
    from monitord.pinning.evidence import Signals
    from monitord.pinning.history import History
    from monitord.pinning.target import Target
    from monitord.pinning.trust import TrustStore
    from monitord.pinning.verdict import Judgement, PinSetVerdict

LISTED_CONFIDENCE = 0.05
"""Less likely failures are not even listed."""
_LIVING = (Verdict.OK, Verdict.NOT_PINNED)


def forecast(  # noqa: PLR0913, PLR0917 - everything that the future depends on
    target: Target,
    verdicts: Sequence[PinSetVerdict],
    history: History,
    signals: Signals,
    trust: Mapping[str, TrustStore],
    now: datetime,
    policy: Policy,
) -> tuple[Prediction, ...]:
    """The predictions for every pin set that does not fail now, for each cause the one that matters most, by time.

    ``verdicts`` are those of the latest round. Predictions below ``ALERT_CONFIDENCE`` are for lists only.
    """
    found: list[Prediction] = []
    for verdict in verdicts:
        if verdict.verdict.apps_fail or verdict.verdict is Verdict.PINS_EXPIRED:
            continue
        stores = tuple(trust[name] for name in verdict.pinset.trust)
        lines = _lines(verdict)
        leaves = frozenset(one.observation.chain[0] for one in lines)
        futures = [
            (future, one.path)
            for one in lines
            for chain in [one.observation.chain]
            for future in futures_of(
                Line(target.name, verdict.pinset, chain, stores, history, signals, now, leaves - {chain[0]})
            )
        ]
        found += [_prediction(verdict, future, path, now, policy) for future, path in _foremost(futures)]
        found += _expiry(verdict, now, policy)
    return tuple(sorted(found, key=lambda one: (one.pinset, one.at, one.cause)))


def _lines(verdict: PinSetVerdict) -> list[Judgement]:
    """One judgement for each leaf that is served well."""
    lines: dict[Certificate, Judgement] = {}
    for judgement in verdict.judgements:
        if judgement.observation.chain and judgement.verdict in _LIVING:
            lines.setdefault(judgement.observation.chain[0], judgement)
    return list(lines.values())


def _foremost(
    futures: Iterable[tuple[Future, tuple[Certificate, ...]]],
) -> list[tuple[Future, tuple[Certificate, ...]]]:
    """Of each cause the earliest that alerts, else the likeliest."""
    best: dict[Cause, tuple[Future, tuple[Certificate, ...]]] = {}
    for future, path in futures:
        if future.confidence < LISTED_CONFIDENCE:
            continue
        known = best.get(future.cause)
        if known is None or _rank(future) < _rank(known[0]):
            best[future.cause] = (future, path)
    return list(best.values())


def _rank(future: Future) -> tuple[bool, datetime | float, float]:
    if future.confidence >= ALERT_CONFIDENCE:
        return False, future.at.timestamp(), -future.confidence
    return True, -future.confidence, future.at.timestamp()


def _prediction(
    verdict: PinSetVerdict, future: Future, path: tuple[Certificate, ...], now: datetime, policy: Policy
) -> Prediction:
    pinset = verdict.pinset
    at = future.at.replace(microsecond=0)
    act_by = at - policy.release_time
    coming = future.known or path[1:]
    whole = future.known or path
    role_of = dict(zip(whole, roles(whole), strict=True))
    new = {
        pin: (pin, role_of[certificate], certificate.display_subject)
        for certificate, pin in could_pin(pinset, whole)
        if certificate in coming and pin not in pinset.all_pins
    }
    severity = nearness(at, now, policy.release_time, policy.horizon)
    if future.pending and severity is Severity.INFO:
        severity = Severity.WARNING
    return Prediction(
        pinset=pinset.name,
        cause=future.cause,
        at=at,
        until=future.until.replace(microsecond=0),
        confidence=round(future.confidence, 3),
        severity=severity,
        expected=future.expected,
        evidence=future.evidence,
        advice=advice_for(future.cause, pinset, future.expected, tuple(new), act_by, now, known=bool(future.known)),
        act_by=act_by,
        new_keys=tuple(new.values()),
        known=bool(future.known),
    )


def _expiry(verdict: PinSetVerdict, now: datetime, policy: Policy) -> list[Prediction]:
    """The end of the pin set itself, which is no mismatch unless the client then blocks."""
    pinset = verdict.pinset
    expiry = expiry_of(pinset)
    if expiry is None or expiry.last <= now:
        return []
    expected = Verdict.PIN_MISMATCH if expiry_blocks(pinset.client) else Verdict.PINS_EXPIRED
    act_by = expiry.first - policy.release_time
    return [
        Prediction(
            pinset=pinset.name,
            cause=Cause.PINS_EXPIRE,
            at=expiry.first,
            until=expiry.last,
            confidence=1.0,
            severity=nearness(expiry.first, now, policy.release_time, policy.horizon),
            expected=expected,
            evidence=f"the pin set itself says that it ends at {timestamp(expiry.first)}",
            advice=advice_for(Cause.PINS_EXPIRE, pinset, expected, (), act_by, now),
            act_by=act_by,
        )
    ]
