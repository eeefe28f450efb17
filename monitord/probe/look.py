"""One connection to one address, from its first packet to its last: through a proxy if need be, to the end of TLS."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from monitord.pinning.observation import FailureReason
from monitord.probe.connect import begin_to_connect, connect, disconnect, failure_of
from monitord.probe.conversation import Conversation
from monitord.probe.stage import Seen
from monitord.probe.starttls import SERVER_SPEAKS_FIRST, negotiate
from monitord.probe.tls import Handshake
from monitord.probe.tunnel import TUNNEL, ask_for_tunnel

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

    from OpenSSL import SSL

    from monitord.pinning.observation import Failure
    from monitord.pinning.target import ClientCertificate, Proxy, StartTls
    from monitord.probe.readiness import Readiness
    from monitord.probe.stage import Stage


@dataclass(frozen=True, slots=True)
class Route:
    """How to get to an address of a target, and what to say on the way; equal if both are the same every time.

    ``address`` is "" if only the proxy knows it. ``proxy_addresses`` are those of the proxy, which asks for
    ``destination``. ``name`` is that of the target, ``server_name`` what SNI announces, if anything.
    """

    address: str
    port: int
    name: str
    server_name: str | None
    starttls: StartTls | None = None
    client_certificate: ClientCertificate | None = None
    proxy: Proxy | None = None
    destination: str = ""
    proxy_addresses: tuple[str, ...] = field(default=(), compare=False)

    @property
    def hops(self) -> list[tuple[str, int]]:
        """Where to connect to: the first of these that can be."""
        if self.proxy is None:
            return [(self.address, self.port)]
        return [(address, self.proxy.port) for address in self.proxy_addresses]


async def look(route: Route, context: SSL.Context, readiness: Readiness, budget: float) -> tuple[Seen, str]:
    """What is seen within ``budget`` seconds, and the address that was connected to, or was to be."""
    deadline = asyncio.get_running_loop().time() + budget
    hops = route.hops
    hop = hops[0][0]
    sock: socket.socket | None = None
    conversation: Conversation | None = None
    failure: Failure | None = None
    try:
        if len(hops) == 1:
            sock = begin_to_connect(*hops[0])
        else:
            hop, sock = await _connect_to_first(hops, readiness, deadline)
        conversation = Conversation(sock, _stages(route, context), readiness)
        await conversation.hold(deadline)
    except OSError as error:
        stage = conversation.stage if conversation is not None else None
        failure = _failure_of(error, route, stage, budget)
        if stage is not None:
            stage.fail(failure)
    finally:
        stage = conversation.stage if conversation is not None else None
        if sock is not None:
            disconnect(sock, abort=stage is None or not stage.ended or stage.failure is not None)
    return (stage.result() if stage is not None else Seen(failure=failure)), hop


async def _connect_to_first(
    hops: Sequence[tuple[str, int]], readiness: Readiness, deadline: float
) -> tuple[str, socket.socket]:
    """The first address that can be connected to, and the connection. Raises the OSError of the last.

    One that hangs does not take the time of the others: each has an equal share of what remains of the budget.
    """
    clock = asyncio.get_running_loop().time
    *others, (last, last_port) = hops
    for position, (address, port) in enumerate(others):
        with suppress(OSError):
            async with asyncio.timeout((deadline - clock()) / (len(hops) - position)):
                return address, await connect(address, port, readiness)
    return last, begin_to_connect(last, last_port)


def _stages(route: Route, context: SSL.Context) -> Iterator[Stage]:
    """What is said on this route, in order; the costly part is made when it is come to."""
    if route.proxy is not None:
        speaks_first = route.starttls in SERVER_SPEAKS_FIRST
        yield ask_for_tunnel(route.proxy, route.destination, greeting_may_follow=speaks_first)
    if route.starttls is not None:
        yield negotiate(route.starttls, route.name)
    yield Handshake(context, route.server_name)


def _failure_of(error: OSError, route: Route, stage: Stage | None, budget: float) -> Failure:
    """The failure that an OSError means; what goes wrong on the way to the proxy and with it is the proxy's."""
    phase = stage.name if stage is not None else "connecting to the proxy" if route.proxy else "connecting"
    failure = failure_of(error, phase, budget)
    at_the_proxy = route.proxy is not None and (stage is None or stage.name == TUNNEL)
    if at_the_proxy and failure.reason is not FailureReason.TIMEOUT:
        return replace(failure, reason=FailureReason.PROXY)
    return failure
