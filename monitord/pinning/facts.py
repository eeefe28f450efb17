"""What an alert says: who is hit, what was seen, what to do now; sentences and JSON-ready details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitord.pinning.clients.libraries import could_pin
from monitord.pinning.clients.rules import expiry_blocks, expiry_of
from monitord.pinning.incident import IncidentKind
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
    summary, advice = _END[kind](verdict) if over else _BEGIN[kind](condition, now)
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
        "predicted_at": None,
        "cause": None,
        "pins": [] if of_endpoint else [str(pin) for pin in verdict.pinset.all_pins],
        "matched": [str(pin) for pin in verdict.matched],
        "chain": chain_entries(presented),
        "path": chain_entries(path),
        "new_pins": [] if over else _new_pins(kind, verdict, worst),
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


def _new_pins(kind: IncidentKind, verdict: PinSetVerdict, worst: Judgement | None) -> list[dict[str, str]]:
    """What an app release could pin: the keys on the path that the client counts and no pin of the set names."""
    if kind is not IncidentKind.PIN_MISMATCH or worst is None:
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
    summary = f"{verdict.target.endpoint} could not be judged{where} for {rounds} rounds: {_why_unknown(verdict)}."
    if any(one.observation.chain for one in unknown):
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


def _connects(verdict: PinSetVerdict) -> tuple[str, str]:
    if any(judgement.verdict is Verdict.PIN_MISMATCH for judgement in verdict.judgements):
        return f"The chain of {verdict.target.endpoint} is trusted again, but its pins do not match.", ""
    judged = [one for one in verdict.judgements if one.verdict is not Verdict.UNDETERMINED]
    reason = max(judged, key=lambda one: one.verdict.badness).reason if judged else verdict.reason
    return f"{_the_apps(verdict)} connect to {verdict.target.endpoint} again: {reason}.", ""


def _answers(verdict: PinSetVerdict) -> tuple[str, str]:
    return f"{verdict.target.endpoint} can be judged again: {verdict.reason}.", ""


def _renewed(verdict: PinSetVerdict) -> tuple[str, str]:
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
}
_END = {
    IncidentKind.PIN_MISMATCH: _connects,
    IncidentKind.UNTRUSTED: _connects,
    IncidentKind.UNREACHABLE: _answers,
    IncidentKind.PINS_EXPIRING: _renewed,
}
