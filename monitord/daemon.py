"""The daemon: puts the rooms together, keeps them running, reloads, and shuts down in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from monitord.__about__ import __version__
from monitord.config.faults import ConfigurationError
from monitord.config.load import load
from monitord.control import ControlServer, listening_path
from monitord.cycle import Cycle, RoundSettings
from monitord.errors import MonitordError
from monitord.logs import configure as configure_logs
from monitord.logs import get_logger
from monitord.metrics.exposition import Metrics
from monitord.notify.fault import DeliveryFault
from monitord.notify.relay import Relay
from monitord.notify.senders import build_senders
from monitord.pinning.conditions import Policy
from monitord.probe.prober import Prober
from monitord.probe.resolve import Resolver
from monitord.schedule import Scheduler
from monitord.store.store import Store
from monitord.systemd import ServiceManager
from monitord.web.server import Health, Sources, WebServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from monitord.config.settings import Configuration
    from monitord.outbox import Message
    from monitord.pinning.outcome import Outcome
    from monitord.schedule import Due

TICK_SECONDS = 0.5
_STALLED_SECONDS = 60.0
_MAINTENANCE_SECONDS = 5.0
_LOOKUP_THREADS = 32
_WRITE_CHECK_SECONDS = 60.0
_STUCK_SECONDS = 120.0
_DRAIN_ROUNDS_SECONDS = 5.0  # a round that is cut off is made up for at the next start
_DRAIN_RELAY_SECONDS = 10.0


def run(path: Path) -> None:
    """Run until SIGTERM or SIGINT. Raises MonitordError if it cannot start."""
    configure_logs()
    asyncio.run(Daemon(path, os.environ).run())


def _now() -> datetime:
    return datetime.now(UTC)


def round_settings(configuration: Configuration) -> RoundSettings:
    """What rounds need of a configuration."""
    return RoundSettings(
        timeout=configuration.timeout,
        policy=Policy(
            confirm=configuration.confirm,
            failures=configuration.failures,
            release_time=configuration.release_time,
            horizon=configuration.horizon,
            repeat=configuration.alerts.repeat,
            resolved=configuration.alerts.resolved,
        ),
        trust=configuration.trust_stores,
        receivers=configuration.receivers,
        targets={(target.host, target.port): target for target in configuration.targets},
    )


@dataclass(frozen=True, slots=True)
class _Rooms:
    """Everything that runs."""

    metrics: Metrics
    relay: Relay
    store: Store
    cycle: Cycle
    scheduler: Scheduler


class Daemon:
    """One daemon process, from its configuration to its last line in the log."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        """A daemon for the configuration file ``path``, to be started by ``run``."""
        self._path = path
        self._environ = environ
        self._log = get_logger()
        self._manager = ServiceManager(environ)
        self._stop = asyncio.Event()
        self._hangup = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._ticked = False
        self._writable = True

    async def run(self) -> None:
        """Start, run until told to stop, shut down in the reverse order of the start."""
        self._configuration = load(self._path, environment=self._environ)
        configuration = self._configuration
        loop = asyncio.get_running_loop()
        # Mail and webhooks look their servers up here; a look-up that hangs must not hold up another receiver's.
        loop.set_default_executor(ThreadPoolExecutor(_LOOKUP_THREADS, thread_name_prefix="lookup"))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        # From the first moment on, since it would end the process; what comes before the start is heeded after it.
        loop.add_signal_handler(signal.SIGHUP, self._hangup.set)
        async with contextlib.AsyncExitStack() as cleanups:
            store = await Store.open(configuration.store, now=_now)
            cleanups.push_async_callback(store.close)
            for note in store.opened_notes:
                self._log.error("store", note=note)
            metrics = Metrics(__version__, [fault.value for fault in DeliveryFault])
            metrics.set_receivers(receiver.name for receiver in configuration.receivers)
            metrics.set_targets(configuration.targets)
            metrics.config_reload(ok=True, now=_now())
            prober = self._prober(cleanups)
            relay = Relay(
                store,
                build_senders(configuration.receivers),
                now=_now,
                chance=random.random,
                log=self._log,
                on_result=metrics.notification,
            )
            cycle = Cycle(
                round_settings(configuration),
                prober=prober,
                store=store,
                watcher=self,
                now=_now,
                incidents=await store.load_incidents(),
                streaks=await store.load_streaks(),
            )
            scheduler = Scheduler(self._round, self._log, on_tick=self._on_tick, tick_seconds=TICK_SECONDS)
            self._rooms = _Rooms(metrics, relay, store, cycle, scheduler)
            await cycle.reconfigure(round_settings(configuration))
            metrics.incidents(cycle.open_incidents)
            await self._start_edges(cleanups)
            await self._stop.wait()
            self._manager.stopping()
            self._log.info("stopping")
        self._log.info("stopped")

    def round_done(self, outcome: Outcome) -> None:
        """A round was judged: show it, and log what changed."""
        rooms = self._rooms
        rooms.metrics.record(outcome)
        if outcome.transitions:
            rooms.metrics.incidents(rooms.cycle.open_incidents)
        for step in outcome.transitions:
            incident = step.incident
            self._log.warning(
                "incident",
                kind=incident.key.kind.value,
                state=incident.state.value,
                because=step.reason.value,
                severity=incident.severity.value,
                host=incident.key.host,
                port=incident.key.port,
                pinset=incident.key.pinset or None,
                incident=incident.id,
                summary=incident.facts.get("summary"),
            )

    def recorded(self, error: MonitordError | None) -> None:
        """Something was written and nothing refused, or something was refused: said once when it changes."""
        self._rooms.metrics.store_writable(writable=error is None)
        if error is not None and self._writable:
            self._log.error("the store cannot be written; probing goes on and what is seen is kept", error=str(error))
        elif error is None and not self._writable:
            self._log.info("the store can be written again; nothing was lost")
        self._writable = error is None

    def queued(self, messages: Sequence[Message]) -> None:
        """Messages wait in the outbox."""
        del messages
        self._rooms.relay.wake()

    def _prober(self, cleanups: contextlib.AsyncExitStack) -> Prober:
        settings = self._configuration.probing
        resolver = Resolver(max_addresses=settings.max_addresses)
        prober = Prober(resolver=resolver, now=_now, max_connections=settings.concurrency)
        cleanups.callback(prober.close)
        if prober.limitation:
            self._log.warning("probing is limited", because=prober.limitation)
        return prober

    async def _start_edges(self, cleanups: contextlib.AsyncExitStack) -> None:
        """Open the doors, start to deliver and to probe, and say so."""
        configuration, rooms = self._configuration, self._rooms
        loop = asyncio.get_running_loop()
        sources = Sources(rooms.metrics.render, self._healthy, self._ready, __version__)
        web = WebServer(configuration.web.host, configuration.web.port, sources, self._log)
        await web.start()
        cleanups.push_async_callback(web.stop)
        control = ControlServer(
            listening_path(configuration.store, self._environ), self._path, {"reload": self._reload_asked}
        )
        await control.start()
        cleanups.push_async_callback(control.stop)
        relaying = loop.create_task(rooms.relay.run())
        cleanups.push_async_callback(self._stop_relay, relaying)
        rooms.scheduler.update(configuration.targets)
        rooms.scheduler.every("maintenance", _MAINTENANCE_SECONDS, self._maintain)
        rooms.scheduler.every("write check", _WRITE_CHECK_SECONDS, self._check_store)
        rooms.scheduler.start()
        cleanups.push_async_callback(rooms.scheduler.shutdown, _DRAIN_ROUNDS_SECONDS)
        watchdog = loop.create_task(self._manager.keep_watchdog(lambda: self._healthy().ok))
        cleanups.callback(watchdog.cancel)
        reloading = loop.create_task(self._reload_on_hangup())
        cleanups.callback(reloading.cancel)
        for warning in configuration.warnings:
            self._log.warning("configuration", warning=str(warning))
        self._say_watching()
        self._log.info(
            "started",
            version=__version__,
            domains=len(configuration.targets),
            listen=f"{configuration.web.host}:{web.port}",
        )
        self._manager.ready()

    async def _stop_relay(self, relaying: asyncio.Task[None]) -> None:
        await self._rooms.cycle.flush()
        await self._rooms.relay.drain(_DRAIN_RELAY_SECONDS)
        relaying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await relaying

    async def _round(self, due: Due) -> None:
        metrics = self._rooms.metrics
        metrics.lag(asyncio.get_running_loop().time() - due.at)
        with metrics.probing():
            await self._rooms.cycle.run_round(due.key)

    def _on_tick(self) -> None:
        self._ticked = True
        self._rooms.metrics.tick(_now())

    async def _maintain(self) -> None:
        """Write what the store refused before, and look at the outbox."""
        sentence = f"the store has not answered for {_STUCK_SECONDS:.0f} s; probing goes on; check the disk it is on"
        alarm = asyncio.get_running_loop().call_later(_STUCK_SECONDS, self._log.error, sentence)
        try:
            await self._rooms.cycle.flush()
            pending, oldest = await self._rooms.store.outbox_summary()
        except MonitordError as error:
            self.recorded(error)
            return
        finally:
            alarm.cancel()
        self._rooms.metrics.outbox(pending, oldest)

    async def _check_store(self) -> None:
        """Find out that the disk is full before something happens that must be written, and that it no longer is."""
        try:
            await self._rooms.store.check_writable()
        except MonitordError as error:
            self.recorded(error)
        else:
            if not self._rooms.cycle.unwritten:  # what still waits may be refused for another reason
                self.recorded(None)

    def _healthy(self) -> Health:
        age = self._rooms.scheduler.tick_age
        return Health(age < _STALLED_SECONDS, f"the last tick was {age:.1f} s ago")

    def _ready(self) -> Health:
        return Health(self._ticked, "probing" if self._ticked else "the first tick has not run yet")

    def _say_watching(self) -> None:
        self._manager.status(f"watching {len(self._configuration.targets)} domains")

    async def _reload_on_hangup(self) -> None:
        while True:
            await self._hangup.wait()
            self._hangup.clear()
            await self._reload_asked()

    async def _reload_asked(self) -> dict[str, Any]:
        """Load the configuration anew. A faulty one changes nothing, and its faults are the answer."""
        async with self._reloading:
            self._manager.reloading()
            try:
                return await self._reload()
            except Exception as error:  # noqa: BLE001 - the old configuration goes on, and the next reload may succeed
                self._log.error("a reload failed", exc_info=error)
                self._rooms.metrics.config_reload(ok=False, now=_now())
                return {"ok": False, "message": f"monitord could not reload ({type(error).__name__}); see its log"}
            finally:
                self._manager.ready()

    async def _reload(self) -> dict[str, Any]:
        rooms = self._rooms
        try:
            fresh = await asyncio.to_thread(load, self._path, environment=self._environ)
        except ConfigurationError as error:
            rooms.metrics.config_reload(ok=False, now=_now())
            for fault in error.faults:
                self._log.error("reload refused", fault=str(fault))
            message = "the new configuration is faulty, so the old one stays in force:"
            return {"ok": False, "message": f"{message}\n{error}"}
        old, self._configuration = self._configuration, fresh
        # Before the cycle: what it queues for a new receiver must find the way there.
        rooms.relay.replace_senders(build_senders(fresh.receivers))
        await rooms.cycle.reconfigure(round_settings(fresh))
        rooms.metrics.set_receivers(receiver.name for receiver in fresh.receivers)
        rooms.metrics.set_targets(fresh.targets)
        rooms.metrics.incidents(rooms.cycle.open_incidents)
        rooms.scheduler.update(fresh.targets)
        rooms.metrics.config_reload(ok=True, now=_now())
        self._say_watching()
        fixed = [name for name in ("store", "web", "probing") if getattr(old, name) != getattr(fresh, name)]
        message = f"reloaded: watching {len(fresh.targets)} domains"
        if fixed:
            message += f"; restart monitord for the changed settings {', '.join(fixed)} to take effect"
        self._log.info(message)
        return {"ok": True, "message": message}
