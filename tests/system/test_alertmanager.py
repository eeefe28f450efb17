"""Debian's Alertmanager: takes alerts, keeps them for as long as they are renewed, and passes on their end."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitord.config.receivers import WebhookFormat, WebhookSettings
from monitord.config.secret import Secret
from monitord.notify.alertmanager import AlertmanagerSender
from tests.notify.events import delivery, event
from tests.notify.hostile import hostile
from tests.support.deployment import Deployment
from tests.support.sinks import WebhookSink
from tests.support.waiting import eventually
from tests.system.alertmanager import Alertmanager

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

HOST = "api.example.com"
RESEND = timedelta(seconds=1)


def now() -> datetime:
    """By the clock that Alertmanager goes by."""
    return datetime.now(UTC)


def sender(alertmanager: Alertmanager) -> AlertmanagerSender:
    """A sender whose alerts end after five seconds."""
    settings = WebhookSettings(Secret(alertmanager.url), WebhookFormat.ALERTMANAGER)
    return AlertmanagerSender(settings, RESEND)


def mismatch(state: str = "firing", **more: Any) -> dict[str, Any]:
    """An event that began a minute ago."""
    since = f"{now() - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    return event("pin_mismatch", state, since=since, **more)


async def told(sink: WebhookSink, status: str, **labels: str) -> dict[str, Any]:
    """The first alert with this status and these labels that Alertmanager passes on."""

    async def look() -> dict[str, Any] | None:
        notified = [alert for call in sink.calls for alert in json.loads(call.body)["alerts"]]
        fitting = [one for one in notified if one["status"] == status and labels.items() <= one["labels"].items()]
        return fitting[0] if fitting else None

    return await eventually(look, f"Alertmanager tells that {labels} is {status}")


async def test_an_alert_is_kept_while_it_is_renewed_and_no_longer() -> None:
    """Renewed each second it outlives its end, and ``resolve_timeout``, several times; left alone it resolves."""
    async with WebhookSink() as sink, Alertmanager(sink.url) as alertmanager:
        sending = sender(alertmanager)
        firing = mismatch()
        await sending.send(delivery(firing), now())
        notified = await told(sink, "firing", host=HOST)
        assert notified["labels"]["alertname"] == "PinMismatch"
        assert notified["labels"]["team"] == "payments"
        first_end = datetime.fromisoformat(alertmanager.alerts(host=HOST)[0]["endsAt"])
        while now() < first_end + timedelta(seconds=5):
            await sending.refresh(lambda: [firing], now)
            (alert,) = alertmanager.alerts(host=HOST)
            assert alert["status"]["state"] == "active"
            await asyncio.sleep(RESEND.total_seconds())  # the pace of renewal; nothing waits for it
        assert datetime.fromisoformat(alert["endsAt"]) > first_end
        assert not [call for call in sink.calls if json.loads(call.body)["status"] == "resolved"]
        await told(sink, "resolved", host=HOST)


async def test_the_end_is_passed_on_and_stays() -> None:
    """Told with the time at which it was, and told again it stays over."""
    async with WebhookSink() as sink, Alertmanager(sink.url) as alertmanager:
        sending = sender(alertmanager)
        await sending.send(delivery(mismatch()), now())
        await told(sink, "firing", host=HOST)
        resolved = mismatch("resolved", resolved_at=f"{now():%Y-%m-%dT%H:%M:%SZ}")
        await sending.send(delivery(resolved), now())
        await sending.refresh(lambda: [resolved], now)
        over = await told(sink, "resolved", host=HOST)
        assert over["endsAt"].startswith(resolved["data"]["resolved_at"].removesuffix("Z"))
        assert alertmanager.alerts(host=HOST) == []


async def test_what_becomes_critical_is_no_longer_a_warning() -> None:
    """The alert with the old labels ends at once."""
    async with WebhookSink() as sink, Alertmanager(sink.url) as alertmanager:
        sending = sender(alertmanager)
        await sending.send(delivery(mismatch(severity="warning")), now())
        await told(sink, "firing", severity="warning")
        await sending.send(delivery(mismatch()), now())
        await told(sink, "firing", severity="critical")
        await told(sink, "resolved", severity="warning")
        (alert,) = alertmanager.alerts(host=HOST)
        assert alert["labels"]["severity"] == "critical"


async def test_an_alert_full_of_hostile_text_is_taken() -> None:
    """And what a server says stays where it belongs."""
    async with WebhookSink() as sink, Alertmanager(sink.url) as alertmanager:
        body = hostile()
        body["data"]["since"] = mismatch()["data"]["since"]
        await sender(alertmanager).send(delivery(body), now())
        notified = await told(sink, "firing", severity="critical")
        assert (notified["labels"]["alertname"], notified["labels"]["port"]) == ("PinMismatch", "443")


async def test_a_mismatch_is_told_kept_over_a_kill_and_resolved(tmp_path: Path) -> None:
    """By the daemon: it renews at once after the restart, and tells the end when the server is mended."""
    async with Deployment(tmp_path) as deployment, Alertmanager(deployment.hook.url) as alertmanager:
        shipped, renewed = deployment.leaf(HOST), deployment.leaf(HOST)
        server = deployment.serve(renewed)
        deployment.register(HOST, server.port, shipped, interval="5s", labels={"team": "payments"})
        receiver = {"name": "am", "webhook": {"url": alertmanager.url, "format": "alertmanager"}}
        deployment.configure(receivers=[receiver])
        async with deployment.daemon() as daemon:
            await told(deployment.hook, "firing", host=HOST, alertname="PinMismatch", team="payments")
            before = alertmanager.alerts(host=HOST, alertname="PinMismatch")[0]
            daemon.send(signal.SIGKILL)
            await daemon.ended()
        async with deployment.daemon():

            async def renewed_again() -> bool:
                (alert,) = alertmanager.alerts(host=HOST, alertname="PinMismatch")
                return bool(alert["endsAt"] > before["endsAt"])

            await eventually(renewed_again, "the alert is renewed after the restart")
            server.present(shipped, deployment.intermediate.certificate)
            over = await told(deployment.hook, "resolved", host=HOST, alertname="PinMismatch")
            assert datetime.fromisoformat(over["startsAt"]) == datetime.fromisoformat(before["startsAt"])
