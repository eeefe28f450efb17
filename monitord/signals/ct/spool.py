"""The directory by which certspotter's hook hands over to monitord: one file for each event, in JSON.

Two programs share it, perhaps as two users. So a file appears by renaming, complete or not at all; its name is the
SHA-256 of its content, so that the same event again makes no second file; and what is read is taken for hostile: only
regular files, no links, nothing larger than is written here. Nothing but files of such names is touched.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monitord.errors import MonitordError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

MOST_FILES = 10_000
LARGEST_CHAIN = 1024 * 1024
_LARGEST_FILE = 2 * LARGEST_CHAIN
_NAME = re.compile(r"[0-9a-f]{64}\.json")
_UNFINISHED = ".unfinished-"
_ASIDE = "faulty"
_MOST_ASIDE = 100
_LONGEST_TEXT = 500
# Certificates of public logs are no secret, and monitord runs as another user than certspotter.
_FILE_MODE, _DIRECTORY_MODE = 0o644, 0o775


class SpoolError(MonitordError):
    """The spool cannot be written, or a file in it not be used."""


@dataclass(frozen=True, slots=True)
class Event:
    """What certspotter told: a certificate chain as it wrote it, and where it was logged; or a problem of its own."""

    chain: bytes = b""
    log: str = ""
    entry: str = ""
    problem: str = ""


def spool_beside(store: Path) -> Path:
    """The spool of the monitord whose database is this file."""
    return store.parent / "ct-hook"


def put(spool: Path, event: Event) -> None:
    """Hand an event over; it is on the disk when this returns. Raises SpoolError."""
    content = json.dumps(
        {
            "chain": base64.b64encode(event.chain).decode("ascii"),
            "log": printable(event.log),
            "entry": printable(event.entry),
            "problem": printable(event.problem),
        }
    ).encode("ascii")
    try:
        _make(spool)
        target = spool / f"{hashlib.sha256(content).hexdigest()}.json"
        if not target.exists() and sum(1 for _ in _files(spool)) >= MOST_FILES:
            raise SpoolError(f"the spool {spool} is full: {MOST_FILES} files wait in it; see that monitord runs")
        _write(spool, target, content)
    except OSError as error:
        raise SpoolError(
            f"the spool {spool} cannot be written: {error.strerror or error}; make it, and give certspotter's user the "
            "right to write there"
        ) from error


def waiting(spool: Path, most: int) -> list[str]:
    """The names of the files in the spool, at most so many, the longest waiting first; none where there is no spool.

    Raises SpoolError.
    """
    try:
        found = [(entry.stat(follow_symlinks=False).st_mtime, entry.name) for entry in _files(spool)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SpoolError(f"the spool {spool} cannot be read: {error.strerror or error}") from error
    return [name for _, name in sorted(found)[:most]]


def take(spool: Path, name: str) -> Event:
    """The event in the file of this name; the file stays. Raises SpoolError for one that ``put`` did not write."""
    try:
        # Neither a link to somewhere else nor a pipe without a writer.
        descriptor = os.open(spool / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SpoolError("it is not a regular file")
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(_LARGEST_FILE + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SpoolError(f"it cannot be read: {error.strerror or error}") from error
    if len(content) > _LARGEST_FILE:
        raise SpoolError(f"it has more than {_LARGEST_FILE} bytes")
    try:
        found = json.loads(content)
        texts = [found[key] for key in ("log", "entry", "problem")]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("not texts")
        chain = base64.b64decode(found["chain"], validate=True)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise SpoolError("it is not an event that monitord ct-hook wrote") from None
    return Event(chain, *map(printable, texts))


def remove(spool: Path, name: str) -> None:
    """Remove a file; it may be gone already. Raises SpoolError."""
    if not _NAME.fullmatch(name):
        return
    try:
        (spool / name).unlink(missing_ok=True)
    except OSError as error:
        raise SpoolError(
            f"{spool / name} cannot be removed: {error.strerror or error}; "
            "give monitord's user the right to write there"
        ) from error


def set_aside(spool: Path, name: str) -> None:
    """Move a file out of the way for a person to look at; at most a hundred are kept. Raises SpoolError."""
    aside = spool / _ASIDE
    try:
        _make(aside)
        # Not where a link leads: whoever may write to the spool could have files deleted there.
        directory = os.open(aside, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.rename(spool / name, name, dst_dir_fd=directory)
            _thin_out(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise SpoolError(f"{spool / name} cannot be moved to {aside}: {error.strerror or error}") from error


def clear_unfinished(spool: Path, now: datetime, age: timedelta) -> None:
    """Remove what a hook that was killed has left, once it is this old."""
    with contextlib.suppress(OSError), os.scandir(spool) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                old = now.timestamp() - entry.stat(follow_symlinks=False).st_mtime > age.total_seconds()
                if entry.name.startswith(_UNFINISHED) and old:
                    Path(entry.path).unlink(missing_ok=True)


def printable(text: str) -> str:
    """The text, bounded and without anything that a terminal or a log would obey."""
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST_TEXT])


def _files(spool: Path) -> list[os.DirEntry[str]]:
    with os.scandir(spool) as entries:
        return [entry for entry in entries if _is_ours(entry)]


def _thin_out(directory: int) -> None:
    """Delete the oldest files of the spool's kind in the directory with this descriptor, beyond a hundred."""
    with os.scandir(directory) as entries:
        found = [(entry.stat(follow_symlinks=False).st_mtime, entry.name) for entry in entries if _is_ours(entry)]
    for _, name in sorted(found)[:-_MOST_ASIDE]:
        with contextlib.suppress(IsADirectoryError):
            os.unlink(name, dir_fd=directory)


def _is_ours(entry: os.DirEntry[str]) -> bool:
    return _NAME.fullmatch(entry.name) is not None


def _make(directory: Path) -> None:
    if not directory.is_dir():
        directory.mkdir(mode=_DIRECTORY_MODE)


def _write(spool: Path, target: Path, content: bytes) -> None:
    descriptor, unfinished = tempfile.mkstemp(prefix=_UNFINISHED, dir=spool)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            os.fchmod(descriptor, _FILE_MODE)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(unfinished).rename(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(unfinished).unlink()
        raise
    directory = os.open(spool, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
