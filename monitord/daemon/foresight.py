"""What the daemon does with signals: who is asked, who is told, and what follows from news."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.signals.ct.spool import spool_beside
from monitord.signals.fetch import Fetcher
from monitord.signals.sources import Sources
from monitord.signals.subjects import Subjects
from monitord.signals.watch import SignalWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from monitord.config.settings import Configuration
    from monitord.errors import MonitordError
    from monitord.metrics.exposition import Metrics
    from monitord.pinning.evidence import Signals
    from monitord.pinning.outcome import Outcome
    from monitord.pinning.target import Target
    from monitord.pinning.trust import TrustStore
    from monitord.probe.prober import Prober
    from monitord.signals.standing import Log
    from monitord.signals.watch import Failing
    from monitord.store.store import Store

    Endpoint = tuple[str, int]

TICK_SECONDS = 2.0


class Foresight:
    """The watch over signals, for the endpoints and settings of the configuration in force."""

    def __init__(  # noqa: PLR0913 - its neighbours
        self,
        configuration: Configuration,
        *,
        store: Store,
        prober: Prober,
        metrics: Metrics,
        trust: Callable[[], Mapping[str, TrustStore]],
        request: Callable[[Endpoint], object],
        saved: Callable[[MonitordError | None], None],
        now: Callable[[], datetime],
        log: Log,
    ) -> None:
        """Nobody is asked before ``tick`` is called.

        ``trust`` gives the trust stores in force. ``request`` is called for an endpoint that is to be judged anew since
        there is news about it; ``saved`` each time that something was written or refused.
        """
        self._metrics = metrics
        self._request = request
        self._saved = saved
        self._subjects = Subjects()
        self._watch = SignalWatch(store, self._subjects, now=now, log=log, listener=self)
        self._sources = Sources(Fetcher(), prober, trust, spool_beside(store.path))
        self._configuration = configuration

    async def load(self) -> None:
        """Go on from what the store has, as since when sources fail. Raises MonitordError if it cannot be read."""
        await self._watch.load()
        self.follow(self._configuration)

    def follow(self, configuration: Configuration) -> None:
        """Watch the endpoints of this configuration and ask the sources that it asks for, from now on."""
        self._configuration = configuration
        self._ports = {target.port for target in configuration.targets}
        self._subjects.watch(configuration.targets)
        sources = self._sources.made_for(configuration.signals, configuration.timeout)
        self._watch.use(sources)
        self._metrics.set_sources(source.name.value for source in sources)

    def signals_for(self, target: Target) -> Signals:
        """All that is known about an endpoint from outside."""
        return self._watch.signals_for(target)

    def seen(self, outcome: Outcome) -> None:
        """A round was judged: what is served is what sources are asked about."""
        self._subjects.seen(outcome)

    @property
    def failing(self) -> tuple[Failing, ...]:
        """The sources that have been failing for a day or longer."""
        return self._watch.failing

    async def tick(self) -> None:
        """Ask the sources that are due, once every endpoint was looked at: before that, too little is known to ask."""
        if self._subjects.complete:
            self._watch.tick()

    async def flush(self) -> None:
        """Try to write what the store refused before."""
        await self._watch.flush()

    async def prune(self) -> None:
        """Forget what is too old, and what is about endpoints that are not registered. Raises MonitordError."""
        await self._watch.prune({target.host for target in self._configuration.targets})

    async def close(self) -> None:
        """Stop asking."""
        await self._watch.close()

    def polled(self, source: str, at: datetime, *, success: bool | None) -> None:
        """A source was asked."""
        self._metrics.polled(source, at, success=success)

    def kept(self, facts: Mapping[str, int]) -> None:
        """So many facts there are, by source."""
        self._metrics.facts(facts)

    def news(self, host: str) -> None:
        """Judge the host's endpoints anew at once; what concerns every endpoint is taken in at the regular rounds."""
        for port in self._ports:  # few, where there may be very many endpoints
            self._request((host, port))

    def saved(self, error: MonitordError | None) -> None:
        """Something was written, or refused."""
        self._saved(error)
