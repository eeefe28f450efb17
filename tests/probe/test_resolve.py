from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.probe.resolve import LookupFailed, Resolver, can_send_to

if TYPE_CHECKING:
    from collections.abc import Iterator

SOON = 0.05
LONG = 10.0
NO_SUCH_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
TRY_AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


class Clock:
    """A monotonic clock that stands still until told."""

    def __init__(self) -> None:
        """Start somewhere that is not zero."""
        self.seconds = 1000.0

    def __call__(self) -> float:
        """The seconds."""
        return self.seconds


class Names:
    """A resolver's answers by name, changeable; a name in ``stuck`` answers only after ``release``."""

    def __init__(self, **answers: list[str] | Exception) -> None:
        """Dots in names are written as underscores."""
        self.answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.asked: Counter[str] = Counter()
        self.stuck: set[str] = set()
        self._released = threading.Event()

    def __call__(self, host: str) -> list[str]:
        """The answer for this name."""
        self.asked[host] += 1
        if host in self.stuck:
            self._released.wait()
        answer = self.answers[host]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def release(self) -> None:
        """Let every stuck lookup end."""
        self._released.set()


@contextlib.contextmanager
def stuck(names: Names, *hosts: str) -> Iterator[None]:
    """Lookups of these names hang for the time of the block."""
    names.stuck.update(hosts)
    try:
        yield
    finally:
        names.release()


def resolver_of(names: Names, clock: Clock | None = None, **options: float) -> Resolver:
    """A resolver with routes to everything."""
    bounds = {name: int(value) for name, value in options.items() if name.startswith("max_")}
    times = {name: value for name, value in options.items() if not name.startswith("max_")}
    return Resolver(
        lookup=names,
        has_route=lambda _: True,
        monotonic=clock or Clock(),
        **bounds,
        **times,  # type: ignore[arg-type]
    )


async def test_every_address_once_in_a_stable_order() -> None:
    """Both families, duplicates removed, in numeric order whatever order DNS gave."""
    names = Names(a_test=["2001:db8::2", "192.0.2.10", "192.0.2.9", "192.0.2.10", "2001:db8::1"])
    assert await resolver_of(names).resolve("a.test", LONG) == ("192.0.2.9", "192.0.2.10", "2001:db8::1", "2001:db8::2")


@pytest.mark.parametrize("literal", ["192.0.2.1", "2001:db8::1"])
async def test_an_ip_literal_needs_no_lookup(literal: str) -> None:
    """An IP literal is its own address."""
    names = Names()
    assert await resolver_of(names).resolve(literal, LONG) == (literal,)
    assert not names.asked


async def test_an_answer_is_remembered_for_its_time() -> None:
    """Within the TTL a name is looked up once, after it again."""
    names, clock = Names(a_test=["192.0.2.1"]), Clock()
    resolver = resolver_of(names, clock, ttl=30)
    for _ in range(2):
        await resolver.resolve("a.test", LONG)
    clock.seconds += 29
    await resolver.resolve("a.test", LONG)
    assert names.asked["a.test"] == 1
    clock.seconds += 1
    names.answers["a.test"] = ["192.0.2.2"]
    assert await resolver.resolve("a.test", LONG) == ("192.0.2.2",)


async def test_callers_share_a_lookup_under_way() -> None:
    """Two callers of one name cause one lookup and get the same answer."""
    names = Names(a_test=["192.0.2.1"])
    resolver = resolver_of(names)
    with stuck(names, "a.test"):
        callers = [asyncio.create_task(resolver.resolve("a.test", LONG)) for _ in range(2)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*callers) == [("192.0.2.1",)] * 2
    assert names.asked["a.test"] == 1


