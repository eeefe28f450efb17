from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from monitord.config.receivers import WebhookSettings
from monitord.config.secret import Secret
from monitord.config.settings import HeartbeatSettings
from monitord.notify.heartbeat import Heartbeat
from tests.support.sinks import WebhookSink, accept

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SOON = timedelta(milliseconds=20)


class Witness:
    """What a heartbeat says to others, and whether monitord is well."""

    def __init__(self) -> None:
        self.alive = True
        self.asked = 0
        self.beats: list[bool] = []
        self.said: list[tuple[str, dict[str, Any]]] = []
        self._moved = asyncio.Condition()

    def is_alive(self) -> bool:
        """Whether monitord is well."""
        self.asked += 1
        self._tell()
        return self.alive

    def beat(self, _at: datetime, success: bool) -> None:
        """A beat was tried."""
        self.beats.append(success)
        self._tell()

    def info(self, event: str, **details: Any) -> None:
        """Something was logged."""
        self.said.append((event, details))

    warning = info

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds."""
        async with asyncio.timeout(30), self._moved:
            await self._moved.wait_for(holds)

    def _tell(self) -> None:
        async def notify() -> None:
            async with self._moved:
                self._moved.notify_all()

        self._task = asyncio.ensure_future(notify())


@asynccontextmanager
async def beating(url: str, witness: Witness) -> AsyncIterator[None]:
    """A heart that beats there as often as it can."""
    settings = HeartbeatSettings(WebhookSettings(Secret(url), timeout=5.0), SOON)
    heart = Heartbeat(settings, alive=witness.is_alive, now=lambda: NOW, log=witness, on_beat=witness.beat)
    task = asyncio.create_task(heart.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_it_beats_again_and_again() -> None:
    """Each beat is a GET of the URL as it is configured, without a body."""
    async with WebhookSink() as sink:
        witness = Witness()
        async with beating(f"{sink.url}/secret-token?source=a", witness):
            calls = await sink.wait_for(3)
            await witness.until(lambda: len(witness.beats) >= 3)
        assert {(call.method, call.path, call.body) for call in calls} == {
            ("GET", "/hook/secret-token?source=a", b""),
        }
        assert set(witness.beats) == {True}
        assert witness.said == []


async def test_it_is_silent_while_monitord_is_not_well() -> None:
    """Silence means the same as death; it beats again when all is well again."""
    async with WebhookSink() as sink:
        witness = Witness()
        witness.alive = False
        async with beating(sink.url, witness):
            await witness.until(lambda: witness.asked >= 3)
            assert sink.calls == []
            assert witness.beats == []
            witness.alive = True
            await sink.wait_for(1)


async def test_a_failure_is_said_once_without_the_token_and_tried_again() -> None:
    """Also for a redirect, which may lead to a page that says 200 to everything."""

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    async with WebhookSink(refuse) as sink:
        witness = Witness()
        async with beating(f"{sink.url}/secret-token", witness):
            await witness.until(lambda: len(witness.beats) >= 3)
            assert set(witness.beats) == {False}
            sink.answer = accept
            await witness.until(lambda: witness.beats[-1])
            await witness.until(lambda: len(witness.said) >= 2)
    assert [event for event, _ in witness.said] == [
        "the heartbeat does not arrive",
        "the heartbeat arrives again",
    ]
    error = witness.said[0][1]["error"]
    assert error.startswith(f"heartbeat http://127.0.0.1:{sink.port} answered 302")
    assert "secret-token" not in error
