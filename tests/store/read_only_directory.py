"""A program: opens a store as an ordinary user. ``python -m tests.store.read_only_directory URL``."""

from __future__ import annotations

import asyncio
import sys

from monitord.store.faults import StoreError
from monitord.store.store import Store
from tests.store.samples import clock
from tests.support.unprivileged import give_up_privileges


async def run(url: str) -> None:
    """Open the store."""
    give_up_privileges()
    try:
        await Store.open(url, now=clock)
    except StoreError as error:
        print(error)  # noqa: T201 - read by the test


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
