"""Bounds for connections to one address and into one network, at servers that count who is connected."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.target import ConnectAddress, Target
from monitord.probe.places import Places, network_of
from monitord.probe.prober import Prober
from tests.probe.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE = 20


class Counting:
    """Servers on one port of several addresses, which hang up once ``awaited`` connections were open at a time."""

    def __init__(self, awaited: int) -> None:
        """Nobody is connected."""
        self.port = 0
        self.open: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.most_of_all = 0
        self._awaited = awaited
        self._reached = asyncio.Event()

    @contextlib.asynccontextmanager
    async def listening(self, *addresses: str) -> AsyncIterator[Counting]:
        """Listen on these addresses."""
        async with contextlib.AsyncExitStack() as stack:
            for address in addresses:
                server = await stack.enter_async_context(await asyncio.start_server(self._take, address, self.port))
                self.port = server.sockets[0].getsockname()[1]
            async with asyncio.timeout(PATIENCE):
                yield self

    async def _take(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("sockname")[0]
        self.open[address] = self.open.get(address, 0) + 1
        self.most[address] = max(self.most.get(address, 0), self.open[address])
        total = sum(self.open.values())
        self.most_of_all = max(self.most_of_all, total)
        if total >= self._awaited:
            self._reached.set()
        await self._reached.wait()
        self.open[address] -= 1
        writer.close()


async def observe(prober: Prober, server: Counting, *addresses: str, names: int = 12) -> None:
    """Look at many names that all lead to these addresses, at the same time."""
    places = tuple(ConnectAddress(address) for address in addresses)
    targets = [Target(f"h{number}.example.test", server.port, connect_to=places) for number in range(names)]
    found = await asyncio.gather(*(prober.observe(target, timeout=PATIENCE) for target in targets))
    assert len([one for observations in found for one in observations]) == names * len(addresses)


async def test_many_names_on_one_address_are_looked_at_a_few_at_a_time() -> None:
    """As many as may, no more, and every one in the end."""
    async with Counting(3).listening("127.0.0.1") as server:
        with contextlib.closing(Prober(now=lambda: NOW, per_address=3)) as prober:
            await observe(prober, server, "127.0.0.1")
    assert server.most == {"127.0.0.1": 3}


async def test_many_addresses_of_one_network_are_looked_at_a_few_at_a_time() -> None:
    """The bound is for all of them together, beside that for each."""
    addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    async with Counting(4).listening(*addresses) as server:
        with contextlib.closing(Prober(now=lambda: NOW, per_address=2, per_network=4)) as prober:
            await observe(prober, server, *addresses)
    assert server.most_of_all == 4
    assert max(server.most.values()) <= 2


async def test_who_waits_for_one_address_does_not_hold_up_the_others() -> None:
    """A place among all is taken last: eight are open, four at each address, though many wait for the first."""
    async with Counting(8).listening("127.0.0.1", "127.0.1.1") as server:
        with contextlib.closing(Prober(now=lambda: NOW, max_connections=8, per_address=4)) as prober:
            crowd = observe(prober, server, "127.0.0.1", names=30)
            await asyncio.gather(crowd, observe(prober, server, "127.0.1.1", names=4))
    assert server.most == {"127.0.0.1": 4, "127.0.1.1": 4}


async def test_who_gives_up_waiting_leaves_the_line() -> None:
    """The place goes to the next one, and nothing is kept of addresses where nobody is."""
    places = Places(10, 1, 1)
    async with places.at("192.0.2.1"):
        waiting = [asyncio.ensure_future(places.at("192.0.2.1").__aenter__()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    async with asyncio.timeout(PATIENCE):
        await waiting[1]
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.254", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("192.0.2.1", "192.0.20.1", False),
        ("2001:db8:1::1", "2001:db8:1:ffff::2", True),
        ("2001:db8:1::1", "2001:db8:2::1", False),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_a_network_is_what_is_usually_in_one_hand(one: str, other: str, same: bool) -> None:
    """A /24 of IPv4, a /48 of IPv6."""
    assert (network_of(one) == network_of(other)) is same
