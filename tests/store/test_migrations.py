from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from monitord.store import schema
from monitord.store.store import Store
from tests.store.samples import clock

if TYPE_CHECKING:
    from pathlib import Path


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """The answer of a database to a query."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def tables(path: Path) -> set[object]:
    """The tables of a database."""
    return {name for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def definitions(statement: str) -> list[str]:
    """What a CREATE statement defines, piece by piece; a column that was added later stands on no line of its own."""
    pieces, depth = [""], 0
    for character in statement:
        depth += {"(": 1, ")": -1}.get(character, 0)
        pieces[-1] += character
        if (character == "," and depth == 1) or (character == "(" and depth == 1):
            pieces.append("")
    *inner, last = [" ".join(piece.rstrip(",").split()) for piece in pieces]
    return [*inner, last.removesuffix(")").rstrip()]


async def test_migrations_make_the_schema(store: Store, path: Path) -> None:
    """An empty database, migrated, has exactly the tables, columns, types, keys and indices of the schema."""
    await store.close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


async def test_migrations_make_the_same_statements(store: Store, path: Path, tmp_path: Path) -> None:
    """Check constraints and conditions of indices, which Alembic does not compare, are those of the schema too."""
    await store.close()
    made = tmp_path / "made.db"
    engine = create_engine(f"sqlite:///{made}")
    schema.metadata.create_all(engine)
    engine.dispose()

    def statements(database: Path) -> dict[object, set[str]]:
        found = rows(
            database, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
        )
        return {name: set(definitions(str(sql))) for name, sql in found}

    assert statements(path) == statements(made)


async def test_empty_file_becomes_a_store(path: Path, url: str) -> None:
    """A file of no bytes, as a first start that was cut off leaves behind, is filled."""
    path.parent.mkdir()
    path.write_bytes(b"")  # noqa: ASYNC240 - a small local file
    store = await Store.open(url, now=clock)
    await store.check_writable()
    assert store.opened_notes == ()
    await store.close()
    assert "outbox" in tables(path)


def test_schema_is_good_for_postgresql() -> None:
    """Every table and index can be spelled for PostgreSQL; the open incident stays a partial unique index there."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in schema.metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
    (unique,) = schema.incident.indexes
    spelled = str(CreateIndex(unique).compile(dialect=dialect))
    assert spelled.startswith("CREATE UNIQUE INDEX uq_incident_open")
    assert spelled.endswith("WHERE state = 'firing'")
