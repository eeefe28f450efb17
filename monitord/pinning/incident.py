"""Incidents as values: what is open, what changed, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class IncidentKind(StrEnum):
    """What an incident is about; a closed list that alerts and metrics use."""

    PIN_MISMATCH = "pin_mismatch"
    PIN_MISMATCH_PREDICTED = "pin_mismatch_predicted"
    UNTRUSTED = "untrusted"
    PINS_EXPIRING = "pins_expiring"
    NO_BACKUP_PIN = "no_backup_pin"
    UNREACHABLE = "unreachable"
    MONITOR_DEGRADED = "monitor_degraded"


class Severity(StrEnum):
    """How loud an incident is."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class IncidentState(StrEnum):
    """The two states that receivers are told."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, order=True)
class IncidentKey:
    """What there is at most one open incident for; ``pinset`` is "" for kinds that concern the endpoint."""

    host: str
    port: int
    pinset: str
    kind: IncidentKind


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as it stands.

    ``id`` is stable and derived from the key and ``since``. ``facts`` are the JSON-ready details as of its last
    notified transition: client, share, summary, advice, pins, chain, cause, predicted_at and more.
    """

    id: str
    key: IncidentKey
    state: IncidentState
    severity: Severity
    since: datetime
    last_notified_at: datetime
    transitions: int = 1
    resolved_at: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class TransitionReason(StrEnum):
    """Why a transition was made; a closed list, for the log and the history."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REPEATED = "repeated"
    CLEARED = "cleared"
    UNREGISTERED = "unregistered"


@dataclass(frozen=True, slots=True)
class Transition:
    """One step in an incident's life; ``incident`` is how it stands after the step.

    ``number`` counts the transitions of the incident from 1. ``notify`` is False for steps that people are not told.
    """

    incident: Incident
    number: int
    at: datetime
    reason: TransitionReason
    notify: bool = True
