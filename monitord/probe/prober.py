"""One look at every address of a target and at every type of key there: what it shows, never what that means."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.target import format_endpoint
from monitord.probe.certificates import ChainReader
from monitord.probe.contexts import SEPARABLE, ClientCertificateUnusable, Contexts
from monitord.probe.keytypes import KeyTypes
from monitord.probe.look import Route, look
from monitord.probe.places import Places
from monitord.probe.readiness import Readiness
from monitord.probe.resolve import LookupFailed, Resolver, address_order, is_ip_literal
from monitord.probe.stage import Seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitord.pinning.certificate import KeyType
    from monitord.pinning.target import Target


class Prober:
    """Observes targets; belongs to one event loop. Close it when done.

    ``now`` gives the time that observations carry, ``monotonic`` the seconds by which durations are measured. At
    most ``max_connections`` connections are open at once over all targets, ``per_address`` of them to one address and
    ``per_network`` into one network (see ``places``).
    """

    def __init__(  # noqa: PLR0913 - two clocks, two neighbours and three bounds
        self,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        resolver: Resolver | None = None,
        contexts: Contexts | None = None,
        max_connections: int = 200,
        per_address: int = 20,
        per_network: int = 100,
    ) -> None:
        """A prober with a resolver of its own unless one is given; it closes either."""
        self._now = now
        self._monotonic = monotonic
        self._resolver = resolver or Resolver()
        self._contexts = contexts or Contexts()
        self._places = Places(max_connections, per_address, per_network)
        self._chains = ChainReader()
        self._key_types = KeyTypes(SEPARABLE)
        self._readiness: Readiness | None = None

    @property
    def limitation(self) -> str | None:
        """What cannot be seen with the libraries that are installed, a sentence for the log; None if there is none."""
        return self._contexts.limitation

    async def observe(self, target: Target, *, timeout: timedelta | float) -> tuple[Observation, ...]:  # noqa: ASYNC109 - a budget for each connection, not for the call
        """What each address of the target shows, sorted by address; one observation without address if DNS fails.

        An address has an observation for each type of key that it has: they are found out at first sight and then
        remembered (see ``keytypes``). One of two types that has gone missing is an observation with a failure, for a
        while.

        A proxy is left to look names up. Then the address is one of ``connect_to`` or, where there is none, that of
        the proxy.

        ``timeout`` (seconds, if a number) is the deadline of each connection, DNS included; waiting for a free
        connection does not count. Whatever the network or the server does is an observation, never an exception.
        """
        budget = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        began = self._monotonic()
        try:
            routes = await self._routes(target, budget)
        except LookupFailed as error:
            failure = Failure(FailureReason.PROXY if target.proxy else FailureReason.DNS, str(error))
            return (Observation(self._now(), "", target.port, failure=failure, duration=self._monotonic() - began),)
        remaining = budget - (self._monotonic() - began)
        if len(routes) == 1:
            return await self._observe_address(routes[0], remaining)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._observe_address(route, remaining)) for route in routes]
        return tuple(observation for task in tasks for observation in task.result())

    def close(self) -> None:
        """Give up on what is still under way."""
        self._resolver.close()
        if self._readiness is not None:
            self._readiness.close()

    def _watch(self) -> Readiness:
        """What tells when sockets are ready, made in the loop that runs."""
        if self._readiness is None:
            self._readiness = Readiness()
        return self._readiness

    async def _routes(self, target: Target, budget: float) -> list[Route]:
        """The ways to the addresses of a target, each once, in order of the addresses. Raises LookupFailed."""
        proxy = target.proxy
        announced = target.send_server_name and not is_ip_literal(target.name)
        proxy_addresses = await self._resolver.resolve(proxy.host, budget) if proxy else ()

        def route(address: str, port: int, destination: str) -> Route:
            return Route(
                address,
                port,
                target.name,
                target.name if announced else None,
                target.starttls,
                target.client_certificate,
                proxy,
                destination,
                proxy_addresses,
            )

        if target.connect_to:
            ends = {(given.address, given.port or target.port) for given in target.connect_to}
        elif proxy and not is_ip_literal(target.host):
            return [route("", target.port, target.endpoint)]
        else:
            ends = {(address, target.port) for address in await self._resolver.resolve(target.host, budget)}
        ordered = sorted(ends, key=lambda end: (address_order(end[0]), end[1])) if len(ends) > 1 else ends
        return [route(address, port, format_endpoint(address, port)) for address, port in ordered]

    async def _observe_address(self, route: Route, budget: float) -> tuple[Observation, ...]:
        """An observation for each type of key, sorted by type; one without type where no key was seen at all."""
        first = await self._observe(route, None, budget)
        asked = {
            key_type: await self._observe(route, key_type, budget)
            for key_type in self._key_types.to_ask_for(route, first, self._monotonic())
        }
        found = [first] if first.chain else []
        found += self._key_types.take_in(route, first, asked, self._monotonic())
        if not any(observation.chain for observation in found):
            return (first,)
        return tuple(sorted(found, key=lambda observation: observation.key_type or ""))

    async def _observe(self, route: Route, asked: KeyType | None, budget: float) -> Observation:
        """What one connection shows, to a client that takes ``asked`` only or, for None, any type of key."""
        async with self._places.at(route.hops[0][0]):
            began = self._monotonic()
            try:
                context = self._contexts.get(asked, route.client_certificate)
            except ClientCertificateUnusable as error:
                seen, hop = Seen(failure=Failure(FailureReason.TLS_PROTOCOL, str(error))), route.hops[0][0]
            else:
                seen, hop = await look(route, context, self._watch(), budget)
            duration = self._monotonic() - began
        chain, unreadable = self._chains.read(seen.certificates)
        failure = unreadable or seen.failure
        if asked and chain and chain[0].key_type is not asked:
            failure = failure or Failure(FailureReason.TLS_PROTOCOL, f"the server has no {asked} key to show")
            chain = ()
        return Observation(
            at=self._now(),
            address=route.address or hop,
            port=route.port,
            chain=chain,
            failure=failure,
            key_type=chain[0].key_type if chain else asked,
            tls_version=seen.tls_version,
            cipher=seen.cipher,
            duration=duration,
        )
