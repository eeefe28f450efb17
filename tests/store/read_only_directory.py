"""A program: opens a store as an ordinary user. ``python -m tests.store.read_only_directory URL UID``."""

from __future__ import annotations

import asyncio
import os
import sys

from monitord.store.faults import StoreError
from monitord.store.store import Store
from tests.store.samples import clock


async def run(url: str, user: int) -> None:
    """Give up root, if root it is, and open the store."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    try:
        await Store.open(url, now=clock)
    except StoreError as error:
        print(error)  # noqa: T201 - read by the test


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2])))
