"""Which configuration is in force, and how another takes its place while everything runs.

It does so when the operator asks, when included files, lists of endpoints or trust stores have changed, one after the
other. What is faulty changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from monitord.config.faults import ConfigurationError
from monitord.config.load import load
from monitord.config.truststores import TrustStoreError
from monitord.daemon.rooms import round_settings
from monitord.notify.senders import build_channels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from monitord.config.settings import Configuration
    from monitord.daemon.rooms import Rooms
    from monitord.notify.relay import Log
    from monitord.systemd import ServiceManager


class Reloading:
    """Keeps ``configuration``, the one in force, and hands another one to the ``rooms``, to be set before any comes."""

    rooms: Rooms

    def __init__(
        self,
        configuration: Configuration,
        path: Path,
        environ: Mapping[str, str],
        *,
        manager: ServiceManager,
        now: Callable[[], datetime],
        log: Log,
    ) -> None:
        """In force is ``configuration``, as loaded from ``path``."""
        self.configuration = configuration
        self._path = path
        self._environ = environ
        self._manager = manager
        self._now = now
        self._log = log
        self._lock = asyncio.Lock()

    async def read_trust(self) -> None:
        """Follow trust stores whose files were replaced, as by an update of the system's or of certifi's."""
        before = self.configuration
        try:
            fresh = await asyncio.to_thread(before.trust_sources.read_all, self._environ)
        except TrustStoreError as error:
            self._log.error("a trust store cannot be read; the one read before stays in force", error=str(error))
            return
        async with self._lock:
            changed = [name for name, store in fresh.items() if store.sha256 != before.trust_stores[name].sha256]
            if self.configuration is not before or not changed:
                return
            self._log.warning("trust stores have changed and are followed", stores=", ".join(changed))
            self.configuration = replace(before, trust_stores=fresh)
            await self.rooms.cycle.reconfigure(round_settings(self.configuration))

    def say_watching(self) -> None:
        """Tell the service manager how many domains are watched."""
        self._manager.status(f"watching {len(self.configuration.targets)} domains")

    async def reload_on(self, asked: asyncio.Event) -> None:
        """Reload each time that this is set, until cancelled."""
        while True:
            await asked.wait()
            asked.clear()
            await self.reload()

    async def reload_by_http(self) -> tuple[bool, str]:
        """Whether a reload succeeded, and a sentence about it."""
        answer = await self.reload()
        return answer["ok"], answer["message"]

    async def reload(self) -> dict[str, Any]:
        """Load the configuration anew. A faulty one changes nothing, and its faults are the answer."""
        async with self._lock:
            self._manager.reloading()
            try:
                return await self._load()
            except Exception as error:  # noqa: BLE001 - the old configuration goes on, and the next reload may succeed
                self._log.error("a reload failed", exc_info=error)
                self.rooms.metrics.config_reload(ok=False, now=self._now())
                return {"ok": False, "message": f"monitord could not reload ({type(error).__name__}); see its log"}
            finally:
                self._manager.ready()

    async def _load(self) -> dict[str, Any]:
        rooms = self.rooms
        await rooms.discovering.reading()
        try:
            fresh = await asyncio.to_thread(load, self._path, environment=self._environ)
        except ConfigurationError as error:
            rooms.metrics.config_reload(ok=False, now=self._now())
            for fault in error.faults:
                self._log.error("reload refused", fault=str(fault))
            message = "the new configuration is faulty, so the old one stays in force:"
            return {"ok": False, "message": f"{message}\n{error}"}
        old, fresh = self.configuration, await rooms.discovering.follow(fresh)
        # Before the cycle: what it queues for a new receiver must find the way there.
        channels = build_channels(fresh.receivers)
        rooms.relay.replace_channels(channels, fresh.alerts.waits)
        rooms.resender.follow(fresh.receivers, channels)
        await self._follow(fresh)
        rooms.metrics.set_receivers(receiver.name for receiver in fresh.receivers)
        rooms.wellbeing.follow((receiver.name for receiver in fresh.receivers), fresh.heartbeat)
        rooms.metrics.policy(fresh.release_time, fresh.horizon)
        rooms.metrics.config_reload(ok=True, now=self._now())
        fixed = [name for name in ("store", "web", "probing") if getattr(old, name) != getattr(fresh, name)]
        message = f"reloaded: watching {len(fresh.targets)} domains"
        if fixed:
            message += f"; restart monitord for the changed settings {', '.join(fixed)} to take effect"
        self._log.info(message)
        return {"ok": True, "message": message}

    async def _follow(self, configuration: Configuration) -> None:
        """Go on with this configuration."""
        rooms, self.configuration = self.rooms, configuration
        await rooms.cycle.reconfigure(round_settings(configuration))
        rooms.foresight.follow(configuration)
        rooms.metrics.set_targets(configuration.targets)
        rooms.fleet.set_targets(configuration.targets)
        rooms.metrics.incidents(rooms.cycle.open_incidents)
        rooms.scheduler.update(configuration.targets)
        self.say_watching()

    async def discover(self) -> None:
        """Follow the lists of endpoints."""
        if await self.rooms.discovering.look():
            async with self._lock:
                await self._follow(self.rooms.discovering.complete(self.configuration))
            self._log.info(f"lists of endpoints have changed: watching {len(self.configuration.targets)} domains")

    async def watch_files(self) -> None:
        """Load the configuration anew when an included file was written, added or removed."""
        if await self.rooms.discovering.files_changed():
            self._log.info("included files have changed")
            await self.reload()
