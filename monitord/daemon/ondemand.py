"""Looks on demand: with connections of their own, so that whoever asks for many holds up no round."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from monitord.config.settings import ProbeScope
from monitord.pinning.examination import Examination, examine
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.target import Target
from monitord.probe.prober import Prober
from monitord.probe.resolve import LookupFailed, Resolver, is_ip_literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from monitord.config.settings import Configuration

_MOST_CONNECTIONS = 50
_MOST_LOOKUPS = 16
_MOST_NAMES = 2000


class OnDemand:
    """Looks at one target at a time for each who asks, by the configuration in force. Close it when done."""

    def __init__(self, configuration: Callable[[], Configuration], now: Callable[[], datetime]) -> None:
        """``configuration`` gives the one in force."""
        self._configuration = configuration
        self._now = now
        self._indexed: Configuration | None = None
        self._by_host: dict[str, list[Target]] = {}
        most = configuration().probing.max_addresses
        self._resolver = Resolver(max_addresses=most, max_threads=_MOST_LOOKUPS, max_names=_MOST_NAMES)
        self._prober = Prober(now=now, resolver=self._resolver, max_connections=_MOST_CONNECTIONS)

    def close(self) -> None:
        """Look no more."""
        self._prober.close()

    @property
    def timeout(self) -> float:
        """Seconds that a look may take."""
        return self._configuration().timeout.total_seconds()

    def find(self, host: str, port: int | None) -> Sequence[Target]:
        """The registered targets of this host, at this port or at any."""
        configuration = self._configuration()
        if self._indexed is not configuration:
            self._indexed, self._by_host = configuration, {}
            for target in configuration.targets:
                self._by_host.setdefault(target.host, []).append(target)
        return [one for one in self._by_host.get(host, ()) if port in (None, one.port)]

    def stranger(self, host: str, port: int) -> Target | None:
        """A target that is not registered, with the default trust store, if such may be looked at."""
        configuration = self._configuration()
        if configuration.web.probe is ProbeScope.REGISTERED:
            return None
        return Target(host, port, trust=(configuration.default_trust,))

    async def examine(self, target: Target, budget: float) -> Examination:
        """Look, within so many seconds; what the network does not give in time is a failure that was seen."""
        began = time.monotonic()
        lookup = await self._look_up(target, budget)
        try:
            async with asyncio.timeout(budget - (time.monotonic() - began)):
                observations = await self._prober.observe(target, timeout=budget)
        except TimeoutError:
            failure = Failure(FailureReason.TIMEOUT, f"nothing was seen within {budget:.3g} s")
            observations = (Observation(self._now(), "", target.port, failure=failure, duration=budget),)
        # In a thread, since a chain that is made for it takes long to judge.
        stores = self._configuration().trust_stores
        trust, verdicts = await asyncio.to_thread(examine, target, observations, stores, self._now())
        return Examination(target, observations, trust, verdicts, lookup, time.monotonic() - began, budget)

    async def _look_up(self, target: Target, budget: float) -> float | None:
        """Seconds that it took to look the name up; the addresses are remembered for the look itself."""
        if target.connect_to or target.proxy or is_ip_literal(target.host):
            return None
        began = time.monotonic()
        with contextlib.suppress(LookupFailed):  # the look tells of it
            await self._resolver.resolve(target.host, budget)
        return time.monotonic() - began
