"""More is due than can be probed: the daemon says so, and says when it is over."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from tests.support.tlsserver import LocalServer, say_nothing

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

GOOD = "good.example.com"
SILENT = [f"silent{number}.example.com" for number in range(10)]


def lag(event: dict[str, Any]) -> bool:
    """Whether a webhook is about endpoints that wait."""
    return bool(event["type"].startswith("monitor_degraded.") and event["data"]["cause"] == "lag")


async def test_endpoints_that_wait_for_their_turn_are_an_incident_until_they_no_longer_do(
    deployment: Deployment,
) -> None:
    """One connection at a time, and servers that use up the time allowed, until they are taken out."""
    leaf = deployment.leaf(GOOD)
    deployment.register(GOOD, deployment.serve(leaf).port, leaf)
    silent = deployment.misbehave(LocalServer(say_nothing, addresses=["127.0.0.1"]))
    for host in SILENT:
        deployment.register(host, silent.port, leaf)
    more: dict[str, Any] = {"probing": {"concurrency": 1}, "alerts": {"group_wait": "0s"}, "timeout": "1s"}
    deployment.configure(**more)
    async with deployment.daemon() as daemon:
        firing = await deployment.event(lambda event: lag(event) and event["type"].endswith(".firing"))
        seen = await daemon.scrape()
        assert (seen.value("probe_overdue_seconds") or 0) > 0
        for host in SILENT:
            del deployment.registered[host]
        deployment.configure(**more)
        daemon.send(signal.SIGHUP)
        resolved = await deployment.event(lambda event: lag(event) and event["type"].endswith(".resolved"))
        await daemon.shows("probe_overdue_seconds", 0)
    assert resolved["data"]["incident"] == firing["data"]["incident"]
