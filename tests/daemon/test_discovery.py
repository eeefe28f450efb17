"""Endpoints out of lists, and included files, followed while the daemon runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.support.sinks import WebhookSink

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.deployment import Deployment

SHOP, API, FIXED = "shop.example.com", "api.example.com", "fixed.example.com"


def group(deployment: Deployment, host: str, port: int, *pins: Any, **labels: str) -> dict[str, Any]:
    """A group of one target that is served on this port of 127.0.0.1, in the form of a list."""
    deployment.register(host, port, *pins)
    entry = deployment.registered.pop(host)
    own = {"__monitord_connect_to": entry["connect_to"][0], "__monitord_pins": " ".join(entry["pins"])}
    return {"targets": [host], "labels": {**own, **labels}}


def put(path: Path, text: str) -> None:
    """Put a file in place, whole."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text, "utf-8")
    unfinished.replace(path)


async def test_what_a_file_lists_is_watched_with_its_labels(deployment: Deployment) -> None:
    """From the start, as it changes, and while it is broken, also in a daemon that starts then."""
    shop, api = deployment.leaf(SHOP), deployment.leaf(API)
    listed = [group(deployment, SHOP, deployment.serve(shop).port, shop, team="shop", __meta_rack="5")]
    targets = deployment.directory / "targets.json"
    put(targets, json.dumps(listed))
    deployment.configure(discovery={"file_sd": ["*.json"]})
    async with deployment.daemon() as daemon:
        seen = await daemon.shows("pin_match", 1, host=SHOP)
        ((labels, _),) = seen.series("endpoint_info")
        assert labels == {"host": SHOP, "port": "443", "team": "shop"}
        assert seen.value("discovery_targets", source="*.json") == 1
        assert seen.value("discovery_last_success_timestamp_seconds", source="*.json")

        # Pinned to another key, so it is an incident, and the labels travel with the alert.
        listed.append(group(deployment, API, deployment.serve(api).port, shop, team="api"))
        put(targets, json.dumps(listed))
        (firing,) = await deployment.events(1)
        assert (firing["type"], firing["data"]["host"], firing["data"]["labels"]) == (
            "pin_mismatch.firing",
            API,
            {"team": "api"},
        )

        put(targets, '[{"targets": ["a b"]}]')
        line = await daemon.logged("a list of endpoints has a fault")
        assert line["fault"] == f"{targets}:1: 'a b' has blanks in it; write only the host name"
        seen = await daemon.probed(SHOP, 1)
        assert seen.hosts() == {SHOP, API}
        assert seen.value("discovery_refresh_failures_total", source="*.json")
        assert await daemon.stop() == 0
    async with deployment.daemon() as daemon:
        seen = await daemon.shows("pin_match", 1, host=SHOP)
        assert seen.hosts() == {SHOP, API}
        assert seen.value("incidents", kind="pin_mismatch", severity="critical") == 1
        put(targets, json.dumps(listed[:1]))
        await daemon.shows("discovery_targets", 1, source="*.json")
        _, resolved = await deployment.events(2)
        assert (resolved["type"], resolved["data"]["incident"]) == (
            "pin_mismatch.resolved",
            firing["data"]["incident"],
        )
        assert (await daemon.scrape()).hosts() == {SHOP}
        assert await daemon.stop() == 0


async def test_what_a_server_lists_is_watched_beside_what_is_registered(deployment: Deployment) -> None:
    """At the first start, and with the server away from then on; what is registered goes before what is listed."""
    shop, fixed = deployment.leaf(SHOP), deployment.leaf(FIXED)
    port = deployment.serve(fixed).port
    listed = [
        group(deployment, SHOP, deployment.serve(shop).port, shop),
        group(deployment, FIXED, port, shop, team="listed"),
    ]
    deployment.register(FIXED, port, fixed, labels={"team": "registered"})

    async def answer(request: web.Request) -> web.Response:
        assert request.headers["authorization"] == "Bearer b34r3r"
        return web.json_response(listed)

    (deployment.directory / "token").write_text("b34r3r\n")
    async with WebhookSink(answer) as server:
        deployment.configure(discovery={"http_sd": [{"url": server.url, "token_file": "token"}], "every": "5s"})
        async with deployment.daemon() as daemon:
            await daemon.shows("pin_match", 1, host=SHOP)
            seen = await daemon.shows("pin_match", 1, host=FIXED)
            assert {labels["host"]: labels.get("team") for labels, _ in seen.series("endpoint_info")} == {
                SHOP: None,
                FIXED: "registered",
            }
            assert await daemon.stop() == 0
    async with deployment.daemon() as daemon:
        await daemon.shows("pin_match", 1, host=SHOP)
        line = await daemon.logged("a list of endpoints has a fault")
        assert "cannot be connected to" in line["fault"]
        assert await daemon.stop() == 0


async def test_included_files_are_followed(deployment: Deployment) -> None:
    """A new one is taken in, a faulty one changes nothing until it is mended, one that is removed is gone."""
    shop, api = deployment.leaf(SHOP), deployment.leaf(API)
    deployment.register(SHOP, deployment.serve(shop).port, shop)
    included = deployment.directory / "domains.d"
    included.mkdir()
    deployment.configure(include=["domains.d/*.yaml"])
    deployment.register(API, deployment.serve(api).port, api)
    entry = json.dumps([deployment.registered[API]])
    async with deployment.daemon() as daemon:
        await daemon.shows("pin_match", 1, host=SHOP)
        put(included / "api.yaml", entry)
        await daemon.shows("pin_match", 1, host=API)
        put(included / "api.yaml", "- hots: api.example.com\n")
        await daemon.shows("config_last_reload_successful", 0)
        faults = [line["fault"] for line in daemon.log if line["event"] == "reload refused"]
        assert faults == [
            f"{included}/api.yaml:1: the key 'host' is missing",
            f"{included}/api.yaml:1: unknown key 'hots'; did you mean 'host'?",
        ]
        assert (await daemon.scrape()).hosts() == {SHOP, API}
        (included / "api.yaml").unlink()
        seen = await daemon.shows("config_last_reload_successful", 1)
        assert seen.hosts() == {SHOP}
        assert len([line for line in daemon.log if line["event"] == "included files have changed"]) == 3
        assert await daemon.stop() == 0
