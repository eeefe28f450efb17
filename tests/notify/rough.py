"""A server of few manners: whatever a coroutine does with each connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class RoughServer:
    """Listens on 127.0.0.1; a connection is closed when ``behave`` is done with it, or the server with both."""

    def __init__(self, behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> None:
        """A server that is not listening yet."""
        self.port = 0
        self._behave = behave
        self._tls = tls
        self._talks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drop every connection and stop listening."""
        assert self._server is not None
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._talks.add(asyncio.create_task(self._talk(reader, writer)))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._behave(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()


def say_and_close(said: bytes, after: bytes = b"\n") -> Behaviour:
    """Read up to ``after``, send this, close."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(after)
        writer.write(said)

    return talk


async def stay_silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Read for ever, never say anything."""
    while await reader.read(4096):
        pass


def drip(said: bytes, *, first: bytes = b"", pace: float = 0.01) -> Behaviour:
    """Send ``first``, then ``said`` again and again, with pauses."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(said)
            await writer.drain()
            await asyncio.sleep(pace)  # the pace of the flood, nothing waits for it

    return talk
