"""The store of a running daemon: silent while nothing changes, missed but not needed while it cannot be written."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from tests.support.tlsserver import LocalServer, drip, flood, say_nothing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.deployment import Deployment

HOST = "api.example.com"


def stamps(store: Path) -> list[tuple[int, int]]:
    """Size and time of the last change of the database and of its log."""
    files = (store, store.with_name(store.name + "-wal"))
    return [(stat.st_size, stat.st_mtime_ns) for stat in (file.stat() for file in files)]


async def test_bad_servers_cost_their_own_probes_and_rounds_without_news_write_nothing(deployment: Deployment) -> None:
    """Twenty good endpoints go on beside servers that drip, flood and say nothing, and the disk is left alone."""
    leaf = deployment.leaf("*.example.com")
    server = deployment.serve(leaf)
    good = [f"good{number}.example.com" for number in range(20)]
    bad = dict(zip(("drip.test", "flood.test", "silent.test"), (drip, flood, say_nothing), strict=True))
    for host in good:
        deployment.register(host, server.port, deployment.root)
    for host, behaviour in bad.items():
        port = deployment.misbehave(LocalServer(behaviour, addresses=["127.0.0.1"])).port
        deployment.register(host, port, deployment.root)
    deployment.configure(failures=1, timeout="1s")
    store = deployment.directory / "monitord.db"
    async with deployment.daemon() as daemon:
        for host in bad:
            await daemon.shows("probe_success", 0, host=host)
        await daemon.shows("incidents", 3, kind="unreachable", severity="critical")
        await deployment.mail.wait_for(3)
        await deployment.events(3)
        # What the first rounds and the deliveries brought is on disk once each endpoint has had another round.
        await asyncio.gather(*(daemon.probed(host, 1) for host in (*good, *bad)))
        before = stamps(store)
        await asyncio.gather(*(daemon.probed(host, 2) for host in (*good, *bad)))
        seen = await daemon.scrape()
        assert stamps(store) == before
        assert {seen.value("pin_match", host=host) for host in good} == {1}
        reasons = {labels["reason"]: value for labels, value in seen.series("probe_failures_total") if value}
        assert reasons.keys() == {"timeout", "tls_protocol"}
        assert await daemon.stop() == 0


async def test_a_server_that_says_nothing_holds_up_nobody_else(deployment: Deployment) -> None:
    """The others have round after round while the probe of one waits for its server."""
    silent = deployment.misbehave(LocalServer(say_nothing, addresses=["127.0.0.1"]))
    server = deployment.serve(deployment.leaf("*.example.com"))
    good = [f"good{number}.example.com" for number in range(5)]
    deployment.register("silent.test", silent.port, deployment.root)
    for host in good:
        deployment.register(host, server.port, deployment.root)
    deployment.configure(timeout="10m")
    async with deployment.daemon() as daemon:
        await asyncio.to_thread(silent.wait_for_connections, 1)
        await asyncio.gather(*(daemon.probed(host, 2) for host in good))
        seen = await daemon.scrape()
        assert seen.value("probes_total", host="silent.test") == 0
        assert {seen.value("pin_match", host=host) for host in good} == {1}


async def test_a_store_that_cannot_be_written_stops_nothing_and_loses_nothing(deployment: Deployment) -> None:
    """On a full disk it goes on probing and alerting, and says so; with room again nothing is missing or sent twice."""
    shipped, renewed = deployment.leaf(HOST), deployment.leaf(HOST)
    server = deployment.serve(shipped)
    deployment.register(HOST, server.port, shipped)
    deployment.configure()
    log = deployment.directory / "monitord.db-wal"
    async with deployment.daemon() as daemon:
        await daemon.shows("pin_match", 1, host=HOST)
        await daemon.shows("store_writable", 1)
        _, most = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, most))
        server.present(renewed, deployment.intermediate.certificate)
        await daemon.shows("store_writable", 0)
        seen = await daemon.probed(HOST, 2)
        assert seen.value("pin_match", host=HOST) == 0
        assert seen.value("incidents", kind="pin_mismatch", severity="critical") == 1
        assert seen.value("store_writable") == 0
        assert (await daemon.get("/-/healthy"))[0] == 200
        refusals = [line for line in daemon.log if line["event"].startswith("the store cannot be written")]
        assert len(refusals) == 1, "said once, not each round"
        assert "the disk reports" in refusals[0]["error"]
        (event,) = await deployment.events(1)
        assert event["type"] == "pin_mismatch.firing"
        await deployment.mail.wait_for(1)
        assert (await daemon.scrape()).value("store_writable") == 0
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (most, most))
        await daemon.shows("store_writable", 1)
        server.present(shipped, deployment.intermediate.certificate)
        _, event = await deployment.events(2)
        assert event["type"] == "pin_mismatch.resolved"
        await deployment.mail.wait_for(2)
        await daemon.shows("outbox_pending", 0)
        assert await daemon.stop() == 0
    assert (len(deployment.hook.calls), len(deployment.mail.mails)) == (2, 2)
    with closing(sqlite3.connect(deployment.directory / "monitord.db")) as database:
        kept = database.execute("SELECT state, count(*) FROM outbox GROUP BY state").fetchall()
    assert kept == [("delivered", 4)]
