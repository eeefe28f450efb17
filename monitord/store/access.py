"""The one connection to a store: to write it now, or as soon as that can be, or only to read it."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from monitord.store.faults import StoreError, explain, is_systemic
from monitord.store.lock import WriterLock
from monitord.store.opening import open_to_read, open_to_write, open_unwritable, refuse_unknown_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from monitord.store.opening import Database


class Access:
    """Belongs to one thread. ``notes`` are sentences for the log about how it was opened.

    Where a store that is there cannot be written when it is opened, as on a full disk or one that has become read-only,
    it is read; each attempt to write it tries to open it anew.
    """

    def __init__(self, path: Path, now: Callable[[], datetime], *, exclusive: bool) -> None:
        """Open it, with the lock if it is exclusive. Raises StoreError and what the libraries raise."""
        self._path = path
        self._now = now
        self._lock: WriterLock | None = None
        self._is_postponed = False
        try:
            self._database = self._open() if exclusive else open_to_read(path)
            self._file = _identity(path)
        except BaseException:
            self._unlock()
            raise
        self.notes = self._database.notes

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads."""
        with self._database.reading.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the right to write from its beginning."""
        # SQLite would go on writing into a file that has no name any more.
        if _identity(self._path) != self._file:
            raise StoreError(
                f"store {self._path}: the file was moved or removed under the running monitord; restart it"
            )
        if self._is_postponed:
            self._take_up_writing()
        with self._database.writing.begin() as connection:
            yield connection

    def _take_up_writing(self) -> None:
        # First, since a connection that found no way to write keeps others of its process from it.
        self._database.reading.dispose()
        try:
            self._database = self._open_to_write()
        except BaseException:
            self._database = open_unwritable(self._path)
            raise
        self._file = _identity(self._path)
        self._is_postponed = False

    def close(self) -> None:
        """Let go of it."""
        self._database.reading.dispose()
        self._unlock()

    def _open(self) -> Database:
        refuse_unknown_file(self._path)
        try:
            return self._open_to_write()
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            if not (is_systemic(error) and self._path.exists()):
                raise
            try:
                found = open_unwritable(self._path)
            except (SQLAlchemyError, sqlite3.Error, OSError, StoreError):
                raise error from None
            self._is_postponed = True
            cause = explain(self._path, error)
            return found.noted(f"{cause}; until then what is seen is kept in memory, and alerts go out from there")

    def _open_to_write(self) -> Database:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lock is None:
            self._lock = WriterLock(self._path)
        return open_to_write(self._path, self._now)

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
