"""Adaptive probing: an endpoint in the middle of a change is probed again and again until that is over."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitord import pki
from tests.support.tlsserver import TlsServer

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

FIRST, SECOND = "first.example.com", "second.example.com"
ADDRESSES = ("127.0.0.1", "127.0.0.2")


def leaf(deployment: Deployment, host: str, age: timedelta) -> pki.Issued:
    """A certificate that was issued so long ago, with a key of its own."""
    now = datetime.now(UTC)
    return pki.issue(
        host,
        issuer=deployment.intermediate,
        names=[host],
        not_before=now - age,
        not_after=now + timedelta(days=80),
    )


def serve(deployment: Deployment, host: str, *leaves: pki.Issued) -> list[TlsServer]:
    """A server at each address with one of these leaves, all on one port, and registered."""
    servers: list[TlsServer] = []
    for address, one in zip(ADDRESSES, leaves, strict=True):
        port = servers[0].port if servers else 0
        server = TlsServer(one, deployment.intermediate.certificate, addresses=[address], port=port)
        deployment.misbehave(server)
        servers.append(server)
    places = [f"{address}:{servers[0].port}" for address in ADDRESSES]
    # Only the first round comes by itself, and each after a change of the registration.
    deployment.register(
        host, servers[0].port, deployment.intermediate, deployment.root, connect_to=places, interval="1d"
    )
    return servers


async def test_a_roll_out_is_followed_until_it_is_complete(deployment: Deployment) -> None:
    """The one place for hurried endpoints then goes to another that has waited for it."""
    old, new = (leaf(deployment, FIRST, timedelta(days=9)) for _ in range(2))
    probing = {"hurried_interval": "1s", "hurried_limit": 1}
    servers = serve(deployment, FIRST, old, old)
    deployment.configure(probing=probing)
    async with deployment.daemon() as daemon:
        await daemon.shows("pin_match", 1, host=FIRST)

        servers[1].present(new, deployment.intermediate.certificate)
        deployment.registered[FIRST]["labels"] = {"look": "again"}
        deployment.configure(probing=probing)
        daemon.send(signal.SIGHUP)
        await daemon.probed(FIRST, 4)

        serve(
            deployment,
            SECOND,
            leaf(deployment, SECOND, timedelta(days=9)),
            leaf(deployment, SECOND, timedelta(hours=1)),
        )
        deployment.configure(probing=probing)
        daemon.send(signal.SIGHUP)
        await daemon.shows("pin_match", 1, host=SECOND)
        seen = await daemon.probed(FIRST, 2)
        assert seen.value("probes_total", host=SECOND) == 1

        servers[0].present(new, deployment.intermediate.certificate)
        await daemon.probed(SECOND, 3)
        assert await daemon.stop() == 0
