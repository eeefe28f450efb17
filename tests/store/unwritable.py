"""A program: a store that cannot be written when it is opened. ``python -m tests.store.unwritable URL``.

It says what it finds, and what becomes of writing; then it waits for a line on its standard input, and tries once more.
"""

from __future__ import annotations

import asyncio
import sys

from monitord.store.faults import StoreError
from monitord.store.store import Store
from tests.store.samples import at, clock, message, opened, outcome
from tests.support.unprivileged import give_up_privileges


async def run(url: str) -> None:
    """Use the store."""
    give_up_privileges()
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
    asyncio.run(run(sys.argv[1]))
