"""The lists in force, and the file that keeps them over a restart.

A list with faults is not taken: the last good one stays in force, for an endpoint that vanished by mistake would be one
that nobody watches. Only where there is no good one is the sound part of a faulty list taken.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from monitord.config.discovered import Listed, read_list
from monitord.config.document import read_capped
from monitord.errors import MonitordError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from monitord.config.discovery import HttpList, ListRules
    from monitord.pinning.target import Target

    Found = Mapping[tuple[str, int], tuple[Target, str]]

_VERSION = 1
_MOST_SAVED = 256 * 1024 * 1024


class ListKey(NamedTuple):
    """A list: the ``source`` as configured, without secrets, and which of its lists it is.

    ``place`` is the path of a file, or a hash of the URL, which may hold a token.
    """

    source: str
    place: str

    @property
    def is_file(self) -> bool:
        """Whether it lies in a file, whose lines can be told."""
        return os.path.isabs(self.place)  # noqa: PTH117 - a hash is no path


class SavedListsError(MonitordError):
    """The lists cannot be kept, or those that were kept not be read."""


def file_key(pattern: str, path: Path) -> ListKey:
    """The key of a list in a file that a pattern matches."""
    return ListKey(pattern, str(path.absolute()))


def http_key(source: HttpList) -> ListKey:
    """The key of a list that a server gives out."""
    return ListKey(source.shown, hashlib.sha256(source.url.encode()).hexdigest())


def read(key: ListKey, data: bytes, rules: ListRules) -> Listed:
    """What the bytes of a list come to under these rules."""
    origin = key.place if key.is_file else key.source
    return read_list(data, origin, rules, lines=key.is_file)


class Lists:
    """The bytes of each list in force, and the endpoints in them."""

    def __init__(self) -> None:
        """There is no list."""
        self._held: dict[ListKey, tuple[bytes, Listed]] = {}
        self.revision = 0
        """Differs when other endpoints are in force."""

    def __contains__(self, key: object) -> bool:
        """Whether a list is in force."""
        return key in self._held

    def take(self, key: ListKey, data: bytes, listed: Listed, *, anyhow: bool = False) -> None:
        """Put a list in force, if it has no faults or the one before had some; ``anyhow``: in any case."""
        _, before = self._held.get(key, (b"", None))
        if before is None or before.faults or not listed.faults or anyhow:
            self._held[key] = (data, listed)
            self.revision += before is None or before.targets != listed.targets

    def keep(self, keys: Collection[ListKey]) -> None:
        """Leave only these lists in force, in this order."""
        kept = {key: self._held[key] for key in keys if key in self._held}
        self.revision += list(kept) != list(self._held)
        self._held = kept

    @property
    def texts(self) -> dict[ListKey, bytes]:
        """The bytes of every list in force."""
        return {key: data for key, (data, _) in self._held.items()}

    @property
    def found(self) -> Found:
        """The endpoints of all lists, each with the source that it is from; the first list that has one is heeded."""
        found: dict[tuple[str, int], tuple[Target, str]] = {}
        for key, (_, listed) in self._held.items():
            for target in listed.targets:
                found.setdefault((target.host, target.port), (target, key.source))
        return found

    def count(self, source: str) -> int:
        """How many endpoints the lists of a source have."""
        return sum(len(listed.targets) for key, (_, listed) in self._held.items() if key.source == source)


def save(path: Path, texts: Mapping[ListKey, bytes]) -> None:
    """Keep these lists in a file, whole or not at all. Raises SavedListsError."""
    lists = [
        {"source": key.source, "place": key.place, "text": data.decode("utf-8", "replace")}
        for key, data in texts.items()
    ]
    content = json.dumps({"version": _VERSION, "lists": lists}).encode()
    try:
        descriptor, unfinished = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(unfinished).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(unfinished).unlink()
            raise
    except OSError as error:
        raise SavedListsError(f"{path} cannot be written: {error.strerror or error}") from error


def load_saved(path: Path) -> dict[ListKey, bytes]:
    """The lists that ``save`` kept, none where it never did. Raises SavedListsError."""
    try:
        content = json.loads(read_capped(path, limit=_MOST_SAVED))
        if content["version"] != _VERSION:
            raise SavedListsError(f"{path} was written by another version of monitord; the lists are read anew")
        return {ListKey(item["source"], item["place"]): item["text"].encode() for item in content["lists"]}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SavedListsError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise SavedListsError(f"{path} is not what monitord wrote; the lists are read anew") from None
