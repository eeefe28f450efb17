"""How long what is over is kept. What is pending, and what says who was told of an open incident, is never deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, not_, or_, select, tuple_

from monitord.outbox import DeliveryState
from monitord.pinning.incident import IncidentState, TransitionReason
from monitord.store.schema import handling, incident, outbox, transition

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Table

SETTLED_KEPT = timedelta(days=30)
DEAD_KEPT = timedelta(days=90)
REMINDERS_KEPT = timedelta(days=90)
INCIDENTS_KEPT = timedelta(days=400)  # a year, and what comes back each year
_AT_ONCE = 500


def prune(connection: Connection, now: datetime) -> int:
    """Delete some of what is too old: how many rows, 0 once nothing more is.

    A few hundred at a time, so that whatever else is to be written does not wait long.
    """
    unsent = ~exists().where(outbox.c.incident == transition.c.incident, outbox.c.number == transition.c.number)
    reminder = (transition.c.reason == TransitionReason.REPEATED.value) & (transition.c.at < now - REMINDERS_KEPT)
    return (
        _delete(connection, outbox, _is_settled(now - SETTLED_KEPT))
        or _delete(connection, outbox, _is_dead(now - DEAD_KEPT))
        or _delete(connection, transition, reminder & unsent)
        or _delete_incidents(connection, now - INCIDENTS_KEPT)
    )


def _is_settled(before: datetime) -> ColumnElement[bool]:
    """Delivered or not to be sent, and nothing that is still to be told depends on it."""
    other = outbox.alias("other")
    line = (other.c.incident == outbox.c.incident) & (other.c.receiver == outbox.c.receiver)
    needed = [DeliveryState.PENDING.value, DeliveryState.DEAD.value]  # what is dead may be sent again
    waits = exists().where(line, other.c.state.in_(needed))
    told_since = exists().where(line, other.c.state == DeliveryState.DELIVERED.value, other.c.number > outbox.c.number)
    return (
        outbox.c.state.in_([DeliveryState.DELIVERED.value, DeliveryState.SKIPPED.value])
        & (outbox.c.created_at < before)
        & not_(waits)
        & or_(told_since, not_(_is_open()))
    )


def _is_dead(before: datetime) -> ColumnElement[bool]:
    return (outbox.c.state == DeliveryState.DEAD.value) & (outbox.c.created_at < before)


def _is_open() -> ColumnElement[bool]:
    return exists().where(incident.c.id == outbox.c.incident, incident.c.state == IncidentState.FIRING.value)


def _delete(connection: Connection, table: Table, condition: ColumnElement[bool]) -> int:
    keys = list(table.primary_key)
    found = connection.execute(select(*keys).where(condition).limit(_AT_ONCE)).all()
    if found:
        connection.execute(delete(table).where(tuple_(*keys).in_([tuple(row) for row in found])))
    return len(found)


def _delete_incidents(connection: Connection, before: datetime) -> int:
    """Incidents that ended before then, with all their steps, if no message about them is left."""
    unsent = ~exists().where(outbox.c.incident == incident.c.id)
    over = (incident.c.state == IncidentState.RESOLVED.value) & (incident.c.resolved_at < before) & unsent
    found = list(connection.execute(select(incident.c.id).where(over).limit(_AT_ONCE)).scalars())
    if found:
        for steps in (handling, transition):
            connection.execute(delete(steps).where(steps.c.incident.in_(found)))
        connection.execute(delete(incident).where(incident.c.id.in_(found)))
    return len(found)
