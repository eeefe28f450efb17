"""Rounds, incidents and messages to record, of one endpoint unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitord import pki
from monitord.outbox import Delivery, DeliveryState, Message, Report, Result, reports
from monitord.pinning.incident import (
    Incident,
    IncidentKey,
    IncidentKind,
    IncidentState,
    Severity,
    Transition,
    TransitionReason,
)
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.outcome import Outcome, Streaks
from monitord.pinning.pins import PinSet
from monitord.pinning.target import Target
from monitord.pinning.verdict import PinSetVerdict, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.pinning.certificate import Certificate, KeyType

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOST, PORT = "api.example.test", 443
Chain = tuple["Certificate", ...]


def at(minutes: float) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def clock() -> datetime:
    """A clock for opening a store, standing at noon."""
    return NOON


@dataclass(frozen=True, slots=True)
class Chains:
    """Real chains of one small authority: two leaves with different keys, and one with an RSA key."""

    first: Chain
    second: Chain
    rsa: Chain


def make_chains() -> Chains:
    """Chains with fresh keys."""
    root = pki.issue("Root")
    middle = pki.issue("Intermediate", issuer=root)

    def chain(kind: pki.KeyKind) -> Chain:
        leaf = pki.issue(HOST, issuer=middle, key=pki.new_key(kind), names=(HOST,))
        return leaf.certificate, middle.certificate

    return Chains(chain("ecdsa"), chain("ecdsa"), chain("rsa"))


def shown(
    chain: Chain, address: str = "192.0.2.1", *, key_type: KeyType | None = None, port: int = PORT
) -> Observation:
    """An address that presents this chain."""
    return Observation(NOON, address, port, chain, key_type=key_type, tls_version="TLSv1.3", duration=0.01)


def silent(
    reason: FailureReason = FailureReason.TIMEOUT, address: str = "192.0.2.1", detail: str = "no answer in 10 s"
) -> Observation:
    """An address that presents nothing."""
    return Observation(NOON, address, PORT, failure=Failure(reason, detail))


def outcome(
    *observations: Observation,
    minute: float = 0,
    verdict: Verdict | None = Verdict.OK,
    reason: str = "because",
    transitions: Sequence[Transition] = (),
    streaks: Streaks | None = None,
    host: str = HOST,
) -> Outcome:
    """A round; without ``verdict`` no pin set was judged."""
    target = Target(host, PORT)
    pinset = PinSet("app")
    judged = () if verdict is None else (PinSetVerdict(target, pinset, verdict, reason, "mozilla", (), ()),)
    return Outcome(target, at(minute), observations, judged, tuple(transitions), streaks or Streaks())


def opened(
    name: str = "a1", *, minute: float = 0, host: str = HOST, facts: dict[str, object] | None = None
) -> Transition:
    """The first transition of an incident."""
    key = IncidentKey(host, PORT, "app", IncidentKind.PIN_MISMATCH)
    facts = facts or {"summary": "It fails."}
    incident = Incident(name, key, IncidentState.FIRING, Severity.CRITICAL, at(minute), at(minute), facts=facts)
    return Transition(incident, 1, at(minute), TransitionReason.OPENED)


def repeated(before: Transition, *, minute: float) -> Transition:
    """The incident is told again."""
    number = before.number + 1
    incident = replace(before.incident, transitions=number, last_notified_at=at(minute))
    return Transition(incident, number, at(minute), TransitionReason.REPEATED)


def cleared(before: Transition, *, minute: float) -> Transition:
    """The incident is over."""
    number = before.number + 1
    incident = replace(before.incident, transitions=number, state=IncidentState.RESOLVED, resolved_at=at(minute))
    return Transition(incident, number, at(minute), TransitionReason.CLEARED)


def message(step: Transition, receiver: str = "ops", *, group: str | None = None) -> Message:
    """What a receiver shall be told of a transition."""
    data = {"incident": step.incident.id, "state": step.incident.state.value}
    if group is not None:
        data |= {"group": group, "summary": "It fails.", "host": step.incident.key.host}
    body = {"type": f"{step.incident.key.kind}.{step.incident.state}", "data": data}
    return Message(step.incident.id, step.number, receiver, body, step.at)


def sent(one: Message) -> Delivery:
    """The message as it is sent."""
    return Delivery(one.id, one.receiver, one.incident, one.body, 0, one.created_at)


def delivered(delivery: Delivery, now: datetime) -> list[Report]:
    """The receiver has taken it."""
    return reports(delivery, Result(DeliveryState.DELIVERED, now))


def failed(delivery: Delivery, error: str, next_attempt_at: datetime) -> list[Report]:
    """The receiver has not taken it."""
    return reports(delivery, Result(DeliveryState.PENDING, NOON, error, next_attempt_at))


def dead(delivery: Delivery, error: str) -> list[Report]:
    """It is given up."""
    return reports(delivery, Result(DeliveryState.DEAD, NOON, error))
