"""Names to addresses by the system's resolver, which blocks and cannot be cancelled.

``getaddrinfo`` is used because it honours what the administrator set up (hosts file, NSS, search order). A lookup
that hangs must cost nobody else anything, so:

1. Each lookup has a daemon thread to itself, of a bounded number (see ``workers``). An executor's threads would be
   waited for when the interpreter exits, and a lookup can be stuck for half a minute.
2. Callers that ask for the same name share one lookup; giving up on it does not end it. A name that is stuck thus
   holds one thread, however often it is asked for, and a late answer still serves the next round.
3. When the resolver fails for the moment, the last known addresses are used: trouble with DNS here is no outage there.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING

from monitord.errors import MonitordError
from monitord.probe.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Lookup = Callable[[str], Sequence[str]]
    HasRoute = Callable[[str], bool]

_NO_ROUTE = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY)
_ANY_PORT = 443
_PATIENCE_WITH_FALLBACK = 0.5
_HUNG_AFTER = 120.0


class LookupFailed(MonitordError):  # noqa: N818 - reads as what happened
    """No address is known for the name; the text says why."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The addresses of a name, and when they were learnt, by the monotonic clock in seconds."""

    addresses: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why a lookup brought no addresses; ``definite`` if that is the answer and not the lack of one."""

    text: str
    definite: bool


_Answer = tuple[str, ...] | _Fault


@dataclass(frozen=True, slots=True)
class _Running:
    """A lookup under way, and when it was started, by the monotonic clock in seconds."""

    task: asyncio.Task[_Answer]
    started: float


class Resolver:
    """Addresses of names, remembered for ``ttl`` seconds; belongs to one event loop.

    ``lookup`` gives the addresses of a name, may block, and raises OSError as ``socket.getaddrinfo`` does.
    ``has_route`` says whether this host could send to an address. ``stale_for`` bounds, in seconds, how old addresses
    may be that serve while the resolver fails. At most ``max_addresses`` of a name are used, ``max_threads`` lookups
    run at once and ``max_names`` names are remembered; there is room for very many, for without a name's last addresses
    trouble with DNS is an outage of it.
    """

    def __init__(  # noqa: PLR0913 - each bound is one of the promises above
        self,
        *,
        lookup: Lookup | None = None,
        has_route: HasRoute | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        ttl: float = 30.0,
        stale_for: float = 86_400.0,
        max_addresses: int = 16,
        max_threads: int = 64,
        max_names: int = 1_000_000,
    ) -> None:
        """A resolver that knows nothing yet; without ``lookup`` it asks the system."""
        self._lookup = lookup or ask_system
        self._has_route = has_route or can_send_to
        self._monotonic = monotonic
        self._ttl = ttl
        self._stale_for = stale_for
        self._max_addresses = max_addresses
        self._max_names = max_names
        self._threads = asyncio.Semaphore(max_threads)
        self._workers = Workers("dns-lookup")
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._running: dict[str, _Running] = {}

    async def resolve(self, host: str, timeout: float) -> tuple[str, ...]:  # noqa: ASYNC109 - the lookup goes on after it
        """The addresses of ``host``, each once, IPv4 before IPv6, in numeric order; an IP literal is its own address.

        Waits ``timeout`` seconds at most, and half of that where older addresses can stand in. Raises LookupFailed.
        """
        if is_ip_literal(host):
            return (host,)
        known = self._known.get(host)
        age = self._monotonic() - known.at if known else 0.0
        if known and age < self._ttl:
            return known.addresses
        fallback = known.addresses if known and age < self._stale_for else None
        patience = timeout * _PATIENCE_WITH_FALLBACK if fallback else timeout
        running = self._join(host)
        await asyncio.wait({running.task}, timeout=patience)
        if not running.task.done():
            answer: _Answer = _Fault(f"looking up {host} took longer than {patience:.3g} s", definite=False)
        elif running.task.cancelled():
            answer = _Fault(f"looking up {host} was given up", definite=False)
        else:
            answer = running.task.result()
        if not isinstance(answer, _Fault):
            return answer
        if fallback and not answer.definite:
            return fallback
        raise LookupFailed(answer.text)

    def close(self) -> None:
        """Give up on all lookups; threads that are stuck in one end with it or with the process."""
        for running in self._running.values():
            running.task.cancel()
        self._running.clear()

    def _join(self, host: str) -> _Running:
        """The lookup of this name that is under way, or a new one if there is none that can be hoped to end."""
        now = self._monotonic()
        running = self._running.get(host)
        if running is None or now - running.started > _HUNG_AFTER:
            running = self._running[host] = _Running(asyncio.create_task(self._look_up(host)), now)
        return running

    async def _look_up(self, host: str) -> _Answer:
        try:
            async with self._threads:
                answer = await self._workers.submit(partial(self._ask, host))
        except RuntimeError as error:
            return _Fault(f"{host} cannot be looked up, no thread can be started: {error}", definite=False)
        finally:
            running = self._running.get(host)
            if running and running.task is asyncio.current_task():
                del self._running[host]
        if not isinstance(answer, _Fault):
            self._known[host] = _Known(answer, self._monotonic())
            self._known.move_to_end(host)
            if len(self._known) > self._max_names:
                self._known.popitem(last=False)
        elif answer.definite:
            self._known.pop(host, None)
        return answer

    def _ask(self, host: str) -> _Answer:
        """Look up and choose; runs in a thread, touches no state of the resolver."""
        try:
            found = self._lookup(host)
        except socket.gaierror as error:
            return _Fault(f"{host} cannot be resolved: {error.strerror}", definite=error.errno in _NO_SUCH_NAME)
        except OSError as error:
            return _Fault(f"{host} cannot be resolved: {error}", definite=False)
        except ValueError as error:  # from the IDNA codec: an empty or overlong label
            return _Fault(f"{host} is not a name that DNS can hold: {error}", definite=True)
        chosen = _capped(self._reachable(found), self._max_addresses)
        return chosen or _Fault(f"{host} has no address", definite=True)

    def _reachable(self, addresses: Iterable[str]) -> list[str]:
        """The addresses without those of a family that this host has no route for, unless nothing would remain."""
        families: dict[int, list[str]] = {}
        for address in sorted(set(addresses), key=address_order):
            families.setdefault(ipaddress.ip_address(address).version, []).append(address)
        alone = len(families) == 1
        routed = [members for members in families.values() if alone or any(map(self._has_route, members))]
        return [address for members in routed or families.values() for address in members]


def is_ip_literal(host: str) -> bool:
    """Whether ``host`` is an IP address and no name; such a host is not looked up and not sent as SNI."""
    if ":" not in host and host[-1:].isalpha():
        return False  # asked at every probe, and told by this of nearly every name
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def address_order(address: str) -> tuple[int, int]:
    """A sort key: IPv4 before IPv6, each in numeric order."""
    parsed = ipaddress.ip_address(address)
    return parsed.version, int(parsed)


def ask_system(host: str) -> list[str]:
    """The addresses that the system's resolver gives. Blocks; raises OSError or, for an impossible name, ValueError."""
    return [str(sockaddr[0]) for *_, sockaddr in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


def can_send_to(address: str) -> bool:
    """Whether this host has a route to ``address``. Connecting a UDP socket asks the kernel and sends nothing."""
    try:
        family, kind, protocol, _, sockaddr = socket.getaddrinfo(
            address, _ANY_PORT, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(sockaddr)
    except OSError as error:
        return error.errno not in _NO_ROUTE
    return True


def _capped(addresses: Sequence[str], limit: int) -> tuple[str, ...]:
    """At most ``limit`` addresses, taken from both families in turn so that neither is crowded out."""
    if len(addresses) <= limit:
        return tuple(addresses)
    old = [address for address in addresses if ":" not in address]
    new = [address for address in addresses if ":" in address]
    in_turn = [address for pair in zip_longest(old, new) for address in pair if address]
    return tuple(sorted(in_turn[:limit], key=address_order))
