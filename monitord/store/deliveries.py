"""The outbox: which message may be sent next, and what became of it.

1. A message is queued in the transaction that writes its transition, once for each receiver: its id is derived.
2. Per incident and receiver messages go in the order of their transitions: only the first pending one may be claimed,
   so that a firing is never overtaken by its end.
3. Claiming counts the attempt and takes a lease before anything is sent. A sender that dies keeps its lease until it
   ends; then the message is claimed again, with the same id: at least once, never lost.
4. A receiver is told the end of an incident only if it was, or is yet to be, told that it fired: an end whose
   firings were never queued for it is not queued, one whose firings all ended as dead letters is skipped.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import and_, case, exists, func, or_, select, update

from monitord.outbox import Delivery
from monitord.pinning.incident import IncidentState
from monitord.store.schema import outbox, transition
from monitord.store.upsert import insert_missing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from monitord.outbox import Message

LEASE = timedelta(minutes=2)


class DeliveryState(StrEnum):
    """What became of a message."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    SKIPPED = "skipped"


_PENDING = outbox.c.state == DeliveryState.PENDING.value


def queue(connection: Connection, message: Message) -> None:
    """Queue the message, due at once, unless it is there already or rule 4 forbids it."""
    step = and_(transition.c.incident == message.incident, transition.c.number == message.number)
    state = connection.execute(select(transition.c.state).where(step)).scalar()
    if state == IncidentState.RESOLVED.value:
        told = _live_firing(message.incident, message.receiver, message.number)
        if not connection.execute(select(told)).scalar():
            return
    row = {
        "id": message.id,
        "incident": message.incident,
        "number": message.number,
        "receiver": message.receiver,
        "state": DeliveryState.PENDING.value,
        "body": dict(message.body),
        "attempts": 0,
        "created_at": message.created_at,
        "next_attempt_at": message.created_at,
    }
    insert_missing(connection, outbox, [row])


def claim(connection: Connection, limit: Mapping[str, int] | int, now: datetime) -> list[Delivery]:
    """The messages to send now, oldest first, at most ``limit`` for each receiver; leased and counted (rules 2, 3)."""
    if isinstance(limit, int):
        waiting = connection.execute(select(outbox.c.receiver).where(_PENDING).distinct()).scalars()
        limit = dict.fromkeys(waiting, limit)
    free = or_(outbox.c.lease_until.is_(None), outbox.c.lease_until <= now)
    due = select(outbox).where(_PENDING, outbox.c.next_attempt_at <= now, free, _first_in_line())
    oldest_first = due.order_by(outbox.c.created_at, outbox.c.number, outbox.c.id)
    claimed = [
        row
        for receiver, most in limit.items()
        for row in connection.execute(oldest_first.where(outbox.c.receiver == receiver).limit(most))
    ]
    for row in claimed:
        begun = {"attempts": row.attempts + 1, "lease_until": now + LEASE}
        connection.execute(update(outbox).where(outbox.c.id == row.id).values(begun))
    claimed.sort(key=lambda row: (row.created_at, row.number, row.id))
    return [Delivery(row.id, row.receiver, row.incident, row.body, row.attempts, row.created_at) for row in claimed]


def mark_delivered(connection: Connection, message_id: str, now: datetime) -> None:
    """It was taken by the receiver."""
    done = {"state": DeliveryState.DELIVERED.value, "delivered_at": now, "lease_until": None, "last_error": None}
    connection.execute(update(outbox).where(outbox.c.id == message_id, _PENDING).values(done))


def mark_failed(connection: Connection, message_id: str, error: str, next_attempt_at: datetime) -> None:
    """It was not taken; it is tried again."""
    failed = {"next_attempt_at": next_attempt_at, "last_error": error, "lease_until": None}
    connection.execute(update(outbox).where(outbox.c.id == message_id, _PENDING).values(failed))


def bury(connection: Connection, message_id: str, error: str) -> None:
    """It is given up; ends that nobody would understand now are skipped (rule 4)."""
    dead = {"state": DeliveryState.DEAD.value, "last_error": error, "lease_until": None}
    connection.execute(update(outbox).where(outbox.c.id == message_id, _PENDING).values(dead))
    buried = connection.execute(select(outbox).where(outbox.c.id == message_id)).one_or_none()
    if buried is None:
        return
    is_end = exists().where(
        transition.c.incident == outbox.c.incident,
        transition.c.number == outbox.c.number,
        transition.c.state == IncidentState.RESOLVED.value,
    )
    line = and_(_PENDING, outbox.c.incident == buried.incident, outbox.c.receiver == buried.receiver)
    for row in connection.execute(select(outbox).where(line, is_end)).all():
        told = _live_firing(row.incident, row.receiver, row.number)
        if not connection.execute(select(told)).scalar():
            skipped = {"state": DeliveryState.SKIPPED.value, "lease_until": None}
            connection.execute(update(outbox).where(outbox.c.id == row.id).values(skipped))


def next_due(connection: Connection, receivers: Collection[str] | None) -> datetime | None:
    """When the next message may be claimed, of these receivers or of all; it may be in the past."""
    claimable = case(
        (outbox.c.lease_until > outbox.c.next_attempt_at, outbox.c.lease_until), else_=outbox.c.next_attempt_at
    )
    earliest = select(func.min(claimable)).where(_PENDING, _first_in_line())
    if receivers is not None:
        earliest = earliest.where(outbox.c.receiver.in_(receivers))
    return connection.execute(earliest).scalar()


def summary(connection: Connection) -> tuple[int, datetime | None]:
    """How many messages are pending, and when the oldest of them was queued."""
    count, oldest = connection.execute(select(func.count(), func.min(outbox.c.created_at)).where(_PENDING)).one()
    return int(count), oldest


def release(connection: Connection, now: datetime) -> None:
    """Everything pending is due now, whoever had leased it."""
    waiting = or_(outbox.c.next_attempt_at > now, outbox.c.lease_until.is_not(None))
    connection.execute(update(outbox).where(_PENDING, waiting).values(next_attempt_at=now, lease_until=None))


def _first_in_line() -> ColumnElement[bool]:
    """Whether no earlier message of the incident to the receiver is pending (rule 2)."""
    earlier = outbox.alias("earlier")
    return ~exists().where(
        earlier.c.incident == outbox.c.incident,
        earlier.c.receiver == outbox.c.receiver,
        earlier.c.number < outbox.c.number,
        earlier.c.state == DeliveryState.PENDING.value,
    )


def _live_firing(incident: str, receiver: str, number: int) -> ColumnElement[bool]:
    """Whether the receiver has a firing message of the incident before ``number`` that is not a dead letter."""
    return exists().where(
        outbox.c.incident == incident,
        outbox.c.receiver == receiver,
        outbox.c.number < number,
        outbox.c.state != DeliveryState.DEAD.value,
        transition.c.incident == outbox.c.incident,
        transition.c.number == outbox.c.number,
        transition.c.state == IncidentState.FIRING.value,
    )
