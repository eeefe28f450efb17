"""Real servers with an RSA and an ECDSA certificate, and with one of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.certificate import KeyType
from monitord.pinning.observation import Failure, FailureReason
from monitord.pki import Issued, issue, new_key
from monitord.probe.contexts import Contexts
from monitord.probe.prober import Prober
from tests.probe.conftest import HOST, NOW, target_of
from tests.support.tlsserver import LocalServer, Site, TlsServer, alert, read_greeting, send

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import AsyncIterator

    from monitord.pinning.certificate import Certificate
    from monitord.pki import KeyKind
    from monitord.probe.contexts import SetAlgorithms
    from tests.probe.conftest import Authority

LONG = timedelta(seconds=20)
DAY = 86_400.0
RSA, ECDSA = KeyType.RSA, KeyType.ECDSA


class Clock:
    """A monotonic clock that stands still until it is set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """The prober's clock."""
    return Clock()


@pytest.fixture
async def prober(clock: Clock) -> AsyncIterator[Prober]:
    """A prober that knows nothing yet."""
    prober = Prober(now=lambda: NOW, monotonic=clock)
    yield prober
    prober.close()


@pytest.fixture(scope="module")
def rsa(authority: Authority) -> Issued:
    """An RSA leaf of the same authority."""
    return issue("rsa leaf", issuer=authority.intermediate, names=[HOST], key=new_key("rsa"))


async def look(prober: Prober, server: LocalServer) -> dict[KeyType | None, Certificate | FailureReason]:
    """What is seen at the first address of a server, by type of key: the leaf or, without one, the reason."""
    seen = await prober.observe(target_of(server), timeout=LONG)
    assert len({one.key_type for one in seen}) == len(seen)
    found: dict[KeyType | None, Certificate | FailureReason] = {}
    for one in seen:
        assert (one.address, one.port) == ("127.0.0.1", server.port)
        assert bool(one.chain) == (one.failure is None)
        found[one.key_type] = one.failure.reason if one.failure else one.chain[0]
    return found


async def look_twice(prober: Prober, clock: Clock, server: LocalServer) -> None:
    """Two rounds, after which both types of key are known to belong there; the next one is at second 1800."""
    for clock.seconds in (0, 900):
        seen = await look(prober, server)
        assert {ECDSA, RSA} == set(seen)
    clock.seconds = 1800


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
async def test_both_chains_are_observed(authority: Authority, prober: Prober, rsa: Issued, tls: str) -> None:
    """Each type of key at each address, in order, with the chain that belongs to it."""
    other = Site(rsa, [authority.intermediate.certificate, authority.root.certificate])
    with TlsServer(authority.leaf, *authority.below_root, other=other, tls=tls) as server:
        seen = await prober.observe(target_of(server, "127.0.0.1", "::1"), timeout=LONG)
    assert [(one.address, one.key_type, one.chain, one.failure) for one in seen] == [
        (address, key_type, chain, None)
        for address in ("127.0.0.1", "::1")
        for key_type, chain in ((ECDSA, authority.chain), (RSA, (rsa.certificate, *other.extra)))
    ]
    assert {one.tls_version for one in seen} == {f"TLSv{tls}"}


async def test_one_of_two_certificates_is_replaced(authority: Authority, prober: Prober, rsa: Issued) -> None:
    """The new chain of one type is seen beside the old one of the other, whichever was replaced."""
    new_rsa = issue("new", issuer=authority.intermediate, names=[HOST], key=new_key("rsa"))
    with TlsServer(authority.leaf, other=Site(rsa)) as server:
        assert await look(prober, server) == {ECDSA: authority.leaf.certificate, RSA: rsa.certificate}
        server.present(authority.leaf, other=Site(new_rsa))
        assert await look(prober, server) == {ECDSA: authority.leaf.certificate, RSA: new_rsa.certificate}
        server.present(authority.other_leaf, other=Site(new_rsa))
        assert await look(prober, server) == {ECDSA: authority.other_leaf.certificate, RSA: new_rsa.certificate}


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
async def test_a_server_with_one_certificate_gets_one_handshake_a_round(
    authority: Authority, prober: Prober, clock: Clock, tls: str, kind: KeyKind
) -> None:
    """What else it might have is tried at first sight and after a day, and does not show."""
    leaf = issue("leaf", issuer=authority.intermediate, names=[HOST], key=new_key(kind))
    others = {"ecdsa": 1, "rsa": 1, "ed25519": 2}[kind]
    connections = []
    with TlsServer(leaf, tls=tls) as server:
        for clock.seconds in (0, 900, 1800, DAY, DAY + 900):
            before = server.connections
            assert await look(prober, server) == {KeyType(kind): leaf.certificate}
            connections.append(server.connections - before)
    assert connections == [1 + others, 1, 1, 1 + others, 1]


