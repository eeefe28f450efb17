"""The store as the daemon sees it: one connection in one thread of its own, awaited from the event loop.

One connection, because SQLite versions up to 3.51.2 can damage a write-ahead log that several connections write; one
thread, because a disk may be slow and the event loop must not be. A lock keeps other processes from writing.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from monitord.pinning.history import History, history_of
from monitord.store import deadletters, deliveries, history, incidents, outboxview, retention, rounds, signals, silences
from monitord.store.access import Access
from monitord.store.faults import StoreError, explain, is_systemic
from monitord.store.memory import Remembered
from monitord.store.opening import store_path
from monitord.store.schema import write_check

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from monitord.outbox import Claimed, Delivery, DeliveryState, Message, Report, Standing
    from monitord.pinning.history import ChangePoint
    from monitord.pinning.incident import Incident, IncidentKey, Transition
    from monitord.pinning.outcome import Outcome, Streaks
    from monitord.pinning.quiet import Silence
    from monitord.store.history import VerdictChange
    from monitord.store.outboxview import Entry
    from monitord.store.signals import FactRow
    from monitord.turns import Gathering

_Result = TypeVar("_Result")


class Store:
    """An open store. Every method raises StoreError, and then nothing of what it was to do has happened."""

    def __init__(self, path: Path, thread: ThreadPoolExecutor, now: Callable[[], datetime], *, exclusive: bool) -> None:
        """Called by ``open``, in the thread that alone will use the database."""
        self.path = path
        self._thread = thread
        self._closed = False
        self._exclusive = exclusive
        self._access = Access(path, now, exclusive=exclusive)
        try:
            with self._access.reading() as connection:
                self._known = rounds.load_endpoints(connection) if exclusive else {}
        except BaseException:
            self._access.close()
            raise
        self.opened_notes: tuple[str, ...] = self._access.notes

    @classmethod
    async def open(cls, url: str, *, now: Callable[[], datetime], exclusive: bool = True) -> Store:
        """The store at this ``sqlite:////path`` URL.

        An exclusive one is made or migrated as needed, and a damaged one is moved aside and begun anew;
        one that is there and cannot be written at present is read, and written as soon as that can be.
        ``opened_notes`` tells in sentences for the log. One that is not exclusive only reads, beside a running writer.
        Raises StoreError when another monitord writes it, a newer one wrote it, or it cannot be used.
        """
        path = store_path(url)
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="monitord-store")

        def begin() -> Store:
            with _explained(path):
                return cls(path, thread, now, exclusive=exclusive)

        try:
            return await asyncio.get_running_loop().run_in_executor(thread, begin)
        except BaseException:
            thread.shutdown(wait=False)
            raise

    async def close(self) -> None:
        """Finish what was begun and let go of the database; closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._access.close)
        finally:
            self._thread.shutdown(wait=False)

    async def load_incidents(self) -> dict[IncidentKey, Incident]:
        """Every open incident."""
        return await self._read(incidents.load_open)

    async def load_ended(self, since: datetime) -> list[Incident]:
        """The incidents that ended since then."""
        return await self._read(lambda connection: incidents.load_ended(connection, since))

    async def load_openings(self, since: datetime) -> dict[IncidentKey, tuple[datetime, ...]]:
        """When incidents began, since then, that are over, oldest first."""
        return await self._read(lambda connection: incidents.load_openings(connection, since))

    async def transitions_of(self, host: str, port: int | None, since: datetime) -> list[Transition]:
        """Every step of the incidents of a host since then, of one port or of all (None), oldest first."""
        return await self._read(lambda connection: list(incidents.transitions_of(connection, host, port, since)))

    async def ports_of(self, host: str) -> list[int]:
        """The ports of a host of which anything is known."""
        return await self._read(lambda connection: incidents.ports_of(connection, host))

    async def load_silences(self, after: datetime | None = None) -> list[Silence]:
        """The silences that end later than that, or all that there ever were."""
        return await self._read(lambda connection: silences.load(connection, after))

    async def save_silence(self, silence: Silence) -> None:
        """Write a silence, in the place of what was written of it before."""
        await self._write(lambda connection: silences.write(connection, silence))

    async def load_streaks(self) -> dict[tuple[str, int], Streaks]:
        """The streaks of every endpoint ever recorded, by host and port."""
        return await self._read(rounds.load_streaks)

    async def record(self, outcomes: Sequence[Outcome], messages: Sequence[Message]) -> bool:
        """Write everything in one transaction, or nothing; rounds that brought nothing new cost no transaction.

        True if there was one, which shows that the store can be written; False if nothing was new. Outcomes of one
        endpoint come in the order in which they happened. Recording again what was recorded last changes nothing.
        """
        return await self._run(lambda: self._record(outcomes, messages))

    async def claim(
        self,
        limit: Mapping[str, int] | int,
        now: datetime,
        *,
        others: int = 0,
        gathering: Gathering | None = None,
        reported: Sequence[Report] = (),
    ) -> Claimed:
        """Due deliveries, oldest first, counted as begun and leased for two minutes.

        ``limit`` is how many at most: for each receiver named (``others`` for one that is not), or for every receiver
        alike. What is ``reported`` is noted before.
        """
        return await self._write(
            lambda connection: deliveries.claim(
                connection, limit, now, others=others, gathering=gathering, reported=reported
            )
        )

    async def report(self, reported: Sequence[Report]) -> frozenset[str]:
        """Note what came of attempts; the ids of those whose message is in the outbox."""
        return await self._write(lambda connection: deliveries.note(connection, reported))

    async def peek(
        self, limits: Mapping[str, int], now: datetime, others: int, reported: Mapping[str, Report]
    ) -> list[Delivery]:
        """What could be claimed if these reports had been noted; nothing is written."""
        return await self._read(lambda connection: outboxview.peek(connection, limits, now, others, reported))

    async def lines(self, incidents_asked: Collection[str]) -> list[Standing]:
        """Every message about these incidents, those to one receiver in their order."""
        return await self._read(lambda connection: outboxview.lines(connection, incidents_asked))

    async def outbox_summary(self) -> tuple[int, datetime | None]:
        """How many messages are pending, and when the oldest of them was queued."""
        return await self._read(outboxview.summary)

    async def outbox(self, states: Collection[DeliveryState], now: datetime) -> list[Entry]:
        """Every delivery in one of these states, the oldest first."""
        return await self._read(lambda connection: outboxview.entries(connection, states, now))

    async def dead_letters(self) -> list[str]:
        """The ids of all deliveries that were given up, the oldest first."""
        return await self._read(deadletters.all_dead)

    async def resend(self, identifier: str, now: datetime) -> str:
        """Have a delivery tried now that was given up or waits; its id in full. Raises OutboxRefusedError."""
        return await self._write(lambda connection: deadletters.resend(connection, identifier, now))

    async def drop(self, identifier: str, now: datetime) -> str:
        """Do not send a delivery that was given up or waits; its id in full. Raises OutboxRefusedError."""
        return await self._write(lambda connection: deadletters.drop(connection, identifier, now))

    async def prune_alerts(self, now: datetime) -> int:
        """Delete messages, reminders and ended incidents that are too old to be of use; how many rows that were."""
        pruned = 0
        while some := await self._write(lambda connection: retention.prune(connection, now)):
            pruned += some
        return pruned

    async def release_leases(self, now: datetime) -> None:
        """Make everything pending due now: at start, when no sender can be at work, or after the clock was set back."""
        await self._write(lambda connection: deliveries.release(connection, now))

    async def hold(self, receiver: str, since: datetime, until: datetime) -> None:
        """Leave a receiver alone for that time."""
        await self._write(lambda connection: deliveries.hold(connection, receiver, since, until))

    async def holds(self, now: datetime) -> dict[str, datetime]:
        """The receivers that are to be left alone, and until when."""
        return await self._read(lambda connection: deliveries.holds(connection, now))

    async def check_writable(self) -> None:
        """Write a little and wait until it is on the disk. Raises StoreError if that fails."""
        await self._write(_write_little)

    async def change_points(self, host: str, port: int) -> list[ChangePoint]:
        """What each address of the endpoint showed over time, oldest first."""
        return await self._read(lambda connection: history.change_points(connection, host, port))

    async def verdict_changes(self, host: str, port: int) -> list[VerdictChange]:
        """The verdicts of the endpoint's pin sets over time, oldest first."""
        return await self._read(lambda connection: history.verdict_changes(connection, host, port))

    async def history(self, host: str, port: int) -> History:
        """The leaves that the endpoint was seen to serve, and its renewals."""
        if self._exclusive and (host, port) not in self._known:
            return History()  # what is written is known, and of most endpoints of a new list nothing is
        return await self._read(lambda connection: history_of(history.change_points(connection, host, port)))

    async def load_signals(self) -> tuple[list[FactRow], dict[str, dict[str, str]]]:
        """Every fact of every source, oldest first, and what each source keeps for itself, key by key."""
        return await self._read(lambda connection: (signals.load_facts(connection), signals.load_states(connection)))

    async def save_signals(
        self,
        source: str,
        facts: Sequence[tuple[str, str, str, datetime, str]],
        state: Mapping[str, str | None],
        gone: Collection[tuple[str, str]] = (),
    ) -> None:
        """Write what a source has learned and what it keeps for itself, in one transaction.

        ``facts`` are as FactRow has them; ``gone`` are the (host, identity) of facts that hold no longer. In ``state``
        None deletes a key.
        """

        def save(connection: Connection) -> None:
            signals.write_facts(connection, facts, gone)
            signals.write_state(connection, source, state)

        await self._write(save)

    async def prune_signals(self, hosts: Collection[str], before: datetime) -> int:
        """Delete facts from before then, and those about hosts other than these; how many that were."""
        return await self._write(lambda connection: signals.prune(connection, hosts, before))

    def _record(self, outcomes: Sequence[Outcome], messages: Sequence[Message]) -> bool:
        after: dict[tuple[str, int], Remembered] = {}
        news: list[tuple[Outcome, Remembered, Remembered]] = []
        for outcome in outcomes:
            key = (outcome.target.host, outcome.target.port)
            before = after.get(key) or self._known.get(key)
            if before is None and not outcome.observations:
                continue  # something happened to incidents that no round ever saw
            after[key] = (before or Remembered()).after(outcome)
            if after[key] != before:
                news.append((outcome, before or Remembered(), after[key]))
        steps = [step for outcome in outcomes for step in outcome.transitions]
        if not (news or steps or messages):
            return False
        with self._access.writing() as connection:
            for outcome, old, new in news:
                rounds.write_round(connection, outcome, old, new)
            for step in steps:
                incidents.write_transition(connection, step)
            for message in messages:
                deliveries.queue(connection, message)
        self._known.update(after)
        return True

    async def _read(self, work: Callable[[Connection], _Result]) -> _Result:
        def read() -> _Result:
            with self._access.reading() as connection:
                return work(connection)

        return await self._run(read)

    async def _write(self, work: Callable[[Connection], _Result]) -> _Result:
        def write() -> _Result:
            with self._access.writing() as connection:
                return work(connection)

        return await self._run(write)

    async def _run(self, work: Callable[[], _Result]) -> _Result:
        if self._closed:
            raise StoreError(f"store {self.path}: it is closed")

        def explained() -> _Result:
            with _explained(self.path):
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._thread, explained)


def _write_little(connection: Connection) -> None:
    counted = connection.execute(update(write_check).values(count=write_check.c.count + 1))
    if not counted.rowcount:
        connection.execute(write_check.insert().values(id=1, count=1))


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError, ValueError) as error:
        raise StoreError(explain(path, error), systemic=is_systemic(error)) from error
