"""One cause that hits forty endpoints is one message that lists them, and so is its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.deployment import Deployment

HOSTS = [f"api{number:02}.example.com" for number in range(40)]


async def test_one_cause_is_one_message(deployment: Deployment) -> None:
    """One call and one mail for forty endpoints whose certificate was renewed with another key, and one for the end."""
    shipped, renewed = deployment.leaf("*.example.com"), deployment.leaf("*.example.com")
    server = deployment.serve(shipped)
    for host in HOSTS:
        deployment.register(host, server.port, shipped)
    deployment.configure(alerts={"group_wait": "15s"})
    async with deployment.daemon() as daemon:
        for host in HOSTS:
            await daemon.shows("pin_match", 1, host=host)
        server.present(renewed, deployment.intermediate.certificate)
        (firing,) = await deployment.events(1)
        (mail,) = await deployment.mail.wait_for(1)
        server.present(shipped, deployment.intermediate.certificate)
        _, resolved = await deployment.events(2)
        _, last = await deployment.mail.wait_for(2)
        await daemon.shows("outbox_pending", 0)
        assert await daemon.stop() == 0
    for event in (firing, resolved):
        assert sorted(one["host"] for one in event["data"]["grouped"]) == HOSTS
    incidents = [[one["incident"] for one in event["data"]["grouped"]] for event in (firing, resolved)]
    assert sorted(incidents[0]) == sorted(incidents[1])
    assert all(host in mail.part("plain") and host in last.part("plain") for host in HOSTS)
    assert (len(deployment.hook.calls), len(deployment.mail.mails)) == (2, 2)
