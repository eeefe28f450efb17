"""What can go wrong with the store, as sentences for people."""

from __future__ import annotations

import errno
import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy.exc import StatementError

from monitord.errors import MonitordError

if TYPE_CHECKING:
    from pathlib import Path

_PRIMARY_CODE = 0xFF  # the rest of an extended SQLite result code only refines it
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_OF_THE_VALUE = frozenset(
    {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE}
)
_CAUSES = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_READONLY: "it is read-only; make the file and its directory writable",
    sqlite3.SQLITE_BUSY: "another process holds it locked; find it with fuser",
    sqlite3.SQLITE_LOCKED: "another process holds it locked; find it with fuser",
    sqlite3.SQLITE_IOERR: "the disk reports an I/O error; check the disk, its quota and the kernel log",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the path exists and who may read and write it",
    sqlite3.SQLITE_PERM: "access is denied; check who may read and write the file and its directory",
    sqlite3.SQLITE_CORRUPT: "its content is damaged; restart monitord, which moves it aside and begins a new one",
    sqlite3.SQLITE_NOTADB: "it is not a database; check the path",
}

_SYSTEM_CAUSES = {
    errno.EACCES: _CAUSES[sqlite3.SQLITE_PERM],
    errno.EPERM: _CAUSES[sqlite3.SQLITE_PERM],
    errno.EROFS: _CAUSES[sqlite3.SQLITE_READONLY],
    errno.ENOSPC: _CAUSES[sqlite3.SQLITE_FULL],
    errno.EDQUOT: _CAUSES[sqlite3.SQLITE_FULL],
    errno.EIO: _CAUSES[sqlite3.SQLITE_IOERR],
}


class StoreError(MonitordError):
    """The store cannot be opened, read or written; the text names the file and the cause.

    ``systemic`` says that the store is at fault, or what it lies on; if not, it is what was to be written.
    """

    def __init__(self, sentence: str, *, systemic: bool = True) -> None:
        """The sentence for people, and whether anything else would have failed as well."""
        super().__init__(sentence)
        self.systemic = systemic


def explain(path: Path, error: Exception) -> str:
    """One sentence on why the store could not do what was asked."""
    original = _original(error)
    code = _code(original)
    cause = _CAUSES.get(code) if code is not None else None
    if cause is None and isinstance(original, OSError):
        cause = _SYSTEM_CAUSES.get(original.errno or 0, original.strerror)
    if cause is None and code == sqlite3.SQLITE_CONSTRAINT:
        cause = f"a change contradicts what is stored ({original}); nothing of it was kept"
    elif cause is None and isinstance(original, ValueError):
        cause = f"a value cannot be read or written ({original})"
    return f"store {path}: {cause or original}"


def is_systemic(error: Exception) -> bool:
    """Whether anything else would have failed as well: not so where a value or a constraint is to blame.

    Values that never reach SQLite fail without a code of SQLite's.
    """
    original = _original(error)
    code = _code(original)
    return isinstance(original, OSError) if code is None else code not in _OF_THE_VALUE


def is_corruption(error: Exception) -> bool:
    """Whether the database itself is damaged, so that opening it again cannot help."""
    return _code(_original(error)) in _CORRUPT


def _original(error: Exception) -> BaseException:
    return error.orig if isinstance(error, StatementError) and error.orig is not None else error


def _code(error: BaseException) -> int | None:
    code = getattr(error, "sqlite_errorcode", None) if isinstance(error, sqlite3.Error) else None
    return None if code is None else code & _PRIMARY_CODE