async def test_a_second_certificate_is_found_when_the_first_is_replaced(
    authority: Authority, prober: Prober, rsa: Issued
) -> None:
    """A new leaf is a reason to look for another."""
    with TlsServer(authority.leaf) as server:
        assert await look(prober, server) == {ECDSA: authority.leaf.certificate}
        server.present(authority.other_leaf, other=Site(rsa))
        assert await look(prober, server) == {ECDSA: authority.other_leaf.certificate, RSA: rsa.certificate}


async def test_a_second_certificate_goes_missing(
    authority: Authority, prober: Prober, clock: Clock, rsa: Issued
) -> None:
    """It is a failure while the first stays as it is, until it has been missing for an hour and three rounds."""
    with TlsServer(authority.leaf, other=Site(rsa)) as server:
        await look_twice(prober, clock, server)
        server.present(authority.leaf)
        (kept, missing) = await prober.observe(target_of(server), timeout=LONG)
        assert (kept.chain, missing.chain) == ((authority.leaf.certificate,), ())
        assert missing.key_type is RSA
        assert missing.failure == Failure(FailureReason.TLS_ALERT, "the server sent the alert handshake_failure")
        for clock.seconds in (2700, 3600):
            assert await look(prober, server) == {ECDSA: authority.leaf.certificate, RSA: FailureReason.TLS_ALERT}
        for clock.seconds in (4500, 8100, DAY):
            assert await look(prober, server) == {ECDSA: authority.leaf.certificate}


async def test_the_first_certificate_goes_missing(
    authority: Authority, prober: Prober, clock: Clock, rsa: Issued
) -> None:
    """That the server then prefers the other type hides nothing."""
    with TlsServer(authority.leaf, other=Site(rsa)) as server:
        await look_twice(prober, clock, server)
        server.present(rsa)
        assert await look(prober, server) == {ECDSA: FailureReason.TLS_ALERT, RSA: rsa.certificate}


async def test_both_certificates_are_replaced_by_one(
    authority: Authority, prober: Prober, clock: Clock, rsa: Issued
) -> None:
    """With a new leaf of the one, the other was given up on purpose: no failure, not even once."""
    with TlsServer(authority.leaf, other=Site(rsa)) as server:
        await look_twice(prober, clock, server)
        server.present(authority.other_leaf)
        for clock.seconds in (1800, 2700, DAY):
            assert await look(prober, server) == {ECDSA: authority.other_leaf.certificate}


async def test_a_renewal_that_changes_the_type_of_key(
    authority: Authority, prober: Prober, clock: Clock, rsa: Issued
) -> None:
    """The old type is not missed, for the server never had both."""
    with TlsServer(rsa) as server:
        assert await look(prober, server) == {RSA: rsa.certificate}
        server.present(authority.leaf)
        for clock.seconds in (900, 1800, 3600, DAY):
            assert await look(prober, server) == {ECDSA: authority.leaf.certificate}


async def test_a_renewal_that_changes_the_type_of_key_is_rolled_back(
    authority: Authority, prober: Prober, clock: Clock, rsa: Issued
) -> None:
    """And tried again: what each round shows is the one certificate that is there, and nothing is missed."""
    with TlsServer(rsa) as server:
        for clock.seconds, leaf in ((0, rsa), (900, authority.leaf), (1800, rsa), (2700, rsa), (3600, authority.leaf)):
            server.present(leaf)
            assert await look(prober, server) == {leaf.certificate.key_type: leaf.certificate}


async def test_one_of_two_that_were_seen_together_once_goes_missing(
    authority: Authority, prober: Prober, rsa: Issued
) -> None:
    """One round may have met a change half done."""
    with TlsServer(authority.leaf, other=Site(rsa)) as server:
        assert await look(prober, server) == {ECDSA: authority.leaf.certificate, RSA: rsa.certificate}
        server.present(rsa)
        assert await look(prober, server) == {RSA: rsa.certificate}


async def test_a_server_that_is_gone_is_one_failure(
    authority: Authority, prober: Prober, clock: Clock, rsa: Issued
) -> None:
    """However many certificates it had, and whether or not it can be connected to."""
    with TlsServer(authority.leaf, other=Site(rsa), addresses=["127.0.0.1"]) as server:
        await look_twice(prober, clock, server)
    assert await look(prober, server) == {None: FailureReason.REFUSED}
    with LocalServer(read_greeting, send(alert(80)), addresses=["127.0.0.1"], port=server.port) as broken:
        assert await look(prober, broken) == {None: FailureReason.TLS_ALERT}
        assert broken.connections == 3


