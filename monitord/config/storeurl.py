"""Where the store is: a URL and the file that it names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SQLITE_PREFIX = "sqlite:///"
_DEFAULT_STATE_DIRECTORY = "/var/lib/monitord"


def store_url(written: str | None, file: Path | None, environment: Mapping[str, str]) -> str:
    """The URL that ``store:`` in this file says, relative to the file; without one, the state directory's."""
    if written is None or file is None:
        directory = environment.get("STATE_DIRECTORY", "").partition(":")[0] or _DEFAULT_STATE_DIRECTORY
        return f"{SQLITE_PREFIX}{directory}/monitord.db"
    path, question_mark, options = written.removeprefix(SQLITE_PREFIX).partition("?")
    return f"{SQLITE_PREFIX}{file.parent.absolute() / path}{question_mark}{options}"


def store_file(url: str) -> Path:
    """The file in a URL that ``store_url`` gave."""
    return Path(url.removeprefix(SQLITE_PREFIX).partition("?")[0])