async def test_a_stuck_lookup_ends_for_its_caller_and_holds_up_nobody() -> None:
    """The caller gets the deadline, other names resolve meanwhile, and the late answer serves the next caller."""
    names = Names(slow_test=["192.0.2.1"], b_test=["192.0.2.2"])
    resolver = resolver_of(names)
    with stuck(names, "slow.test"):
        with pytest.raises(LookupFailed, match=r"looking up slow\.test took longer than 0\.05 s"):
            await resolver.resolve("slow.test", SOON)
        assert await resolver.resolve("b.test", LONG) == ("192.0.2.2",)
    assert await resolver.resolve("slow.test", LONG) == ("192.0.2.1",)
    assert names.asked["slow.test"] == 1


async def test_a_stuck_name_holds_one_thread_however_often_it_is_asked_for() -> None:
    """With two threads, a name that hangs and is asked for many times leaves one for the others."""
    names = Names(slow_test=["192.0.2.1"], b_test=["192.0.2.2"])
    resolver = resolver_of(names, max_threads=2)
    with stuck(names, "slow.test"):
        for _ in range(5):
            with pytest.raises(LookupFailed):
                await resolver.resolve("slow.test", 0.001)
        assert await resolver.resolve("b.test", LONG) == ("192.0.2.2",)
    resolver.close()


async def test_a_lookup_that_never_ends_is_replaced() -> None:
    """After two minutes a lookup counts as hung: the next caller starts another one."""
    names, clock = Names(slow_test=["192.0.2.1"]), Clock()
    resolver = resolver_of(names, clock)
    with stuck(names, "slow.test"):
        with pytest.raises(LookupFailed):
            await resolver.resolve("slow.test", SOON)
        names.stuck.clear()
        clock.seconds += 121
        assert await resolver.resolve("slow.test", LONG) == ("192.0.2.1",)
    resolver.close()


async def test_threads_are_bounded() -> None:
    """A lookup beyond the bound waits for a thread instead of getting one more."""
    names = Names(slow_test=["192.0.2.1"], b_test=["192.0.2.2"])
    resolver = resolver_of(names, max_threads=1)
    with stuck(names, "slow.test"):
        for host in ("slow.test", "b.test"):
            with pytest.raises(LookupFailed):
                await resolver.resolve(host, SOON)
        assert "b.test" not in names.asked
    assert await resolver.resolve("b.test", LONG) == ("192.0.2.2",)


@pytest.mark.parametrize("fault", [TRY_AGAIN, socket.gaierror(socket.EAI_FAIL, "no"), OSError(24, "too many files")])
async def test_the_last_addresses_serve_while_the_resolver_fails(fault: Exception) -> None:
    """A temporary fault falls back to the last known addresses, but not to those of yesterday."""
    names, clock = Names(a_test=["192.0.2.1"]), Clock()
    resolver = resolver_of(names, clock, ttl=30, stale_for=3600)
    await resolver.resolve("a.test", LONG)
    names.answers["a.test"] = fault
    clock.seconds += 3599
    assert await resolver.resolve("a.test", LONG) == ("192.0.2.1",)
    clock.seconds += 1
    with pytest.raises(LookupFailed, match=r"a\.test cannot be resolved"):
        await resolver.resolve("a.test", LONG)


async def test_the_last_addresses_serve_when_the_lookup_hangs() -> None:
    """A lookup past its deadline falls back to the last known addresses."""
    names, clock = Names(a_test=["192.0.2.1"]), Clock()
    resolver = resolver_of(names, clock, ttl=30)
    await resolver.resolve("a.test", LONG)
    clock.seconds += 31
    with stuck(names, "a.test"):
        assert await resolver.resolve("a.test", SOON) == ("192.0.2.1",)
    resolver.close()


async def test_no_such_name_is_an_answer() -> None:
    """A name that does not exist any more has no addresses, and older ones are forgotten for good."""
    names, clock = Names(a_test=["192.0.2.1"]), Clock()
    resolver = resolver_of(names, clock, ttl=30)
    await resolver.resolve("a.test", LONG)
    clock.seconds += 31
    for fault in (NO_SUCH_NAME, TRY_AGAIN):
        names.answers["a.test"] = fault
        with pytest.raises(LookupFailed, match=r"a\.test cannot be resolved: "):
            await resolver.resolve("a.test", LONG)


