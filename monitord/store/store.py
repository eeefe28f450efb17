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

from monitord.store import deliveries, history, incidents, rounds
from monitord.store.faults import StoreError, explain, is_systemic
from monitord.store.lock import WriterLock
from monitord.store.memory import Remembered
from monitord.store.opening import open_to_read, open_to_write, refuse_unknown_file, store_path
from monitord.store.schema import write_check

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from monitord.outbox import Delivery, Message
    from monitord.pinning.incident import Incident, IncidentKey
    from monitord.pinning.outcome import Outcome, Streaks
    from monitord.store.history import ChangePoint, VerdictChange

_Result = TypeVar("_Result")


class Store:
    """An open store. Every method raises StoreError, and then nothing of what it was to do has happened."""

    def __init__(self, path: Path, thread: ThreadPoolExecutor, now: Callable[[], datetime], *, exclusive: bool) -> None:
        """Called by ``open``, in the thread that alone will use the database."""
        self.path = path
        self._thread = thread
        self._closed = False
        with contextlib.ExitStack() as undo:
            if exclusive:
                refuse_unknown_file(path)
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                undo.callback(WriterLock(path).release)
            self._database = open_to_write(path, now) if exclusive else open_to_read(path)
            undo.callback(self._database.reading.dispose)
            with self._database.reading.connect() as connection:
                self._known = rounds.load_endpoints(connection) if exclusive else {}
            self._file = _identity(path)
            self._release = undo.pop_all().close
        self.opened_notes: tuple[str, ...] = self._database.notes

    @classmethod
    async def open(cls, url: str, *, now: Callable[[], datetime], exclusive: bool = True) -> Store:
        """The store at this ``sqlite:////path`` URL.

        An exclusive one is made or migrated as needed, and a damaged one is moved aside and begun anew;
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
            await asyncio.get_running_loop().run_in_executor(self._thread, self._release)
        finally:
            self._thread.shutdown(wait=False)

    async def load_incidents(self) -> dict[IncidentKey, Incident]:
        """Every open incident."""
        return await self._read(incidents.load_open)

    async def load_streaks(self) -> dict[tuple[str, int], Streaks]:
        """The streaks of every endpoint ever recorded, by host and port."""
        return await self._read(rounds.load_streaks)

    async def record(self, outcomes: Sequence[Outcome], messages: Sequence[Message]) -> bool:
        """Write everything in one transaction, or nothing; rounds that brought nothing new cost no transaction.

        True if there was one, which shows that the store can be written; False if nothing was new. Outcomes of one
        endpoint come in the order in which they happened. Recording again what was recorded last changes nothing.
        """
        return await self._run(lambda: self._record(outcomes, messages))

    async def claim(self, receiver_limit: Mapping[str, int] | int, now: datetime) -> list[Delivery]:
        """Due messages, oldest first, counted as begun and leased for two minutes.

        ``receiver_limit`` is how many at most: for each receiver named, or for every receiver alike.
        """
        return await self._write(lambda connection: deliveries.claim(connection, receiver_limit, now))

    async def delivered(self, message_id: str, now: datetime) -> None:
        """The receiver has taken the message."""
        await self._write(lambda connection: deliveries.mark_delivered(connection, message_id, now))

    async def failed(self, message_id: str, error: str, next_attempt_at: datetime) -> None:
        """The receiver has not taken the message; it is claimed again from ``next_attempt_at`` on."""
        await self._write(lambda connection: deliveries.mark_failed(connection, message_id, error, next_attempt_at))

    async def bury(self, message_id: str, error: str) -> None:
        """The message will not be tried again; it stays visible as a dead letter."""
        await self._write(lambda connection: deliveries.bury(connection, message_id, error))

    async def next_due(self, receivers: Collection[str] | None = None) -> datetime | None:
        """When the next message for these receivers, or for any, may be claimed; None if none is pending."""
        return await self._read(lambda connection: deliveries.next_due(connection, receivers))

    async def outbox_summary(self) -> tuple[int, datetime | None]:
        """How many messages are pending, and when the oldest of them was queued."""
        return await self._read(deliveries.summary)

    async def release_leases(self, now: datetime) -> None:
        """Make everything pending due now: at start, when no sender can be at work, or after the clock was set back."""
        await self._write(lambda connection: deliveries.release(connection, now))

    async def check_writable(self) -> None:
        """Write a little and wait until it is on the disk. Raises StoreError if that fails."""
        await self._write(_write_little)

    async def change_points(self, host: str, port: int) -> list[ChangePoint]:
        """What each address of the endpoint showed over time, oldest first."""
        return await self._read(lambda connection: history.change_points(connection, host, port))

    async def verdict_changes(self, host: str, port: int) -> list[VerdictChange]:
        """The verdicts of the endpoint's pin sets over time, oldest first."""
        return await self._read(lambda connection: history.verdict_changes(connection, host, port))

    def _record(self, outcomes: Sequence[Outcome], messages: Sequence[Message]) -> bool:
        after: dict[tuple[str, int], Remembered] = {}
        news: list[tuple[Outcome, Remembered, Remembered]] = []
        for outcome in outcomes:
            key = (outcome.target.host, outcome.target.port)
            before = after.get(key) or self._known.get(key)
            after[key] = (before or Remembered()).after(outcome)
            if after[key] != before:
                news.append((outcome, before or Remembered(), after[key]))
        steps = [step for outcome in outcomes for step in outcome.transitions]
        if not (news or steps or messages):
            return False
        with self._transaction() as connection:
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
            with self._database.reading.connect() as connection:
                return work(connection)

        return await self._run(read)

    async def _write(self, work: Callable[[Connection], _Result]) -> _Result:
        def write() -> _Result:
            with self._transaction() as connection:
                return work(connection)

        return await self._run(write)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        # SQLite would go on writing into a file that has no name any more.
        if _identity(self.path) != self._file:
            raise StoreError(f"store {self.path}: the file was moved or removed under the running monitord; restart it")
        with self._database.writing.begin() as connection:
            yield connection

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


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError, ValueError) as error:
        raise StoreError(explain(path, error), systemic=is_systemic(error)) from error
