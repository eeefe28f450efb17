"""Would the apps connect? ``judge`` answers for each pin set of a target, from what was observed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitord.pinning.clients.platform import Presented
from monitord.pinning.clients.rules import RULES
from monitord.pinning.paths import find_paths
from monitord.pinning.pins import PinSet
from monitord.pinning.report import timestamp
from monitord.pinning.standing import standings
from monitord.pinning.verdict import Judgement, PinSetVerdict, Verdict
from monitord.pinning.webprofile import objections

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.clients.rules import Rule
    from monitord.pinning.observation import Observation
    from monitord.pinning.target import Target
    from monitord.pinning.trust import TrustStore


def judge(
    target: Target,
    observations: Sequence[Observation],
    trust: Mapping[str, TrustStore],
    now: datetime,
    remembered: Sequence[Certificate] = (),
) -> tuple[PinSetVerdict, ...]:
    """One verdict for each pin set: the worst over all observations and all trust stores of the set.

    A target without pin sets is judged on trust alone, under the name "default". ``trust`` must hold every store that
    the pin sets name. An observation without a chain is ``undetermined``, with its failure as the reason.
    ``remembered`` are intermediates seen elsewhere: they change no verdict, since a device may not have met them, but
    the reason for an incomplete chain says who could connect with them.
    """
    pinsets = target.pinsets or (PinSet("default", trust=target.trust),)
    return tuple(_judge_pinset(target, pinset, observations, trust, now, tuple(remembered)) for pinset in pinsets)


def judge_before_deployment(
    target: Target, observations: Sequence[Observation], trust: Mapping[str, TrustStore], now: datetime
) -> tuple[PinSetVerdict, ...]:
    """As ``judge``, but strict with a target that has no pin sets: no client is known, so the strictest is assumed.

    A chain that breaks the issuance profile of the public web (``webprofile``) is then ``untrusted``.
    """
    verdicts = judge(target, observations, trust, now)
    if target.pinsets:
        return verdicts
    return tuple(_strictly(verdict, trust) for verdict in verdicts)


def _strictly(verdict: PinSetVerdict, trust: Mapping[str, TrustStore]) -> PinSetVerdict:
    judgements = tuple(_strict_judgement(judgement, trust[judgement.trust]) for judgement in verdict.judgements)
    worst = max(judgements, key=lambda judgement: judgement.verdict.badness, default=None)
    if worst is None:
        return verdict
    return replace(verdict, judgements=judgements, verdict=worst.verdict, reason=_reason(worst, judgements))


def _strict_judgement(judgement: Judgement, trust: TrustStore) -> Judgement:
    if judgement.verdict is not Verdict.NOT_PINNED:
        return judgement
    paths = [path for path in find_paths(judgement.observation.chain, trust).paths if path.anchored]
    faults = min((objections(path) for path in paths), key=len, default=())
    if not faults:
        return judgement
    reason = f"clients accept it, but it breaks the profile of the public web: {'; '.join(faults)}"
    return replace(judgement, verdict=Verdict.UNTRUSTED, reason=reason)


def _judge_pinset(
    target: Target,
    pinset: PinSet,
    observations: Sequence[Observation],
    trust: Mapping[str, TrustStore],
    now: datetime,
    remembered: tuple[Certificate, ...],
) -> PinSetVerdict:
    rule = RULES[pinset.client]
    judgements = tuple(
        _judged(rule, observation, Presented(observation.chain, target.name, trust[store], now, remembered), pinset)
        if observation.chain
        else _unseen(observation, store)
        for store in pinset.trust
        for observation in observations
    )
    if not judgements:
        return PinSetVerdict(target, pinset, Verdict.UNDETERMINED, "nothing was observed", pinset.trust[0], (), ())
    worst = max(judgements, key=lambda judgement: judgement.verdict.badness)
    live = {pin for judgement in judgements for pin in judgement.matched}
    matched = tuple(pin for pin in pinset.all_pins if pin in live)
    return PinSetVerdict(
        target=target,
        pinset=pinset,
        verdict=worst.verdict,
        reason=_reason(worst, judgements),
        trust=worst.trust,
        judgements=judgements,
        matched=matched,
        standings=standings(
            pinset.all_pins,
            matched,
            [certificate for observation in observations for certificate in observation.chain],
            [trust[name] for name in pinset.trust],
            now,
        ),
    )


def _judged(rule: Rule, observation: Observation, presented: Presented, pinset: PinSet) -> Judgement:
    """The client's judgement; paths to roots that are distrusted for such a leaf are refused."""
    accepting = presented.trust.accepting(presented.chain[0])
    judgement = rule(observation, replace(presented, trust=accepting), pinset)
    if accepting is presented.trust or judgement.verdict not in (Verdict.UNTRUSTED, Verdict.UNDETERMINED):
        return judgement
    otherwise = rule(observation, presented, pinset)
    if otherwise.verdict in (Verdict.UNTRUSTED, Verdict.UNDETERMINED):
        return otherwise
    root = otherwise.path[-1]
    distrust = presented.trust.distrusted(root, presented.chain[0])
    if distrust is None:
        return judgement
    reason = (
        f"{root.display_subject} is distrusted by {distrust.programme} for certificates issued after "
        f"{timestamp(distrust.not_before_after)}, and this one was issued at {timestamp(presented.chain[0].not_before)}"
    )
    return replace(otherwise, verdict=Verdict.UNTRUSTED, reason=reason, matched=())


def _unseen(observation: Observation, store: str) -> Judgement:
    failure = observation.failure
    detail = f"{failure.reason}: {failure.detail}" if failure else "no chain was presented"
    return Judgement(observation, store, Verdict.UNDETERMINED, f"no chain was seen ({detail})")


def _reason(worst: Judgement, judgements: Sequence[Judgement]) -> str:
    """The worst judgement's sentence, with the stores and addresses that it holds for where others fare better."""
    alike = [judgement for judgement in judgements if judgement.verdict is worst.verdict]
    if len(alike) == len(judgements):
        return worst.reason
    stores = list(dict.fromkeys(judgement.trust for judgement in judgements))
    hit = list(dict.fromkeys(judgement.trust for judgement in alike))
    here = [judgement for judgement in judgements if judgement.trust == worst.trust]
    alike_here = [judgement for judgement in here if judgement.verdict is worst.verdict]
    said = worst.reason
    if len(alike_here) < len(here):
        places = dict.fromkeys(_place(judgement, here) for judgement in alike_here)
        said = f"at {', '.join(places)} ({len(alike_here)} of {len(here)}): {said}"
    if len(hit) < len(stores):
        verb = "fails on" if worst.verdict.apps_fail else "on"
        said = f"{verb} {len(hit)} of {len(stores)} trust stores ({', '.join(hit)}): {said}"
    return said


def _place(judgement: Judgement, judgements: Sequence[Judgement]) -> str:
    observation = judgement.observation
    place = observation.address or "(no address)"
    key_types = {other.observation.key_type for other in judgements if other.observation.key_type}
    if len(key_types) > 1 and observation.key_type:
        return f"{place} {observation.key_type}"
    return place
