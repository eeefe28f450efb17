"""A real Prometheus on loopback, from ``async with`` to the end of its block."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Prometheus:
    """Scrapes one target as the job ``monitord`` each second and evaluates these files of rules as often."""

    def __init__(self, directory: Path, target: str, rules: Sequence[Path]) -> None:
        self._directory = directory
        self._target = target
        self._rules = rules

    async def __aenter__(self) -> Self:
        """Start it, and wait until it is ready."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._address = f"127.0.0.1:{probe.getsockname()[1]}"
        config = self._directory / "prometheus.yml"
        content = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(file) for file in self._rules],
            "scrape_configs": [{"job_name": "monitord", "static_configs": [{"targets": [self._target]}]}],
        }
        config.write_text(json.dumps(content), "utf-8")
        self._process = await asyncio.create_subprocess_exec(
            "/usr/bin/prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={self._directory / 'tsdb'}",
            f"--web.listen-address={self._address}",
            "--log.level=error",
            stdin=asyncio.subprocess.DEVNULL,
        )
        try:
            await eventually(self._ready, "Prometheus is ready")
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill it."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def api(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{self._address}/api/v1/{path}", params=parameters) as answer,
        ):
            body = await answer.json()
            assert body["status"] == "success", body
            return body["data"]

    async def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What an expression is now: labels and value of each series."""
        found = (await self.api("query", query=expression))["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    async def alerts(self, state: str) -> dict[str, dict[str, Any]]:
        """The alerts in this state, by their names."""
        return {
            one["labels"]["alertname"]: one for one in (await self.api("alerts"))["alerts"] if one["state"] == state
        }

    async def _ready(self) -> bool:
        with suppress(aiohttp.ClientConnectionError):
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://{self._address}/-/ready") as answer,
            ):
                return answer.status == 200
        return False
