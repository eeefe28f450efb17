"""Outcomes on their way to the store: nobody waits for a disk, and nothing leaves unwritten."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from monitord.store.faults import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.errors import MonitordError
    from monitord.outbox import Message
    from monitord.pinning.outcome import Outcome

    Endpoint = tuple[str, int]
    _Entry = tuple[Outcome, list[Message]]

_CROWDED = 1000


class OutcomeStore(Protocol):
    """Where outcomes are kept."""

    async def record(self, outcomes: Sequence[Outcome], messages: Sequence[Message]) -> bool:
        """Write all or nothing, and whether there was anything new to write; raises StoreError if it cannot."""


class WriteWatcher(Protocol):
    """Who is told what became of the writing."""

    def recorded(self, error: MonitordError | None) -> None:
        """Everything so far was written, or could not be; not told where nothing was new."""

    def queued(self, messages: Sequence[Message]) -> None:
        """Messages were written and wait to be sent."""


class Backlog:
    """Outcomes on their way to the store, written together and in order; nothing leaves it unwritten.

    Nobody who adds an outcome waits for the store. Once that refuses, for a reason of its own, only ``flush`` tries it,
    since each attempt goes through all that waits. While it refuses, or where very many wait, an outcome without
    transitions gives way to the next of its endpoint, so that the backlog is bounded by twice the endpoints and what
    happened to them.
    """

    def __init__(self, store: OutcomeStore, watcher: WriteWatcher) -> None:
        """An empty backlog in front of ``store``."""
        self._store = store
        self._watcher = watcher
        self._waiting: list[_Entry] = []
        self._taken: list[_Entry] = []
        self._crowded = _CROWDED
        self._refuses = False
        self._untried = False
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    @property
    def unwritten(self) -> int:
        """How many outcomes wait or are being written."""
        return len(self._waiting) + len(self._taken)

    @property
    def messages(self) -> list[Message]:
        """The messages that wait or are being written, in order."""
        return [message for _, messages in (*self._taken, *self._waiting) for message in messages]

    def add(self, outcome: Outcome, messages: list[Message]) -> None:
        """Have an outcome written soon, or by the next flush; a store that refuses is reported to the watcher."""
        self._waiting.append((outcome, messages))
        if len(self._waiting) > self._crowded:
            self._waiting = _compact(self._waiting)
            # Where little gave way, the next look is that much later: else each outcome of very many would cost a look.
            self._crowded = max(_CROWDED, 2 * len(self._waiting))
        self._untried = True
        if not self._refuses and (self._writer is None or self._writer.done()):
            self._writer = asyncio.create_task(self._write_soon(), name="backlog")

    async def flush(self) -> None:
        """Write what waits, in one transaction. Rounds that end while one is being written share the next.

        If an outcome can be at fault, they are tried one by one, so that one which can never be written does not hold
        up the others.
        """
        async with self._writing:
            self._untried = False
            if not self._waiting:
                return
            self._taken, self._waiting = self._waiting, []
            refused = self._taken
            try:
                refused, committed, error = await self._write(self._taken)
                self._refuses = error is not None and error.systemic
            finally:
                taken, self._taken = self._taken, []
                if refused:
                    self._waiting = _compact(refused + self._waiting)
        if error or committed:
            self._watcher.recorded(error)
        left = {id(entry) for entry in refused}
        messages = [message for entry in taken if id(entry) not in left for message in entry[1]]
        if messages:
            self._watcher.queued(messages)

    async def _write_soon(self) -> None:
        while self._untried and not self._refuses:
            await self.flush()

    async def _write(self, entries: list[_Entry]) -> tuple[list[_Entry], bool, StoreError | None]:
        """What was refused, whether anything was committed, and the last refusal."""
        try:
            return [], await self._record(entries), None
        except StoreError as error:
            if error.systemic or len(entries) == 1:
                return entries, False, error
        return await self._write_singly(entries)

    async def _write_singly(self, entries: list[_Entry]) -> tuple[list[_Entry], bool, StoreError | None]:
        refused: list[_Entry] = []
        endpoints: set[Endpoint] = set()
        committed = False
        last: StoreError | None = None
        for entry in entries:
            endpoint = (entry[0].target.host, entry[0].target.port)
            # What happened at one endpoint is written in its order or not at all.
            if endpoint in endpoints or (last is not None and last.systemic):
                refused.append(entry)
                continue
            try:
                committed |= await self._record([entry])
            except StoreError as error:
                last = error
                refused.append(entry)
                endpoints.add(endpoint)
        return refused, committed, last

    async def _record(self, entries: list[_Entry]) -> bool:
        messages = [message for _, several in entries for message in several]
        return await self._store.record([outcome for outcome, _ in entries], messages)


def _compact(waiting: list[_Entry]) -> list[_Entry]:
    latest = {(outcome.target.host, outcome.target.port): position for position, (outcome, _) in enumerate(waiting)}
    return [
        entry
        for position, entry in enumerate(waiting)
        if entry[0].transitions or position == latest[entry[0].target.host, entry[0].target.port]
    ]
