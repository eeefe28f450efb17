"""How the store grows: rows for a day of rounds in which nothing changes, and in which 1 % of the endpoints change.

The rounds are written by the daemon's own store, as fast as it can: a day of an endpoint is 96 rounds.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from monitord import pki
from monitord.pinning.judge import judge
from monitord.pinning.observation import Observation
from monitord.pinning.outcome import Outcome, Streaks
from monitord.pinning.pins import Pin, PinSet
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.store.store import Store

if TYPE_CHECKING:
    from monitord.pki import Issued

_ENDPOINTS = 1000
_ROUNDS = 96
_NOW = datetime(2026, 3, 1, tzinfo=UTC)


def measure() -> None:
    """Print the growth of both days."""
    asyncio.run(_measure())


async def _measure() -> None:
    root = pki.issue("Bench Root")
    old, new = (pki.issue("bench", issuer=root, names=["*.bench.example"]) for _ in range(2))
    pinset = PinSet("app", pins=(old.certificate.pin, Pin(bytes(32))), trust=("bench",))
    targets = [Target(f"h{number}.bench.example", pinsets=(pinset,)) for number in range(_ENDPOINTS)]
    stores = {"bench": TrustStore("bench", [root.certificate])}
    with tempfile.TemporaryDirectory(prefix="monitord-bench-") as name:
        store = await Store.open(f"sqlite:///{name}/monitord.db", now=lambda: _NOW)
        try:
            await store.record([_round(target, old, stores, _NOW) for target in targets], [])
            print(f"{_ENDPOINTS} endpoints, {_ROUNDS} rounds of each a day\n")
            print("| a day in which | rows | KB |")
            print("|---|---|---|")
            changed: set[str] = set()
            for day, part in ((1, 0.0), (2, 0.01)):
                before = _size(Path(name))
                changed |= {target.host for target in targets[: round(_ENDPOINTS * part)]}
                for number in range(_ROUNDS):
                    at = _NOW + timedelta(days=day, minutes=15 * number)
                    rounds = [_round(one, new if one.host in changed else old, stores, at) for one in targets]
                    await store.record(rounds, [])
                rows, size = (after - was for after, was in zip(_size(Path(name)), before, strict=True))
                print(f"| {part:.0%} of them change | {rows} | {size / 1000:.0f} |")
        finally:
            await store.close()
    print()


def _round(target: Target, leaf: Issued, stores: dict[str, TrustStore], at: datetime) -> Outcome:
    seen = Observation(at, "192.0.2.1", 443, (leaf.certificate,))
    return Outcome(target, at, (seen,), tuple(judge(target, [seen], stores, at)), (), Streaks())


def _size(directory: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(f"file:{directory / 'monitord.db'}?mode=ro", uri=True)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = sum(database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names)  # noqa: S608 - our own tables
        pages, size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return rows, pages * size
