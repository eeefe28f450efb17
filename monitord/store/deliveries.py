"""The outbox: which message may be sent next, and what became of it.

1. A message is queued in the transaction that writes its transition, once for each receiver: its id is derived.
2. Whose turn it is ``monitord.turns`` says; it is asked only about what is first in line, so that nothing about an
   incident overtakes what a receiver is still to be told of it.
3. Claiming counts the attempt, makes a batch of what goes together, and takes a lease before anything is sent. A sender
   that dies keeps its lease until it ends; then the same delivery is claimed again, with the same id: at least once,
   never lost.
4. A receiver is told the end of an incident only if it was, or is yet to be, told that it fired: an end whose firings
   were never queued for it is not queued, one whose firings were all given up is skipped.
5. Reports may come late, and before the message itself, from a time in which nothing could be written. They are noted
   in the transaction that claims, so that nothing is claimed that was sent meanwhile.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, exists, func, literal, or_, select, true, update

from monitord.outbox import Claimed, Delivery, DeliveryState, batch_id, together
from monitord.pinning.incident import IncidentState
from monitord.store.schema import outbox, receiver_hold, transition
from monitord.store.upsert import insert_missing, replace_rows
from monitord.turns import DIGEST, Told, Waiting, choose, fresh_groups, turns

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, Connection, Select

    from monitord.outbox import Message, Report
    from monitord.turns import Gathering, Group, Turn

LEASE = timedelta(minutes=2)
_OF_A_TURN = [
    outbox.c[name]
    for name in (
        "id",
        "receiver",
        "incident",
        "number",
        "created_at",
        "next_attempt_at",
        "attempts",
        "lease_until",
        "group_key",
        "batch",
    )
]
PENDING = outbox.c.state == DeliveryState.PENDING.value


def queue(connection: Connection, message: Message) -> None:
    """Queue the message, due at once, unless it is there already or rule 4 forbids it."""
    step = and_(transition.c.incident == message.incident, transition.c.number == message.number)
    is_end = connection.execute(select(transition.c.state).where(step)).scalar() == IncidentState.RESOLVED.value
    state = DeliveryState.PENDING
    if is_end and not is_told(connection, message.incident, message.receiver, message.number):
        line = and_(outbox.c.incident == message.incident, outbox.c.receiver == message.receiver)
        if not connection.execute(select(exists().where(line))).scalar():
            return
        state = DeliveryState.SKIPPED  # until somebody has what was given up sent after all
    row = {
        "id": message.id,
        "incident": message.incident,
        "number": message.number,
        "receiver": message.receiver,
        "state": state.value,
        "body": dict(message.body),
        "attempts": 0,
        "created_at": message.created_at,
        "next_attempt_at": message.created_at,
        "group_key": message.group,
    }
    insert_missing(connection, outbox, [row])


def claim(
    connection: Connection,
    limit: Mapping[str, int] | int,
    now: datetime,
    *,
    others: int = 0,
    gathering: Gathering | None = None,
    reported: Sequence[Report] = (),
) -> Claimed:
    """What to send now, oldest first, leased and counted (rules 2, 3, 5).

    At most ``limit`` for each receiver, ``others`` for one that it does not name.
    """
    noted = note(connection, reported)
    limits, others = ({}, limit) if isinstance(limit, int) else (limit, others)
    heads = waiting(connection, asked(limits, others), _may_be_told())
    found = turns(heads, gathering, _told(connection, heads, gathering, now), now)
    chosen = choose(found, limits, others, now)
    taken = {turn.messages for turn in chosen}
    deliveries = [delivery_of(connection, turn) for turn in chosen]
    for delivery in deliveries:
        begun: dict[str, Any] = {
            "attempts": delivery.attempts + 1,
            "lease_until": now + LEASE,
            "begun_at": _first(outbox.c.begun_at, now),
        }
        if delivery.id not in delivery.messages:
            begun["batch"] = delivery.id
        connection.execute(update(outbox).where(outbox.c.id.in_(delivery.messages)).values(begun))
    return Claimed(deliveries, min((turn.at for turn in found if turn.messages not in taken), default=None), noted)


def note(connection: Connection, reported: Sequence[Report]) -> frozenset[str]:
    """Take note of what came of attempts; the ids of those whose message is there. What is settled stays settled."""
    noted = set()
    for report in reported:
        row = connection.execute(select(outbox.c.state).where(outbox.c.id == report.message)).one_or_none()
        if row is None:
            continue
        noted.add(report.message)
        result = report.result
        values: dict[str, Any] = {
            "state": result.state.value,
            "attempts": report.attempts,
            "begun_at": _first(outbox.c.begun_at, report.begun_at),
            "lease_until": report.lease_until,
            "last_error": result.error,
        }
        if result.state is DeliveryState.DELIVERED:
            values["delivered_at"] = result.at
        if result.next_attempt_at is not None:
            values["next_attempt_at"] = result.next_attempt_at
        # An attempt that began since must not lose its lease to news of the one before.
        current = outbox.c.attempts <= report.attempts if result.state is DeliveryState.PENDING else true()
        connection.execute(update(outbox).where(outbox.c.id == report.message, PENDING, current).values(values))
        if result.state is DeliveryState.DEAD:
            skip_ends(connection, report.message)
    return frozenset(noted)


def release(connection: Connection, now: datetime) -> None:
    """Everything pending is due now, whoever had leased it."""
    later = or_(outbox.c.next_attempt_at > now, outbox.c.lease_until.is_not(None))
    values = {"next_attempt_at": now, "lease_until": None}
    connection.execute(update(outbox).where(PENDING, later).values(values))


def hold(connection: Connection, receiver: str, since: datetime, until: datetime) -> None:
    """The receiver is to be left alone."""
    replace_rows(connection, receiver_hold, [{"receiver": receiver, "since": since, "until": until}])


def holds(connection: Connection, now: datetime) -> dict[str, datetime]:
    """The receivers that are to be left alone, and until when; not what a clock that was wrong said."""
    current = and_(receiver_hold.c.since <= now, receiver_hold.c.until > now)
    return {row.receiver: row.until for row in connection.execute(select(receiver_hold).where(current))}


def waiting(connection: Connection, *conditions: ColumnElement[bool]) -> list[Waiting]:
    """The pending messages of which this is true."""
    rows = connection.execute(_pending().where(*conditions))
    return [Waiting(*row) for row in rows]


def asked(limits: Mapping[str, int], others: int) -> ColumnElement[bool]:
    """Whether anything is wanted for the receiver of a message."""
    if others:
        return outbox.c.receiver.not_in([name for name, most in limits.items() if not most])
    return outbox.c.receiver.in_([name for name, most in limits.items() if most])


def delivery_of(connection: Connection, turn: Turn) -> Delivery:
    """What to send at this turn."""
    ids = [message.id for message in turn.messages]
    rows = connection.execute(select(outbox.c.id, outbox.c.body).where(outbox.c.id.in_(ids)))
    bodies = {row.id: row.body for row in rows}
    parts = [
        Delivery(one.id, one.receiver, one.incident, bodies[one.id], one.attempts, one.created_at)
        for one in turn.messages
    ]
    return together(parts, turn.messages[0].batch or batch_id(ids)) if turn.batch else parts[0]


def skip_ends(connection: Connection, message_id: str) -> None:
    """Rule 4, after a message was given up: ends that nobody would understand now are not sent."""
    gone = connection.execute(select(outbox.c.incident, outbox.c.receiver).where(outbox.c.id == message_id)).one()
    line = and_(PENDING, outbox.c.incident == gone.incident, outbox.c.receiver == gone.receiver)
    for row in connection.execute(select(outbox.c.id, outbox.c.number).where(line, is_end())).all():
        if not is_told(connection, gone.incident, gone.receiver, row.number):
            skipped = {"state": DeliveryState.SKIPPED.value, "lease_until": None}
            connection.execute(update(outbox).where(outbox.c.id == row.id).values(skipped))


def is_end() -> ColumnElement[bool]:
    """Whether a message tells the end of its incident."""
    return _tells(IncidentState.RESOLVED)


def is_told(connection: Connection, incident: str, receiver: str, before: int) -> bool:
    """Whether the receiver was, or is yet to be, told before this transition that the incident fires."""
    told = exists().where(
        outbox.c.incident == incident,
        outbox.c.receiver == receiver,
        outbox.c.number < before,
        outbox.c.state.in_([DeliveryState.PENDING.value, DeliveryState.DELIVERED.value]),
        _tells(IncidentState.FIRING),
    )
    return bool(connection.execute(select(told)).scalar())


def _first(column: Column[datetime], value: datetime) -> ColumnElement[datetime]:
    """The column's value, or this where it has none."""
    return func.coalesce(column, literal(value, column.type))


