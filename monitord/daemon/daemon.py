"""The daemon: puts the rooms together, keeps them running, reloads, and shuts down in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitord.__about__ import __version__
from monitord.config.load import load
from monitord.config.reading import nobody
from monitord.control import ControlServer, listening_path
from monitord.cycle.cycle import Cycle
from monitord.daemon.discovering import Discovering
from monitord.daemon.foresight import TICK_SECONDS as SIGNAL_TICK_SECONDS
from monitord.daemon.foresight import Foresight
from monitord.daemon.garbage import SetAside
from monitord.daemon.reloading import Reloading
from monitord.daemon.rooms import Rooms, round_settings
from monitord.daemon.site import knowledge_of, open_site
from monitord.daemon.upkeep import MAINTENANCE_SECONDS, PRUNE_SECONDS, WRITE_CHECK_SECONDS, Upkeep
from monitord.daemon.wellbeing import Wellbeing
from monitord.discovery.discovery import LOOK_SECONDS
from monitord.logs import configure as configure_logs
from monitord.logs import get_logger
from monitord.mailroom import Mailroom
from monitord.metrics.exposition import Metrics
from monitord.notify.alertmanager import RESEND
from monitord.notify.fault import DeliveryFault
from monitord.notify.relay import Relay
from monitord.notify.resend import Resender
from monitord.notify.senders import build_channels
from monitord.notify.standby import Standby
from monitord.orders import Orders
from monitord.pinning.conditions import SPARE_ATTEMPTS
from monitord.pinning.flapping import LONGEST_WINDOW
from monitord.probe.prober import Prober
from monitord.probe.resolve import Resolver
from monitord.schedule.scheduler import Scheduler
from monitord.schedule.timetable import Hurry
from monitord.store.store import Store
from monitord.systemd import ServiceManager
from monitord.web.fleet import Fleet
from monitord.web.server import Health

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from monitord.config.reading import Progress
    from monitord.errors import MonitordError
    from monitord.outbox import Message
    from monitord.pinning.incident import Transition
    from monitord.pinning.outcome import Outcome
    from monitord.schedule.timetable import Due

TICK_SECONDS = 0.5  # each costs as much as half a probe
_STALLED_SECONDS = 60.0
_CONNECTIONS_IN_A_ROW = 4
_ROUNDS_PER_CONNECTION = 4  # most rounds that run are waiting: for DNS, or for a place
_LOOKUP_THREADS = 32
_TRUST_SECONDS = 3600.0
_DRAIN_ROUNDS_SECONDS = 5.0  # a round that is cut off is made up for at the next start
_DRAIN_RELAY_SECONDS = 10.0


def run(path: Path, progress: Progress = nobody) -> None:
    """Run until SIGTERM or SIGINT. Raises MonitordError if it cannot start.

    ``progress`` is told how many of how many included files have been read.
    """
    configure_logs()
    gc.disable()  # until it has started: to look through what is made, and stays, again and again costs a fifth
    asyncio.run(Daemon(path, os.environ, progress).run())


def _now() -> datetime:
    return datetime.now(UTC)


class Daemon:
    """One daemon process, from its configuration to its last line in the log."""

    def __init__(self, path: Path, environ: Mapping[str, str], progress: Progress = nobody) -> None:
        """A daemon for the configuration file ``path``, to be started by ``run``."""
        self._path = path
        self._progress = progress
        self._environ = environ
        self._log = get_logger()
        self._manager = ServiceManager(environ)
        self._stop = asyncio.Event()
        self._hangup = asyncio.Event()
        self._ticked = False
        self._writable = True
        self._incidents_changed = False

    async def run(self) -> None:
        """Start, run until told to stop, shut down in the reverse order of the start."""
        configuration = load(self._path, environment=self._environ, progress=self._progress)
        reloading = self._reloading = Reloading(
            configuration, self._path, self._environ, manager=self._manager, now=_now, log=self._log
        )
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
            discovering = Discovering(configuration, metrics=metrics, now=_now, log=self._log)
            configuration = reloading.configuration = await discovering.begin(configuration)
            metrics.set_targets(configuration.targets)
            fleet = Fleet(lambda: reloading.configuration.horizon)
            fleet.set_targets(configuration.targets)
            metrics.policy(configuration.release_time, configuration.horizon)
            metrics.config_reload(ok=True, now=_now())
            prober = self._prober(cleanups)
            channels = build_channels(configuration.receivers)
            relay = Relay(
                Standby(store, lambda: self._rooms.cycle.unwritten_messages, self._log),
                channels,
                now=_now,
                chance=random.random,
                log=self._log,
                on_result=self._delivered,
                waits=configuration.alerts.waits,
            )
            resender = Resender(
                store,
                lambda: self._rooms.cycle.open_incidents,
                lambda: self._rooms.cycle.unwritten_messages,
                now=_now,
                log=self._log,
            )
            resender.follow(configuration.receivers, channels)
            hurry = Hurry(configuration.probing.hurried_interval.total_seconds(), configuration.probing.hurried_limit)
            scheduler = Scheduler(
                self._round,
                self._log,
                on_tick=self._on_tick,
                tick_seconds=TICK_SECONDS,
                hurry=hurry,
                most_rounds=_ROUNDS_PER_CONNECTION * configuration.probing.concurrency,
            )
            foresight = Foresight(
                configuration,
                store=store,
                prober=prober,
                metrics=metrics,
                trust=lambda: reloading.configuration.trust_stores,
                request=scheduler.request,
                saved=self.recorded,
                now=_now,
                log=self._log,
            )
            await foresight.load()
            cycle = Cycle(
                round_settings(configuration),
                prober=prober,
                store=store,
                watcher=self,
                now=_now,
                incidents=await store.load_incidents(),
                streaks=await store.load_streaks(),
                openings=await store.load_openings(_now() - LONGEST_WINDOW),
                silences=await store.load_silences(_now()),
                signals=foresight.signals_for,
                look_soon=self._look_soon,
            )
            wellbeing = Wellbeing(
                cycle.report_self,
                healthy=self._healthy,
                failing=lambda: foresight.failing,
                overdue=lambda: scheduler.overdue_seconds,
                shortest_interval=lambda: scheduler.shortest_interval,
                pulse=metrics,
                now=_now,
                clock=loop.time,
                log=self._log,
            )
            self._rooms = reloading.rooms = Rooms(
                metrics, fleet, relay, resender, store, cycle, scheduler, foresight, discovering, wellbeing
            )
            await cycle.reconfigure(round_settings(configuration))
            metrics.incidents(cycle.open_incidents)
            fleet.set_incidents(cycle.open_incidents)
            set_aside = SetAside()
            await self._start_edges(cleanups, set_aside)
            set_aside.started()
            await self._stop.wait()
            self._manager.stopping()
            self._log.info("stopping")
        self._log.info("stopped")

    def round_done(self, outcome: Outcome) -> None:
        """A round was judged: show it, and log what changed."""
        rooms = self._rooms
        rooms.metrics.record(outcome)
        rooms.fleet.record(outcome)
        rooms.foresight.seen(outcome)
        endpoint = outcome.target.key
        rooms.scheduler.pace(endpoint, hurried=outcome.hurried)
        rooms.scheduler.put_first(endpoint, first=outcome.hurried or rooms.cycle.has_incident(endpoint))
        if outcome.transitions:
            self.changed(outcome.transitions)

    def changed(self, steps: Sequence[Transition]) -> None:
        """Incidents changed: show what is open, and log what happened."""
        self._incidents_changed = True
        self._rooms.fleet.changed(steps)
        for step in steps:
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
                told=step.notify,
                **({"remark": step.remark} if step.remark else {}),
            )

    def recorded(self, error: MonitordError | None) -> None:
        """Something was written and nothing refused, or something was refused: said once when it changes."""
        self._rooms.metrics.store_writable(writable=error is None)
        self._rooms.wellbeing.recorded(error)
        if error is not None and self._writable:
            self._log.error("the store cannot be written; probing goes on and what is seen is kept", error=str(error))
        elif error is None and not self._writable:
            self._log.info("the store can be written again; nothing was lost")
        self._writable = error is None

    def _delivered(self, receiver: str, fault: DeliveryFault | None) -> None:
        """A receiver was tried."""
        self._rooms.metrics.notification(receiver, fault)
        self._rooms.wellbeing.delivered(receiver, fault)

    def queued(self, messages: Sequence[Message]) -> None:
        """Messages wait in the outbox."""
        del messages
        self._rooms.relay.wake()

    def _look_soon(self, endpoints: Sequence[tuple[str, int]]) -> None:
        """Endpoints are to be looked at before their time."""
        for endpoint in endpoints:
            self._rooms.scheduler.request(endpoint)

    def _prober(self, cleanups: contextlib.AsyncExitStack) -> Prober:
        settings = self._reloading.configuration.probing
        resolver = Resolver(max_addresses=settings.max_addresses)
        prober = Prober(
            resolver=resolver,
            now=_now,
            max_connections=settings.concurrency,
            per_address=settings.per_address,
            per_network=settings.per_network,
        )
        cleanups.callback(prober.close)
        if prober.limitation:
            self._log.warning("probing is limited", because=prober.limitation)
        return prober

    async def _start_edges(self, cleanups: contextlib.AsyncExitStack, set_aside: SetAside) -> None:
        """Open the doors, start to deliver and to probe, and say so."""
        reloading, rooms = self._reloading, self._rooms
        configuration = reloading.configuration
        loop = asyncio.get_running_loop()
        web = await open_site(
            cleanups,
            lambda: reloading.configuration,
            metrics=rooms.metrics,
            knowledge=knowledge_of(
                rooms.fleet,
                rooms.cycle,
                rooms.store,
                rooms.foresight.signals_for,
                lambda: reloading.configuration,
                _now,
            ),
            healthy=self._healthy,
            ready=self._ready,
            reload=reloading.reload_by_http,
            environ=self._environ,
            now=_now,
            log=self._log,
        )
        handlers = {
            "reload": lambda _request: reloading.reload(),
            **Orders(rooms.cycle, rooms.store, _now).handlers,
            **Mailroom(rooms.store, _now, rooms.relay.wake).handlers,
        }
        control = ControlServer(listening_path(configuration.store, self._environ), self._path, handlers)
        await control.start()
        cleanups.push_async_callback(control.stop)
        relaying = loop.create_task(rooms.relay.run())
        cleanups.push_async_callback(self._stop_relay, relaying)
        rooms.scheduler.update(configuration.targets)
        for incident in rooms.cycle.open_incidents:
            rooms.scheduler.put_first((incident.key.host, incident.key.port), first=True)
        upkeep = Upkeep(
            rooms.cycle, rooms.foresight, rooms.store, rooms.metrics, set_aside, self.recorded, self._log, _now
        )
        rooms.scheduler.every("maintenance", MAINTENANCE_SECONDS, upkeep.maintain)
        rooms.scheduler.every("write check", WRITE_CHECK_SECONDS, upkeep.check_store)
        rooms.scheduler.every("alerts", RESEND.total_seconds(), rooms.resender.resend)
        rooms.scheduler.every("signals", SIGNAL_TICK_SECONDS, rooms.foresight.tick)
        rooms.scheduler.every("forgetting", PRUNE_SECONDS, upkeep.prune)
        rooms.scheduler.every("trust stores", _TRUST_SECONDS, reloading.read_trust)
        rooms.scheduler.every("discovery", LOOK_SECONDS, reloading.discover)
        rooms.scheduler.every("included files", LOOK_SECONDS, reloading.watch_files)
        cleanups.push_async_callback(rooms.foresight.close)
        rooms.scheduler.start()
        cleanups.push_async_callback(rooms.scheduler.shutdown, _DRAIN_ROUNDS_SECONDS)
        rooms.wellbeing.follow((receiver.name for receiver in configuration.receivers), configuration.heartbeat)
        watching = loop.create_task(rooms.wellbeing.run())
        cleanups.callback(watching.cancel)
        watchdog = loop.create_task(self._manager.keep_watchdog(lambda: self._healthy().ok))
        cleanups.callback(watchdog.cancel)
        listening = loop.create_task(reloading.reload_on(self._hangup))
        cleanups.callback(listening.cancel)
        for warning in configuration.warnings:
            self._log.warning("configuration", warning=str(warning))
        reloading.say_watching()
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
        scheduler = self._rooms.scheduler
        if self._incidents_changed:  # all of them are counted, and very many may change at once
            self._incidents_changed = False
            self._rooms.metrics.incidents(self._rooms.cycle.open_incidents)
        self._rooms.metrics.tick(_now(), overdue=scheduler.overdue_seconds, skipped=scheduler.skipped)

    def _healthy(self) -> Health:
        age, stuck = self._rooms.scheduler.tick_age, self._rooms.scheduler.stuck_seconds
        if stuck > self._stuck_limit():
            return Health(False, f"no round has ended for {stuck:.0f} s, though some run")
        return Health(age < _STALLED_SECONDS, f"the last tick was {age:.1f} s ago")

    def _stuck_limit(self) -> float:
        """Seconds within which one of the rounds that run must end, however slow the network is.

        A round has several attempts, each of some connections after each other, each of them within ``timeout``.
        """
        configuration = self._reloading.configuration
        longest = configuration.timeout.total_seconds() * (configuration.confirm + SPARE_ATTEMPTS)
        return _STALLED_SECONDS + _CONNECTIONS_IN_A_ROW * longest

    def _ready(self) -> Health:
        return Health(self._ticked, "probing" if self._ticked else "the first tick has not run yet")
