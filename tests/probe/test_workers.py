"""Threads for calls that block: kept for the next one, never waited for."""

from __future__ import annotations

import asyncio
import queue
import subprocess
import sys
import threading
from functools import partial

import pytest

from monitord.probe.workers import Workers

PATIENCE = 20


async def test_a_thread_is_kept_for_the_next_call() -> None:
    """Calls one after the other need one thread."""
    workers = Workers("test")
    async with asyncio.timeout(PATIENCE):
        threads = [await workers.submit(threading.get_ident) for _ in range(20)]
    # The second call may come before the first thread says that it waits.
    assert len(set(threads)) <= 2


async def test_a_call_that_is_stuck_keeps_nobody_waiting() -> None:
    """Each call has a thread to itself, also where one of those that were kept is taken by a long call."""
    workers = Workers("test")
    release = threading.Event()
    async with asyncio.timeout(PATIENCE):
        await workers.submit(int)
        stuck = [workers.submit(release.wait) for _ in range(5)]
        assert [await workers.submit(partial(abs, number)) for number in range(10)] == list(range(10))
        assert not any(future.done() for future in stuck)
        release.set()
        assert await asyncio.gather(*stuck) == [True] * 5


async def test_what_a_call_raises_is_raised_where_it_is_awaited() -> None:
    """And the thread goes on."""
    workers = Workers("test")
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ZeroDivisionError):
            await workers.submit(lambda: 1 / 0)
        assert await workers.submit(int) == 0


async def test_a_thread_without_work_ends() -> None:
    """It leaves, and another takes its place when there is work again."""
    workers = Workers("test", idle_seconds=0.01)
    found: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()
    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            await workers.submit(lambda: found.put(threading.current_thread()))
            thread = found.get()
            await asyncio.to_thread(thread.join)


async def test_who_gave_up_is_not_told() -> None:
    """The answer of a call that nobody waits for is dropped."""
    workers = Workers("test")
    release = threading.Event()
    async with asyncio.timeout(PATIENCE):
        future = workers.submit(release.wait)
        future.cancel()
        release.set()
        assert await workers.submit(int) == 0
    assert future.cancelled()


def test_the_interpreter_does_not_wait_for_a_call_that_is_stuck() -> None:
    """A lookup may hang for half a minute when monitord is to end."""
    program = (
        "import asyncio, threading\n"
        "from monitord.probe.workers import Workers\n"
        "async def main():\n"
        "    Workers('test').submit(threading.Event().wait)\n"
        "asyncio.run(main())\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=PATIENCE, check=False).returncode == 0
