"""Verdicts and incidents as the JSON that users rely on: the same shapes in ``check --json``, alerts and the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.incident import Incident, Transition
    from monitord.pinning.observation import Failure
    from monitord.pinning.prediction import Prediction
    from monitord.pinning.quiet import Quiet, Silence
    from monitord.pinning.verdict import Judgement, PinSetVerdict


def timestamp(moment: datetime) -> str:
    """A time as in RFC 3339, in UTC, to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def moment(written: str) -> datetime:
    """The time that ``timestamp`` wrote."""
    return datetime.fromisoformat(written)


def roles(chain: Sequence[Certificate]) -> list[str]:
    """What each certificate of a chain or path is: leaf, intermediate or root (self-issued, or the end of a path)."""
    return [
        "leaf" if position == 0 else "root" if certificate.self_issued else "intermediate"
        for position, certificate in enumerate(chain)
    ]


def chain_entries(chain: Sequence[Certificate]) -> list[dict[str, str]]:
    """A presented chain or a path, leaf first."""
    return [
        {
            "role": role,
            "subject": certificate.display_subject,
            "spki": str(certificate.pin),
            "certificate_sha256": certificate.sha256.hex(),
            "not_after": timestamp(certificate.not_after),
        }
        for role, certificate in zip(roles(chain), chain, strict=True)
    ]


def failure_entry(failure: Failure | None) -> dict[str, str] | None:
    """A failure's reason and detail, or None."""
    return None if failure is None else {"reason": failure.reason.value, "detail": failure.detail}


def observation_entry(judgement: Judgement) -> dict[str, Any]:
    """One observation with its verdict, the presented chain and the path that decided."""
    observation = judgement.observation
    return {
        "address": observation.address,
        "key_type": observation.key_type,
        "verdict": judgement.verdict.value,
        "reason": judgement.reason,
        "trust": judgement.trust,
        "tls_version": observation.tls_version,
        "chain": chain_entries(observation.chain),
        "path": chain_entries(judgement.path),
        "failure": failure_entry(observation.failure),
    }


def prediction_entry(prediction: Prediction) -> dict[str, Any]:
    """One prediction: from when until when the failure may come, how likely it is, and what to do by when.

    ``expected`` is the verdict that the apps will then meet, ``new_pins`` the keys that are known to come and that no
    pin names.
    """
    return {
        "cause": prediction.cause.value,
        "at": timestamp(prediction.at),
        "until": timestamp(prediction.until),
        "confidence": round(prediction.confidence, 3),
        "severity": prediction.severity.value,
        "expected": prediction.expected.value,
        "evidence": prediction.evidence,
        "advice": prediction.advice,
        "act_by": timestamp(prediction.act_by),
        "new_pins": [str(pin) for pin in prediction.new_pins],
    }


def verdict_entry(verdict: PinSetVerdict, predictions: Iterable[Prediction] = ()) -> dict[str, Any]:
    """One pin set of one endpoint: what ``check --json`` prints as a line. ``predictions`` are those of this set."""
    return {
        "host": verdict.target.host,
        "port": verdict.target.port,
        "pinset": verdict.pinset.name,
        "client": verdict.pinset.client.value,
        "trust": verdict.trust,
        "verdict": verdict.verdict.value,
        "reason": verdict.reason,
        "matched": [str(pin) for pin in verdict.matched],
        "pins": [{"pin": str(pin), "standing": standing.value} for pin, standing in verdict.standings.items()],
        "observations": [observation_entry(judgement) for judgement in verdict.judgements],
        "predictions": [prediction_entry(prediction) for prediction in predictions],
    }


def incident_entry(incident: Incident, quiet: Quiet | None = None) -> dict[str, Any]:
    """An incident as it stands: ``incidents --json`` prints it, the API gives it. ``quiet`` is what silences it."""
    handling, acknowledged = incident.handling, incident.handling.acknowledged
    facts = {key: value for key, value in incident.facts.items() if key != "timestamp"}
    return {
        **_identity(incident),
        "last_notified_at": timestamp(incident.last_notified_at),
        "acknowledged": acknowledged
        and {"at": timestamp(acknowledged.at), "by": acknowledged.by, "reason": acknowledged.reason},
        "silenced": quiet
        and {"by": quiet.by or None, "id": quiet.id, "reason": quiet.reason, "until": timestamp(quiet.until)},
        "untold": handling.owed,
        **facts,
        "flapping": handling.flapping_since is not None,
        "present": handling.holds,
    }


def silence_entry(silence: Silence) -> dict[str, Any]:
    """A silence: what ``silences --json`` prints and the API gives."""
    scope = silence.scope
    return {
        "silence": silence.id,
        "hosts": list(scope.hosts),
        "match": dict(scope.match),
        "kinds": sorted(kind.value for kind in scope.kinds),
        "starts_at": timestamp(silence.starts_at),
        "ends_at": timestamp(silence.ends_at),
        "reason": silence.reason,
        "by": silence.by,
    }


def _identity(incident: Incident) -> dict[str, Any]:
    return {
        "incident": incident.id,
        "kind": incident.key.kind.value,
        "state": incident.state.value,
        "severity": incident.severity.value,
        "host": incident.key.host or None,
        "port": incident.key.port or None,
        "pinset": (incident.key.pinset if incident.key.host else "") or None,
        "since": timestamp(incident.since),
        "resolved_at": timestamp(incident.resolved_at) if incident.resolved_at else None,
    }


def event_body(transition: Transition) -> dict[str, Any]:
    """The body of an alert about this step, as webhooks carry it and mail is written from.

    A repeat of an unchanged incident has the body of the step that it repeats. An incident of monitord itself has no
    host, port or pin set; ``cause`` says what does not work.
    """
    incident = transition.incident
    facts = dict(incident.facts)
    happened = facts.pop("timestamp")
    data = {**_identity(incident), **facts}
    return {"type": f"{incident.key.kind}.{incident.state}", "timestamp": happened, "data": data}
