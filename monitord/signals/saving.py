"""What the store has not taken yet: facts and states on their way, each source's in one transaction."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from monitord.errors import MonitordError
from monitord.signals.codec import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from monitord.signals.ledger import Changes

    Row = tuple[str, str, str, datetime, str]


class Store(Protocol):
    """Where facts and states are kept. A row is (host, identity, source, learned_at, body)."""

    async def load_signals(self) -> tuple[Sequence[Row], Mapping[str, Mapping[str, str]]]:
        """Every fact, and by source what it keeps for itself; raises MonitordError if it cannot be read."""

    async def save_signals(
        self,
        source: str,
        facts: Sequence[Row],
        state: Mapping[str, str | None],
        gone: Collection[tuple[str, str]] = (),
    ) -> None:
        """Write facts and state, where None deletes a key, and delete the facts that are gone: all or nothing.

        Raises MonitordError if it cannot.
        """

    async def prune_signals(self, hosts: Collection[str], before: datetime) -> int:
        """Delete facts from before then, and those about other hosts than these; raises MonitordError."""


@dataclass(slots=True)
class _Parcel:
    """What is to be written for one source: the rows of facts, None where they are to be deleted, and its state."""

    facts: dict[tuple[str, str], Row | None] = field(default_factory=dict)
    state: dict[str, str | None] = field(default_factory=dict)

    def add(self, later: _Parcel) -> None:
        """Put what came later on top."""
        self.facts |= later.facts
        self.state |= later.state

    @property
    def rows(self) -> list[Row]:
        """The facts to write."""
        return [row for row in self.facts.values() if row is not None]

    @property
    def gone(self) -> list[tuple[str, str]]:
        """The facts to delete."""
        return [key for key, row in self.facts.items() if row is None]


class Unsaved:
    """Facts and states that wait for the store; bounded, since a later one takes the place of the earlier."""

    def __init__(self, store: Store, on_saved: Callable[[MonitordError | None], None]) -> None:
        """Nothing waits; ``on_saved`` is told of each time that something was written, or refused."""
        self._store = store
        self._on_saved = on_saved
        self._parcels: dict[str, _Parcel] = {}
        self._writing = asyncio.Lock()

    def holds(self, source: str) -> bool:
        """Whether something of this source waits."""
        return source in self._parcels

    def add(self, source: str, changes: Changes, state: Mapping[str, str | None]) -> None:
        """Have these written with the next flush."""
        rows: dict[tuple[str, str], Row | None] = dict.fromkeys(changes.gone)
        for one in changes.noted:
            rows[one.host, one.identity] = (
                one.host,
                one.identity,
                one.source,
                one.fact.learned_at,
                encode(one.fact),
            )
        if rows or state:
            self._parcels.setdefault(source, _Parcel()).add(_Parcel(rows, dict(state)))

    async def flush(self) -> None:
        """Write what waits, a transaction for each source; what is refused goes on waiting."""
        async with self._writing:
            refused: MonitordError | None = None
            waiting, self._parcels = self._parcels, {}
            if not waiting:
                return
            try:
                for source in list(waiting):
                    parcel = waiting[source]
                    try:
                        await self._store.save_signals(source, parcel.rows, parcel.state, parcel.gone)
                    except MonitordError as error:
                        refused = error
                    else:
                        del waiting[source]
            finally:
                # Also where the flush is cut off: to write a thing twice does no harm.
                newer, self._parcels = self._parcels, waiting
                for source, parcel in newer.items():
                    self._parcels.setdefault(source, _Parcel()).add(parcel)
        self._on_saved(refused)
