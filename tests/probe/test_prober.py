from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from monitord.pinning.certificate import KeyType, parse_certificate
from monitord.pinning.observation import FailureReason
from monitord.pinning.target import ConnectAddress, Target
from monitord.pki import Issued, KeyKind, issue, new_key
from monitord.probe.prober import Prober
from monitord.probe.resolve import Resolver
from tests.probe.conftest import HOST, NOW, target_of
from tests.support.tlsserver import LOOPBACK, LocalServer, Site, TlsServer, drip, flood_hello_requests, say_nothing

if TYPE_CHECKING:
    from tests.probe.conftest import Authority
    from tests.support.tlsserver import Behaviour

LONG = timedelta(seconds=20)
SHORT = 1.0


def found(*addresses: str) -> Resolver:
    """A resolver to which every name has these addresses."""
    return Resolver(lookup=lambda _: addresses)


@pytest.mark.parametrize(("tls", "version"), [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")])
async def test_the_presented_chain_is_observed(authority: Authority, prober: Prober, tls: str, version: str) -> None:
    """A probe sees the chain as sent, when, where, and what was negotiated."""
    with TlsServer(authority.leaf, *authority.below_root, tls=tls) as server:
        (seen,) = await prober.observe(target_of(server), timeout=LONG)
    assert seen.chain == authority.chain
    assert seen.failure is None
    assert (seen.at, seen.address, seen.port) == (NOW, "127.0.0.1", server.port)
    assert (seen.key_type, seen.tls_version) == (KeyType.ECDSA, version)
    assert seen.cipher
    assert seen.duration > 0


async def test_every_address_is_observed(authority: Authority) -> None:
    """IPv4 and IPv6 each give an observation, in order."""
    prober = Prober(now=lambda: NOW, resolver=found("::1", "127.0.0.1"))
    with TlsServer(authority.leaf, *authority.below_root) as server:
        seen = await prober.observe(Target(HOST, server.port), timeout=LONG)
    assert [(one.address, one.port, one.chain) for one in seen] == [
        (address, server.port, authority.chain) for address in LOOPBACK
    ]
    prober.close()


async def test_addresses_may_differ(authority: Authority, prober: Prober) -> None:
    """One of two addresses already presents another chain: both are seen as they are."""
    with (
        TlsServer(authority.leaf, addresses=["127.0.0.1"]) as old,
        TlsServer(authority.other_leaf, addresses=["127.0.0.2"], port=old.port),
    ):
        seen = await prober.observe(target_of(old, "127.0.0.2", "127.0.0.1"), timeout=LONG)
    assert [(one.address, one.chain[0]) for one in seen] == [
        ("127.0.0.1", authority.leaf.certificate),
        ("127.0.0.2", authority.other_leaf.certificate),
    ]


async def test_connect_to_replaces_dns_and_may_name_a_port(authority: Authority) -> None:
    """Given addresses are connected to once each, without a lookup, at their own port or the target's."""
    prober = Prober(now=lambda: NOW, resolver=Resolver(lookup=pytest.fail))
    with TlsServer(authority.leaf) as one, TlsServer(authority.other_leaf) as other:
        given = (ConnectAddress("::1", other.port), ConnectAddress("127.0.0.1"), ConnectAddress("127.0.0.1", one.port))
        seen = await prober.observe(Target(HOST, one.port, connect_to=given), timeout=LONG)
    assert [(look.address, look.port, look.chain[0]) for look in seen] == [
        ("127.0.0.1", one.port, authority.leaf.certificate),
        ("::1", other.port, authority.other_leaf.certificate),
    ]
    prober.close()


async def test_the_name_is_announced(authority: Authority, prober: Prober) -> None:
    """The host is sent as SNI, or the server name where one is given: it decides what is presented."""
    with TlsServer(authority.other_leaf, sites={HOST: Site(authority.leaf)}) as server:
        (by_host,) = await prober.observe(target_of(server), timeout=LONG)
        (by_name,) = await prober.observe(target_of(server, host="b.test", server_name=HOST), timeout=LONG)
        (default,) = await prober.observe(target_of(server, host="b.test"), timeout=LONG)
    assert list(dict.fromkeys(server.names)) == [HOST, "b.test"]
    assert by_host.chain == by_name.chain == (authority.leaf.certificate,)
    assert default.chain == (authority.other_leaf.certificate,)


@pytest.mark.parametrize("address", LOOPBACK)
async def test_no_name_is_announced_for_an_ip_literal(authority: Authority, prober: Prober, address: str) -> None:
    """SNI must not hold an address (RFC 6066 section 3), and an address needs no DNS."""
    with TlsServer(authority.leaf) as server:
        (seen,) = await prober.observe(Target(address, server.port), timeout=LONG)
    assert seen.address == address
    assert seen.chain
    assert set(server.names) == {None}


async def test_no_name_is_announced_where_none_is_wanted(authority: Authority, prober: Prober) -> None:
    """A server that has a certificate of its own for clients without SNI shows that one."""
    with TlsServer(authority.other_leaf, sites={HOST: Site(authority.leaf)}) as server:
        (seen,) = await prober.observe(replace(target_of(server), send_server_name=False), timeout=LONG)
    assert seen.chain == (authority.other_leaf.certificate,)
    assert set(server.names) == {None}


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
async def test_trap_24_no_session_is_resumed_so_the_chain_is_always_there(
    authority: Authority, prober: Prober, tls: str
) -> None:
    """Each of several probes in a row is a full handshake, with the chain."""
    with TlsServer(authority.leaf, *authority.below_root, tls=tls) as server:
        for _ in range(3):
            (seen,) = await prober.observe(target_of(server), timeout=LONG)
            assert seen.chain == authority.chain
        server.wait_for_handshakes(3)
    assert not server.resumed


async def test_a_replaced_certificate_is_seen_at_once(authority: Authority, prober: Prober) -> None:
    """What was seen before does not hide what is presented now."""
    with TlsServer(authority.leaf) as server:
        await prober.observe(target_of(server), timeout=LONG)
        server.present(authority.other_leaf, *authority.below_root)
        (seen,) = await prober.observe(target_of(server), timeout=LONG)
    assert seen.chain == (authority.other_leaf.certificate, authority.intermediate.certificate)


async def test_the_order_sent_is_kept(authority: Authority, prober: Prober) -> None:
    """Misordered, foreign and repeated certificates are observed just so."""
    extra = (authority.root.certificate, authority.other_leaf.certificate, authority.intermediate.certificate) * 2
    with TlsServer(authority.leaf, *extra) as server:
        (seen,) = await prober.observe(target_of(server), timeout=LONG)
    assert seen.chain == (authority.leaf.certificate, *extra)


@pytest.mark.parametrize(("kind", "key_type"), [("rsa", KeyType.RSA), ("ed25519", KeyType.ED25519)])
async def test_the_key_type_is_told(authority: Authority, prober: Prober, kind: KeyKind, key_type: KeyType) -> None:
    """The kind of the leaf's key is part of the observation."""
    leaf = issue("leaf", issuer=authority.intermediate, names=[HOST], key=new_key(kind))
    with TlsServer(leaf) as server:
        (seen,) = await prober.observe(target_of(server), timeout=LONG)
    assert (seen.key_type, seen.failure) == (key_type, None)


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
async def test_a_weak_key_is_still_seen(authority: Authority, prober: Prober, tls: str) -> None:
    """A key too small for OpenSSL's defaults does not hide the chain."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - weak on purpose
    leaf = issue("leaf", issuer=authority.intermediate, names=[HOST], key=key)
    with TlsServer(leaf, tls=tls) as server:
        (seen,) = await prober.observe(target_of(server), timeout=LONG)
    assert (seen.chain, seen.failure) == ((leaf.certificate,), None)


async def test_a_negative_serial_number_is_observed_intact(authority: Authority, prober: Prober) -> None:
    """A certificate that strict libraries refuse arrives byte for byte."""
    plain = issue("leaf", issuer=authority.intermediate, names=[HOST], serial=5)
    odd = parse_certificate(plain.certificate.der.replace(b"\x02\x01\x05", b"\x02\x01\x85", 1))
    with TlsServer(Issued(odd, plain.key)) as server:
        (seen,) = await prober.observe(target_of(server), timeout=LONG)
    assert seen.chain[0].serial == b"\x85"
    assert seen.chain[0].der == odd.der
    assert seen.failure is None


@pytest.mark.parametrize("behave", [drip, say_nothing])
async def test_a_stalling_server_costs_its_own_probe_only(
    authority: Authority, prober: Prober, behave: Behaviour
) -> None:
    """While one server drips or is silent, another is observed to the end; a cancelled probe leaves nothing behind."""
    with LocalServer(behave) as bad, TlsServer(authority.leaf) as good:
        stalled = asyncio.create_task(prober.observe(target_of(bad), timeout=LONG))
        await asyncio.to_thread(bad.wait_for_connections, 1)
        (seen,) = await prober.observe(target_of(good), timeout=LONG)
        assert seen.chain == (authority.leaf.certificate,)
        assert not stalled.done()
        stalled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stalled


async def test_a_flooding_address_does_not_hide_the_others(authority: Authority, prober: Prober) -> None:
    """One address floods, the other is observed as ever."""
    with (
        LocalServer(flood_hello_requests, addresses=["127.0.0.1"]) as bad,
        TlsServer(authority.leaf, addresses=["127.0.0.2"], port=bad.port),
    ):
        flooded, fine = await prober.observe(target_of(bad, "127.0.0.1", "127.0.0.2"), timeout=LONG)
    assert flooded.failure is not None
    assert flooded.failure.reason is FailureReason.TOO_LARGE
    assert fine.chain == (authority.leaf.certificate,)


async def test_waiting_for_a_free_connection_is_not_held_against_the_server(authority: Authority) -> None:
    """With one connection at a time, a stalling server uses up its own deadline and not that of the next."""
    prober = Prober(now=lambda: NOW, max_connections=1)
    with LocalServer(say_nothing) as bad, TlsServer(authority.leaf) as good:
        stalled = asyncio.create_task(prober.observe(target_of(bad), timeout=SHORT))
        await asyncio.to_thread(bad.wait_for_connections, 1)
        (seen,) = await prober.observe(target_of(good), timeout=SHORT)
        assert stalled.done()
        assert seen.chain == (authority.leaf.certificate,)
        await stalled
    prober.close()


async def test_a_hanging_lookup_leaves_time_to_connect_to_the_last_addresses(authority: Authority) -> None:
    """DNS that hangs does not use up the deadline where older addresses are known."""
    release, lookups = threading.Event(), 0

    def lookup(_: str) -> list[str]:
        nonlocal lookups
        lookups += 1
        if lookups > 1:
            release.wait()
        return ["127.0.0.1"]

    prober = Prober(now=lambda: NOW, resolver=Resolver(lookup=lookup, ttl=0))
    with TlsServer(authority.leaf) as server:
        await prober.observe(Target(HOST, server.port), timeout=LONG)
        (seen,) = await prober.observe(Target(HOST, server.port), timeout=SHORT)
    release.set()
    assert lookups == 2
    assert seen.chain == (authority.leaf.certificate,)
    prober.close()


async def test_a_name_that_does_not_resolve_is_one_observation() -> None:
    """Without an address there is one observation that says why, with none."""

    def refuse(_: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    prober = Prober(now=lambda: NOW, resolver=Resolver(lookup=refuse))
    (seen,) = await prober.observe(Target(HOST, 8443), timeout=LONG)
    assert (seen.at, seen.address, seen.port, seen.chain) == (NOW, "", 8443, ())
    assert seen.failure is not None
    assert (seen.failure.reason, seen.failure.detail) == (
        FailureReason.DNS,
        f"{HOST} cannot be resolved: Name or service not known",
    )
    prober.close()
