"""The daemon under what its unit confines it to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.daemon import Daemon
from tests.support.deployment import Deployment
from tests.system.confined import WRITABLE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

HOST = "api.example.com"
CONFINED = (sys.executable, "-m", "tests.system.confined")


def test_the_confinement_is_one(tmp_path: Path) -> None:
    """What the test below passes under does refuse: writable code, other addresses, privileged calls, other files."""
    program = """
import ctypes, mmap, os, socket
for attempt in (
    lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    lambda: os.chroot("/"),
    lambda: os.setpriority(os.PRIO_PROCESS, 0, 5),
    lambda: open("../elsewhere", "w"),
    lambda: open("here", "w"),
):
    try:
        attempt()
    except OSError as error:
        print(type(error).__name__, error.errno)
    else:
        print("allowed")
"""
    state = tmp_path / "state"
    state.mkdir()
    run = subprocess.run(
        [sys.executable, "-m", "tests.system.confined", "-c", f"import os; os.chdir({str(state)!r})\n{program}"],
        env={**os.environ, WRITABLE: str(state)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    refused = "PermissionError 1"
    assert run.stdout.splitlines() == [refused, "OSError 97", refused, refused, "OSError 30", "allowed"]


async def test_a_confined_daemon_does_its_work(tmp_path: Path) -> None:
    """It probes, writes, alerts by mail and webhook, answers, reloads and stops as an unconfined one does."""
    async with Deployment(tmp_path) as deployment:
        shipped, renewed = deployment.leaf(HOST), deployment.leaf(HOST)
        server = deployment.serve(shipped)
        deployment.register(HOST, server.port, shipped)
        # A name of DNS, so that the resolver works under the confinement too; nothing need listen there.
        deployment.registered["localhost"] = {"host": "localhost", "port": 1}
        state = tmp_path / "state"
        state.mkdir()
        store = f"sqlite:///{state}/monitord.db"
        config = deployment.configure(failures=100, store=store)
        async with Daemon(config, command=CONFINED, environ={WRITABLE: str(state)}) as daemon:
            await daemon.shows("pin_match", 1, host=HOST)
            seen = await daemon.shows("probe_success", 0, host="localhost")
            failures = {labels["reason"] for labels, value in seen.series("probe_failures_total") if value}
            assert failures == {"refused"}
            server.present(renewed, deployment.intermediate.certificate)
            (firing,) = await deployment.events(1)
            assert firing["type"] == "pin_mismatch.firing"
            await deployment.mail.wait_for(1)
            await daemon.shows("outbox_pending", 0)
            seen = await daemon.shows("store_writable", 1)
            assert seen.series("probe_lag_seconds_count")
            assert "process_resident_memory_bytes" in seen.text
            deployment.register(HOST, server.port, renewed)
            deployment.configure(failures=100, store=store)
            daemon.send(signal.SIGHUP)
            _, resolved = await deployment.events(2)
            assert resolved["type"] == "pin_mismatch.resolved"
            assert await daemon.stop() == 0
        assert {line["level"] for line in daemon.log} <= {"info", "warning"}
        assert (state / "monitord.db").stat().st_mode & 0o077 == 0
