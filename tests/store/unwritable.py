"""A program: a store that cannot be written when it is opened. ``python -m tests.store.unwritable URL UID``.

It says what it finds, and what becomes of writing; then it waits for a line on its standard input, and tries once more.
"""

from __future__ import annotations

import asyncio
import os
import sys

from monitord.store.faults import StoreError
from monitord.store.store import Store
from tests.store.samples import at, clock, message, opened, outcome


async def run(url: str, user: int) -> None:
    """Give up root, if root it is, and use the store."""
    if user and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    store = await Store.open(url, now=clock)
    print(*store.opened_notes, sep="\n", flush=True)  # noqa: T201 - read by the test
    print(*(incident.id for incident in (await store.load_incidents()).values()), flush=True)  # noqa: T201
    step = opened("new", host="b.example.test")
    for _ in range(2):
        try:
            await store.record([outcome(transitions=[step], host="b.example.test")], [message(step)])
        except StoreError as error:
            print("refused:", error, flush=True)  # noqa: T201
            await asyncio.to_thread(sys.stdin.readline)
        else:
            print("recorded", len((await store.claim(9, at(1))).deliveries), flush=True)  # noqa: T201
            break
    await store.close()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2])))
