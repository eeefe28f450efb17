"""Which of the probes' sockets can be read or written.

asyncio can tell as well, but takes longer to be asked than the system takes to answer, and a probe asks several times.
So probes have an epoll instance of their own, which the event loop watches as one descriptor.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
# What is ready beyond that has its turn when the loop has been round: other work comes between.
_AT_ONCE = 64


class Readiness:
    """Calls back when a descriptor is ready, and as long as it is; belongs to one event loop. Close it when done."""

    def __init__(self) -> None:
        """Nothing is waited for. To be made inside the running event loop."""
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._call_back)

    def watch(self, descriptor: int, events: int, callback: Callable[[int], None]) -> None:
        """Call back with what is ready of these events (``READ``, ``WRITE``), or with an error's own.

        A descriptor is watched for one purpose at a time; the one before ends. It must be forgotten before it is
        closed. The callback raises nothing.
        """
        if descriptor in self._callbacks:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)
        self._callbacks[descriptor] = callback

    def forget(self, descriptor: int) -> None:
        """Watch a descriptor no more, if it was."""
        if self._callbacks.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def close(self) -> None:
        """Watch nothing any more. May be repeated."""
        self._callbacks.clear()
        if not self._epoll.closed:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _call_back(self) -> None:
        for descriptor, events in self._epoll.poll(0, _AT_ONCE):
            callback = self._callbacks.get(descriptor)
            if callback is not None:
                callback(events)
