"""A disk that is full, and one that has become read-only: monitord starts, probes, alerts, and recovers by itself."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support.daemon import Daemon
from tests.support.deployment import Deployment
from tests.system.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

HOST, OTHER = "api.example.com", "shop.example.com"


@pytest.mark.parametrize("trouble", ["full", "read-only"])
async def test_a_disk_that_cannot_be_written_stops_no_alert(tmp_path: Path, trouble: str) -> None:
    """What was open is known after a start, its end and what is new are told from memory, and all is written later."""
    async with Deployment(tmp_path) as deployment, Disk(tmp_path / "disk") as disk:
        shipped, renewed = deployment.leaf("*.example.com"), deployment.leaf("*.example.com")
        server, other = deployment.serve(shipped), deployment.serve(shipped)
        deployment.register(HOST, server.port, shipped)
        deployment.register(OTHER, other.port, shipped)
        deployment.configure(store=f"sqlite:///{disk.place}/monitord.db", alerts={"group_wait": "0s"})
        (tmp_path / "run").mkdir()
        environ = {"RUNTIME_DIRECTORY": str(tmp_path / "run"), "PATH": os.environ["PATH"]}

        def daemon() -> Daemon:
            return Daemon(deployment.config, environ=environ, command=disk.command)

        async with daemon() as running:
            await running.shows("pin_match", 1, host=OTHER)
            server.present(renewed, deployment.intermediate.certificate)
            (firing,) = await deployment.events(1)
            await deployment.mail.wait_for(1)
            await running.shows("outbox_pending", 0)
            assert await running.stop() == 0
        if trouble == "full":
            disk.fill()
        else:
            await disk.remount("ro")
        async with daemon() as running:
            note = await running.logged("store")
            assert "kept in memory" in note["note"]
            await running.shows("incidents", 1, kind="pin_mismatch", severity="critical")
            await running.probed(HOST, 2)
            assert len(deployment.hook.calls) == 1
            server.present(shipped, deployment.intermediate.certificate)
            other.present(renewed, deployment.intermediate.certificate)
            events = await deployment.events(3)
            await deployment.mail.wait_for(3)
            await running.shows("store_writable", 0)
            if trouble == "full":
                disk.empty()
            else:
                await disk.remount("rw")
            await running.shows("store_writable", 1)
            await running.shows("outbox_pending", 0)
            assert await running.stop() == 0
        assert (len(deployment.hook.calls), len(deployment.mail.mails)) == (3, 3)
        told = {(one["type"], one["data"]["host"]): one["data"]["incident"] for one in events}
        assert told.keys() == {
            ("pin_mismatch.firing", HOST),
            ("pin_mismatch.resolved", HOST),
            ("pin_mismatch.firing", OTHER),
        }
        assert told["pin_mismatch.resolved", HOST] == firing["data"]["incident"]
        shutil.copy(disk.seen / "monitord.db", tmp_path / "copy.db")
        with closing(sqlite3.connect(tmp_path / "copy.db")) as database:
            kept = database.execute("SELECT state, count(*) FROM outbox GROUP BY state").fetchall()
        assert kept == [("delivered", 6)]
