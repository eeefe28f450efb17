"""Orders to a running daemon: silenced, acknowledged, and loud again, over restarts, by the program itself."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

HOST, STEADY = "api.example.com", "shop.example.com"


async def monitord(deployment: Deployment, *words: str, code: int = 0) -> list[dict[str, Any]]:
    """What the command printed as JSON Lines."""
    config = str(deployment.directory / "monitord.yaml")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitord", "-c", config, *words, "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == code, err.decode()
    return [json.loads(line) for line in out.splitlines()]


async def test_a_silenced_failure_is_told_when_the_silence_is_over(deployment: Deployment) -> None:
    """It opens unheard and outlives a restart unheard; a message that is ended by hand brings it within seconds."""
    shipped, renewed = deployment.leaf(HOST), deployment.leaf(HOST)
    server = deployment.serve(shipped)
    deployment.register(HOST, server.port, shipped)
    deployment.configure()
    async with deployment.daemon() as daemon:
        await daemon.shows("pin_match", 1, host=HOST)
        (silence,) = await monitord(deployment, "silence", HOST, "--for", "1h", "--reason", "a move")
        server.present(renewed, deployment.intermediate.certificate)
        await daemon.shows("pin_match", 0, host=HOST)
        await daemon.shows("incidents", 1, kind="pin_mismatch", severity="critical")
        await daemon.shows("incidents_silenced", 1)
        (incident,) = await monitord(deployment, "incidents", code=2)
        assert (incident["untold"], incident["silenced"]["reason"]) == (True, "a move")
        assert await daemon.stop() == 0
    async with deployment.daemon() as daemon:
        await daemon.probed(HOST, 2)
        await daemon.shows("silences", 1)
        assert (len(deployment.hook.calls), len(deployment.mail.mails)) == (0, 0)
        await monitord(deployment, "unsilence", silence["silence"])
        (firing,) = await deployment.events(1)
        assert (firing["type"], firing["data"]["incident"]) == ("pin_mismatch.firing", incident["incident"])
        (seen,) = await monitord(deployment, "ack", incident["incident"], "--reason", "on it")
        assert seen["acknowledged"]["reason"] == "on it"
        await daemon.shows("incidents_acknowledged", 1)
        assert await daemon.stop() == 0
    server.present(shipped, deployment.intermediate.certificate)
    async with deployment.daemon() as daemon:
        _, resolved = await deployment.events(2)
        assert resolved["type"] == "pin_mismatch.resolved"
        await daemon.shows("incidents_acknowledged", 0)
        assert await daemon.stop() == 0
    steps = [one["because"] for one in await monitord(deployment, "history", HOST) if one["what"] == "incident"]
    assert steps == ["opened", "unsilenced", "acknowledged", "cleared"]


async def test_an_order_given_while_no_daemon_runs_is_heeded_when_one_starts(deployment: Deployment) -> None:
    """The silence is in the store before the failure is seen, and the log says that nobody was told."""
    shipped = deployment.leaf(HOST)
    server = deployment.serve(shipped)
    deployment.register(HOST, server.port, shipped)
    deployment.configure()
    async with deployment.daemon() as daemon:
        await daemon.shows("pin_match", 1, host=HOST)
        assert await daemon.stop() == 0
    await monitord(deployment, "silence", "*", "--for", "1h", "--reason", "a move")
    server.present(deployment.leaf(HOST), deployment.intermediate.certificate)
    async with deployment.daemon() as daemon:
        await daemon.shows("incidents_silenced", 1)
        await daemon.probed(HOST, 2)
        assert deployment.hook.calls == []

        async def logged() -> bool:
            return any(line.get("event") == "incident" and line.get("told") is False for line in daemon.log)

        await eventually(logged, "the log says that nobody was told")
        assert await daemon.stop() == 0
