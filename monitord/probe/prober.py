"""One look at every address of a target: resolve, connect, shake hands, observe. It never judges."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.probe.certificates import ChainReader
from monitord.probe.connect import connect, disconnect, failure_of
from monitord.probe.resolve import LookupFailed, Resolver, address_order, is_ip_literal
from monitord.probe.tls import Handshake, Seen, new_context, shake_hands

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from datetime import datetime

    from monitord.pinning.target import Target


class Prober:
    """Observes targets; belongs to one event loop. Close it when done.

    ``now`` gives the time that observations carry, ``monotonic`` the seconds by which durations are measured. At
    most ``max_connections`` connections are open at once, over all targets.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        resolver: Resolver | None = None,
        max_connections: int = 200,
    ) -> None:
        """A prober with a resolver of its own unless one is given; it closes either."""
        self._now = now
        self._monotonic = monotonic
        self._resolver = resolver or Resolver()
        self._slots = asyncio.Semaphore(max_connections)
        self._context = new_context()
        self._chains = ChainReader()

    async def observe(self, target: Target, *, timeout: timedelta | float) -> tuple[Observation, ...]:  # noqa: ASYNC109 - a budget for each connection, not for the call
        """What each address of the target shows, sorted by address; one observation without address if DNS fails.

        ``timeout`` (seconds, if a number) is the deadline of each connection, DNS included; waiting for a free
        connection does not count. Whatever the network or the server does is an observation, never an exception.
        """
        budget = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        began = self._monotonic()
        try:
            endpoints = await self._endpoints(target, budget)
        except LookupFailed as error:
            failure = Failure(FailureReason.DNS, str(error))
            return (Observation(self._now(), "", target.port, failure=failure, duration=self._monotonic() - began),)
        remaining = budget - (self._monotonic() - began)
        if len(endpoints) == 1:
            return (await self._observe_endpoint(target, *endpoints[0], remaining),)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._observe_endpoint(target, *endpoint, remaining)) for endpoint in endpoints]
        return tuple(task.result() for task in tasks)

    def close(self) -> None:
        """Give up on lookups that are still under way."""
        self._resolver.close()

    async def _endpoints(self, target: Target, budget: float) -> list[tuple[str, int]]:
        """The addresses and ports to connect to, each once, in order. Raises LookupFailed."""
        if target.connect_to:
            endpoints = {(given.address, given.port or target.port) for given in target.connect_to}
        else:
            endpoints = {(address, target.port) for address in await self._resolver.resolve(target.host, budget)}
        return sorted(endpoints, key=lambda endpoint: (address_order(endpoint[0]), endpoint[1]))

    async def _observe_endpoint(self, target: Target, address: str, port: int, budget: float) -> Observation:
        server_name = None if is_ip_literal(target.name) else target.name
        async with self._slots:
            began = self._monotonic()
            seen = await self._look(address, port, server_name, budget)
            duration = self._monotonic() - began
        chain, unreadable = self._chains.read(seen.certificates)
        return Observation(
            at=self._now(),
            address=address,
            port=port,
            chain=chain,
            failure=unreadable or seen.failure,
            key_type=chain[0].key_type if chain else None,
            tls_version=seen.tls_version,
            cipher=seen.cipher,
            duration=duration,
        )

    async def _look(self, address: str, port: int, server_name: str | None, budget: float) -> Seen:
        """One connection from its first packet to its last, under one deadline."""
        sock: socket.socket | None = None
        handshake: Handshake | None = None
        try:
            async with asyncio.timeout(budget):
                sock = await connect(address, port)
                handshake = Handshake(self._context, server_name)
                await shake_hands(sock, handshake)
        except OSError as error:
            phase = "connecting" if handshake is None else "the TLS handshake"
            failure = failure_of(error, phase, budget)
            if handshake is None:
                return Seen(failure=failure)
            handshake.fail(failure)
        finally:
            if sock is not None:
                disconnect(sock, abort=handshake is None or not handshake.ended or handshake.failure is not None)
        return handshake.result()
