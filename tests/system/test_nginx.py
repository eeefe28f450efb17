"""What nginx serves, as people set it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitord import pki
from tests.support.deployment import Deployment
from tests.system.checking import check
from tests.system.nginx import Nginx, Site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.system

API, SHOP, OLD = "api.example.com", "shop.example.com", "old.example.com"
CLIENTS, BARE, LONELY = "clients.example.com", "bare.example.com", "lonely.example.com"


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    """An authority, two sinks and a directory."""
    async with Deployment(tmp_path) as deployment:
        yield deployment


async def test_the_usual_ways_to_set_up_nginx_are_judged(deployment: Deployment) -> None:
    """Names on one port, TLS 1.2 only, client certificates demanded, RSA, and a chain that somebody forgot."""
    intermediate = deployment.intermediate.certificate
    leaves = {host: deployment.leaf(host) for host in (API, SHOP, CLIENTS, BARE, LONELY)}
    rsa = pki.issue(OLD, issuer=deployment.intermediate, names=[OLD], key=pki.new_key("rsa"))
    authority = {"ssl_client_certificate": str(deployment.directory / "root.pem"), "ssl_verify_client": "on"}
    sites = (
        Site(API, leaves[API], [intermediate]),
        Site(SHOP, leaves[SHOP], [intermediate, deployment.root.certificate]),
        Site(BARE, leaves[BARE]),
        Site(LONELY, leaves[LONELY], [intermediate]),
        Site(OLD, rsa, [intermediate], {"ssl_protocols": "TLSv1.2"}, listener=1),
        Site(CLIENTS, leaves[CLIENTS], [intermediate], authority, listener=2),
    )
    with Nginx(deployment.directory / "nginx", *sites) as nginx:
        deployment.register(API, nginx.port(API), leaves[API])
        deployment.register(SHOP, nginx.port(SHOP), deployment.root)
        deployment.register(OLD, nginx.port(OLD), rsa)
        deployment.register(CLIENTS, nginx.port(CLIENTS), deployment.intermediate)
        code, rulings = check(deployment.configure())
        assert {host: ruling["verdict"] for host, ruling in rulings.items()} == dict.fromkeys(rulings, "ok")
        assert code == 0
        versions = {host: ruling["observations"][0]["tls_version"] for host, ruling in rulings.items()}
        assert versions == {API: "TLSv1.3", SHOP: "TLSv1.3", OLD: "TLSv1.2", CLIENTS: "TLSv1.3"}
        assert rulings[OLD]["observations"][0]["key_type"] == "rsa"
        assert rulings[CLIENTS]["observations"][0]["failure"] is None
        for host, ruling in rulings.items():
            assert ruling["observations"][0]["chain"][0]["subject"] == f"CN={host}"

        deployment.register(BARE, nginx.port(BARE), leaves[BARE])
        code, rulings = check(deployment.configure())
        assert (code, rulings[BARE]["verdict"]) == (3, "undetermined")

        deployment.register(LONELY, nginx.port(LONELY), leaves[API])
        code, rulings = check(deployment.configure())
        assert (code, rulings[LONELY]["verdict"]) == (2, "pin_mismatch")
        assert rulings[API]["verdict"] == "ok"


async def test_a_running_daemon_sees_a_certificate_that_nginx_has_reloaded(deployment: Deployment) -> None:
    """``nginx -s reload`` with a new key is told at once, and back to the old one too; the other name is untouched."""
    intermediate = deployment.intermediate.certificate
    shipped, renewed, steady = deployment.leaf(API), deployment.leaf(API), deployment.leaf(SHOP)
    sites = Site(API, shipped, [intermediate]), Site(SHOP, steady, [intermediate])
    with Nginx(deployment.directory / "nginx", *sites) as nginx:
        deployment.register(API, nginx.port(API), shipped)
        deployment.register(SHOP, nginx.port(SHOP), deployment.root)
        deployment.configure()
        async with deployment.daemon() as daemon:
            await daemon.shows("pin_match", 1, host=API)
            await daemon.shows("pin_match", 1, host=SHOP)
            nginx.replace(Site(API, renewed, [intermediate]))
            (firing,) = await deployment.events(1)
            assert (firing["type"], firing["data"]["host"]) == ("pin_mismatch.firing", API)
            assert firing["data"]["chain"][0]["spki"] == str(renewed.certificate.pin)
            nginx.replace(Site(API, shipped, [intermediate]))
            _, resolved = await deployment.events(2)
            assert (resolved["type"], resolved["data"]["host"]) == ("pin_mismatch.resolved", API)
            seen = await daemon.scrape()
            assert seen.value("pin_match", host=SHOP) == 1
            assert await daemon.stop() == 0
    assert len(deployment.hook.calls) == 2
