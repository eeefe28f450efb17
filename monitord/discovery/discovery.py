"""The discovery: reads the lists when they change or are due, and says what is in force.

Nothing here raises for what is wrong with a list. A fault is logged when it appears and when it is gone, and counted at
each look.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from monitord.config.document import MAX_FILE_BYTES, read_capped
from monitord.discovery.files import PatternError, files_of, signature
from monitord.discovery.lists import ListKey, Lists, SavedListsError, file_key, http_key, load_saved, read, save
from monitord.errors import MonitordError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import datetime

    from monitord.config.discovery import DiscoverySettings, HttpList
    from monitord.discovery.files import Signature
    from monitord.discovery.lists import Found

LOOK_SECONDS = 2.0
_FIRST_ANSWER_SECONDS = 10.0
_OK = 200
_KEEPING = ListKey("the lists that are kept", "")
"""What faults of the file that keeps the lists are noted under."""


class Answer(Protocol):
    """What a server answered."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def body(self) -> bytes:
        """The content."""


class Fetch(Protocol):
    """Asks servers."""

    async def get(self, url: str, *, limit: int, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer to a GET, of at most ``limit`` bytes. Raises MonitordError, whose sentence shows no secret."""


class Listener(Protocol):
    """Who is told how reading goes: the metrics."""

    def set_lists(self, targets: Mapping[str, int]) -> None:
        """So many endpoints each source has, of all that there are."""

    def list_read(self, source: str, at: datetime, *, success: bool) -> None:
        """A source was looked at."""


class Log(Protocol):
    """Where faults are told."""

    def info(self, event: str, **details: object) -> object:
        """Write one line."""

    def error(self, event: str, **details: object) -> object:
        """Write one line."""


class Discovery:
    """The lists of a configuration, kept up to date by calling ``look`` each ``LOOK_SECONDS``."""

    def __init__(
        self,
        settings: DiscoverySettings,
        *,
        saved: Path,
        fetch: Callable[[Path | None], Fetch],
        listener: Listener,
        now: Callable[[], datetime],
        log: Log,
    ) -> None:
        """Nothing is read before ``begin``. ``fetch`` makes what asks servers, for roots in a file or the system's."""
        self._settings = settings
        self._path = saved
        self._fetch = fetch
        self._listener = listener
        self._now = now
        self._log = log
        self._lists = Lists()
        self._taking = asyncio.Lock()
        self._signatures: dict[ListKey, Signature] = {}
        self._offered: dict[ListKey, tuple[bytes, tuple[str, ...]]] = {}
        self._faults: dict[ListKey, tuple[str, ...]] = {}
        self._due: dict[ListKey, float] = {}
        self._saved: Mapping[ListKey, bytes] = {}

    @property
    def found(self) -> Found:
        """The endpoints in force, each with its source."""
        return self._lists.found

    async def begin(self) -> None:
        """Go on from what was kept; read the files, and ask the servers whose list was not."""
        try:
            kept = await asyncio.to_thread(load_saved, self._path)
        except SavedListsError as error:
            self._log.error("discovery", fault=str(error))
            kept = {}
        self._saved = kept
        await self._read_again(kept)
        await self._catch_up()

    async def follow(self, settings: DiscoverySettings) -> None:
        """Go by another configuration: read what is in force by its rules, and what is new at once."""
        async with self._taking:
            before, self._settings = self._settings, settings
        if settings.rules != before.rules:
            for state in (self._signatures, self._offered, self._due):
                state.clear()
            await self._read_again(self._lists.texts)
        await self._catch_up()

    async def look(self) -> bool:
        """Read what has changed, and ask the servers that are due. Whether other endpoints are in force now."""
        before = self._lists.revision
        await self._look_at_files()
        await self._ask([source for source in self._settings.http_sd if self._is_due(http_key(source))])
        await self._settle()
        return self._lists.revision != before

    async def _catch_up(self) -> None:
        """Read the files, and ask the servers that have no list in force, each for a short while."""
        await self._look_at_files()
        waiting = [source for source in self._settings.http_sd if http_key(source) not in self._lists]
        try:
            async with asyncio.timeout(_FIRST_ANSWER_SECONDS):
                await self._ask(waiting)
        except TimeoutError:
            pass  # they are asked again soon
        await self._settle()

    async def _read_again(self, texts: Mapping[ListKey, bytes]) -> None:
        """Put lists in force as far as they are sound by the rules as they are now."""
        async with self._taking:
            for key, data in texts.items():
                listed = await asyncio.to_thread(read, key, data, self._settings.rules)
                self._lists.take(key, data, listed, anyhow=True)
                self._tell(key, tuple(map(str, listed.faults)))

    async def _look_at_files(self) -> None:
        async with self._taking:
            settings = self._settings
            if settings.main is None:
                return
            for pattern in settings.file_sd:
                await self._look_at_pattern(settings.main, pattern)

    async def _look_at_pattern(self, main: Path, pattern: str) -> None:
        whole, paths = ListKey(pattern, ""), list[Path]()
        try:
            paths = await asyncio.to_thread(files_of, main, pattern)
        except PatternError as error:
            self._tell(whole, (str(error),))
        else:
            self._tell(whole, ())
            present = {file_key(pattern, path) for path in paths}
            gone = {key for key in self._signatures if key.source == pattern} - present
            for key in gone | {key for key in self._lists.texts if key.source == pattern and key not in present}:
                self._forget(key)
        changed = False
        for path in paths:
            changed |= await self._look_at_file(file_key(pattern, path), path)
        if changed or self._is_due(whole):
            faulty = any(faults for key, faults in self._faults.items() if key.source == pattern)
            self._looked(whole, success=not faulty)

    async def _look_at_file(self, key: ListKey, path: Path) -> bool:
        """Read a file if it has changed; whether it has."""
        seen = await asyncio.to_thread(signature, path)
        if key in self._signatures and self._signatures[key] == seen:
            return False
        self._signatures[key] = seen
        try:
            data = await asyncio.to_thread(read_capped, path)
        except OSError as error:
            self._tell(key, (f"{path} cannot be read: {error.strerror or error}",))
            self._signatures.pop(key)  # it is tried again, for it may be readable without having changed
            return True
        await self._offer(key, data)
        return True

    async def _ask(self, sources: Iterable[HttpList]) -> None:
        """Ask servers, all at the same time."""
        await asyncio.gather(*(self._ask_one(source) for source in sources))

    async def _ask_one(self, source: HttpList) -> None:
        key = http_key(source)
        try:
            answer = await self._fetch(source.ca_file).get(
                source.url, limit=MAX_FILE_BYTES, headers=self._headers(source)
            )
            if answer.status != _OK:
                raise MonitordError(f"{source.shown} answered with the status {answer.status}, not 200")
        except MonitordError as error:
            faults: tuple[str, ...] = (str(error),)
        else:
            faults = ()
        async with self._taking:
            if source not in self._settings.http_sd:
                return  # taken out of the configuration meanwhile
            if faults:
                self._tell(key, faults)
            else:
                await self._offer(key, answer.body)
            self._looked(key, success=not self._faults.get(key))

    def _headers(self, source: HttpList) -> dict[str, str]:
        headers = {
            "accept": "application/json",
            "x-prometheus-refresh-interval-seconds": f"{self._settings.every.total_seconds():g}",
        }
        if source.token is not None:
            headers["authorization"] = f"Bearer {source.token.reveal()}"
        elif source.username is not None and source.password is not None:
            login = f"{source.username}:{source.password.reveal()}".encode()
            headers["authorization"] = f"Basic {base64.b64encode(login).decode()}"
        return headers

    async def _offer(self, key: ListKey, data: bytes) -> None:
        digest = hashlib.sha256(data).digest()
        before, faults = self._offered.get(key, (b"", ()))
        if before != digest:
            listed = await asyncio.to_thread(read, key, data, self._settings.rules)
            faults = tuple(map(str, listed.faults))
            self._offered[key] = (digest, faults)
            self._lists.take(key, data, listed)
        self._tell(key, faults)

    async def _settle(self) -> None:
        """Drop what is not configured any more, say what is in force, and keep it."""
        async with self._taking:
            settings = self._settings
            files = sorted(
                (key for key in self._lists.texts if key.is_file and key.source in settings.file_sd),
                key=lambda key: (settings.file_sd.index(key.source), key.place),
            )
            self._lists.keep([*files, *map(http_key, settings.http_sd)])
            sources = set(self._sources())
            _drop(self._signatures, sources)
            _drop(self._offered, sources)
            _drop(self._faults, sources | {_KEEPING.source})
            _drop(self._due, sources)
            self._count()
            texts = self._lists.texts
            if texts != self._saved:
                await self._save(texts)

    async def _save(self, texts: Mapping[ListKey, bytes]) -> None:
        try:
            await asyncio.to_thread(save, self._path, texts)
        except SavedListsError as error:
            self._tell(_KEEPING, (f"{error}; after a restart the lists are read anew",))
        else:
            self._tell(_KEEPING, ())
            self._saved = texts

    def _forget(self, key: ListKey) -> None:
        for state in (self._signatures, self._offered, self._faults):
            state.pop(key, None)
        self._lists.keep([one for one in self._lists.texts if one != key])

    def _is_due(self, key: ListKey) -> bool:
        return asyncio.get_running_loop().time() >= self._due.get(key, 0.0)

    def _looked(self, key: ListKey, *, success: bool) -> None:
        self._due[key] = asyncio.get_running_loop().time() + self._settings.every.total_seconds()
        self._count()
        self._listener.list_read(key.source, self._now(), success=success)

    def _count(self) -> None:
        self._listener.set_lists({source: self._lists.count(source) for source in self._sources()})

    def _sources(self) -> list[str]:
        return list(dict.fromkeys([*self._settings.file_sd, *(source.shown for source in self._settings.http_sd)]))

    def _tell(self, key: ListKey, faults: tuple[str, ...]) -> None:
        """Log what is wrong with a list when it is something else than before."""
        before = self._faults.get(key, ())
        self._faults[key] = faults
        if faults == before:
            return
        for fault in faults:
            self._log.error("a list of endpoints has a fault", fault=fault)
        if not faults:
            self._log.info("a list of endpoints has no fault any more", source=key.source)


def _drop(state: dict[ListKey, Any], sources: Collection[str]) -> None:
    """Forget what belongs to other sources."""
    for key in [key for key in state if key.source not in sources]:
        del state[key]
