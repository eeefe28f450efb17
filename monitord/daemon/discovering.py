"""What the daemon does with lists of endpoints and with files that change: who reads them, and what follows."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

from monitord.discovery.discovery import Discovery
from monitord.discovery.files import Changes, snapshot
from monitord.discovery.known import saved_beside
from monitord.errors import MonitordError
from monitord.signals.fetch import Fetcher

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from monitord.config.settings import Configuration
    from monitord.discovery.discovery import Fetch, Listener, Log
    from monitord.discovery.files import Snapshot

_ANSWER_SECONDS = 20.0


class Discovering:
    """Adds the endpoints of lists to a configuration, and notices that lists or included files have changed."""

    def __init__(
        self, configuration: Configuration, *, metrics: Listener, now: Callable[[], datetime], log: Log
    ) -> None:
        """Nothing is read before ``begin``."""
        self._include = _included(configuration)
        self._included = Changes(self._look)
        self._fetchers: dict[Path | None, Fetch] = {}
        self._discovery = Discovery(
            configuration.discovery,
            saved=saved_beside(configuration.store),
            fetch=self._fetcher,
            listener=metrics,
            now=now,
            log=log,
        )

    async def begin(self, configuration: Configuration) -> Configuration:
        """The configuration with the endpoints of its lists; a server that is slow to answer is not waited for long."""
        await self._discovery.begin()
        return self.complete(configuration)

    async def look(self) -> bool:
        """Read what has changed or is due; whether other endpoints are in force now."""
        return await self._discovery.look()

    def complete(self, configuration: Configuration) -> Configuration:
        """The configuration with the endpoints that are in force now."""
        return configuration.with_discovered(self._discovery.found)

    async def files_changed(self) -> bool:
        """Whether what ``include`` stands for has changed since it was read, and was left alone for a moment."""
        return await asyncio.to_thread(self._included.settled)

    async def reading(self) -> None:
        """The configuration is about to be read: what has changed in files until now is known thereby."""
        await asyncio.to_thread(self._included.accept)

    async def follow(self, configuration: Configuration) -> Configuration:
        """Go by this configuration from now on; with the endpoints of its lists."""
        if (wanted := _included(configuration)) != self._include:
            self._include = wanted
            await self.reading()
        self._fetchers.clear()
        await self._discovery.follow(configuration.discovery)
        return self.complete(configuration)

    def _look(self) -> Snapshot:
        main, patterns = self._include
        return {} if main is None else snapshot(main, patterns)

    def _fetcher(self, ca_file: Path | None) -> Fetch:
        if ca_file not in self._fetchers:
            try:
                tls = None if ca_file is None else ssl.create_default_context(cafile=str(ca_file))
            except (OSError, ValueError) as error:  # replaced since the configuration was read
                raise MonitordError(f"{ca_file} has no certificates that can be used: {error}") from error
            self._fetchers[ca_file] = Fetcher(timeout=_ANSWER_SECONDS, tls=tls)
        return self._fetchers[ca_file]


def _included(configuration: Configuration) -> tuple[Path | None, tuple[str, ...]]:
    return configuration.path, configuration.include
