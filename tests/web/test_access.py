from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from monitord.config.webfile import load_web_file
from monitord.web.following import Following
from tests.web.listening import Lines, client, serving, sources
from tests.web.logins import hashed

if TYPE_CHECKING:
    from pathlib import Path

PAGES = ("/", "/metrics", "/-/healthy", "/-/ready", "/nothing")


def followed(directory: Path, log: Lines | None = None, **content: Any) -> Following:
    """The web configuration of this content, in a file web.yaml."""
    write(directory, **content)
    return Following(lambda: load_web_file(directory / "web.yaml", {}), log or Lines())


def write(directory: Path, **content: Any) -> None:
    """Write a web configuration. JSON is YAML."""
    (directory / "web.yaml").write_text(json.dumps(content), "utf-8")


async def status(session: aiohttp.ClientSession, name: str | None = None, password: str = "", path: str = "/") -> int:
    """What a page answers to this login, or to none."""
    headers = {} if name is None else {"Authorization": aiohttp.encode_basic_auth(name, password, "utf-8")}
    async with session.get(path, headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize("path", PAGES)
async def test_without_a_login_nothing_is_told(path: str, tmp_path: Path) -> None:
    """Also not what there is and what there is not; browsers are told to ask."""
    following = followed(tmp_path, basic_auth_users={"alice": hashed("correct")})
    async with serving(sources(), following=following) as server, client(server) as session:
        async with session.get(path) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"] == 'Basic realm="monitord", charset="UTF-8"'
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert await status(session, "alice", "wrong", path) == 401
        assert await status(session, "alice", "correct", path) == (404 if path == "/nothing" else 200)


async def test_a_login_is_a_user_with_its_own_password(tmp_path: Path) -> None:
    """Not that of another, none that begins alike, not in another case; both may have any characters but a colon."""
    users = {"alice": hashed("correct"), "bob": hashed("pässwörd: with colons"), "zoë": hashed("")}
    async with (
        serving(sources(), following=followed(tmp_path, basic_auth_users=users)) as server,
        client(server) as session,
    ):
        assert await status(session, "alice", "correct") == 200
        assert await status(session, "bob", "pässwörd: with colons") == 200
        assert await status(session, "zoë", "") == 200
        for name, password in (("alice", "correct "), ("Alice", "correct"), ("bob", "correct"), ("", ""), ("eve", "")):
            assert await status(session, name, password) == 401


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !!!", "Basic YWxpY2U=", "Basic /////w==", "Bearer YWxpY2U6Y29ycmVjdA==", "Basic  ", "é"],
)
async def test_what_is_no_login_is_refused(header: str, tmp_path: Path) -> None:
    """Nonsense is a wrong login, and no fault of ours."""
    log = Lines()
    following = followed(tmp_path, basic_auth_users={"alice": hashed("correct")})
    async with (
        serving(sources(), log, following=following) as server,
        client(server) as session,
        session.get("/", headers={"Authorization": header}) as answer,
    ):
        assert answer.status == 401
    assert log.written == []


async def test_bytes_that_bcrypt_would_not_read_are_refused(tmp_path: Path) -> None:
    """72 bytes are read; a longer password is none, although its beginning is right."""
    longest = "ü" * 36
    following = followed(tmp_path, basic_auth_users={"alice": hashed(longest)})
    async with serving(sources(), following=following) as server, client(server) as session:
        assert await status(session, "alice", longest) == 200
        assert await status(session, "alice", longest + "x") == 401


async def test_an_unknown_user_never_gets_in(tmp_path: Path) -> None:
    """Not even with the password of the hash that stands in for the missing one; asking again changes nothing."""
    following = followed(tmp_path, basic_auth_users={"alice": hashed("correct")})
    async with serving(sources(), following=following) as server, client(server) as session:
        for _ in range(2):
            assert await status(session, "eve", "fakepassword") == 401
            assert await status(session, "eve", "correct") == 401


async def test_users_are_read_anew_when_the_file_changes(tmp_path: Path) -> None:
    """A new password, a user that is gone, a user that comes: from the next request on, remembered or not."""
    log = Lines()
    following = followed(tmp_path, log, basic_auth_users={"alice": hashed("old"), "bob": hashed("bob")})
    async with serving(sources(), following=following) as server, client(server) as session:
        assert [await status(session, *login) for login in (("alice", "old"), ("bob", "bob"))] == [200, 200]
        write(tmp_path, basic_auth_users={"alice": hashed("new"), "carol": hashed("carol")})
        logins = (("alice", "old"), ("bob", "bob"), ("alice", "new"), ("carol", "carol"))
        assert [await status(session, *login) for login in logins] == [401, 401, 200, 200]
    assert log.written == [("web.config_file has changed and is followed", {})]


async def test_a_faulty_file_changes_nothing(tmp_path: Path) -> None:
    """What was in force stays, the faults are logged once, and the next good file is followed."""
    log = Lines()
    following = followed(tmp_path, log, basic_auth_users={"alice": hashed("old")})
    async with serving(sources(), following=following) as server, client(server) as session:
        (tmp_path / "web.yaml").write_text("basic_auth_users: {alice: plain, bob: plain}\n", "utf-8")
        assert [await status(session, "alice", "old") for _ in range(3)] == [200, 200, 200]
        (tmp_path / "web.yaml").unlink()
        assert [await status(session, "alice", "old") for _ in range(3)] == [200, 200, 200]
        assert await status(session, "alice", "plain") == 401
        write(tmp_path, basic_auth_users={"alice": hashed("new")})
        assert await status(session, "alice", "new") == 200
    said = [str(details.get("fault", "")).removeprefix(f"{tmp_path}/web.yaml:1: ") for _, details in log.written]
    assert said == [
        "basic_auth_users: a password is not a bcrypt hash ($2y$...); make one: htpasswd -nBC 10 NAME",
        "the file cannot be read: No such file or directory",
        "",
    ]


async def test_too_many_logins_at_once_are_refused(tmp_path: Path) -> None:
    """Guessing costs the guesser time and holds up nobody who is known already."""
    following = followed(tmp_path, basic_auth_users={"alice": hashed("correct"), "slow": hashed("slow", 10)})
    async with serving(sources(), following=following) as server, client(server) as session:
        assert await status(session, "alice", "correct") == 200
        guesses = [asyncio.create_task(status(session, "slow", f"guess {number}")) for number in range(60)]
        assert await status(session, "alice", "correct") == 200
        answers = await asyncio.gather(*guesses)
    assert set(answers) == {401, 503}


async def test_requests_are_limited(tmp_path: Path) -> None:
    """As many as the burst at once, whoever asks; without an interval there is no limit."""
    following = followed(tmp_path, rate_limit={"interval": "1h", "burst": 3})
    async with serving(sources(), following=following) as server, client(server) as session:
        assert [await status(session) for _ in range(5)] == [200, 200, 200, 429, 429]
        write(tmp_path, rate_limit={"interval": 0, "burst": 1})
        assert [await status(session) for _ in range(5)] == [200] * 5


async def test_headers_of_the_file_are_sent(tmp_path: Path) -> None:
    """They take the place of monitord's own; an empty one is not sent."""
    headers = {"Strict-Transport-Security": "max-age=1", "Content-Security-Policy": "sandbox", "X-XSS-Protection": ""}
    following = followed(tmp_path, http_server_config={"headers": headers})
    async with (
        serving(sources(), following=following) as server,
        client(server) as session,
        session.get("/") as answer,
    ):
        assert answer.headers["Strict-Transport-Security"] == "max-age=1"
        assert answer.headers["Content-Security-Policy"] == "sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "X-XSS-Protection" not in answer.headers
