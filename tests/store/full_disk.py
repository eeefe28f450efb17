"""A program: a store whose files may not grow for a while. ``python -m tests.store.full_disk URL``."""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from monitord.store.faults import StoreError
from monitord.store.store import Store
from tests.store.samples import HOST, PORT, clock, make_chains, message, opened, outcome, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable


async def report(what: str, attempt: Awaitable[object]) -> None:
    """Say how an attempt ended."""
    try:
        await attempt
    except StoreError as error:
        print(f"{what} failed: {str(error).partition(': ')[2]}")  # noqa: T201 - read by the test
    else:
        print(f"{what} passed")  # noqa: T201


async def run(url: str) -> None:
    """Record a round with a full disk, and again with room on it."""
    store = await Store.open(url, now=clock)
    step = opened()
    rounds, messages = [outcome(shown(make_chains().first), transitions=[step])], [message(step)]
    await store.check_writable()
    limit_files(size_of(f"{store.path}-wal"))
    await report("record", store.record(rounds, messages))
    await report("check_writable", store.check_writable())
    await show(store)
    limit_files(resource.RLIM_INFINITY)
    await report("check_writable", store.check_writable())
    await report("record", store.record(rounds, messages))
    await show(store)
    await store.close()


def size_of(file: str) -> int:
    """The bytes in a file."""
    return Path(file).stat().st_size


def limit_files(size: int) -> None:
    """Let no file of this process grow beyond so many bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def show(store: Store) -> None:
    """Say what is stored."""
    points, incidents = await store.change_points(HOST, PORT), await store.load_incidents()
    pending, _ = await store.outbox_summary()
    print(f"{len(points)} change points, {len(incidents)} incidents, {pending} pending")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
