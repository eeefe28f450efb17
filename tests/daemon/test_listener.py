"""The listener of a running daemon with TLS and logins: what it lets in, and what it lets be done."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

import aiohttp

from tests.support.deployment import Deployment
from tests.support.waiting import eventually
from tests.web.logins import Authority, hashed

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = {"Authorization": aiohttp.encode_basic_auth("alice", "correct")}


async def test_everything_is_behind_tls_and_logins_and_reloading_can_be_allowed(tmp_path: Path) -> None:
    """A reload that is asked for by HTTP says what became of it, and a user that is gone is let in no more."""
    authority = Authority(tmp_path)
    authority.write("server", "127.0.0.1")
    web = {
        "tls_server_config": {"cert_file": "server.pem", "key_file": "server-key.pem"},
        "basic_auth_users": {"alice": hashed("correct")},
    }
    (tmp_path / "web.yaml").write_text(json.dumps(web), "utf-8")
    async with Deployment(tmp_path) as deployment:
        leaf = deployment.leaf("api.example.com")
        deployment.register("api.example.com", deployment.serve(leaf).port, leaf)
        listen = {"listen": "127.0.0.1:0", "config_file": "web.yaml", "reload": True}
        config = deployment.configure(web=listen)
        connector = aiohttp.TCPConnector(ssl=authority.client())
        async with (
            deployment.daemon() as daemon,
            aiohttp.ClientSession(f"https://127.0.0.1:{daemon.port}", connector=connector) as session,
        ):
            for path in ("/", "/metrics", "/-/healthy", "/-/ready", "/probe?target=api.example.com"):
                assert (await session.get(path)).status == 401
                assert (await session.get(path, headers=LOGIN)).status == 200
            answer = await session.post("/-/reload", headers=LOGIN)
            assert (answer.status, await answer.text()) == (200, "reloaded: watching 1 domains\n")
            config.write_text("interval: 5 parsecs\n", "utf-8")
            answer = await session.post("/-/reload", headers=LOGIN)
            assert answer.status == 500
            assert f"{config}:1: " in await answer.text()
            (tmp_path / "web.yaml").write_text(json.dumps({**web, "basic_auth_users": {"bob": hashed("bob")}}))
            assert (await session.get("/-/healthy", headers=LOGIN)).status == 401
            assert await daemon.stop() == 0


async def test_the_page_follows_what_happens_and_takes_orders(tmp_path: Path) -> None:
    """What fails is said first, is acknowledged and silenced by who is logged in, and is gone when it works again."""
    (tmp_path / "web.yaml").write_text(json.dumps({"basic_auth_users": {"alice": hashed("correct")}}), "utf-8")
    async with Deployment(tmp_path) as deployment:
        leaf, other = deployment.leaf("api.example.com"), deployment.leaf("api.example.com")
        deployment.register("api.example.com", deployment.serve(leaf).port, other)
        listen = {"listen": "127.0.0.1:0", "config_file": "web.yaml"}
        deployment.configure(web=listen)
        async with (
            deployment.daemon() as daemon,
            aiohttp.ClientSession(f"http://127.0.0.1:{daemon.port}", headers=LOGIN) as session,
        ):
            (firing,) = await deployment.events(1)
            page = await _text(session, "/domains/api.example.com")
            assert "Apps cannot connect." in page
            assert str(leaf.certificate.pin) in page
            assert "Pin set default: pin mismatch" in page
            assert "Apps cannot connect to 1 of 1 endpoint." in await _text(session, "/")
            token = re.findall(r'name="token" value="([^"]+)"', page)[0]
            identifier = firing["data"]["incident"]
            done = await session.post(
                f"/incidents/{identifier}/acknowledge",
                data={"token": token, "back": "api.example.com", "reason": "on it"},
            )
            assert (done.status, done.url.path) == (200, "/domains/api.example.com")
            assert "Acknowledged by <strong>alice</strong>" in await done.text()
            await session.post(
                f"/incidents/{identifier}/silence", data={"token": token, "back": "", "for": "1h", "reason": "we move"}
            )
            async with session.get("/api/v1/incidents?kind=pin_mismatch") as answer:
                (found,) = await answer.json()
            assert (found["incident"], found["acknowledged"]["reason"]) == (identifier, "on it")
            assert (found["silenced"]["by"], found["silenced"]["reason"]) == ("alice", "we move")
            assert "End<span" in await _text(session, "/incidents")
            async with session.get("/api/v1/domains/api.example.com") as answer:
                (verdict,) = await answer.json()
            assert (verdict["verdict"], verdict["pinset"]) == ("pin_mismatch", "default")
            deployment.register("api.example.com", deployment.serve(leaf).port, leaf)
            deployment.configure(web=listen)
            daemon.send(signal.SIGHUP)

            async def fine() -> bool:
                return "The apps connect to the endpoint." in await _text(session, "/")

            await eventually(fine, "the page says that the apps connect")


async def _text(session: aiohttp.ClientSession, path: str) -> str:
    async with session.get(path) as answer:
        assert answer.status == 200
        return await answer.text()
