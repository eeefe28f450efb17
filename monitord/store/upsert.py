"""Inserts that may meet a row that is there already: the only statements whose spelling depends on the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Column, Connection, Table

_INSERT: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def insert_missing(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows whose primary key is not there yet."""
    if rows:
        statement = _INSERT[connection.dialect.name](table)
        connection.execute(statement.on_conflict_do_nothing(index_elements=list(table.primary_key)), rows)


def insert_or_advance(connection: Connection, table: Table, row: dict[str, Any], clock: Column[int]) -> None:
    """Insert the row; one with its primary key is overwritten if its ``clock`` column stands lower, else kept."""
    statement = _INSERT[connection.dialect.name](table).values(row)
    keys = list(table.primary_key)
    changed = {name: statement.excluded[name] for name in row if name not in {key.name for key in keys}}
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=changed, where=clock < statement.excluded[clock.name])
    )


def replace_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows, each in the place of one with its primary key; all of them have every column."""
    if rows:
        statement = _INSERT[connection.dialect.name](table)
        keys = list(table.primary_key)
        changed = {column.name: statement.excluded[column.name] for column in table.columns if column not in keys}
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)
