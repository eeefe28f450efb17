"""A store as a daemon would have left it: what an endpoint showed over time, and what signals told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from monitord.pinning.observation import Observation
from monitord.pinning.outcome import Outcome, Streaks
from monitord.pinning.target import Target
from monitord.signals.codec import encode
from monitord.signals.ledger import identity_of
from monitord.store.store import Store
from tests.cli.conftest import HOST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitord.pki import Issued
    from monitord.signals.source import Fact
    from tests.cli.conftest import World


def remember(
    home: Path,
    world: World,
    leaves: Sequence[tuple[datetime, Issued]],
    *,
    port: int,
    address: str = "127.0.0.1",
    facts: Sequence[Fact] = (),
) -> None:
    """Write rounds in which the address of HOST presented these leaves, each at its time, and these facts."""
    asyncio.run(_remember(home, world, leaves, (address, port), facts))


async def _remember(
    home: Path,
    world: World,
    leaves: Sequence[tuple[datetime, Issued]],
    place: tuple[str, int],
    facts: Sequence[Fact],
) -> None:
    store = await Store.open(f"sqlite:///{home}/monitord.db", now=lambda: datetime.now(UTC))
    try:
        for at, leaf in leaves:
            chain = (leaf.certificate, world.intermediate.certificate)
            seen = Observation(at, *place, chain, key_type=chain[0].key_type, tls_version="TLSv1.3")
            await store.record([Outcome(Target(HOST), at, (seen,), (), (), Streaks())], [])
        rows = [(HOST, identity_of(fact), "test", fact.learned_at, encode(fact)) for fact in facts]
        await store.save_signals("test", rows, {})
    finally:
        await store.close()
