"""From a swapped certificate to the people who must know, through stops, kills and restarts."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from monitord.control import candidate_paths, request
from tests.support.deployment import SPARE
from tests.support.sinks import accept
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.daemon import Daemon
    from tests.support.deployment import Deployment

HOST, STEADY = "api.example.com", "shop.example.com"


async def never(_request: web.Request) -> web.StreamResponse:
    """Take the call, and leave the caller without an answer."""
    await asyncio.Event().wait()
    return web.Response()


async def incident_on_disk(daemon: Daemon) -> bool:
    """Whether an incident has been written."""
    store = daemon.config.with_name("monitord.db")
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        return bool(database.execute("SELECT count(*) FROM incident").fetchone()[0])


async def test_a_mismatch_and_its_end_are_told_once_each_with_a_restart_in_between(deployment: Deployment) -> None:
    """One mail and one signed webhook for the mismatch, nothing at the restart, one of each when all is well again."""
    shipped, renewed = deployment.leaf(HOST), deployment.leaf(HOST)
    server = deployment.serve(shipped)
    deployment.register(HOST, server.port, shipped, labels={"team": "payments"})
    deployment.register(STEADY, deployment.serve(deployment.leaf(STEADY)).port, deployment.root)
    deployment.configure()
    async with deployment.daemon() as daemon:
        await daemon.shows("pin_match", 1, host=HOST)
        await daemon.shows("pin_match", 1, host=STEADY)
        assert (await daemon.get("/-/healthy"))[0] == 200
        assert (await daemon.get("/-/ready"))[0] == 200
        server.present(renewed, deployment.intermediate.certificate)
        (firing,) = await deployment.events(1)
        assert firing["type"] == "pin_mismatch.firing"
        assert (firing["data"]["host"], firing["data"]["labels"]) == (HOST, {"team": "payments"})
        assert firing["data"]["pins"] == [str(shipped.certificate.pin), SPARE]
        assert firing["data"]["chain"][0]["spki"] == str(renewed.certificate.pin)
        (mail,) = await deployment.mail.wait_for(1)
        assert mail.message["X-Monitord-Event"] == "pin_mismatch.firing"
        assert mail.message["X-Monitord-Incident"] == firing["data"]["incident"]
        assert str(renewed.certificate.pin) in mail.part("plain")
        await daemon.shows("incidents", 1, kind="pin_mismatch", severity="critical")
        await daemon.shows("outbox_pending", 0)
        assert await daemon.stop() == 0
    async with deployment.daemon() as daemon:
        await daemon.shows("incidents", 1, kind="pin_mismatch", severity="critical")
        seen = await daemon.probed(HOST, 2)
        assert seen.value("pin_match", host=HOST) == 0
        assert seen.value("incidents", kind="pin_mismatch", severity="critical") == 1
        assert (len(deployment.hook.calls), len(deployment.mail.mails)) == (1, 1)
        server.present(shipped, deployment.intermediate.certificate)
        _, resolved = await deployment.events(2)
        assert resolved["type"] == "pin_mismatch.resolved"
        assert resolved["data"]["incident"] == firing["data"]["incident"]
        _, mail = await deployment.mail.wait_for(2)
        assert mail.message["X-Monitord-Event"] == "pin_mismatch.resolved"
        await daemon.shows("incidents", 0, kind="pin_mismatch", severity="critical")
        await daemon.shows("outbox_pending", 0)
        assert await daemon.stop() == 0
    assert (len(deployment.hook.calls), len(deployment.mail.mails)) == (2, 2)


@pytest.mark.parametrize("moment", ["being_sent", "on_disk"])
async def test_an_alert_outlives_a_kill(deployment: Deployment, moment: str) -> None:
    """Killed while the alert is sent, or as soon as it is on disk, the next start sends it, always with one id."""
    shipped, renewed = deployment.leaf(HOST), deployment.leaf(HOST)
    deployment.register(HOST, deployment.serve(renewed).port, shipped)
    config = deployment.configure()
    deployment.hook.answer = never
    async with deployment.daemon() as daemon:
        if moment == "on_disk":
            await eventually(lambda: incident_on_disk(daemon), "the incident is on disk")
        else:
            await deployment.hook.wait_for(1)
        daemon.send(signal.SIGKILL)
        assert await daemon.ended() == -signal.SIGKILL
    before = len(deployment.hook.calls)
    deployment.hook.answer = accept
    left_behind = deployment.directory / "monitord.sock"
    assert left_behind.is_socket()
    async with deployment.daemon() as daemon:
        await deployment.hook.wait_for(before + 1)
        await deployment.mail.wait_for(1)
        await daemon.shows("pin_match", 0, host=HOST)
        await daemon.shows("outbox_pending", 0)
        answer = await asyncio.to_thread(request, candidate_paths(deployment.store, {}), "reload", config)
        assert answer is not None
        assert answer["ok"] is True
        assert await daemon.stop() == 0
    assert {call.headers["webhook-id"] for call in deployment.hook.calls} == {
        deployment.hook.calls[0].headers["webhook-id"]
    }
    assert {call.body for call in deployment.hook.calls} == {deployment.hook.calls[0].body}
    assert len({mail.message["Message-ID"] for mail in deployment.mail.mails}) == 1
    assert not left_behind.exists()
