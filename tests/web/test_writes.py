from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.web.listening import client, serving, sources
from tests.web.logins import Authority, hashed
from tests.web.test_access import followed
from tests.web.test_tls import CLIENTS

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = {"Authorization": aiohttp.encode_basic_auth("alice", "correct")}


class Reloads:
    """Reloads as it is told to, and counts."""

    def __init__(self, answer: tuple[bool, str] = (True, "reloaded: watching 2 domains")) -> None:
        """It answers this."""
        self.count = 0
        self._answer = answer

    async def __call__(self) -> tuple[bool, str]:
        """One reload."""
        self.count += 1
        return self._answer


async def reload(session: aiohttp.ClientSession, **headers: str) -> tuple[int, str]:
    """Ask for a reload."""
    async with session.post("/-/reload", headers={name.replace("_", "-"): v for name, v in headers.items()}) as answer:
        return answer.status, await answer.text()


async def test_reloading_is_off_unless_it_was_turned_on(tmp_path: Path) -> None:
    """Also for who is known; and it is never a GET."""
    following = followed(tmp_path, basic_auth_users={"alice": hashed("correct")})
    async with serving(sources(), following=following) as server, client(server) as session:
        assert await reload(session, **LOGIN) == (403, "Reloading by HTTP is off; web.reload: true turns it on.\n")
    reloads = Reloads()
    async with (
        serving(sources(reload=reloads), following=following) as server,
        client(server) as session,
        session.get("/-/reload", headers=LOGIN) as answer,
    ):
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert reloads.count == 0


@pytest.mark.parametrize(
    ("answer", "status"), [((True, "reloaded: watching 2 domains"), 200), ((False, "a.yaml:1: it is faulty"), 500)]
)
async def test_the_answer_says_what_became_of_it(answer: tuple[bool, str], status: int, tmp_path: Path) -> None:
    """A refused configuration is an error, with its faults."""
    following = followed(tmp_path, basic_auth_users={"alice": hashed("correct")})
    async with serving(sources(reload=Reloads(answer)), following=following) as server, client(server) as session:
        assert await reload(session, **LOGIN) == (status, f"{answer[1]}\n")


async def test_nobody_writes_unknown(tmp_path: Path) -> None:
    """Without logins nobody can be known; with them a request without one is turned away at the door."""
    reloads = Reloads()
    async with serving(sources(reload=reloads)) as server, client(server) as session:
        status, said = await reload(session)
        assert (status, said.startswith("Only who is known may change something:")) == (403, True)
    following = followed(tmp_path, basic_auth_users={"alice": hashed("correct")})
    async with serving(sources(reload=reloads), following=following) as server, client(server) as session:
        assert (await reload(session))[0] == 401
    assert reloads.count == 0


async def test_who_shows_a_certificate_is_known(tmp_path: Path) -> None:
    """Where one may be left out, only who shows one."""
    authority = Authority(tmp_path)
    authority.write("server", "127.0.0.1")
    authority.write("ours", "ours.example.com")
    tls = {**CLIENTS, "client_auth_type": "VerifyClientCertIfGiven"}
    reloads = Reloads()
    async with serving(sources(reload=reloads), following=followed(tmp_path, tls_server_config=tls)) as server:
        for name, expected in (("ours", 200), (None, 403)):
            async with client(server, authority.client(name)) as session:
                assert (await reload(session))[0] == expected
    assert reloads.count == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec_Fetch_Site": "same-origin", "Origin": "https://monitor.example.com"}, 200),
        ({"Sec_Fetch_Site": "none"}, 200),
        ({"Origin": "http://monitor.example.com:9843", "Host": "monitor.example.com:9843"}, 200),
        ({}, 200),
    ],
)
async def test_other_sites_cannot_use_the_login_of_a_browser(
    headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    """A page of another origin that has a browser post is refused; curl, which has no origin, is not."""
    reloads = Reloads()
    following = followed(tmp_path, basic_auth_users={"alice": hashed("correct")})
    async with serving(sources(reload=reloads), following=following) as server, client(server) as session:
        assert (await reload(session, **LOGIN, **headers))[0] == status
    assert reloads.count == (status == 200)
