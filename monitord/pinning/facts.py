"""What an alert says: who is hit, what was seen, what to do now; sentences and JSON-ready details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitord.pinning.clients.libraries import could_pin
from monitord.pinning.clients.rules import expiry_blocks, expiry_of
from monitord.pinning.foreseen import leaves
from monitord.pinning.incident import IncidentKind, TransitionReason
from monitord.pinning.report import chain_entries, failure_entry, roles, timestamp
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.conditions import Condition
    from monitord.pinning.verdict import Judgement, PinSetVerdict


def alert_facts(condition: Condition, now: datetime, *, over: bool = False) -> dict[str, Any]:
    """The details of an alert about this condition; ``over``: it has just stopped to hold."""
    kind, verdict = condition.key.kind, condition.verdict
    of_endpoint = kind is IncidentKind.UNREACHABLE
    worst = _worst(verdict)
    summary, advice = _END[kind](condition) if over else _BEGIN[kind](condition, now)
    presented = worst.observation.chain if worst else ()
    path = worst.path if worst else ()
    return {
        "timestamp": timestamp(now),
        "client": None if of_endpoint else verdict.pinset.client.value,
        "share": None if of_endpoint else verdict.pinset.share,
        "trust": None if of_endpoint else verdict.trust,
        "summary": summary,
        "reason": _why_unknown(verdict) if of_endpoint and not over else verdict.reason,
        "advice": advice,
        **_predicted_facts(condition),
        "pins": [] if of_endpoint else [str(pin) for pin in verdict.pinset.all_pins],
        "matched": [str(pin) for pin in verdict.matched],
        "chain": chain_entries(presented),
        "path": chain_entries(path),
        "new_pins": [] if over else _new_pins(condition, worst),
        "observations": [
            {
                "address": judgement.observation.address,
                "key_type": judgement.observation.key_type,
                "verdict": judgement.verdict.value,
                "reason": judgement.reason,
                "failure": failure_entry(judgement.observation.failure),
            }
            for judgement in verdict.judgements
        ],
        "labels": dict(verdict.target.labels),
        "url": None,
    }


def _worst(verdict: PinSetVerdict) -> Judgement | None:
    return max(verdict.judgements, key=lambda judgement: judgement.verdict.badness, default=None)


def _predicted_facts(condition: Condition) -> dict[str, Any]:
    """What a prediction adds; cause and time are there, and null, for other kinds as well."""
    prediction = condition.prediction
    if prediction is None:
        return {"predicted_at": None, "cause": None}
    return {
        "predicted_at": timestamp(prediction.at),
        "predicted_until": timestamp(prediction.until),
        "cause": prediction.cause.value,
        "confidence": prediction.confidence,
        "expected": prediction.expected.value,
        "evidence": prediction.evidence,
        "act_by": timestamp(prediction.act_by),
        "leaves": leaves(condition.verdict),
        "evidence_id": condition.evidence,
        "known": prediction.known,
    }


def _new_pins(condition: Condition, worst: Judgement | None) -> list[dict[str, str]]:
    """What an app release could pin: the keys on the path that the client counts and no pin of the set names."""
    kind, verdict = condition.key.kind, condition.verdict
    if condition.prediction is not None:
        return [
            {"role": role, "subject": subject, "pin": str(pin)} for pin, role, subject in condition.prediction.new_keys
        ]
    if kind not in (IncidentKind.PIN_MISMATCH, IncidentKind.NO_BACKUP_PIN) or worst is None:
        return []
    role_of = dict(zip(worst.path, roles(worst.path), strict=True))
    return [
        {"role": role_of[certificate], "subject": certificate.display_subject, "pin": str(pin)}
        for certificate, pin in could_pin(verdict.pinset, worst.path)
        if pin not in verdict.pinset.all_pins
    ]


def _apps(verdict: PinSetVerdict) -> str:
    if not verdict.pinset.all_pins:
        return f"clients that trust {verdict.trust}"
    share = verdict.pinset.share
    users = f", {share:.0%} of the users" if share is not None else ""
    return f"apps with pin set {verdict.pinset.name} ({verdict.pinset.client}{users})"


def _the_apps(verdict: PinSetVerdict) -> str:
    """The same at the beginning of a sentence."""
    return f"The {_apps(verdict)}"


def _mismatch(condition: Condition, _now: datetime) -> tuple[str, str]:
    verdict = condition.verdict
    return (
        f"{_the_apps(verdict)} refuse to connect to {verdict.target.endpoint}: {verdict.reason}.",
        (
            "Serve a chain that holds a pinned key again: roll the certificate back, or renew it with a pinned key. "
            "If the new key is here to stay, ship an app release with one of the new pins and register that pin here; "
            "installed apps stay broken until they are updated."
        ),
    )


def _untrusted(condition: Condition, _now: datetime) -> tuple[str, str]:
    verdict = condition.verdict
    return (
        (
            f"{_the_apps(verdict)} refuse to connect to {verdict.target.endpoint}: "
            f"the chain is not trusted by {verdict.trust}: {verdict.reason}."
        ),
        (
            "Serve a certificate for this name that is in date, with its intermediates, from an authority that the "
            "apps trust. If the trust store is the wrong one for these apps, set trust: in the configuration."
        ),
    )


def _unreachable(condition: Condition, _now: datetime) -> tuple[str, str]:
    verdict, rounds = condition.verdict, condition.rounds
    unknown = _undetermined(verdict)
    addresses = list(dict.fromkeys(one.observation.address or "(no address)" for one in unknown))
    every = len({judgement.observation.address for judgement in verdict.judgements})
    where = f" at {', '.join(addresses)} ({len(addresses)} of {every} addresses)" if len(addresses) < every else ""
    shown = any(one.observation.chain for one in unknown)
    silent = "has presented no complete chain" if shown else "has presented no certificate"
    summary = f"{verdict.target.endpoint} {silent}{where} for {rounds} rounds: {_why_unknown(verdict)}."
    if shown:
        return summary, (
            "Serve the missing intermediate with the certificate. Apps that neither cache nor fetch it (OkHttp, curl) "
            "cannot connect; whether the pins match cannot be told."
        )
    return summary, (
        "Whether apps can connect cannot be told until the endpoint answers. Check that it is up, that its name "
        "resolves, and that this host may connect to it."
    )


def _expiring(condition: Condition, now: datetime) -> tuple[str, str]:
    verdict = condition.verdict
    expiry = expiry_of(verdict.pinset)
    expires = expiry.first if expiry else now
    tense = "expired" if expires <= now else "expires"
    name, apps = f"Pin set {verdict.pinset.name} for {verdict.target.endpoint} {tense}", _apps(verdict)
    if expiry_blocks(verdict.pinset.client):
        return (
            f"{name} at {timestamp(expires)}: from then on the {apps} cannot connect.",
            "Ship an app release with later pins, then write their date here.",
        )
    return (
        f"{name} at {timestamp(expires)}: from then on the {apps} connect without pinning.",
        (
            "Ship an app release with a later expiry date, then write that date here. Nobody is cut off by the expiry, "
            "but connections are no longer protected by pins."
        ),
    )


def _predicted(condition: Condition, _now: datetime) -> tuple[str, str]:
    verdict, prediction = condition.verdict, condition.prediction
    if prediction is None:
        return f"{_the_apps(verdict)} are predicted to fail.", ""
    fails = "no pin will match" if prediction.expected is Verdict.PIN_MISMATCH else "the chain will not be trusted"
    sure = f"{prediction.confidence:.0%} sure, {prediction.cause}"
    summary = (
        f"{_the_apps(verdict)} will probably refuse to connect to {verdict.target.endpoint} from "
        f"{timestamp(prediction.at)} on ({sure}): {fails}. {prediction.evidence[:1].upper()}{prediction.evidence[1:]}."
    )
    return summary, prediction.advice


def _lone(condition: Condition, _now: datetime) -> tuple[str, str]:
    verdict = condition.verdict
    pins = len(verdict.pinset.all_pins)
    why = "it has a single pin" if pins == 1 else "every pin of it is in use already"
    return (
        (
            f"Pin set {verdict.pinset.name} for {verdict.target.endpoint} has nothing to fall back on: {why}. When "
            f"that key goes, the {_apps(verdict)} cannot connect."
        ),
        (
            "Ship an app release with a backup pin: that of a key kept offline for the next certificate, or of an "
            "authority on the path, and register it here."
        ),
    )


def _not_predicted(condition: Condition) -> tuple[str, str]:
    verdict, end = condition.verdict, condition.end
    said = {
        TransitionReason.CAME_TRUE: "has come true; another alert tells of the failure itself",
        TransitionReason.AVERTED: "was averted: other pins match now, or the pin set was changed",
        TransitionReason.SUPERSEDED: "is withdrawn: newer evidence took the place of what it rested on",
    }.get(end or TransitionReason.WITHDRAWN, "is withdrawn: it did not come true, or is no longer likely")
    return f"The predicted failure of pin set {verdict.pinset.name} for {verdict.target.endpoint} {said}.", ""


def _backed_up(condition: Condition) -> tuple[str, str]:
    verdict = condition.verdict
    return f"Pin set {verdict.pinset.name} for {verdict.target.endpoint} has a backup pin again.", ""


def _connects(condition: Condition) -> tuple[str, str]:
    verdict = condition.verdict
    if any(judgement.verdict is Verdict.PIN_MISMATCH for judgement in verdict.judgements):
        return f"The chain of {verdict.target.endpoint} is trusted again, but its pins do not match.", ""
    judged = [one for one in verdict.judgements if one.verdict is not Verdict.UNDETERMINED]
    reason = max(judged, key=lambda one: one.verdict.badness).reason if judged else verdict.reason
    return f"{_the_apps(verdict)} connect to {verdict.target.endpoint} again: {reason}.", ""


def _answers(condition: Condition) -> tuple[str, str]:
    verdict = condition.verdict
    return f"{verdict.target.endpoint} presents a complete chain again: {verdict.reason}.", ""


def _renewed(condition: Condition) -> tuple[str, str]:
    verdict = condition.verdict
    return f"Pin set {verdict.pinset.name} for {verdict.target.endpoint} no longer expires soon.", ""


def _undetermined(verdict: PinSetVerdict) -> list[Judgement]:
    return [judgement for judgement in verdict.judgements if judgement.verdict is Verdict.UNDETERMINED]


def _why_unknown(verdict: PinSetVerdict) -> str:
    return "; ".join(dict.fromkeys(judgement.reason for judgement in _undetermined(verdict))) or verdict.reason


_BEGIN = {
    IncidentKind.PIN_MISMATCH: _mismatch,
    IncidentKind.UNTRUSTED: _untrusted,
    IncidentKind.UNREACHABLE: _unreachable,
    IncidentKind.PINS_EXPIRING: _expiring,
    IncidentKind.PIN_MISMATCH_PREDICTED: _predicted,
    IncidentKind.NO_BACKUP_PIN: _lone,
}
_END = {
    IncidentKind.PIN_MISMATCH: _connects,
    IncidentKind.UNTRUSTED: _connects,
    IncidentKind.UNREACHABLE: _answers,
    IncidentKind.PINS_EXPIRING: _renewed,
    IncidentKind.PIN_MISMATCH_PREDICTED: _not_predicted,
    IncidentKind.NO_BACKUP_PIN: _backed_up,
}
