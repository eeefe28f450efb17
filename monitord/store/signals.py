"""Facts that signals brought, and what their sources keep for themselves, as rows.

Bodies and values are texts that only the sources' side reads: what one version wrote and another cannot read costs
that row alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, delete, select

from monitord.store.schema import signal_fact, signal_state
from monitord.store.upsert import replace_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

EVERY_HOST = ""
"""The host of facts that concern every endpoint."""


class FactRow(NamedTuple):
    """A fact about a host as it is kept; a later one with its identity takes its place.

    ``body`` is its text, and ``source`` who told it.
    """

    host: str
    identity: str
    source: str
    learned_at: datetime
    body: str


def load_facts(connection: Connection) -> list[FactRow]:
    """Every fact, in the order in which they were learned."""
    rows = connection.execute(select(signal_fact).order_by(signal_fact.c.learned_at, signal_fact.c.identity))
    return [FactRow(row.host, row.identity, row.source, row.learned_at, row.body) for row in rows]


def load_states(connection: Connection) -> dict[str, dict[str, str]]:
    """What each source keeps for itself: by its name, a text for each key."""
    states: dict[str, dict[str, str]] = {}
    for row in connection.execute(select(signal_state)):
        states.setdefault(row.source, {})[row.key] = row.value
    return states


def write_facts(
    connection: Connection,
    facts: Sequence[tuple[str, str, str, datetime, str]],
    gone: Collection[tuple[str, str]],
) -> None:
    """Write these facts, each in the place of an earlier one, and delete those that are ``gone``: (host, identity)."""
    for host, identity in gone:
        here = and_(signal_fact.c.host == host, signal_fact.c.identity == identity)
        connection.execute(delete(signal_fact).where(here))
    replace_rows(connection, signal_fact, [FactRow(*fact)._asdict() for fact in facts])


def write_state(connection: Connection, source: str, state: Mapping[str, str | None]) -> None:
    """Replace what the source keeps under these keys; None deletes a key."""
    for key in [key for key, value in state.items() if value is None]:
        here = and_(signal_state.c.source == source, signal_state.c.key == key)
        connection.execute(delete(signal_state).where(here))
    rows = [{"source": source, "key": key, "value": value} for key, value in state.items() if value is not None]
    replace_rows(connection, signal_state, rows)


def prune(connection: Connection, hosts: Collection[str], before: datetime) -> int:
    """Delete facts from before then, and those about hosts other than these; how many that were."""
    told = connection.execute(select(signal_fact.c.host).distinct()).scalars().all()
    strange = set(told) - {EVERY_HOST, *hosts}
    deleted = connection.execute(delete(signal_fact).where(signal_fact.c.learned_at < before)).rowcount
    for host in strange:
        deleted += connection.execute(delete(signal_fact).where(signal_fact.c.host == host)).rowcount
    return deleted
