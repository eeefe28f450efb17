"""What is said over a socket, from when it is connected to the end of the last stage."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING

from monitord.probe.readiness import READ, WRITE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.probe.readiness import Readiness
    from monitord.probe.stage import Stage

_READ_SIZE = 16 * 1024


class Conversation:
    """Moves bytes between a socket and one stage after the other, as the socket is ready, and wakes who waits.

    It is called back, once for what is there at a time: a coroutine that waits for each step costs a third more for a
    whole handshake, and reading on would let a server that floods hold the others up.

    ``stage`` is what is going on, or went on last; None until the socket is connected.
    """

    __slots__ = ("_descriptor", "_done", "_readiness", "_sock", "_stages", "_unsent", "stage")

    def __init__(self, sock: socket.socket, stages: Iterator[Stage], readiness: Readiness) -> None:
        """Nothing is said yet. The socket does not block, and may still be connecting."""
        self._sock = sock
        self._descriptor = sock.fileno()
        self._stages = stages
        self._readiness = readiness
        self._unsent = b""
        self.stage: Stage | None = None

    async def hold(self, deadline: float) -> None:
        """Wait for the end of the last stage, or of one that fails; to be called once.

        Raises OSError if the connection breaks or comes to none, and TimeoutError at ``deadline`` by the clock of the
        event loop.
        """
        loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = loop.create_future()
        timer = loop.call_at(deadline, self._end, TimeoutError())
        try:
            self._readiness.watch(self._descriptor, WRITE, self._ready)
            await self._done
        finally:
            timer.cancel()
            self._readiness.forget(self._descriptor)
            del self._done  # an error in it would hold on to itself, by way of this frame

    def _ready(self, events: int) -> None:
        """Go on with what is ready; where that or an error is all that there is, nothing can be sent either."""
        try:
            if self.stage is None:
                self._connected()
                return
            if events != WRITE:
                self._receive(self.stage)
            if events & WRITE and self._unsent and not self._done.done():
                self._send()
                if not self._unsent:
                    self._readiness.watch(self._descriptor, READ, self._ready)
        except Exception as error:  # noqa: BLE001 - for who waits, who would wait in vain otherwise
            self._end(error)

    def _connected(self) -> None:
        """The attempt to connect has ended: well or not, the socket knows."""
        fault = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if fault:
            self._end(OSError(fault, os.strerror(fault)))
            return
        self._readiness.watch(self._descriptor, READ, self._ready)
        self._proceed()

    def _receive(self, stage: Stage) -> None:
        try:
            data = self._sock.recv(_READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        if data:
            stage.receive(data)
        else:
            stage.closed()
        self._proceed()

    def _proceed(self) -> None:
        """Say what there is to say, and go on to the next stage when one has ended well."""
        while True:
            if self.stage is not None:
                self._say(self.stage.output())
                if not self.stage.ended:
                    return
            following = next(self._stages, None) if self.stage is None or self.stage.failure is None else None
            if following is None:
                self._end()
                return
            early = self.stage.rest if self.stage is not None else b""
            self.stage = following
            following.receive(early)

    def _say(self, words: bytes) -> None:
        """Send this; what does not fit follows when there is room."""
        if self._unsent:
            self._unsent += words
        elif words:
            self._unsent = words
            self._send()
            if self._unsent:
                self._readiness.watch(self._descriptor, READ | WRITE, self._ready)

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except (BlockingIOError, InterruptedError):
            return
        except ConnectionError:
            # The other side may have said why it goes, and gone: what it said can still be read.
            self._unsent = b""

    def _end(self, error: Exception | None = None) -> None:
        """Wake who waits. Last words (Finished and close_notify, an alert) that did not fit at once are not sent."""
        self._readiness.forget(self._descriptor)
        if self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)
