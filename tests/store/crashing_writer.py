"""A program that records rounds until it is killed. ``python -m tests.store.crashing_writer URL``.

It prints the number of each round once that is recorded. Each brings another chain, an incident and two messages,
and ends the incident of the round before.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from monitord.store.store import Store
from tests.store.samples import cleared, clock, make_chains, message, opened, outcome, shown


async def run(url: str) -> None:
    """Record rounds for ever."""
    store = await Store.open(url, now=clock)
    chains = make_chains()
    before = None
    for number in itertools.count(1):
        step = opened(f"i{number}", minute=number)
        steps = [step] if before is None else [cleared(before, minute=number), step]
        chain = chains.first if number % 2 else chains.second
        messages = [message(one, receiver) for one in steps for receiver in ("ops", "pager")]
        await store.record([outcome(shown(chain), minute=number, transitions=steps)], messages)
        print(number, flush=True)  # noqa: T201 - read by the test
        before = step


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
