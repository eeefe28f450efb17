"""A real daemon in a process of its own, and what can be seen of it from outside: log, metrics, exit code."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PATIENCE = 90.0


def write_config(path: Path, **content: Any) -> Path:
    """Write a configuration. What is not given is as short and as local as it can be. JSON is YAML."""
    defaults = {
        "interval": "5s",
        "timeout": "2s",
        "store": f"sqlite:///{path.parent}/monitord.db",
        "web": {"listen": "127.0.0.1:0"},
    }
    path.write_text(json.dumps({**defaults, **content}, indent=1), "utf-8")
    return path


class Scrape:
    """What one scrape showed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def value(self, name: str, **labels: str) -> float | None:
        """The value of the one series with this name, without its prefix, and these labels among others."""
        found = self.series(name, **labels)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def series(self, name: str, **labels: str) -> list[tuple[Mapping[str, str], float]]:
        """All series with this name and these labels among others."""
        return [
            (sample.labels, sample.value)
            for sample in self._samples
            if sample.name == f"monitord_{name}" and labels.items() <= sample.labels.items()
        ]

    def hosts(self) -> set[str]:
        """Every host that any series speaks of."""
        return {sample.labels["host"] for sample in self._samples if "host" in sample.labels}


class Daemon:
    """``monitord run`` on a configuration, from ``async with`` to the end of its block, or until it is ended before.

    Inside the block it has said that it started, unless ``starts`` is False. ``command`` stands before the
    interpreter's own arguments, for a daemon that is started by another program.
    """

    def __init__(
        self,
        config: Path,
        *,
        environ: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
        starts: bool = True,
    ) -> None:
        self.config = config
        self.port = 0
        self.lines: list[str] = []
        self._environ = {"PATH": os.environ.get("PATH", ""), **(environ or {})}
        self._command = (*(command or (sys.executable,)), "-m", "monitord", "-c", str(config), "run")
        self._starts = starts
        self._said = asyncio.Condition()
        self._over = False

    async def __aenter__(self) -> Self:
        """Start it."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command, env=self._environ, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        self._reading = asyncio.create_task(self._read())
        if self._starts:
            try:
                listen = (await self.logged("started"))["listen"]
            except BaseException:
                await self.__aexit__()
                raise
            self.port = int(re.sub(r".*:", "", listen))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill it if it still runs."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self.ended()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def log(self) -> list[dict[str, Any]]:
        """Every line that it has logged."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    @property
    def said(self) -> str:
        """Everything on its standard error."""
        return "\n".join(self.lines)

    async def logged(self, event: str, **details: Any) -> dict[str, Any]:
        """The first line of the log with this event and these details, once it is there."""

        def found() -> dict[str, Any] | None:
            wanted = {"event": event, **details}.items()
            return next((line for line in self.log if all(line.get(name) == value for name, value in wanted)), None)

        def settled() -> bool:
            return found() is not None or self._over

        async with asyncio.timeout(_PATIENCE), self._said:
            await self._said.wait_for(settled)
        line = found()
        assert line is not None, f"it ended without {event!r} in its log:\n{self.said}"
        return line

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def stop(self) -> int:
        """Ask it to stop as a service manager does; its exit code."""
        self.send(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Its exit code, once it has ended by itself."""
        async with asyncio.timeout(_PATIENCE):
            await self._reading
            return await self._process.wait()

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def scrape(self) -> Scrape:
        """What /metrics shows now."""
        status, text = await self.get("/metrics")
        assert status == 200, text
        return Scrape(text)

    async def shows(self, name: str, value: float | None, **labels: str) -> Scrape:
        """The first scrape in which this series has this value; None: in which it is not there."""

        async def look() -> Scrape | None:
            seen = await self.scrape()
            return seen if seen.value(name, **labels) == value else None

        return await eventually(look, f"monitord_{name}{labels} is {value}")

    async def probed(self, host: str, more: int) -> Scrape:
        """The first scrape after this many more rounds of the host."""
        before = (await self.scrape()).value("probes_total", host=host) or 0

        async def look() -> Scrape | None:
            seen = await self.scrape()
            return seen if (seen.value("probes_total", host=host) or 0) >= before + more else None

        return await eventually(look, f"{more} more rounds of {host}")

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            async with self._said:
                self.lines.append(line.decode().rstrip("\n"))
                self._said.notify_all()
        async with self._said:
            self._over = True
            self._said.notify_all()
