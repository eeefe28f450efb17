"""Probing through an HTTP proxy."""

from __future__ import annotations

import base64
import socket
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.pinning.observation import Failure, FailureReason
from monitord.pinning.target import ConnectAddress, Proxy, StartTls, Target
from monitord.probe.prober import Prober
from monitord.probe.resolve import Resolver
from monitord.probe.tunnel import ask_for_tunnel
from tests.probe.conftest import HOST, NOW, target_of
from tests.support.protocols import TURNS, HttpProxy
from tests.support.tlsserver import LocalServer, TlsServer, converse, flood, reset, say_nothing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitord.pinning.observation import Observation
    from tests.probe.conftest import Authority
    from tests.support.tlsserver import Behaviour

LONG = timedelta(seconds=20)
SHORT = timedelta(seconds=1)
PROXY_NAME = "proxy.example.test"
LOGIN = ("us er", "pä:ss")


def lookup(name: str) -> list[str]:
    """A DNS that knows the proxy and nobody else."""
    if name == PROXY_NAME:
        return ["127.0.0.1"]
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.fixture
async def prober() -> AsyncIterator[Prober]:
    """A prober that can look up the proxy only."""
    prober = Prober(now=lambda: NOW, resolver=Resolver(lookup=lookup))
    yield prober
    prober.close()


def upstream(server: LocalServer) -> tuple[str, int]:
    """Where a proxy finds this server."""
    return "127.0.0.1", server.port


async def through(prober: Prober, proxy: LocalServer, target: Target, timeout: timedelta = LONG) -> Observation:  # noqa: ASYNC109 - passed on
    """The only observation of a target through this proxy."""
    (seen,) = await prober.observe(replace(target, proxy=Proxy(PROXY_NAME, proxy.port)), timeout=timeout)
    return seen


async def test_the_proxy_looks_the_name_up(authority: Authority, prober: Prober) -> None:
    """It is asked for the host by name; the address that is observed is its own, the port that of the target."""
    with TlsServer(authority.leaf, *authority.below_root) as server, HttpProxy(upstream(server)) as proxy:
        seen = await through(prober, proxy, Target(HOST, 8443))
    assert (seen.chain, seen.failure) == (authority.chain, None)
    assert (seen.address, seen.port) == ("127.0.0.1", 8443)
    assert set(server.names) == {HOST}
    expected = f"CONNECT {HOST}:8443 HTTP/1.1\r\nHost: {HOST}:8443\r\nUser-Agent: monitord\r\n\r\n"
    assert set(proxy.requests) == {expected.encode()}


@pytest.mark.parametrize(
    ("target", "address", "asked"),
    [
        (Target(HOST, 8443, connect_to=(ConnectAddress("192.0.2.7"),)), "192.0.2.7", b"192.0.2.7:8443"),
        (Target(HOST, connect_to=(ConnectAddress("2001:db8::7", 99),)), "2001:db8::7", b"[2001:db8::7]:99"),
        (Target("192.0.2.7", 8443), "192.0.2.7", b"192.0.2.7:8443"),
    ],
)
async def test_addresses_that_are_given_are_asked_for(
    authority: Authority, prober: Prober, target: Target, address: str, asked: bytes
) -> None:
    """And observed, though only the proxy connects to them."""
    with TlsServer(authority.leaf) as server, HttpProxy(upstream(server)) as proxy:
        seen = await through(prober, proxy, target)
    assert (seen.address, seen.chain) == (address, (authority.leaf.certificate,))
    assert {request.split()[1] for request in proxy.requests} == {asked}


async def test_user_name_and_password_go_to_the_proxy_only(authority: Authority, prober: Prober) -> None:
    """As Basic authentication, in UTF-8; the server gets nothing but TLS."""
    with TlsServer(authority.leaf) as server, HttpProxy(upstream(server)) as proxy:
        target = replace(Target(HOST), proxy=Proxy("127.0.0.1", proxy.port, *LOGIN))
        (seen,) = await prober.observe(target, timeout=LONG)
    assert seen.chain
    (line,) = [line for line in proxy.requests[0].splitlines() if line.lower().startswith(b"proxy-authorization")]
    assert base64.b64decode(line.removeprefix(b"Proxy-Authorization: Basic ")).decode() == ":".join(LOGIN)
    for secret in LOGIN:
        assert secret not in repr(target)


@pytest.mark.parametrize("protocol", list(StartTls))
@pytest.mark.parametrize("greedy", [False, True])
async def test_starttls_through_a_proxy(
    authority: Authority, prober: Prober, protocol: StartTls, *, greedy: bool
) -> None:
    """A greeting may come in one piece with the proxy's answer, where the server is the one to speak first."""
    greedy = greedy and protocol in (StartTls.SMTP, StartTls.IMAP, StartTls.POP3, StartTls.FTP)
    server = TlsServer(authority.leaf, before=[converse(*TURNS[protocol])])
    with server, HttpProxy(upstream(server), greedy=greedy) as proxy:
        seen = await through(prober, proxy, Target(HOST, 8443, starttls=protocol))
    assert (seen.chain, seen.failure) == ((authority.leaf.certificate,), None)


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"HTTP/1.1 407 Login\r\n\r\n", "the proxy wants a user name: 'HTTP/1.1 407 Login'"),
        (b"HTTP/1.0 403 No\r\nX: y\r\n\r\n<b>", f"the proxy did not connect to {HOST}:443: 'HTTP/1.0 403 No'"),
        (b"HTTP/1.1 502\n\n", f"the proxy did not connect to {HOST}:443: 'HTTP/1.1 502'"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "the proxy sent 5 bytes behind its answer, before anybody was asked"),
        (b"SSH-2.0-x\x1b\r\n", r"the proxy does not speak HTTP, it said 'SSH-2.0-x\x1b'"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 17_000, "CONNECT at the proxy came to more than 16 KB"),
        (b"HTTP/1.1 200 OK\r\n", "the connection was closed during CONNECT at the proxy"),
        (b"", "the connection was closed during CONNECT at the proxy"),
    ],
)
async def test_a_proxy_that_does_not_connect_is_quoted(prober: Prober, answer: bytes, detail: str) -> None:
    """Refusals and nonsense are the proxy's failure, with what it said."""
    with HttpProxy(None, answer) as proxy:
        seen = await through(prober, proxy, Target(HOST))
    assert seen.failure == Failure(FailureReason.PROXY, detail)
    assert (seen.address, seen.chain) == ("127.0.0.1", ())


