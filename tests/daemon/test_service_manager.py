"""What a service manager is told, on a real socket, and how the daemon stops when told to."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from typing import TYPE_CHECKING

from tests.support.tlsserver import LocalServer, say_nothing

if TYPE_CHECKING:
    from tests.support.deployment import Deployment


class ServiceManager:
    """The receiving end of ``NOTIFY_SOCKET``."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self.messages: list[dict[str, str]] = []

    async def told(self, name: str) -> dict[str, str]:
        """The next message that assigns this variable."""
        async with asyncio.timeout(40):
            while True:
                data = await asyncio.get_running_loop().sock_recv(self._channel, 4096)
                message = dict(line.split("=", 1) for line in data.decode().splitlines())
                self.messages.append(message)
                if name in message:
                    return message


async def test_a_service_manager_is_told_of_start_reload_life_and_stop(deployment: Deployment) -> None:
    """READY, WATCHDOG, RELOADING with its time and READY again, also for a refused reload; then STOPPING.

    The stop does not wait for the end of a probe that hangs.
    """
    silent = deployment.misbehave(LocalServer(say_nothing, addresses=["127.0.0.1"]))
    deployment.register("silent.test", silent.port, deployment.root)
    config = deployment.configure(timeout="10m", interval="1h")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        path = deployment.directory / "notify"
        channel.bind(str(path))
        channel.setblocking(False)
        manager = ServiceManager(channel)
        environ = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"}
        async with deployment.daemon(environ=environ) as daemon:
            assert (await manager.told("READY"))["READY"] == "1"
            assert {"STATUS": "watching 1 domains"} in manager.messages
            await manager.told("WATCHDOG")
            await manager.told("WATCHDOG")
            await asyncio.to_thread(silent.wait_for_connections, 1)
            for content in (config.read_text("utf-8"), "nonsense: 1\n"):
                config.write_text(content, "utf-8")
                asked = time.monotonic_ns() // 1000
                daemon.send(signal.SIGHUP)
                reloading = await manager.told("RELOADING")
                assert reloading["RELOADING"] == "1"
                assert asked <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
                await manager.told("READY")
            assert (await daemon.scrape()).value("probes_in_flight") == 1
            daemon.send(signal.SIGTERM)
            assert (await manager.told("STOPPING"))["STOPPING"] == "1"
            assert await daemon.ended() == 0
    assert daemon.log[-1]["event"] == "stopped"
