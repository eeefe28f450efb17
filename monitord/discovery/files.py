"""Files by patterns, and whether they have changed: looked at again and again, which works on every file system."""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import os
import re
from typing import TYPE_CHECKING

from monitord.config.reading import matching_files
from monitord.errors import MonitordError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    Signature = tuple[int, int, int] | None
    Snapshot = Mapping[str, Signature]


class PatternError(MonitordError):
    """What a pattern stands for cannot be told, which is something else than that it stands for nothing."""


def snapshot(main: Path, patterns: Iterable[str]) -> Snapshot:
    """The files that patterns in the file ``main`` stand for, each with what changes when it does; None: not there.

    Hidden files, and whatever else a pattern does not match by the rules of a shell, are left out.
    """
    seen: dict[str, Signature] = {}
    for pattern in patterns:
        directory, name = os.path.split(os.path.join(main.parent, pattern))  # noqa: PTH118 - it may be absolute
        if glob.has_magic(name) and not glob.has_magic(directory) and not name.startswith("."):
            seen |= _in_directory(directory, name)
        else:
            seen |= {str(path): signature(path) for path in matching_files(main, pattern)}
    return seen


def _in_directory(directory: str, pattern: str) -> dict[str, Signature]:
    """The files in one directory, of which there may be ten thousand: listed once, and each looked at once."""
    matches = re.compile(fnmatch.translate(pattern)).match
    seen: dict[str, Signature] = {}
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if matches(entry.name) and not entry.name.startswith("."):
                try:
                    seen[entry.path] = _signature(entry.stat())
                except OSError:  # a link to nowhere, or gone meanwhile
                    seen[entry.path] = None
    return seen


def signature(path: Path) -> Signature:
    """What differs when a file was written or replaced, None where there is no file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return _signature(found)


def _signature(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_mtime_ns, found.st_size, found.st_ino


def files_of(main: Path, pattern: str) -> list[Path]:
    """The files that a pattern stands for.

    Raises PatternError for a plain name without a file, and where the directory cannot be read: neither says that all
    its endpoints are gone.
    """
    if not glob.has_magic(pattern):
        path = main.parent / pattern
        if signature(path) is None:
            raise PatternError(f"there is no file {path}")
        return [path]
    directory = os.path.dirname(os.path.join(main.parent, pattern))  # noqa: PTH118, PTH120 - it may have magic
    if not glob.has_magic(directory):
        try:
            os.scandir(directory).close()
        except OSError as error:
            raise PatternError(f"{directory} cannot be read: {error.strerror}") from error
    return matching_files(main, pattern)


class Changes:
    """Tells that files have changed, once for each change, and not while they are being written."""

    def __init__(self, look: Callable[[], Snapshot]) -> None:
        """``look`` gives what is there now; that is what is known."""
        self._look = look
        self.accept()

    def accept(self) -> None:
        """What is there now is known."""
        self._known = self._last = self._look()

    def settled(self) -> bool:
        """Whether there is something that was not known, and the same as at the last look; it is known from then on."""
        before, self._last = self._last, self._look()
        if self._last == self._known or self._last != before:
            return False
        self._known = self._last
        return True
