"""The outbox, read only: what could be sent while nothing can be written, how messages stand, and how many wait."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import and_, case, func, select

from monitord.outbox import Delivery, DeliveryState, Standing, stands
from monitord.pinning.incident import IncidentState
from monitord.store.deliveries import PENDING, asked, delivery_of, waiting
from monitord.store.schema import incident, outbox, transition
from monitord.turns import DIGEST, choose, first_in_line, turns

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from monitord.outbox import Report
    from monitord.turns import Waiting

_STEP = and_(transition.c.incident == outbox.c.incident, transition.c.number == outbox.c.number)
_HELD = and_(outbox.c.group_key == DIGEST, outbox.c.attempts == 0)
_AT_ONCE = 10_000  # a statement may have so many values and not many times more
_SUMMARY = select(func.count(), func.min(case((_HELD, None), else_=outbox.c.created_at))).where(PENDING)


@dataclass(frozen=True, slots=True)
class Entry:
    """A delivery as it stands: one message, or several that go together.

    ``event`` is kind and state. ``endpoints`` are (host, port, pin set), "" for no pin set, and ``incidents`` the ids
    of their incidents. ``being_sent``: somebody has a lease of it.
    """

    id: str
    receiver: str
    state: DeliveryState
    event: str
    severity: str
    endpoints: tuple[tuple[str, int, str], ...]
    incidents: tuple[str, ...]
    attempts: int
    created_at: datetime
    next_attempt_at: datetime
    being_sent: bool
    delivered_at: datetime | None
    error: str | None


def entries(connection: Connection, states: Collection[DeliveryState], now: datetime) -> list[Entry]:
    """Every delivery in one of these states, the oldest first."""
    rows = connection.execute(
        select(
            func.coalesce(outbox.c.batch, outbox.c.id).label("delivery"),
            outbox,
            incident.c.host,
            incident.c.port,
            incident.c.pinset,
            incident.c.kind,
            transition.c.state.label("tells"),
            transition.c.severity,
        )
        .join_from(outbox, transition, _STEP)
        .join(incident, incident.c.id == outbox.c.incident)
        .where(outbox.c.state.in_([state.value for state in states]))
        .order_by(outbox.c.created_at, outbox.c.number, outbox.c.id)
    )
    found: dict[tuple[str, str], Entry] = {}
    for row in rows:
        endpoint = (row.host, row.port, row.pinset)
        known = found.get((row.delivery, row.state))
        if known:
            known = replace(known, endpoints=(*known.endpoints, endpoint), incidents=(*known.incidents, row.incident))
        found[row.delivery, row.state] = known or Entry(
            id=row.delivery,
            receiver=row.receiver,
            state=DeliveryState(row.state),
            event=f"{row.kind}.{row.tells}",
            severity=row.severity,
            endpoints=(endpoint,),
            incidents=(row.incident,),
            attempts=row.attempts,
            created_at=row.created_at,
            next_attempt_at=row.next_attempt_at,
            being_sent=row.lease_until is not None and row.lease_until > now,
            delivered_at=row.delivered_at,
            error=row.last_error,
        )
    return list(found.values())


def summary(connection: Connection) -> tuple[int, datetime | None]:
    """How many messages are pending, and when the oldest was queued of those that wait for no digest."""
    count, oldest = connection.execute(_SUMMARY).one()
    return int(count), oldest


def lines(connection: Connection, incidents: Collection[str]) -> list[Standing]:
    """Every message about these incidents, those to one receiver in their order."""
    firing = case((transition.c.state == IncidentState.FIRING.value, 1), else_=0)
    messages = (
        select(outbox.c.id, outbox.c.receiver, outbox.c.incident, outbox.c.number, outbox.c.state, firing)
        .join_from(outbox, transition, _STEP)
        .order_by(outbox.c.number)
    )
    found: list[Standing] = []
    rest = list(incidents)
    while rest:
        some, rest = rest[:_AT_ONCE], rest[_AT_ONCE:]
        rows = connection.execute(messages.where(outbox.c.incident.in_(some)))
        found += [Standing(*row[:4], DeliveryState(row[4]), bool(row[5])) for row in rows]
    return found


def peek(
    connection: Connection, limits: Mapping[str, int], now: datetime, others: int, reported: Mapping[str, Report]
) -> list[Delivery]:
    """What to send now if these reports had been noted: each batch as it is, and all else alone."""
    pending = [corrected(one, reported) for one in waiting(connection, asked(limits, others))]
    heads = first_in_line([one for one in pending if one is not None])
    chosen = choose(turns(heads, None, {}), limits, others, now)
    known = lines(connection, {one.incident for turn in chosen for one in turn.messages})
    ends = {one.id for one in known if not one.firing}
    told = {
        (one.receiver, one.incident) for one in known if one.firing and stands(one, reported) is DeliveryState.DELIVERED
    }
    return [
        delivery_of(connection, turn)
        for turn in chosen
        if all(one.id not in ends or (one.receiver, one.incident) in told for one in turn.messages)
    ]


def corrected(message: Waiting, reported: Mapping[str, Report]) -> Waiting | None:
    """The message as it waits according to the reports; None if it waits no longer."""
    report = reported.get(message.id)
    if report is None:
        return message
    if report.result.state is not DeliveryState.PENDING:
        return None
    due_at = report.result.next_attempt_at or message.due_at
    return replace(message, attempts=report.attempts, due_at=due_at, lease_until=report.lease_until)
