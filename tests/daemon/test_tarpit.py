"""Receivers that take for ever: neither the other receivers nor the probes wait for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from monitord.notify.relay import SLOTS
from tests.notify.rough import RoughServer, drip, stay_silent
from tests.support.sinks import WebhookSink

if TYPE_CHECKING:
    from aiohttp import web

    from tests.notify.rough import Behaviour
    from tests.support.deployment import Deployment

HOSTS = [f"api{number}.example.com" for number in range(SLOTS + 2)]


class Tarpit:
    """How a server behaves, and how often it was connected to."""

    def __init__(self, behave: Behaviour) -> None:
        self.visits = 0
        self._behave = behave

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Behave so."""
        self.visits += 1
        await self._behave(reader, writer)


def mail(name: str, port: int) -> dict[str, Any]:
    """A receiver of mail at this port, with the longest patience that can be configured."""
    smtp = {"host": "127.0.0.1", "port": port, "tls": "none", "timeout": "60s"}
    return {"name": name, "email": {"to": ["ops@example.com"], "from": "monitord@example.com", "smtp": smtp}}


async def hang(_request: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def test_receivers_that_hang_hold_up_neither_the_others_nor_the_probes(deployment: Deployment) -> None:
    """A mail server that never greets, one that greets byte by byte, a webhook that never answers, and two good ones.

    The good ones get the beginning and the end of every incident, and each endpoint is probed on, while not one attempt
    at the others has ended.
    """
    shipped, renewed = deployment.leaf("*.example.com"), deployment.leaf("*.example.com")
    server = deployment.serve(shipped)
    for host in HOSTS:
        deployment.register(host, server.port, shipped)
    silent, dripping = Tarpit(stay_silent), Tarpit(drip(b"2", pace=1.0))
    async with RoughServer(silent) as never, RoughServer(dripping) as slowly, WebhookSink(hang) as hanging:
        receivers = [
            mail("silent", never.port),
            mail("dripping", slowly.port),
            {"name": "hanging", "webhook": {"url": hanging.url, "timeout": "60s"}},
            mail("mail", deployment.mail.port),
            {"name": "hook", "webhook": {"url": deployment.hook.url, "secret_file": "webhook-secret"}},
        ]
        deployment.configure(receivers=receivers, alerts={"group_wait": "0s"})
        async with deployment.daemon() as daemon:
            for host in HOSTS:
                await daemon.shows("pin_match", 1, host=host)
            server.present(renewed, deployment.intermediate.certificate)
            firing = await deployment.events(len(HOSTS))
            await deployment.mail.wait_for(len(HOSTS))
            await hanging.wait_for(SLOTS)
            server.present(shipped, deployment.intermediate.certificate)
            resolved = (await deployment.events(2 * len(HOSTS)))[len(HOSTS) :]
            await deployment.mail.wait_for(2 * len(HOSTS))
            await asyncio.gather(*(daemon.probed(host, 1) for host in HOSTS))
            seen = await daemon.shows("outbox_pending", 3 * 2 * len(HOSTS))
        assert {one["type"] for one in firing} == {"pin_mismatch.firing"}
        assert {one["type"] for one in resolved} == {"pin_mismatch.resolved"}
        assert {one["data"]["host"] for one in resolved} == set(HOSTS)
        assert (silent.visits, dripping.visits, len(hanging.calls)) == (SLOTS, SLOTS, SLOTS)
        assert sum(value for _, value in seen.series("notifications_failed_total")) == 0
