from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from monitord import pki
from tests.web.listening import Lines, client, serving, sources
from tests.web.logins import Authority, hashed
from tests.web.test_access import followed, status, write

if TYPE_CHECKING:
    from pathlib import Path

SERVER = {"cert_file": "server.pem", "key_file": "server-key.pem"}
CLIENTS = {**SERVER, "client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.pem"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that has issued a certificate for the server."""
    authority = Authority(tmp_path)
    authority.write("server", "127.0.0.1")
    return authority


async def test_everything_is_served_over_tls(authority: Authority) -> None:
    """And nothing without; whoever speaks no TLS, or does not trust the certificate, leaves no trace in the log."""
    log = Lines()
    following = followed(authority.directory, log, tls_server_config=SERVER)
    async with serving(sources(), log, following=following) as server:
        async with client(server, authority.client()) as session:
            for path in ("/", "/metrics", "/-/healthy", "/-/ready"):
                assert await status(session, path=path) == 200
        async with client(server) as session:
            with pytest.raises(aiohttp.ClientError):
                await status(session)
        async with client(server, ssl.create_default_context()) as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await status(session)
    assert log.written == []


async def test_a_renewed_certificate_is_served_from_the_next_connection_on(authority: Authority) -> None:
    """Nobody is told and nothing restarted; a certificate without its key is not taken, and the one before stays."""
    log = Lines()
    following = followed(authority.directory, log, tls_server_config=SERVER)
    async with serving(sources(), following=following) as server:
        first = await served(server.port, authority)
        authority.write("server", "127.0.0.1", "renewed.example.com")
        second = await served(server.port, authority)
        (authority.directory / "server.pem").write_bytes(pki.issue("other", names=["127.0.0.1"]).pem)
        assert await served(server.port, authority) == second
        authority.write("server", "127.0.0.1")
        third = await served(server.port, authority)
    assert len({first, second, third}) == 3
    faults = [details["fault"] for _, details in log.written if "fault" in details]
    (fault,) = faults
    assert fault.startswith(f"{authority.directory}/web.yaml:1: tls_server_config: the key in key_file is not that of")


async def served(port: int, authority: Authority) -> bytes:
    """The certificate that a new connection is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=authority.client())
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return found


async def test_clients_need_a_certificate_of_the_authority(authority: Authority) -> None:
    """Without one, or with one of somebody else, there is no connection."""
    authority.write("ours", "ours.example.com")
    authority.write("theirs", "ours.example.com", issuer=pki.issue("Web Root"))
    async with serving(sources(), following=followed(authority.directory, tls_server_config=CLIENTS)) as server:
        async with client(server, authority.client("ours")) as session:
            assert await status(session) == 200
        for other in (None, "theirs"):
            async with client(server, authority.client(other)) as session:
                with pytest.raises((aiohttp.ClientError, ConnectionError)):
                    await status(session)


async def test_names_of_clients_can_be_limited(authority: Authority) -> None:
    """A DNS name, an IP address in any spelling; no other, whatever the common name says."""
    authority.write("ours", "ours.example.com")
    authority.write("host", "2001:db8::1")
    authority.write("ours.example.com", "other.example.com")
    allowed = {**CLIENTS, "client_allowed_sans": ["ours.example.com", "2001:DB8:0::1"]}
    async with serving(sources(), following=followed(authority.directory, tls_server_config=allowed)) as server:
        for name, expected in (("ours", 200), ("host", 200), ("ours.example.com", 403)):
            async with client(server, authority.client(name)) as session:
                assert await status(session) == expected


async def test_a_certificate_may_be_left_out_where_it_is_verified_if_given(authority: Authority) -> None:
    """A login is asked for all the same, if there are users."""
    authority.write("ours", "ours.example.com")
    content: dict[str, Any] = {"tls_server_config": {**CLIENTS, "client_auth_type": "VerifyClientCertIfGiven"}}
    following = followed(authority.directory, **content)
    async with serving(sources(), following=following) as server:
        for name in (None, "ours"):
            async with client(server, authority.client(name)) as session:
                assert await status(session) == 200
        write(authority.directory, **content, basic_auth_users={"alice": hashed("correct")})
        async with client(server, authority.client("ours")) as session:
            assert [await status(session), await status(session, "alice", "correct")] == [401, 200]


async def test_versions_and_ciphers_are_those_of_the_file(authority: Authority) -> None:
    """A client that offers none of them is refused; those of Go's names are understood."""
    authority.write("server", "127.0.0.1")
    ciphers = ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"]
    chosen = {**SERVER, "max_version": "TLS12", "cipher_suites": ciphers, "curve_preferences": ["CurveP384"]}
    following = followed(authority.directory, tls_server_config=chosen)
    async with serving(sources(), following=following) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=authority.client())
        negotiated = writer.get_extra_info("ssl_object")
        assert (negotiated.version(), negotiated.cipher()[0]) == ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
        writer.close()
        await writer.wait_closed()
        modern = authority.client()
        modern.minimum_version = ssl.TLSVersion.TLSv1_3
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", server.port, ssl=modern)


async def test_tls_is_neither_begun_nor_ended_while_running(authority: Authority) -> None:
    """A file that turns it off does not make the listener speak in clear, and says that a restart is needed."""
    log = Lines()
    following = followed(authority.directory, log, tls_server_config=SERVER)
    async with serving(sources(), following=following) as server:
        write(authority.directory, basic_auth_users={"alice": hashed("correct")})
        async with client(server, authority.client()) as session:
            assert [await status(session), await status(session, "alice", "correct")] == [401, 200]
        async with client(server) as session:
            with pytest.raises(aiohttp.ClientError):
                await status(session, "alice", "correct")
    assert "web.config_file turns TLS on or off; restart monitord for that to take effect" in dict(log.written)
