"""Incidents, their transitions and how people are told of them, as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Select, func, select

from monitord.pinning.incident import (
    Acknowledgement,
    Handling,
    Incident,
    IncidentKey,
    IncidentKind,
    IncidentState,
    Severity,
    Transition,
    TransitionReason,
)
from monitord.store.schema import endpoint, handling, incident, transition
from monitord.store.upsert import insert_missing, insert_or_advance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Connection, Row

_ORDINARY = Handling()


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
    _write_handling(connection, after)
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
                "facts": dict(after.facts if step.remark is None else step.remark),
            }
        ],
    )


def load_open(connection: Connection) -> dict[IncidentKey, Incident]:
    """Every incident that is firing."""
    firing = _incidents().where(incident.c.state == IncidentState.FIRING.value)
    found = [_incident(row) for row in connection.execute(firing)]
    return {open_incident.key: open_incident for open_incident in found}


def load_ended(connection: Connection, since: datetime) -> list[Incident]:
    """The incidents that ended since then, oldest end first."""
    over = (incident.c.state == IncidentState.RESOLVED.value) & (incident.c.resolved_at >= since)
    return [_incident(row) for row in connection.execute(_incidents().where(over).order_by(incident.c.resolved_at))]


def load_openings(connection: Connection, since: datetime) -> dict[IncidentKey, tuple[datetime, ...]]:
    """When incidents began, since then, that are over, oldest first."""
    over = incident.c.state == IncidentState.RESOLVED.value
    found: dict[IncidentKey, tuple[datetime, ...]] = {}
    for row in connection.execute(select(incident).where(over, incident.c.since >= since).order_by(incident.c.since)):
        found[_key(row)] = (*found.get(_key(row), ()), row.since)
    return found


def transitions_of(connection: Connection, host: str, port: int | None, since: datetime) -> Iterator[Transition]:
    """Every step of the incidents of a host since then, oldest first; of one port, or of all for None.

    The incident of each is as it stands now, but for its state and severity, which are those after the step; the
    remark is what the log has.
    """
    of_host = _incidents().where(incident.c.host == host)
    now = {row.id: _incident(row) for row in connection.execute(of_host) if port in (None, row.port)}
    steps = (
        select(transition)
        .join(incident)
        .where(incident.c.host == host, transition.c.at >= since)
        .order_by(transition.c.at, transition.c.incident, transition.c.number)
    )
    for row in connection.execute(steps):
        if row.incident in now:
            after = now[row.incident]
            after = Incident(
                after.id,
                after.key,
                IncidentState(row.state),
                Severity(row.severity),
                after.since,
                after.last_notified_at,
                row.number,
                after.resolved_at,
                after.facts,
                after.handling,
            )
            reason = TransitionReason(row.reason)
            yield Transition(after, row.number, row.at, reason, notify=row.notify, remark=row.facts)


def ports_of(connection: Connection, host: str) -> list[int]:
    """The ports of a host of which anything is known."""
    watched = select(endpoint.c.port).where(endpoint.c.host == host)
    found = watched.union(select(incident.c.port).where(incident.c.host == host))
    return sorted(connection.execute(found).scalars())


def _write_handling(connection: Connection, after: Incident) -> None:
    how, acknowledged = after.handling, after.handling.acknowledged
    known = select(func.count()).where(handling.c.incident == after.id)
    if how == _ORDINARY and not connection.execute(known).scalar():
        return
    insert_or_advance(
        connection,
        handling,
        {
            "incident": after.id,
            "transitions": after.transitions,
            "acknowledged_at": acknowledged.at if acknowledged else None,
            "acknowledged_by": acknowledged.by if acknowledged else None,
            "acknowledged_reason": acknowledged.reason if acknowledged else None,
            "silenced_by": how.silenced_by,
            "owed": how.owed,
            "flapping_since": how.flapping_since,
            "turned_at": how.turned_at,
            "holds": how.holds,
        },
        handling.c.transitions,
    )


def _incidents() -> Select[Any]:
    beside = [column for column in handling.columns if column.name not in ("incident", "transitions")]
    return select(incident, handling.c.incident.label("handled"), *beside).join(handling, isouter=True)


def _key(row: Row[Any]) -> IncidentKey:
    return IncidentKey(row.host, row.port, row.pinset, IncidentKind(row.kind))


def _incident(row: Row[Any]) -> Incident:
    return Incident(
        id=row.id,
        key=_key(row),
        state=IncidentState(row.state),
        severity=Severity(row.severity),
        since=row.since,
        last_notified_at=row.last_notified_at,
        transitions=row.transitions,
        resolved_at=row.resolved_at,
        facts=row.facts,
        handling=_handling(row) if row.handled else _ORDINARY,
    )


def _handling(row: Row[Any]) -> Handling:
    acknowledged = None
    if row.acknowledged_at:
        acknowledged = Acknowledgement(row.acknowledged_at, row.acknowledged_by, row.acknowledged_reason or "")
    return Handling(acknowledged, row.silenced_by, row.owed, row.flapping_since, row.turned_at, row.holds)
