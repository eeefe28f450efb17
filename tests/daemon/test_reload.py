"""A new configuration while the daemon runs: by signal, by the control socket, good and bad."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from monitord.control import candidate_paths, request

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

GONE, STAYS, NEW = "gone.example.com", "stays.example.com", "new.example.com"


async def test_a_reload_follows_the_new_configuration_and_a_faulty_one_changes_nothing(deployment: Deployment) -> None:
    """What is taken out vanishes with its incident, what is added is probed at once, a fault keeps all as it was."""
    stays, new = deployment.leaf(STAYS), deployment.leaf(NEW)
    # Only the first round of each comes without being asked for.
    deployment.register(GONE, deployment.serve(deployment.leaf(GONE)).port, stays, interval="1d")
    deployment.register(STAYS, deployment.serve(stays).port, stays, interval="5s")
    config = deployment.configure()
    paths = candidate_paths(deployment.store, {})
    async with deployment.daemon() as daemon:
        await daemon.shows("pin_match", 0, host=GONE)
        (firing,) = await deployment.events(1)
        assert (firing["type"], firing["data"]["host"]) == ("pin_mismatch.firing", GONE)
        first = await daemon.shows("config_last_reload_successful", 1)

        del deployment.registered[GONE]
        deployment.register(NEW, deployment.serve(new).port, deployment.intermediate, interval="1d")
        deployment.configure()
        daemon.send(signal.SIGHUP)
        seen = await daemon.shows("pin_match", 1, host=NEW)
        assert seen.hosts() == {STAYS, NEW}
        assert seen.value("incidents", kind="pin_mismatch", severity="critical") == 0
        before, after = (scrape.value("config_last_reload_success_timestamp_seconds") or 0 for scrape in (first, seen))
        assert after > before
        _, resolved = await deployment.events(2)
        assert (resolved["type"], resolved["data"]["host"]) == ("pin_mismatch.resolved", GONE)
        assert resolved["data"]["incident"] == firing["data"]["incident"]

        good = config.read_text("utf-8")
        config.write_text("interval: 5 parsecs\ndomains:\n  - host: stays.example.com\n    prot: 443\n", "utf-8")
        daemon.send(signal.SIGHUP)
        await daemon.shows("config_last_reload_successful", 0)
        faults = [line["fault"] for line in daemon.log if line["event"] == "reload refused"]
        assert len(faults) == 2
        assert faults[0].startswith(f"{config}:1: ")
        assert faults[1].startswith(f"{config}:4: ")
        seen = await daemon.probed(STAYS, 1)
        assert seen.hosts() == {STAYS, NEW}
        assert seen.value("config_last_reload_success_timestamp_seconds") == after

        answer = await asyncio.to_thread(request, paths, "reload", config)
        assert answer is not None
        assert answer["ok"] is False
        assert all(fault in answer["message"] for fault in faults)
        assert await asyncio.to_thread(request, paths, "reload", config.with_name("other.yaml")) is None

        config.write_text(good, "utf-8")
        answer = await asyncio.to_thread(request, paths, "reload", config)
        assert answer == {"ok": True, "message": "reloaded: watching 2 domains"}
        assert (await daemon.scrape()).value("config_last_reload_successful") == 1
        deployment.configure(web={"listen": "127.0.0.1:1"}, store=f"{deployment.store}.new")
        answer = await asyncio.to_thread(request, paths, "reload", config)
        assert answer is not None
        assert "restart monitord for the changed settings store, web to take effect" in answer["message"]
        assert await daemon.stop() == 0
    assert len(deployment.hook.calls) == 2