async def test_a_name_without_addresses_fails() -> None:
    """An empty answer is a failed lookup."""
    with pytest.raises(LookupFailed, match=r"a\.test has no address"):
        await resolver_of(Names(a_test=[])).resolve("a.test", LONG)


@pytest.mark.parametrize("host", ["a..test", "x" * 64 + ".test", "a\0b"])
async def test_impossible_names_fail_in_words(host: str) -> None:
    """A name that the system's resolver refuses to take is a failed lookup, not a crash."""
    with pytest.raises(LookupFailed):
        await Resolver().resolve(host, LONG)


async def test_the_system_is_asked_by_default() -> None:
    """The name localhost resolves to loopback addresses on every machine."""
    resolver = Resolver()
    assert all(ipaddress.ip_address(address).is_loopback for address in await resolver.resolve("localhost", LONG))
    resolver.close()


async def test_a_family_without_a_route_is_left_out() -> None:
    """Without IPv6 here, the IPv6 addresses of a name say nothing about the endpoint."""
    names = Names(a_test=["192.0.2.1", "2001:db8::1", "2001:db8::2"])
    resolver = Resolver(lookup=names, has_route=lambda address: ":" not in address)
    assert await resolver.resolve("a.test", LONG) == ("192.0.2.1",)


async def test_a_family_with_a_route_to_one_address_is_kept_whole() -> None:
    """An address that cannot be reached is observed as such if others of its family can."""
    names = Names(a_test=["192.0.2.1", "2001:db8::1", "2001:db8::2"])
    resolver = Resolver(lookup=names, has_route=lambda address: address.endswith("1"))
    assert await resolver.resolve("a.test", LONG) == ("192.0.2.1", "2001:db8::1", "2001:db8::2")


async def test_without_any_route_all_addresses_remain() -> None:
    """Nothing is left out if nothing would remain: connecting then says why."""
    names = Names(a_test=["192.0.2.1", "2001:db8::1"])
    resolver = Resolver(lookup=names, has_route=lambda _: False)
    assert await resolver.resolve("a.test", LONG) == ("192.0.2.1", "2001:db8::1")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback_has_a_route(address: str) -> None:
    """The kernel knows a way to loopback."""
    assert can_send_to(address)


async def test_names_are_forgotten_beyond_the_bound() -> None:
    """Only the most recently learnt names are remembered."""
    names = Names(a_test=["192.0.2.1"], b_test=["192.0.2.2"], c_test=["192.0.2.3"])
    resolver = resolver_of(names, max_names=2)
    for host in ("a.test", "b.test", "c.test", "b.test", "a.test"):
        await resolver.resolve(host, LONG)
    assert names.asked == {"a.test": 2, "b.test": 1, "c.test": 1}


async def test_closing_ends_the_wait() -> None:
    """A caller that waits when the resolver is closed gets a failed lookup."""
    names = Names(slow_test=["192.0.2.1"])
    resolver = resolver_of(names)
    with stuck(names, "slow.test"):
        caller = asyncio.create_task(resolver.resolve("slow.test", LONG))
        await asyncio.sleep(0)
        resolver.close()
        with pytest.raises(LookupFailed, match="given up"):
            await caller


@settings(deadline=None, max_examples=50)
@given(addresses=st.lists(st.ip_addresses().map(str), min_size=1, max_size=12), cap=st.integers(1, 12))
def test_the_cap_keeps_both_families(addresses: list[str], cap: int) -> None:
    """At most ``cap`` of the given addresses remain, sorted, and no family is crowded out by the other."""

    async def resolve() -> tuple[str, ...]:
        return await resolver_of(Names(a_test=addresses), max_addresses=cap).resolve("a.test", LONG)

    kept = asyncio.run(resolve())
    assert len(kept) == min(cap, len(set(addresses)))
    assert set(kept) <= set(addresses)
    assert list(kept) == sorted(kept, key=lambda a: (ipaddress.ip_address(a).version, int(ipaddress.ip_address(a))))
    assert len({":" in address for address in kept}) == min(cap, len({":" in address for address in addresses}))
