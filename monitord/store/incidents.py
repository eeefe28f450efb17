"""Incidents and their transitions as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from monitord.pinning.incident import Incident, IncidentKey, IncidentKind, IncidentState, Severity
from monitord.store.schema import incident, transition
from monitord.store.upsert import insert_missing, insert_or_advance

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from monitord.pinning.incident import Transition


def write_transition(connection: Connection, step: Transition) -> None:
    """Write the step and how its incident stands after it; a step that is there already changes nothing."""
    after = step.incident
    insert_or_advance(
        connection,
        incident,
        {
            "id": after.id,
            "host": after.key.host,
            "port": after.key.port,
            "pinset": after.key.pinset,
            "kind": after.key.kind.value,
            "state": after.state.value,
            "severity": after.severity.value,
            "since": after.since,
            "last_notified_at": after.last_notified_at,
            "transitions": after.transitions,
            "resolved_at": after.resolved_at,
            "facts": dict(after.facts),
        },
        incident.c.transitions,
    )
    insert_missing(
        connection,
        transition,
        [
            {
                "incident": after.id,
                "number": step.number,
                "at": step.at,
                "reason": step.reason.value,
                "notify": step.notify,
                "state": after.state.value,
                "severity": after.severity.value,
                "facts": dict(after.facts),
            }
        ],
    )


def load_open(connection: Connection) -> dict[IncidentKey, Incident]:
    """Every incident that is firing."""
    firing = select(incident).where(incident.c.state == IncidentState.FIRING.value)
    found = [
        Incident(
            id=row.id,
            key=IncidentKey(row.host, row.port, row.pinset, IncidentKind(row.kind)),
            state=IncidentState(row.state),
            severity=Severity(row.severity),
            since=row.since,
            last_notified_at=row.last_notified_at,
            transitions=row.transitions,
            resolved_at=row.resolved_at,
            facts=row.facts,
        )
        for row in connection.execute(firing)
    ]
    return {open_incident.key: open_incident for open_incident in found}
