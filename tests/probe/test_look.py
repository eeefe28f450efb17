"""One look at a proxy with several addresses."""

from __future__ import annotations

import contextlib
import socket
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.target import Proxy, Target
from monitord.probe.prober import Prober
from monitord.probe.resolve import Resolver
from tests.probe.conftest import HOST, NOW
from tests.support.protocols import HttpProxy
from tests.support.tlsserver import TlsServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.probe.conftest import Authority


@contextlib.contextmanager
def hanging(address: str, port: int) -> Iterator[None]:
    """Leave connections to this address and port without an answer, for the queue there is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect((address, port))
        yield


@contextlib.contextmanager
def proxy_behind(server: TlsServer, *hanging_addresses: str) -> Iterator[HttpProxy]:
    """A proxy at 127.0.0.3, on a port where these addresses hang; one of another program's may have it already."""
    for _ in range(20):
        with contextlib.ExitStack() as stack:
            proxy = stack.enter_context(HttpProxy(("127.0.0.1", server.port), addresses=["127.0.0.3"]))
            try:
                for address in hanging_addresses:
                    stack.enter_context(hanging(address, proxy.port))
            except OSError:
                continue
            yield proxy
            return
    raise AssertionError("no port is free at every address")


async def test_an_address_of_the_proxy_that_hangs_leaves_time_for_the_others(authority: Authority) -> None:
    """Each has its share of the deadline, and the last one has what remains."""
    with (
        TlsServer(authority.leaf) as server,
        proxy_behind(server, "127.0.0.1", "127.0.0.2") as proxy,
        contextlib.closing(
            Prober(now=lambda: NOW, resolver=Resolver(lookup=lambda _: ["127.0.0.1", "127.0.0.2", "127.0.0.3"]))
        ) as prober,
    ):
        target = Target(HOST, proxy=Proxy("proxy.example.test", proxy.port))
        (seen,) = await prober.observe(target, timeout=timedelta(seconds=3))
    assert (seen.address, seen.failure) == ("127.0.0.3", None)
    assert seen.chain == (authority.leaf.certificate,)
