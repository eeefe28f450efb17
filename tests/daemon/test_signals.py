"""Signals from outside: a renewal announced by ARI is told before it breaks the apps, and trust stores are compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitord import pki
from tests.support.acmeserver import AcmeServer

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

HOST = "api.example.com"


async def test_a_renewal_announced_by_ari_is_told_before_it_comes(deployment: Deployment) -> None:
    """With its time and cause, once, also over a restart; and it has come true when the apps fail."""
    now = datetime.now(UTC)
    window = (now + timedelta(days=20), now + timedelta(days=20, hours=2))
    shipped, renewed = (
        pki.issue(
            HOST,
            issuer=deployment.intermediate,
            names=[HOST],
            not_before=now - timedelta(days=1),
            not_after=now + timedelta(days=300),
        )
        for _ in range(2)
    )
    server = deployment.serve(shipped)
    deployment.register(HOST, server.port, shipped)
    async with AcmeServer(deployment.root) as acme:
        acme.suggest(shipped.certificate, *window)
        # Without it nothing is near: the certificate would be renewed after two thirds of its life.
        deployment.configure(signals={"ari": {"directories": [acme.url], "public": False}})
        environ = {"SSL_CERT_FILE": str(deployment.directory / "root.pem")}
        async with deployment.daemon(environ=environ) as daemon:
            (firing,) = await deployment.events(1)
            assert firing["type"] == "pin_mismatch_predicted.firing"
            data = firing["data"]
            assert (data["host"], data["cause"], data["severity"]) == (HOST, "ari_window", "warning")
            told = datetime.fromisoformat(data["predicted_at"])
            assert window[0] - timedelta(seconds=1) <= told <= window[1]
            seen = await daemon.shows("incidents", 1, kind="pin_mismatch_predicted", severity="warning")
            assert seen.value("pin_predicted_failure_timestamp_seconds", host=HOST) == told.timestamp()
            assert seen.value("signal_facts", source="ari") == 1
            assert (seen.value("signal_last_success_timestamp_seconds", source="ari") or 0) >= int(now.timestamp())
            assert seen.value("signal_poll_failures_total", source="ari") == 0
            assert await daemon.stop() == 0
        (asked,) = acme.asked
        async with deployment.daemon(environ=environ) as daemon:
            await daemon.shows("incidents", 1, kind="pin_mismatch_predicted", severity="warning")
            await daemon.probed(HOST, 1)
            assert len(deployment.hook.calls) == 1
            server.present(renewed, deployment.intermediate.certificate)
            events = (await deployment.events(3))[1:]
            assert {event["type"] for event in events} == {
                "pin_mismatch.firing",
                "pin_mismatch_predicted.resolved",
            }
            assert await daemon.stop() == 0
        # The window of the first certificate is remembered: it is not asked about again before its time.
        # Of the renewed certificate it may have been asked by now; of the one before it was not asked again.
        assert acme.asked.count(asked) == 1


async def test_a_trust_store_that_changed_between_two_runs_is_noticed(deployment: Deployment) -> None:
    """What was added to the file is a fact that predictions may rest on."""
    leaf = deployment.leaf(HOST)
    deployment.register(HOST, deployment.serve(leaf).port, leaf)
    deployment.configure()
    async with deployment.daemon() as daemon:
        await daemon.shows("signal_polls_total", 1, source="trust_store")
        await daemon.shows("signal_facts", 0, source="trust_store")
        assert await daemon.stop() == 0
    with (deployment.directory / "root.pem").open("ab") as file:
        file.write(pki.issue("Another Root").pem)
    async with deployment.daemon() as daemon:
        await daemon.shows("signal_facts", 1, source="trust_store")
        assert await daemon.stop() == 0


async def test_a_source_that_cannot_be_asked_disturbs_nothing(deployment: Deployment) -> None:
    """Its fault is counted and said; endpoints are probed and judged as ever."""
    leaf = deployment.leaf(HOST)
    deployment.register(HOST, deployment.serve(leaf).port, leaf)
    deployment.configure(signals={"ari": {"directories": ["http://127.0.0.1:1/directory"], "public": False}})
    async with deployment.daemon() as daemon:
        await daemon.shows("signal_poll_failures_total", 1, source="ari")
        seen = await daemon.probed(HOST, 1)
        assert seen.value("pin_match", host=HOST) == 1
        line = await daemon.logged("a source of signals has a fault", source="ari")
        assert "127.0.0.1:1" in line["fault"]
        assert await daemon.stop() == 0
