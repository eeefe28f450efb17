"""Every reason of the closed list that a direct connection can meet, each provoked by a real server."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from monitord.pinning.observation import Failure, FailureReason
from monitord.pinning.target import ConnectAddress, Target
from monitord.pki import issue
from tests.probe.conftest import HOST, target_of
from tests.support.tlsserver import (
    LocalServer,
    TlsServer,
    alert,
    drip,
    flood,
    flood_hello_requests,
    http_answer,
    read_greeting,
    reset,
    say_nothing,
    send,
    server_hello_with,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitord.pinning.observation import Observation
    from monitord.probe.prober import Prober
    from tests.probe.conftest import Authority
    from tests.support.tlsserver import Behaviour

LONG = 20.0
SHORT = 1.0


async def look(prober: Prober, server: LocalServer, timeout: float = LONG) -> Observation:  # noqa: ASYNC109 - passed on
    """The observation of a server's first address."""
    (seen,) = await prober.observe(target_of(server), timeout=timeout)
    return seen


@contextlib.contextmanager
def free_port() -> Iterator[int]:
    """A port of 127.0.0.1 that is bound but not listened on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextlib.contextmanager
def full_port() -> Iterator[int]:
    """A port of 127.0.0.1 whose queue is full: further connections are left without an answer."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield listener.getsockname()[1]


async def test_refused(prober: Prober) -> None:
    """Nobody listens on the port."""
    with free_port() as port:
        (seen,) = await prober.observe(Target("127.0.0.1", port), timeout=LONG)
    assert seen.failure == Failure(FailureReason.REFUSED, "connecting failed: Connection refused")
    assert (seen.address, seen.chain, seen.tls_version) == ("127.0.0.1", (), None)


async def test_unreachable(prober: Prober) -> None:
    """The kernel has no way to the address: TCP to the broadcast address is refused by every Linux."""
    target = Target(HOST, 443, connect_to=(ConnectAddress("255.255.255.255"),))
    (seen,) = await prober.observe(target, timeout=LONG)
    assert seen.failure == Failure(FailureReason.UNREACHABLE, "connecting failed: Network is unreachable")


async def test_an_address_that_cannot_be_connected_to_is_unreachable(prober: Prober) -> None:
    """A link-local address without its interface is a fault of the address, not a crash."""
    target = Target(HOST, 443, connect_to=(ConnectAddress("fe80::1"),))
    (seen,) = await prober.observe(target, timeout=LONG)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.UNREACHABLE


async def test_timeout_while_connecting(prober: Prober) -> None:
    """Nobody answers the first packet."""
    with full_port() as port:
        (seen,) = await prober.observe(Target("127.0.0.1", port), timeout=SHORT)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.TIMEOUT
    assert seen.failure.detail.startswith("connecting took longer than ")


@pytest.mark.parametrize("behave", [say_nothing, drip])
async def test_timeout_in_the_handshake(prober: Prober, behave: Behaviour) -> None:
    """A server that says nothing, or one byte at a time, ends by the one overall deadline."""
    with LocalServer(behave) as server:
        seen = await look(prober, server, SHORT)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.TIMEOUT
    assert seen.failure.detail.startswith("the TLS handshake took longer than ")


async def test_a_spent_budget_is_a_timeout(prober: Prober, authority: Authority) -> None:
    """A deadline that passed before connecting, by a slow lookup, is a timeout like any other."""
    with TlsServer(authority.leaf) as server:
        seen = await look(prober, server, 0.0)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.TIMEOUT


@pytest.mark.parametrize("behaviours", [(read_greeting,), (read_greeting, reset)])
async def test_reset(prober: Prober, behaviours: tuple[Behaviour, ...]) -> None:
    """The connection ends in the middle of the handshake, in good order or not."""
    with LocalServer(*behaviours) as server:
        seen = await look(prober, server)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.RESET


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (40, "handshake_failure"),
        (70, "protocol_version"),
        (80, "internal_error"),
        (112, "unrecognized_name"),
        (116, "certificate_required"),
        (200, "unknown"),
    ],
)
async def test_tls_alert(prober: Prober, number: int, name: str) -> None:
    """The server refuses in the words of TLS, and the alert is named."""
    with LocalServer(read_greeting, send(alert(number))) as server:
        seen = await look(prober, server)
    assert seen.failure == Failure(FailureReason.TLS_ALERT, f"the server sent the alert {name}")


async def test_tls_alert_before_a_reset(prober: Prober) -> None:
    """An alert counts although the server dropped the connection right after it."""
    with LocalServer(read_greeting, send(alert(40)), reset) as server:
        seen = await look(prober, server)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.TLS_ALERT


async def test_tls_protocol_when_the_server_speaks_http(prober: Prober) -> None:
    """A port without TLS is told from its first words."""
    with LocalServer(read_greeting, send(http_answer())) as server:
        seen = await look(prober, server)
    detail = "the server does not speak TLS here, it began with 'HTTP/1.1 400 Bad Request'"
    assert seen.failure == Failure(FailureReason.TLS_PROTOCOL, detail)


