"""How many connections are open at once: in all, to one address, and into one network.

Many names may lead to one server or one CDN. Whoever watches them must not flood it: so there are bounds for an address
and for the network that it is in, a /24 of IPv4 or a /48 of IPv6, which is what is usually in one hand. Who waits for
an address or a network holds no place among all, so that others go on meanwhile.
"""

from __future__ import annotations

import asyncio
import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

_IPV6_NETWORK = 48


class Places:
    """Gives places for connections; belongs to one event loop."""

    def __init__(self, most: int, per_address: int, per_network: int) -> None:
        """All places are free."""
        self._per_address = per_address
        self._per_network = per_network
        self._addresses: dict[str, _Gate] = {}
        self._networks: dict[str, _Gate] = {}
        self._all = _Gate({}, "", most)

    def at(self, address: str) -> AbstractAsyncContextManager[None]:
        """Hold a place for a connection to this IP literal, after waiting for it in line, for as long as needed."""
        return _Place(self, address)

    def gates(self, address: str) -> tuple[_Gate, ...]:
        """What has to be passed, in this order."""
        return (
            _gate(self._addresses, address, self._per_address),
            _gate(self._networks, network_of(address), self._per_network),
            self._all,
        )


class _Place:
    """A place for one connection: every gate is passed, in order, or none."""

    __slots__ = ("_address", "_gates", "_passed", "_places")

    def __init__(self, places: Places, address: str) -> None:
        self._places = places
        self._address = address
        self._gates: tuple[_Gate, ...] = ()
        self._passed = 0

    async def __aenter__(self) -> None:
        self._gates = self._places.gates(self._address)
        for gate in self._gates:
            gate.concerned += 1
        try:
            for gate in self._gates:
                await gate.semaphore.acquire()
                self._passed += 1
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        for position, gate in enumerate(self._gates):
            if position < self._passed:
                gate.semaphore.release()
            gate.concerned -= 1
            if not gate.concerned:
                gate.table.pop(gate.key, None)


class _Gate:
    """A bound for what has the same key; it leaves its table when it concerns nobody, inside or in line."""

    __slots__ = ("concerned", "key", "semaphore", "table")

    def __init__(self, table: dict[str, _Gate], key: str, most: int) -> None:
        self.table = table
        self.key = key
        self.semaphore = asyncio.Semaphore(most)
        self.concerned = 0


def _gate(table: dict[str, _Gate], key: str, most: int) -> _Gate:
    gate = table.get(key)
    if gate is None:
        gate = table[key] = _Gate(table, key, most)
    return gate


def network_of(address: str) -> str:
    """The network that an IP literal, which may have a zone, is counted in."""
    return _network_of_ipv6(address) if ":" in address else address.rpartition(".")[0]


@lru_cache(maxsize=4096)
def _network_of_ipv6(address: str) -> str:
    return str(ipaddress.ip_network((address.partition("%")[0], _IPV6_NETWORK), strict=False))
