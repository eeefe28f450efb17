"""Daemon threads for calls that block and cannot be cancelled.

Unlike those of an executor they are not waited for when the interpreter exits, and one that is stuck keeps nobody else
from getting another. They are kept for the next call: to start one costs more than a lookup in DNS.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Answer = TypeVar("_Answer")

_IDLE_SECONDS = 60.0


class Workers:
    """As many threads as calls are under way, and those that were lately; to be used in one event loop."""

    def __init__(self, name: str, idle_seconds: float = _IDLE_SECONDS) -> None:
        """No thread yet. One without work ends after ``idle_seconds``."""
        self._name = name
        self._idle_seconds = idle_seconds
        self._calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0  # threads that wait, less the calls that were put down for them

    def submit(self, work: Callable[[], _Answer]) -> asyncio.Future[_Answer]:
        """Call ``work`` in a thread. Raises RuntimeError if none can be started."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Answer] = loop.create_future()
        with self._lock:
            waits = self._idle > 0
            self._idle -= waits
        if not waits:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        self._calls.put(_Call(loop, future, work))
        return future

    def _run(self) -> None:
        while True:
            try:
                call = self._calls.get(timeout=self._idle_seconds)
            except queue.Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        return
                continue  # a call was put down just now
            call.make()
            del call  # what it came to is not kept while nothing else comes
            with self._lock:
                self._idle += 1


class _Call:
    """One call, and who waits for it."""

    __slots__ = ("_future", "_loop", "_work")

    def __init__(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], work: Callable[[], Any]) -> None:
        self._loop = loop
        self._future = future
        self._work = work

    def make(self) -> None:
        """Call, and tell the loop what came of it; never raises."""
        result, fault = None, None
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001 - handed to who waits, as an executor does
            fault = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._tell, result, fault)

    def _tell(self, result: object, fault: BaseException | None) -> None:
        if self._future.done():
            return  # whoever waited has given up
        if fault is None:
            self._future.set_result(result)
        else:
            self._future.set_exception(fault)
