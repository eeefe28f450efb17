"""What a person does with messages: send again what was given up, or drop what is not worth sending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select, update

from monitord.outbox import DeliveryState
from monitord.store.deliveries import is_end, skip_ends
from monitord.store.faults import StoreError
from monitord.store.schema import outbox

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Connection, Row

_DROPPED = "dropped by hand"
_SHORTEST_PREFIX = 6


class OutboxRefusedError(StoreError):
    """What was asked cannot be done with this message; the sentence says why."""

    def __init__(self, sentence: str) -> None:
        """The sentence for people."""
        super().__init__(sentence, systemic=False)


def resend(connection: Connection, asked: str, now: datetime) -> str:
    """Have a delivery tried now that was given up, or that waits for its next attempt; its id in full.

    It keeps its id. The end of an incident that was left out because nobody had been told of its beginning waits
    behind it again. Raises OutboxRefusedError for what was delivered or dropped, or overtaken by later news.
    """
    identifier, rows = _members(connection, asked)
    for row in rows:
        if row.state == DeliveryState.DELIVERED:
            raise OutboxRefusedError(f"message {identifier} was delivered already")
        if row.state == DeliveryState.SKIPPED:
            why = "it was dropped" if row.last_error == _DROPPED else f"{row.receiver} was never told the beginning"
            raise OutboxRefusedError(f"message {identifier} is not to be sent: {why}")
        if _is_overtaken(connection, row):
            raise OutboxRefusedError(
                f"message {identifier} comes too late: {row.receiver} has been sent later news of incident "
                f"{row.incident}; drop it"
            )
    ids = [row.id for row in rows]
    waits = {"state": DeliveryState.PENDING.value, "next_attempt_at": now}
    dead = outbox.c.state == DeliveryState.DEAD.value
    connection.execute(update(outbox).where(outbox.c.id.in_(ids), dead).values(attempts=0))
    connection.execute(update(outbox).where(outbox.c.id.in_(ids)).values(waits))
    for row in rows:
        left_out = and_(
            outbox.c.incident == row.incident,
            outbox.c.receiver == row.receiver,
            outbox.c.number > row.number,
            outbox.c.state == DeliveryState.SKIPPED.value,
            outbox.c.last_error.is_(None),
            is_end(),
        )
        connection.execute(update(outbox).where(left_out).values(waits))
    return identifier


def drop(connection: Connection, asked: str, now: datetime) -> str:
    """Do not send a delivery that waits or was given up; its id in full.

    Raises OutboxRefusedError for what was delivered, and for what is being sent at this moment.
    """
    identifier, rows = _members(connection, asked)
    for row in rows:
        if row.state == DeliveryState.DELIVERED:
            raise OutboxRefusedError(f"message {identifier} was delivered already")
        if row.state == DeliveryState.PENDING and row.lease_until is not None and row.lease_until > now:
            raise OutboxRefusedError(f"message {identifier} is being sent right now; ask again in two minutes")
    dropped = {"state": DeliveryState.SKIPPED.value, "lease_until": None, "last_error": _DROPPED}
    connection.execute(update(outbox).where(outbox.c.id.in_([row.id for row in rows])).values(dropped))
    for row in rows:
        skip_ends(connection, row.id)
    return identifier


def all_dead(connection: Connection) -> list[str]:
    """The ids of all deliveries that were given up, the oldest first."""
    dead = outbox.c.state == DeliveryState.DEAD.value
    rows = connection.execute(select(outbox.c.id, outbox.c.batch).where(dead).order_by(outbox.c.created_at))
    return list(dict.fromkeys(row.batch or row.id for row in rows))


def _members(connection: Connection, asked: str) -> tuple[str, Sequence[Row[Any]]]:
    """The delivery that an id or the beginning of one names, and its messages."""
    columns = (outbox.c.id, outbox.c.batch)
    names = [outbox.c.id == asked, outbox.c.batch == asked]
    if len(asked) >= _SHORTEST_PREFIX and asked.isalnum():
        names += [outbox.c.id.like(f"{asked}%"), and_(outbox.c.batch.is_not(None), outbox.c.batch.like(f"{asked}%"))]
    found = {row.batch or row.id for row in connection.execute(select(*columns).where(or_(*names)))}
    if not found:
        raise OutboxRefusedError(f"there is no message {asked}; monitord outbox lists them")
    if len(found) > 1:
        raise OutboxRefusedError(f"{asked} is the beginning of {len(found)} messages; give more of it")
    (identifier,) = found
    of_it = or_(and_(outbox.c.id == identifier, outbox.c.batch.is_(None)), outbox.c.batch == identifier)
    return identifier, connection.execute(select(outbox).where(of_it)).all()


def _is_overtaken(connection: Connection, row: Row[Any]) -> bool:
    """Whether the receiver was sent, or is being sent, something later about the incident."""
    later = and_(
        outbox.c.incident == row.incident,
        outbox.c.receiver == row.receiver,
        outbox.c.number > row.number,
        outbox.c.begun_at.is_not(None),
    )
    return row.state == DeliveryState.DEAD and connection.execute(select(outbox.c.id).where(later)).first() is not None
