"""``/probe`` of a running daemon."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from tests.support.deployment import Deployment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon


async def probed(daemon: Daemon, target: str) -> dict[str, float]:
    """The series of one probe, by name; of several, the last."""
    status, text = await daemon.get(f"/probe?target={target}")
    assert status == 200, text
    return {sample.name: sample.value for one in text_string_to_metric_families(text) for sample in one.samples}


async def test_a_probe_uses_the_registry_and_else_the_default_trust(tmp_path: Path) -> None:
    """Pins do not count: an endpoint whose apps fail is probed well. Others are judged by the default store."""
    async with Deployment(tmp_path) as deployment:
        leaf, self_signed = deployment.leaf("*.example.com"), deployment.leaf("127.0.0.1")
        port = deployment.serve(leaf).port
        deployment.register("well.example.com", port, leaf)
        deployment.register("ill.example.com", port, deployment.leaf("other.example.com"))
        own = deployment.serve(self_signed).port
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            closed = unused.getsockname()[1]
            deployment.configure()
            async with deployment.daemon() as daemon:
                for host in ("well.example.com", "ill.example.com"):
                    seen = await probed(daemon, host)
                    assert seen["probe_success"] == 1
                    assert seen["probe_ssl_earliest_cert_expiry"] == leaf.certificate.not_after.timestamp()
                    assert seen["probe_ip_protocol"] == 4
                assert (await probed(daemon, f"127.0.0.1:{own}"))["probe_success"] == 1
                misnamed = await probed(daemon, f"localhost:{own}")
                assert misnamed["probe_success"] == 0
                assert misnamed["probe_dns_lookup_time_seconds"] >= 0
                assert (await probed(daemon, f"127.0.0.1:{closed}"))["probe_success"] == 0
                assert (await daemon.get("/probe"))[0] == 400


async def test_the_reasoning_names_pins_paths_and_verdicts(tmp_path: Path) -> None:
    """Of a registered target also what its pin sets say."""
    async with Deployment(tmp_path) as deployment:
        leaf = deployment.leaf("api.example.com")
        deployment.register("api.example.com", deployment.serve(leaf).port, leaf)
        deployment.configure()
        async with deployment.daemon() as daemon:
            _, text = await daemon.get("/probe?target=api.example.com&debug=true")
    said = [line.strip() for line in text.splitlines()]
    assert "api.example.com:443, as it is registered" in said
    assert f"path: leaf CN=api.example.com {leaf.certificate.pin}  <- this pin matches" in said
    assert f"pin {leaf.certificate.pin}: live" in said
    assert f"path: root CN=Test Root {deployment.root.certificate.pin}" in said
    assert any(line.startswith("ok: ") for line in said)
    assert "probe_success 1.0" in said


async def test_registered_targets_alone_can_be_allowed(tmp_path: Path) -> None:
    """The others are refused, and nobody is connected to."""
    async with Deployment(tmp_path) as deployment:
        leaf = deployment.leaf("api.example.com")
        port = deployment.serve(leaf).port
        deployment.register("api.example.com", port, leaf)
        deployment.configure(web={"listen": "127.0.0.1:0", "probe": "registered"})
        async with deployment.daemon() as daemon:
            assert (await probed(daemon, "api.example.com"))["probe_success"] == 1
            status, said = await daemon.get(f"/probe?target=127.0.0.1:{port}")
            assert (status, said) == (
                403,
                "127.0.0.1 is not registered, and web.probe allows registered targets alone\n",
            )