@pytest.mark.parametrize("status", ["407", "401"])
async def test_a_wrong_password_is_told_apart(prober: Prober, status: str) -> None:
    """And not shown."""
    with HttpProxy(None, f"HTTP/1.1 {status} Login\r\n\r\n".encode()) as proxy:
        target = replace(Target(HOST), proxy=Proxy("127.0.0.1", proxy.port, *LOGIN))
        (seen,) = await prober.observe(target, timeout=LONG)
    detail = f"the proxy does not accept the user name and password: 'HTTP/1.1 {status} Login'"
    assert seen.failure == Failure(FailureReason.PROXY, detail)


async def test_a_proxy_that_does_not_listen(prober: Prober) -> None:
    """Is not an endpoint that does not."""
    with HttpProxy(None) as proxy:
        pass
    seen = await through(prober, proxy, Target(HOST))
    detail = "connecting to the proxy failed: Connection refused"
    assert seen.failure == Failure(FailureReason.PROXY, detail)


async def test_a_proxy_that_cannot_be_found(prober: Prober) -> None:
    """Its name is all that is looked up."""
    (seen,) = await prober.observe(replace(Target(HOST), proxy=Proxy("nowhere.test", 3128)), timeout=LONG)
    detail = "nowhere.test cannot be resolved: Name or service not known"
    assert seen.failure == Failure(FailureReason.PROXY, detail)
    assert (seen.address, seen.port) == ("", 443)


async def test_another_address_of_the_proxy_is_tried(authority: Authority) -> None:
    """A proxy with several addresses works as long as one of them does."""
    prober = Prober(now=lambda: NOW, resolver=Resolver(lookup=lambda _: ["127.0.0.1", "127.0.0.2"]))
    with TlsServer(authority.leaf) as server, HttpProxy(upstream(server), addresses=["127.0.0.2"]) as proxy:
        seen = await through(prober, proxy, Target(HOST))
    assert (seen.address, seen.chain) == ("127.0.0.2", (authority.leaf.certificate,))
    prober.close()


@pytest.mark.parametrize(("behave", "reason"), [(reset, FailureReason.PROXY), (flood, FailureReason.PROXY)])
async def test_a_proxy_that_misbehaves(prober: Prober, behave: Behaviour, reason: FailureReason) -> None:
    """Drops the connection, or floods."""
    with LocalServer(behave) as proxy:
        seen = await through(prober, proxy, Target(HOST))
    assert seen.failure is not None
    assert seen.failure.reason is reason


async def test_the_deadline_holds_through_a_proxy(prober: Prober) -> None:
    """At the proxy and behind it."""
    with LocalServer(say_nothing) as proxy:
        seen = await through(prober, proxy, Target(HOST), SHORT)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.TIMEOUT
    assert seen.failure.detail.startswith("CONNECT at the proxy took longer than ")
    with LocalServer(say_nothing) as server, HttpProxy(upstream(server)) as proxy:
        seen = await through(prober, proxy, Target(HOST), SHORT)
    assert seen.failure is not None
    assert seen.failure.detail.startswith("the TLS handshake took longer than ")


async def test_what_goes_wrong_behind_the_proxy_is_not_the_proxy_s(prober: Prober) -> None:
    """A server that drops the connection is what it is without a proxy."""
    with LocalServer(converse((b"\x16", b""))) as server, HttpProxy(upstream(server)) as proxy:
        seen = await through(prober, proxy, target_of(server))
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.RESET


async def test_one_handshake_a_round_through_a_proxy_too(authority: Authority, prober: Prober) -> None:
    """What types of key there are is remembered for what is behind the proxy, not for the proxy."""
    with TlsServer(authority.leaf) as server, HttpProxy(upstream(server)) as proxy:
        for host in (HOST, "other.example.test"):
            before = len(proxy.requests)
            for _ in range(3):
                await through(prober, proxy, Target(host))
            assert len(proxy.requests) - before == 4


@settings(deadline=None, max_examples=300)
@given(
    pieces=st.lists(
        st.binary(max_size=60)
        | st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 407\r\n", b"\r\n", b"\n", b"a: b\r\n"]),
        max_size=6,
    ),
    greeting_may_follow=st.booleans(),
)
def test_no_bytes_make_it_raise(pieces: list[bytes], *, greeting_may_follow: bool) -> None:
    """Whatever a proxy says, the dialogue goes on, ends well, or ends with a failure in words."""
    dialogue = ask_for_tunnel(Proxy("p", 1), "h:1", greeting_may_follow=greeting_may_follow)
    for piece in pieces:
        dialogue.receive(piece)
    if dialogue.failure is not None:
        assert dialogue.failure.reason is FailureReason.PROXY
        assert dialogue.failure.detail.isprintable()
    elif dialogue.ended:
        assert b"".join(pieces).startswith(b"HTTP/1.1 2")
        assert greeting_may_follow or not dialogue.rest