async def test_tls_protocol_when_the_server_sends_garbage(prober: Prober) -> None:
    """An endless stream that is no TLS is given up at once; what is quoted is escaped."""
    with LocalServer(flood) as server:
        seen = await look(prober, server)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.TLS_PROTOCOL
    assert r"began with '\xf0\xf0" in seen.failure.detail


async def test_tls_protocol_when_messages_are_wrong(prober: Prober, authority: Authority) -> None:
    """TLS of an unknown version inside sound records is a fault of the protocol."""
    flight = server_hello_with(authority.leaf.certificate.der).replace(b"\x03\x03" + bytes(32), b"\x09\x09" + bytes(32))
    with LocalServer(read_greeting, send(flight), say_nothing) as server:
        seen = await look(prober, server)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.TLS_PROTOCOL
    assert seen.failure.detail.startswith("the server broke the TLS protocol (")


async def test_too_many_certificates(prober: Prober, authority: Authority) -> None:
    """21 certificates are more than anybody needs."""
    with TlsServer(authority.leaf, *[authority.intermediate.certificate] * 20) as server:
        seen = await look(prober, server)
    assert seen.failure == Failure(FailureReason.TOO_LARGE, "the server sent 21 certificates, more than 20")
    assert seen.chain == ()


async def test_twenty_certificates_are_seen(prober: Prober, authority: Authority) -> None:
    """The cap itself is allowed."""
    with TlsServer(authority.leaf, *[authority.intermediate.certificate] * 19) as server:
        seen = await look(prober, server)
    assert (len(seen.chain), seen.failure) == (20, None)


@pytest.mark.parametrize("copies", [2, 4], ids=["over our cap", "over OpenSSL's cap"])
async def test_too_many_bytes_of_certificates(prober: Prober, authority: Authority, copies: int) -> None:
    """More than 64 KB of certificates are not taken."""
    padding = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), bytes(33_000))
    big = issue("big", issuer=authority.intermediate, names=[HOST], extra=[(padding, False)])
    with TlsServer(big, *[big.certificate] * (copies - 1)) as server:
        seen = await look(prober, server)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.TOO_LARGE
    assert seen.chain == ()


async def test_too_many_bytes_read(prober: Prober) -> None:
    """A server that never stops sending what TLS says to ignore is cut off."""
    with LocalServer(flood_hello_requests) as server:
        seen = await look(prober, server)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.TOO_LARGE


@pytest.mark.parametrize(
    "damage",
    [
        lambda der: der[:100],
        lambda der: der + b"junk",
        lambda _: b"\x30\x03\x02\x01\x01",
        # OpenSSL passes over this one: a validity that is no time.
        lambda der: der.replace(b"200101000000Z", b"2001XX000000Z"),
    ],
    ids=["cut off", "with bytes after it", "not a certificate", "with an impossible date"],
)
async def test_certificate_unreadable(prober: Prober, authority: Authority, damage: Callable[[bytes], bytes]) -> None:
    """A certificate in broken DER is a failure in words."""
    flight = server_hello_with(damage(authority.leaf.certificate.der), authority.intermediate.certificate.der)
    with LocalServer(read_greeting, send(flight)) as server:
        seen = await look(prober, server)
    assert seen.failure is not None
    assert seen.failure.reason is FailureReason.CERTIFICATE_UNREADABLE
    assert seen.chain == ()


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
async def test_the_chain_is_kept_when_a_client_certificate_is_demanded(
    prober: Prober, authority: Authority, tls: str
) -> None:
    """The chain came first. TLS 1.2 refuses within the handshake; TLS 1.3 after our part of it is over."""
    with TlsServer(authority.leaf, *authority.below_root, tls=tls, demand_client_certificate=True) as server:
        seen = await look(prober, server)
    assert seen.chain == authority.chain
    later = Failure(FailureReason.TLS_ALERT, "the server sent the alert handshake_failure")
    assert seen.failure == (later if tls == "1.2" else None)


@pytest.mark.parametrize(
    ("behaviours", "reason"),
    [
        ((send(alert(80)),), FailureReason.TLS_ALERT),
        ((), FailureReason.RESET),
        ((flood_hello_requests,), FailureReason.TOO_LARGE),
        ((flood,), FailureReason.TLS_PROTOCOL),
        ((say_nothing,), FailureReason.TIMEOUT),
    ],
)
async def test_the_chain_is_kept_whatever_comes_after_it(
    prober: Prober, authority: Authority, behaviours: tuple[Behaviour, ...], reason: FailureReason
) -> None:
    """A chain that was read is observed beside the failure that came later."""
    flight = server_hello_with(*(certificate.der for certificate in authority.chain))
    with LocalServer(read_greeting, send(flight), *behaviours) as server:
        seen = await look(prober, server, SHORT if reason is FailureReason.TIMEOUT else LONG)
    assert seen.chain == authority.chain
    assert seen.tls_version == "TLSv1.2"
    assert seen.failure is not None
    assert seen.failure.reason is reason
