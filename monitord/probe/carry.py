"""The bytes of a stage over a socket."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from monitord.probe.readiness import READ, WRITE

if TYPE_CHECKING:
    import socket

    from monitord.probe.readiness import Readiness
    from monitord.probe.stage import Stage

_READ_SIZE = 16 * 1024


async def carry(sock: socket.socket, stage: Stage, readiness: Readiness) -> None:
    """Carry a stage to its end over a connected, non-blocking socket. Raises OSError if the connection breaks."""
    if not stage.ended:
        await _Carrier(sock, stage, readiness).carry()
    # The last bytes of TLS (Finished and close_notify, or an alert) are few: if they do not fit at once, never mind.
    with suppress(OSError):
        sock.send(stage.output())


class _Carrier:
    """Moves bytes between a socket and a stage as the socket is ready, and wakes who waits when the stage has ended.

    It is called back, once for what is there at a time: a coroutine that waits for each read costs a third more for the
    whole handshake, and reading on would let a server that floods hold the others up.
    """

    __slots__ = ("_descriptor", "_done", "_readiness", "_sock", "_stage", "_unsent")

    def __init__(self, sock: socket.socket, stage: Stage, readiness: Readiness) -> None:
        self._sock = sock
        self._descriptor = sock.fileno()
        self._stage = stage
        self._readiness = readiness
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unsent = b""

    async def carry(self) -> None:
        """Wait for the end. Raises OSError if the connection breaks."""
        self._send()
        if not self._unsent:
            self._readiness.watch(self._descriptor, READ, self._ready)
        try:
            await self._done
        finally:
            self._readiness.forget(self._descriptor)

    def _ready(self, events: int) -> None:
        """Read what there is; where that or an error is all that there is, nothing can be sent either."""
        if events != WRITE:
            self._receive()
        if events & WRITE and self._unsent and not self._done.done():
            self._send_on()
            if not self._unsent:
                self._readiness.watch(self._descriptor, READ, self._ready)

    def _receive(self) -> None:
        try:
            data = self._sock.recv(_READ_SIZE)
            if data:
                self._stage.receive(data)
            else:
                self._stage.closed()
        except (BlockingIOError, InterruptedError):
            return
        except Exception as error:  # noqa: BLE001 - for who waits, who would wait in vain otherwise
            self._end(error)
            return
        if self._stage.ended:
            self._end()
        else:
            self._send()

    def _send(self) -> None:
        """Send what the stage has to say; what does not fit follows when there is room."""
        waited = bool(self._unsent)
        self._unsent += self._stage.output()
        if waited or not self._unsent:
            return
        self._send_on()
        if self._unsent:
            self._readiness.watch(self._descriptor, READ | WRITE, self._ready)

    def _send_on(self) -> None:
        try:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except (BlockingIOError, InterruptedError):
            return
        except ConnectionError:
            # The other side may have said why it goes, and gone: what it said can still be read.
            self._unsent = b""
        except OSError as error:
            self._unsent = b""
            self._end(error)

    def _end(self, error: Exception | None = None) -> None:
        self._readiness.forget(self._descriptor)  # what comes now is for the next stage
        if self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)
