"""Mutual TLS against servers that mean it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization

from monitord.pinning.observation import Failure, FailureReason
from monitord.pinning.target import ClientCertificate
from monitord.pki import Issued, issue, new_key
from tests.probe.conftest import HOST, target_of
from tests.support.tlsserver import Site, TlsServer

if TYPE_CHECKING:
    from monitord.pki import KeyKind
    from monitord.probe.prober import Prober
    from tests.probe.conftest import Authority

LONG = timedelta(seconds=20)


def credentials(leaf: Issued, *issuers: Issued) -> ClientCertificate:
    """What a client needs to prove that it is this leaf."""
    key = leaf.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return ClientCertificate(tuple(one.certificate.der for one in (leaf, *issuers)), key)


@pytest.fixture(scope="module")
def client_root() -> Issued:
    """Who issues clients' certificates."""
    return issue("Client Root")


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
async def test_the_server_accepts_our_certificate(
    authority: Authority, prober: Prober, client_root: Issued, tls: str, kind: KeyKind
) -> None:
    """With the intermediate that it needs, whatever the type of our key."""
    intermediate = issue("Client Intermediate", issuer=client_root)
    client = issue("client", issuer=intermediate, names=["client"], key=new_key(kind), server_auth=False)
    server = TlsServer(authority.leaf, tls=tls, demand_client_certificate=True, client_authority=client_root)
    with server:
        target = replace(target_of(server), client_certificate=credentials(client, intermediate))
        (seen,) = await prober.observe(target, timeout=LONG)
        server.wait_for_handshakes(1)
    assert (seen.chain, seen.failure) == ((authority.leaf.certificate,), None)
    assert server.clients == [client.certificate.der]


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
async def test_both_chains_are_observed_whatever_our_key(
    authority: Authority, prober: Prober, client_root: Issued, tls: str, kind: KeyKind
) -> None:
    """Asked for a key of another type than ours, the server cannot be shown ours, but has shown its chain before."""
    client = issue("client", issuer=client_root, names=["client"], key=new_key(kind), server_auth=False)
    rsa = issue("rsa leaf", issuer=authority.intermediate, names=[HOST], key=new_key("rsa"))
    server = TlsServer(
        authority.leaf, other=Site(rsa), tls=tls, demand_client_certificate=True, client_authority=client_root
    )
    with server:
        target = replace(target_of(server), client_certificate=credentials(client))
        seen = await prober.observe(target, timeout=LONG)
    assert [one.chain[0] for one in seen] == [authority.leaf.certificate, rsa.certificate]
    assert seen[0].failure is None


async def test_a_certificate_that_the_server_refuses_does_not_hide_its_chain(
    authority: Authority, prober: Prober, client_root: Issued
) -> None:
    """Its chain came first."""
    stranger = issue("stranger", names=["client"])
    server = TlsServer(authority.leaf, tls="1.2", demand_client_certificate=True, client_authority=client_root)
    with server:
        target = replace(target_of(server), client_certificate=credentials(stranger))
        (seen,) = await prober.observe(target, timeout=LONG)
    assert seen.chain == (authority.leaf.certificate,)
    assert seen.failure == Failure(FailureReason.TLS_ALERT, "the server sent the alert unknown_ca")


async def test_a_certificate_is_sent_to_its_own_target_only(
    authority: Authority, prober: Prober, client_root: Issued
) -> None:
    """Targets without one share nothing with those that have one."""
    client = issue("client", issuer=client_root, names=["client"], server_auth=False)
    server = TlsServer(authority.leaf, tls="1.2", demand_client_certificate=True, client_authority=client_root)
    with server:
        target = target_of(server)
        (accepted,) = await prober.observe(replace(target, client_certificate=credentials(client)), timeout=LONG)
        (refused,) = await prober.observe(target, timeout=LONG)
    assert accepted.failure is None
    assert refused.failure == Failure(FailureReason.TLS_ALERT, "the server sent the alert handshake_failure")


async def test_a_key_of_another_certificate_is_a_failure_in_words(authority: Authority, prober: Prober) -> None:
    """The configuration refuses such a pair; a target made otherwise still costs no traceback."""
    wrong = replace(credentials(issue("a", names=["a"])), key=credentials(issue("b", names=["b"])).key)
    with TlsServer(authority.leaf) as server:
        (seen,) = await prober.observe(replace(target_of(server), client_certificate=wrong), timeout=LONG)
    detail = "OpenSSL does not take the client certificate with its key"
    assert seen.failure == Failure(FailureReason.TLS_PROTOCOL, detail)
    assert server.connections == 0


def test_keys_are_not_shown() -> None:
    """Neither the key nor what it belongs to."""
    assert "\\x" not in repr(credentials(issue("client", names=["client"])))
