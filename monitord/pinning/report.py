"""Verdicts and incidents as the JSON that users rely on: the same shapes in ``check --json``, alerts and the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.incident import Transition
    from monitord.pinning.observation import Failure
    from monitord.pinning.verdict import Judgement, PinSetVerdict


def timestamp(moment: datetime) -> str:
    """A time as in RFC 3339, in UTC, to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


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


def verdict_entry(verdict: PinSetVerdict, predictions: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """One pin set of one endpoint: what ``check --json`` prints as a line."""
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
        "predictions": list(predictions),
    }


def event_body(transition: Transition) -> dict[str, Any]:
    """The body of an alert about this step, as webhooks carry it and mail is written from.

    A repeat of an unchanged incident has the body of the step that it repeats.
    """
    incident = transition.incident
    facts = dict(incident.facts)
    happened = facts.pop("timestamp")
    data = {
        "incident": incident.id,
        "kind": incident.key.kind.value,
        "state": incident.state.value,
        "severity": incident.severity.value,
        "host": incident.key.host,
        "port": incident.key.port,
        "pinset": incident.key.pinset or None,
        "since": timestamp(incident.since),
        "resolved_at": timestamp(incident.resolved_at) if incident.resolved_at else None,
        **facts,
    }
    return {"type": f"{incident.key.kind}.{incident.state}", "timestamp": happened, "data": data}
