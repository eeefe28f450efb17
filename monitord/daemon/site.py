"""The listener of a daemon: where it listens, whom it lets in, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitord.__about__ import __version__
from monitord.config.webfile import load_web_file
from monitord.control import Peer, Request, this_user
from monitord.daemon.ondemand import OnDemand
from monitord.metrics import blackbox
from monitord.orders import Orders
from monitord.web.exporter import Exporter
from monitord.web.following import Following
from monitord.web.server import Sources, WebServer
from monitord.web.sources import Beside, Knowledge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AsyncExitStack
    from datetime import datetime, timedelta

    from monitord.config.settings import Configuration
    from monitord.cycle.cycle import Cycle
    from monitord.metrics.exposition import Metrics
    from monitord.pinning.evidence import Signals
    from monitord.pinning.quiet import Scope
    from monitord.pinning.target import Target
    from monitord.store.store import Store
    from monitord.web.fleet import Fleet
    from monitord.web.following import Log
    from monitord.web.server import Health
    from monitord.web.writes import Reload


async def open_site(  # noqa: PLR0913 - what it shows
    cleanups: AsyncExitStack,
    configuration: Callable[[], Configuration],
    *,
    metrics: Metrics,
    knowledge: Knowledge,
    healthy: Callable[[], Health],
    ready: Callable[[], Health],
    reload: Reload,
    environ: Mapping[str, str],
    now: Callable[[], datetime],
    log: Log,
) -> WebServer:
    """Listen; ``configuration`` gives the one in force.

    Raises WebError where the address cannot be used, ConfigurationError if web.config_file has become faulty since it
    was checked.
    """
    settings = configuration().web
    path = settings.config_file
    following = None if path is None else Following(lambda: load_web_file(path, environ), log)
    examiner = OnDemand(configuration, now)
    cleanups.callback(examiner.close)
    sources = Sources(
        metrics.render,
        healthy,
        ready,
        __version__,
        Exporter(examiner, blackbox.render),
        reload if settings.reload else None,
        knowledge,
    )
    server = WebServer(settings.host, settings.port, sources, log, following=following)
    await server.start()
    cleanups.push_async_callback(server.stop)
    return server


def knowledge_of(
    fleet: Fleet,
    cycle: Cycle,
    store: Store,
    signals: Callable[[Target], Signals],
    configuration: Callable[[], Configuration],
    now: Callable[[], datetime],
) -> Knowledge:
    """What the pages know of: the last rounds, incidents, signals, and what the store has kept."""

    def beside(target: Target) -> Beside:
        settings = configuration()
        history = cycle.history((target.host, target.port))
        return Beside(settings.trust_stores, settings.policy, history, signals(target))

    return Knowledge(
        fleet, beside, cycle.quiet, lambda: cycle.silences, store, _WebOrders(Orders(cycle, store, now)), now
    )


@dataclass(frozen=True, slots=True)
class _Visitor(Peer):
    """Somebody who is known to the listener."""

    who: str = ""

    def named(self, claimed: str | None) -> str:
        """As the listener knows them, whatever else is claimed."""
        del claimed
        return self.who


class _WebOrders:
    """Orders of visitors of the pages. Every method raises OrderError for what cannot be done."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    async def acknowledge(self, incident: str, by: str, reason: str) -> None:
        """Somebody has seen the open incident with this id."""
        await self._orders.acknowledge(_request("ack", by, incident=incident, reason=reason))

    async def unacknowledge(self, incident: str, by: str) -> None:
        """Somebody takes that back."""
        await self._orders.acknowledge(_request("ack", by, incident=incident, undo=True))

    async def silence(self, scope: Scope, length: timedelta, by: str, reason: str) -> None:
        """Tell nobody of what the scope covers for so long."""
        covers = {"hosts": list(scope.hosts), "match": dict(scope.match), "kinds": [kind.value for kind in scope.kinds]}
        await self._orders.silence(_request("silence", by, **covers, seconds=length.total_seconds(), reason=reason))

    async def unsilence(self, identifier: str, by: str) -> None:
        """End a silence."""
        await self._orders.unsilence(_request("unsilence", by, silence=identifier))


def _request(command: str, by: str, **arguments: Any) -> Request:  # noqa: ANN401 - JSON
    return Request(command, arguments, _Visitor(this_user().user, by))
