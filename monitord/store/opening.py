"""From a URL to a database that is sound and has the newest schema, or to one sentence on why not."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import StaticPool

from monitord.store.faults import StoreError, is_corruption
from monitord.store.migrate import Age, age_of_schema, migrate

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_BUSY_SECONDS = 3.0
_MAGIC = b"SQLite format 3\0"
_SIDE_FILES = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Database:
    """An open database: ``reading`` and ``writing`` share one connection, which belongs to the opening thread.

    A transaction of ``writing`` holds the write lock from its start: one that began by reading could not get it
    later if another writer came between. ``notes`` are sentences for the log.
    """

    reading: Engine
    writing: Engine
    notes: tuple[str, ...]

    def noted(self, note: str) -> Database:
        """The same with one more note."""
        return replace(self, notes=(*self.notes, note))


def store_path(url: str) -> Path:
    """The file that a ``sqlite:///`` URL names. Raises StoreError for any other URL."""
    advice = "write it as sqlite:////absolute/path/monitord.db"
    try:
        parsed = make_url(url)
    except ArgumentError as error:  # its text quotes the URL, which may hold a password
        raise StoreError(f"the store's URL cannot be read; {advice}") from error
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise StoreError(f"store {parsed.render_as_string(hide_password=True)}: only SQLite is supported; {advice}")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:") or parsed.query:
        raise StoreError(f"store {url}: it must name a file and nothing else; {advice}")
    return Path(parsed.database).absolute()


def refuse_unknown_file(path: Path) -> None:
    """Raise StoreError for a file that is no database and that monitord never opened: it must stay where it is.

    Asked before the lock is taken, because the lock file is what tells that monitord had the file before.
    """
    if not path.exists() or Path(f"{path}.lock").exists():
        return
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) not in (b"", _MAGIC):
            raise StoreError(f"store {path}: this file is not a database; use another file")


def open_to_write(path: Path, now: Callable[[], datetime]) -> Database:
    """The database, made or migrated as needed; a damaged one is moved aside and a fresh one begun.

    Raises StoreError when it belongs to a newer monitord or to another program, and the errors of SQLAlchemy,
    sqlite3 and the system when it cannot be used at all.
    """
    notes: list[str] = []
    _create(path)
    age, damage = _examine(path)
    if damage is not None:
        aside = _move_aside(path, now())
        _create(path)
        age = Age.EMPTY
        notes.append(
            f"the store {path} was damaged ({damage}): it was moved to {aside} and a new one begun; history, open "
            "incidents and undelivered alerts in it are lost, and what is still wrong will be alerted again"
        )
    _refuse_strange(age, path)
    engine = _engine(path, read_only=False)
    writing = engine.execution_options(writing=True)
    try:
        with writing.begin() as connection:  # which fails where SQLite opens it but could not write
            if age is not Age.CURRENT:
                migrate(connection)
    except BaseException:
        engine.dispose()
        raise
    if age is Age.OLDER:
        notes.append(f"the store {path} was brought to the newest schema")
    return Database(engine, writing, tuple(notes))


def open_to_read(path: Path) -> Database:
    """The database beside a running writer; nothing is made, migrated or repaired.

    Raises StoreError when it is not there or has another schema, and the errors of SQLAlchemy, sqlite3 and the
    system when it cannot be read.
    """
    if not path.exists():
        raise StoreError(f"store {path}: there is none yet; it is made when monitord runs for the first time")
    return _opened_to_read(path, _engine(path, read_only=True))


def _opened_to_read(path: Path, engine: Engine) -> Database:
    try:
        with engine.connect() as connection:
            age = age_of_schema(connection)
        _refuse_strange(age, path)
        if age is not Age.CURRENT:
            raise StoreError(f"store {path}: it has an older schema; restart the monitord that runs on it to update it")
    except BaseException:
        engine.dispose()
        raise
    return Database(engine, engine, ())


def open_unwritable(path: Path) -> Database:
    """The database as far as it can be read where nothing can be written, not even the files beside it.

    Raises StoreError and the errors of SQLAlchemy, sqlite3 and the system when it cannot, which is so where a log
    beside it has news that only a writer can take in.
    """
    log = Path(f"{path}-wal")
    has_news = log.exists() and log.stat().st_size > 0
    return open_to_read(path) if has_news else _opened_to_read(path, _engine(path, read_only=True, immutable=True))


def _create(path: Path) -> None:
    """An empty file if there is none; SQLite gives the side files the mode of this one.

    Those that it made while this one could only be read are given its mode now, or nothing could be written again.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    mode = os.fstat(descriptor).st_mode & 0o666
    os.close(descriptor)
    for side in _SIDE_FILES[1:]:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            Path(f"{path}{side}").chmod(mode)


def _examine(path: Path) -> tuple[Age, str | None]:
    """The age of the schema and what is damaged, if anything; found without changing the file, which may be foreign."""
    engine = _engine(path, read_only=True)
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalars().all()
            if found != ["ok"]:
                return Age.EMPTY, " ".join(" ".join(map(str, found)).split())
            return age_of_schema(connection), None
    except (DBAPIError, sqlite3.Error) as error:
        if not is_corruption(error):
            raise
        return Age.EMPTY, str(error.orig if isinstance(error, DBAPIError) else error)
    finally:
        engine.dispose()


def _refuse_strange(age: Age, path: Path) -> None:
    if age is Age.NEWER:
        raise StoreError(
            f"store {path}: it was written by a newer monitord; install that version, or use another store"
        )
    if age is Age.FOREIGN:
        raise StoreError(f"store {path}: it is a database of another program; use another file")


def _engine(path: Path, *, read_only: bool, immutable: bool = False) -> Engine:
    url = URL.create("sqlite", database=str(path))
    if immutable:  # SQLite then needs no file beside it
        query = {"uri": "true", "mode": "ro", "immutable": "1"}
        url = URL.create("sqlite", database=f"file:{quote(str(path))}", query=query)
    engine = create_engine(
        url,
        poolclass=StaticPool,
        # Without an isolation level Python's sqlite3 leaves transactions to us.
        connect_args={"isolation_level": None, "timeout": _BUSY_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        settings = ("query_only=ON",) if read_only else ("foreign_keys=ON", "journal_mode=WAL", "synchronous=FULL")
        try:
            for setting in settings:
                connection.cursor().execute(f"PRAGMA {setting}")
        except sqlite3.Error:
            connection.close()
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _move_aside(path: Path, now: datetime) -> Path:
    """Rename the file and its side files, so that they stay usable together; the new name."""
    stem = f"{path}.corrupt-{now:%Y%m%dT%H%M%SZ}"
    aside, copy = Path(stem), 1
    while aside.exists():
        copy += 1
        aside = Path(f"{stem}-{copy}")
    for side in _SIDE_FILES:
        source = Path(f"{path}{side}")
        if source.exists():
            source.rename(f"{aside}{side}")
    return aside
