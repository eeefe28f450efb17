"""Incidents as values: what is open, what changed, and why. The rules by which they change are in ``decide``."""

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
class Acknowledgement:
    """Somebody has seen the incident and works on it: who, since when, and what they said."""

    at: datetime
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Handling:
    """How people are told of an incident, beside what it is.

    ``silenced_by`` is the id of the silence or window that keeps it quiet. ``owed``: something happened that people
    would have been told but for that. ``flapping_since``: it comes and goes since then; ``holds`` is whether it is
    there at present, and ``turned_at`` since when that is so. Only of a flapping incident ``holds`` can be False.
    """

    acknowledged: Acknowledgement | None = None
    silenced_by: str | None = None
    owed: bool = False
    flapping_since: datetime | None = None
    turned_at: datetime | None = None
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as it stands.

    ``id`` is stable and derived from the key and ``since``. ``facts`` are the JSON-ready details as of its last
    transition that people were to be told of: client, share, summary, advice, pins, chain, cause, group and more.
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
    handling: Handling = Handling()


class TransitionReason(StrEnum):
    """Why a transition was made; a closed list, for the log and the history."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REPEATED = "repeated"
    REVISED = "revised"
    """A prediction moved, or has another cause."""
    CLEARED = "cleared"
    CAME_TRUE = "came_true"
    """What was predicted has happened; another incident tells of it."""
    AVERTED = "averted"
    """The pins changed, or other ones match now."""
    SUPERSEDED = "superseded"
    """Newer evidence took the place of what a prediction rested on."""
    WITHDRAWN = "withdrawn"
    """A prediction did not come true, or what it rested on is gone."""
    UNREGISTERED = "unregistered"
    FLAPPING = "flapping"
    """Opened once more in a short time: told once, then only when it has settled."""
    CEASED = "ceased"
    """A flapping incident is not there at present."""
    RECURRED = "recurred"
    """A flapping incident is there again."""
    PERSISTED = "persisted"
    """A flapping incident has stayed."""
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"


@dataclass(frozen=True, slots=True)
class Transition:
    """One step in an incident's life; ``incident`` is how it stands after the step.

    ``number`` counts the transitions of the incident from 1. ``notify`` is False for steps that people are not told.
    ``remark`` is what the log says of a step that leaves the facts as they were: who did it, why, until when.
    """

    incident: Incident
    number: int
    at: datetime
    reason: TransitionReason
    notify: bool = True
    remark: Mapping[str, Any] | None = None
