"""Stand-ins at the relay's own ports: an outbox in memory, senders that do as told, a log and a clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from monitord.errors import MonitordError
from monitord.notify.fault import DeliveryFault, Receipt
from monitord.notify.relay import Relay
from monitord.outbox import Delivery
from tests.notify.events import MISMATCH, NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from monitord.notify.senders import Sender

LEASE = timedelta(minutes=2)
PATIENCE = 10.0


class Unavailable(MonitordError):  # noqa: N818 - reads as what the store is
    """The store does not work."""


@dataclass
class Row:
    """A message in the outbox."""

    delivery: Delivery
    due: datetime
    attempts: int = 0
    lease: datetime | None = None
    state: str = "pending"
    error: str | None = None

    @property
    def claimable(self) -> datetime:
        """From when on it may be claimed."""
        return max(self.due, self.lease) if self.lease else self.due


@dataclass
class MemoryOutbox:
    """An outbox that keeps the rules of the real one. ``broken`` counts how many calls of each method fail next."""

    rows: dict[str, Row] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    releases: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def queue(self, identifier: str, receiver: str = "ops", incident: str = "i1", **body: Any) -> None:
        """Put a message in, due at once."""
        delivery = Delivery(identifier, receiver, incident, {**MISMATCH, **body}, 0, NOW)
        self.rows[identifier] = Row(delivery, NOW)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something to be true after a change."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(holds)

    async def until_state(self, state: str, *identifiers: str) -> None:
        """Wait for these messages to be in a state."""
        await self.until(lambda: all(self.rows[each].state == state for each in identifiers))

    async def claim(self, receiver_limit: Mapping[str, int] | int, now: datetime) -> list[Delivery]:
        """As the port says."""
        await self._fail_if_broken("claim")
        given: list[Delivery] = []
        taken: dict[str, int] = {}
        for row in self._first_in_line():
            receiver = row.delivery.receiver
            limit = receiver_limit if isinstance(receiver_limit, int) else receiver_limit.get(receiver, 0)
            if row.claimable <= now and taken.get(receiver, 0) < limit:
                taken[receiver] = taken.get(receiver, 0) + 1
                old = row.delivery
                given.append(Delivery(old.id, receiver, old.incident, old.body, row.attempts, old.created_at))
                row.attempts += 1
                row.lease = now + LEASE
        await self._tell()
        return given

    async def delivered(self, message_id: str, now: datetime) -> None:  # noqa: ARG002 - the port's
        """As the port says."""
        await self._fail_if_broken("delivered")
        self.rows[message_id].state = "delivered"
        await self._tell()

    async def failed(self, message_id: str, error: str, next_attempt_at: datetime) -> None:
        """As the port says."""
        await self._fail_if_broken("failed")
        row = self.rows[message_id]
        row.error, row.due, row.lease = error, next_attempt_at, None
        await self._tell()

    async def bury(self, message_id: str, error: str) -> None:
        """As the port says."""
        await self._fail_if_broken("bury")
        self.rows[message_id].state, self.rows[message_id].error = "dead", error
        await self._tell()

    async def next_due(self, receivers: Collection[str] | None = None) -> datetime | None:
        """As the port says."""
        await self._fail_if_broken("next_due")
        lines = [row for row in self._first_in_line() if receivers is None or row.delivery.receiver in receivers]
        return min((row.claimable for row in lines), default=None)

    async def release_leases(self, now: datetime) -> None:
        """As the port says."""
        await self._fail_if_broken("release_leases")
        self.releases += 1
        for row in self.rows.values():
            row.due, row.lease = min(row.due, now), None
        await self._tell()

    def _first_in_line(self) -> list[Row]:
        first: dict[tuple[str, str], Row] = {}
        for row in self.rows.values():
            if row.state == "pending":
                first.setdefault((row.delivery.receiver, row.delivery.incident), row)
        return list(first.values())

    async def _fail_if_broken(self, method: str) -> None:
        if self.broken.get(method, 0) > 0:
            self.broken[method] -= 1
            await self._tell()
            raise Unavailable("store /var/lib/monitord/monitord.db: the disk is full; free some space")

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@dataclass
class Actor:
    """A sender that plays its script, one line an attempt (an error to raise, a receipt), then goes on with success.

    While ``gate`` is not set it hangs.
    """

    script: list[Exception | Receipt] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    most_at_once: int = 0
    _started: asyncio.Condition = field(default_factory=asyncio.Condition)

    def __post_init__(self) -> None:
        """Do not hang unless told."""
        self.gate.set()

    async def until_begun(self, count: int) -> None:
        """Wait for this many attempts."""
        async with asyncio.timeout(PATIENCE), self._started:
            await self._started.wait_for(lambda: len(self.begun) >= count)

    async def send(self, delivery: Delivery, now: datetime) -> Receipt:  # noqa: ARG002 - the port's
        """Play the next line."""
        line = self.script.pop(0) if self.script else Receipt()
        async with self._started:
            self.begun.append(delivery.id)
            self.most_at_once = max(self.most_at_once, len(self.begun) - len(self.ended))
            self._started.notify_all()
        try:
            await self.gate.wait()
        finally:
            self.ended.append(delivery.id)
        if isinstance(line, Exception):
            raise line
        return line


@dataclass
class Clock:
    """A clock that moves when told."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """What it shows."""
        return self.now


@dataclass
class Diary:
    """A log that can be read."""

    entries: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def info(self, event: str, **details: Any) -> None:
        """Write it down."""
        self.entries.append(("info", event, details))

    def warning(self, event: str, **details: Any) -> None:
        """Write it down."""
        self.entries.append(("warning", event, details))

    def error(self, event: str, **details: Any) -> None:
        """Write it down."""
        self.entries.append(("error", event, details))

    def events(self, level: str) -> list[str]:
        """What was logged at a level, in order."""
        return [event for written, event, _ in self.entries if written == level]


@dataclass
class Stage:
    """A relay at work between an outbox and senders."""

    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    clock: Clock = field(default_factory=Clock)
    diary: Diary = field(default_factory=Diary)
    results: list[tuple[str, DeliveryFault | None]] = field(default_factory=list)

    def relay(self, **senders: Sender) -> Relay:
        """A relay, not running, without jitter."""
        return Relay(
            self.outbox,
            senders,
            now=self.clock,
            chance=lambda: 0.5,
            log=self.diary,
            on_result=lambda receiver, fault: self.results.append((receiver, fault)),
        )
