"""A real Prometheus with the shipped rules, scraping a real daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.prometheus.test_rules import ALERTS, FILES
from tests.support.deployment import Deployment
from tests.support.waiting import eventually
from tests.system.prometheus import Prometheus

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

WELL, ILL = "well.example.com", "ill.example.com"
_RULE_SECONDS = 240.0


async def test_a_rule_fires_on_a_real_mismatch(tmp_path: Path) -> None:
    """The shipped rules are loaded and sound, the mismatch is told after its two minutes, and nothing else is."""
    async with Deployment(tmp_path) as deployment:
        shipped, renewed = deployment.leaf("*.example.com"), deployment.leaf("*.example.com")
        deployment.register(WELL, deployment.serve(renewed).port, renewed)
        deployment.register(ILL, deployment.serve(renewed).port, shipped, labels={"team": "payments"})
        deployment.configure()
        async with deployment.daemon() as daemon:
            await daemon.shows("pin_match", 0, host=ILL)
            async with Prometheus(tmp_path, f"127.0.0.1:{daemon.port}", FILES) as prometheus:

                async def fired() -> dict[str, Any] | None:
                    return (await prometheus.alerts("firing")).get("MonitordPinMismatch")

                alert = await eventually(fired, "MonitordPinMismatch fires", seconds=_RULE_SECONDS)
                labels = {name: alert["labels"][name] for name in ("host", "pinset", "severity", "job")}
                assert labels == {"host": ILL, "pinset": "default", "severity": "critical", "job": "monitord"}
                assert ILL in alert["annotations"]["summary"]
                assert set(await prometheus.alerts("firing")) == {"MonitordPinMismatch"}

                groups = (await prometheus.api("rules"))["groups"]
                rules = [rule for group in groups for rule in group["rules"]]
                assert {rule["name"] for rule in rules} >= {rule["alert"] for rule in ALERTS}
                assert {(rule["health"], rule.get("lastError")) for rule in rules} == {("ok", None)}

                joined = "(monitord_pin_match == 0) * on (host, port) group_left (team) monitord_endpoint_info"
                ((found, _),) = await prometheus.query(joined)
                assert (found["host"], found["team"]) == (ILL, "payments")
                verdicts = {
                    labels["verdict"]: value
                    for labels, value in await prometheus.query("job_verdict:monitord_pin_verdict:sum > 0")
                }
                assert verdicts == {"ok": 1.0, "pin_mismatch": 1.0}
