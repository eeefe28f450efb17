"""What Prometheus's own tool says of a live scrape."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.support.deployment import Deployment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system


async def test_promtool_has_nothing_to_say_of_a_live_scrape(tmp_path: Path) -> None:
    """With an endpoint that is well, one that is not, one that is away, labels, and alerts that were sent."""
    async with Deployment(tmp_path) as deployment:
        leaf = deployment.leaf("*.example.com")
        port = deployment.serve(leaf).port
        deployment.register("well.example.com", port, leaf, labels={"team": "payments", "odd_name": 'a "b"\\c'})
        deployment.register("ill.example.com", port, deployment.leaf("other.example.com"))
        deployment.register("away.example.com", 1, leaf)
        deployment.configure(failures=1)
        async with deployment.daemon() as daemon:
            for host, success in (("well", 1), ("ill", 1), ("away", 0)):
                await daemon.shows("probe_success", success, host=f"{host}.example.com")
            await deployment.events(2)
            await daemon.shows("outbox_pending", 0)
            seen = await daemon.scrape()
            promtool = await asyncio.create_subprocess_exec(
                "/usr/bin/promtool",
                *("check", "metrics"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said, _ = await promtool.communicate(seen.text.encode())
            assert (promtool.returncode, said.decode()) == (0, "")