async def test_a_fault_of_the_preferred_certificate_does_not_hide_the_other(
    authority: Authority, prober: Prober, clock: Clock, rsa: Issued
) -> None:
    """A server that fails for who would take any key is looked at with each type that it had."""
    with TlsServer(authority.leaf, other=Site(rsa), addresses=["127.0.0.1"]) as server:
        await look_twice(prober, clock, server)
    only_rsa = TlsServer(rsa, addresses=["127.0.0.1"], port=server.port, before=[RefuseFirst()])
    with only_rsa:
        assert await look(prober, only_rsa) == {ECDSA: FailureReason.TLS_ALERT, RSA: rsa.certificate}


class RefuseFirst:
    """Answers the first connection with an alert, and leaves the others alone."""

    def __init__(self) -> None:
        self._refused = False

    def __call__(self, sock: socket.socket, stopping: threading.Event) -> None:
        """Play it."""
        if not self._refused:
            self._refused = True
            read_greeting(sock, stopping)
            send(alert(80))(sock, stopping)
            raise ConnectionError("refused")


@pytest.mark.parametrize("demand", [False, True])
async def test_both_chains_are_observed_without_a_client_certificate(
    authority: Authority, prober: Prober, rsa: Issued, *, demand: bool
) -> None:
    """A refusal that comes behind the chain does not stand for a missing type."""
    server = TlsServer(authority.leaf, other=Site(rsa), tls="1.2", demand_client_certificate=demand)
    with server:
        seen = await prober.observe(target_of(server), timeout=LONG)
    assert [(one.key_type, one.chain, one.failure is not None) for one in seen] == [
        (ECDSA, (authority.leaf.certificate,), demand),
        (RSA, (rsa.certificate,), demand),
    ]


async def test_an_rsa_leaf_below_an_ecdsa_authority_and_the_other_way_round(prober: Prober) -> None:
    """The key of the leaf counts, not that of its issuer."""
    ecdsa_root, rsa_root = issue("EC Root"), issue("RSA Root", key=new_key("rsa"))
    below_ecdsa = issue("rsa leaf", issuer=ecdsa_root, names=[HOST], key=new_key("rsa"))
    below_rsa = issue("ecdsa leaf", issuer=rsa_root, names=[HOST])
    with TlsServer(below_ecdsa, ecdsa_root.certificate, other=Site(below_rsa, [rsa_root.certificate])) as server:
        assert await look(prober, server) == {RSA: below_ecdsa.certificate, ECDSA: below_rsa.certificate}


@pytest.mark.parametrize("does_nothing", [lambda *_: False, lambda *_: True], ids=["missing", "without effect"])
async def test_without_signature_algorithms_cipher_suites_are_used(
    authority: Authority, rsa: Issued, does_nothing: SetAlgorithms
) -> None:
    """Where pyOpenSSL's binding fails its test, TLS 1.2 still shows both chains, and the prober says what it lacks."""
    contexts = Contexts(does_nothing)
    prober = Prober(now=lambda: NOW, contexts=contexts)
    assert prober.limitation is not None
    assert "TLS 1.2" in prober.limitation
    with TlsServer(authority.leaf, other=Site(rsa)) as server:
        seen = await prober.observe(target_of(server), timeout=LONG)
    assert [(one.key_type, one.chain[0], one.tls_version) for one in seen] == [
        (ECDSA, authority.leaf.certificate, "TLSv1.3"),
        (RSA, rsa.certificate, "TLSv1.2"),
    ]
    with TlsServer(authority.leaf) as server:
        assert await look(prober, server) == {ECDSA: authority.leaf.certificate}
    prober.close()


async def test_an_ed25519_leaf_is_not_taken_for_an_ecdsa_one(authority: Authority) -> None:
    """Cipher suites alone do not tell them apart, so the leaf is looked at."""
    prober = Prober(now=lambda: NOW, contexts=Contexts(lambda *_: False))
    leaf = issue("leaf", issuer=authority.intermediate, names=[HOST], key=new_key("ed25519"))
    with TlsServer(leaf, tls="1.2") as server:
        assert await look(prober, server) == {KeyType.ED25519: leaf.certificate}
    prober.close()


def test_signature_algorithms_work_here(prober: Prober) -> None:
    """With the pyOpenSSL that monitord is installed with, nothing is lacking."""
    assert prober.limitation is None