def _tells(state: IncidentState) -> ColumnElement[bool]:
    return exists().where(
        transition.c.incident == outbox.c.incident,
        transition.c.number == outbox.c.number,
        transition.c.state == state.value,
    )


@cache  # asked each few seconds for years, and built at the cost of the answer
def _may_be_told() -> ColumnElement[bool]:
    """Whether no earlier message of the incident to the receiver is pending; or it is for a digest, told in one."""
    earlier = outbox.alias("earlier")
    first_in_line = ~exists().where(
        earlier.c.incident == outbox.c.incident,
        earlier.c.receiver == outbox.c.receiver,
        earlier.c.number < outbox.c.number,
        earlier.c.state == DeliveryState.PENDING.value,
    )
    return or_(first_in_line, outbox.c.group_key == DIGEST)


@cache  # as above
def _pending() -> Select[Any]:
    """What is pending, as ``Waiting`` has it; its last column is 1 if a message for a digest has another behind it."""
    later = outbox.alias("later")
    waits = exists().where(
        later.c.incident == outbox.c.incident,
        later.c.receiver == outbox.c.receiver,
        later.c.number > outbox.c.number,
        later.c.state == DeliveryState.PENDING.value,
        later.c.group_key.is_distinct_from(DIGEST),
    )
    pressed = case((and_(outbox.c.group_key == DIGEST, waits), 1), else_=0)
    return select(*_OF_A_TURN, pressed).where(PENDING)


def _told(
    connection: Connection, heads: Collection[Waiting], gathering: Gathering | None, now: datetime
) -> dict[Group, Told]:
    """What receivers were sent lately of the groups that wait."""
    groups = {group for _, group in fresh_groups(heads, gathering)}
    if gathering is None or not groups:
        return {}
    lately = outbox.c.begun_at.between(now - 2 * gathering.interval, now)
    counted = (
        select(outbox.c.receiver, outbox.c.group_key, func.count(), func.max(outbox.c.begun_at))
        .where(outbox.c.group_key.in_(groups), lately)
        .group_by(outbox.c.receiver, outbox.c.group_key)
    )
    return {(receiver, group): Told(count, last) for receiver, group, count, last in connection.execute(counted)}
