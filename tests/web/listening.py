"""A listener on loopback, with everything that it shows made up."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from monitord.metrics import blackbox
from monitord.pinning.examination import Examination, examine
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.web.exporter import Exporter
from monitord.web.server import Health, Sources, WebServer
from tests.web.fleets import Company

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from monitord.web.exporter import Examiner
    from monitord.web.sources import Knowledge
    from monitord.web.writes import Reload

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PATIENCE = 20  # seconds after which a test gives up
WELL = Health(ok=True, sentence="the last tick was 0.4 s ago")


class Lines:
    """A log that keeps what is written."""

    def __init__(self) -> None:
        """Nothing is written yet."""
        self.written: list[tuple[str, dict[str, Any]]] = []

    def error(self, event: str, **details: object) -> None:
        """Keep one line."""
        self.written.append((event, details))

    def info(self, event: str, **details: object) -> None:
        """Keep one line."""
        self.written.append((event, details))


class Renderer:
    """Renders when it is allowed to, and counts."""

    def __init__(self, body: bytes = b"monitord_up 1\n") -> None:
        """Rendering ``body`` is allowed until ``gate`` is cleared."""
        self.body = body
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)
        self.calls: list[str] = []
        self.threads: set[int] = set()

    def __call__(self, accept: str) -> tuple[list[bytes], str]:
        """One rendering."""
        self.calls.append(accept)
        self.threads.add(threading.get_ident())
        self.begun.release()
        self.gate.wait(PATIENCE)
        half = len(self.body) // 2
        return [self.body[:half], self.body[half:]], "text/plain; version=0.0.4; charset=utf-8"


class Examined:
    """Looks at whatever it is asked to when it is allowed to, and finds nothing there."""

    timeout = 5.0

    def __init__(self, *registered: Target, strangers: bool = True) -> None:
        """Looking is allowed until ``gate`` is cleared."""
        self.registered = registered
        self.asked: list[tuple[Target, float]] = []
        self.begun = asyncio.Semaphore(0)
        self.gate = asyncio.Event()
        self.gate.set()
        self._strangers = strangers

    def find(self, host: str, port: int | None) -> list[Target]:
        """Those given at first."""
        return [target for target in self.registered if target.host == host and port in (None, target.port)]

    def stranger(self, host: str, port: int) -> Target | None:
        """Anybody, unless that was refused at first."""
        return Target(host, port, trust=("test",)) if self._strangers else None

    async def examine(self, target: Target, budget: float) -> Examination:
        """A look that fails."""
        self.asked.append((target, budget))
        self.begun.release()
        await self.gate.wait()
        failure = Failure(FailureReason.REFUSED, "nobody \x1b[2J listens")
        seen = (Observation(NOW, "192.0.2.1", target.port, failure=failure),)
        trust, verdicts = examine(target, seen, {"test": TrustStore("test", ())}, NOW)
        return Examination(target, seen, trust, verdicts, 0.25, 0.5, budget)


def sources(
    metrics: Callable[[str], tuple[list[bytes], str]] | None = None,
    healthy: Health = WELL,
    ready: Health = WELL,
    examiner: Examiner | None = None,
    reload: Reload | None = None,
    knowledge: Knowledge | None = None,
) -> Sources:
    """What the pages show in these tests."""
    return Sources(
        metrics=metrics or Renderer(),
        healthy=lambda: healthy,
        ready=lambda: ready,
        version="1.2.3<script>",
        exporter=Exporter(examiner or Examined(), blackbox.render),
        reload=reload,
        knowledge=knowledge or Company().knowledge(),
    )


@asynccontextmanager
async def serving(
    shown: Sources, log: Lines | None = None, *, patience: float = PATIENCE, **options: Any
) -> AsyncIterator[WebServer]:
    """A listener on a free port of 127.0.0.1, for so many seconds."""
    server = WebServer("127.0.0.1", 0, shown, log or Lines(), **options)
    await server.start()
    try:
        async with asyncio.timeout(patience):
            yield server
    finally:
        await server.stop()


@asynccontextmanager
async def client(
    server: WebServer, tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of that listener, each request of which has a connection of its own."""
    scheme = "http" if tls is None else "https"
    connector = aiohttp.TCPConnector(ssl=tls or True, force_close=True)
    async with aiohttp.ClientSession(f"{scheme}://127.0.0.1:{server.port}", connector=connector, **options) as session:
        yield session


async def body(session: aiohttp.ClientSession, path: str) -> str:
    """The text of a page."""
    async with session.get(path) as answer:
        return await answer.text()
