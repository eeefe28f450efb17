"""Stand-ins at the relay's own ports: an outbox in memory, senders that do as told, a log and a clock."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from monitord.errors import MonitordError
from monitord.notify.fault import DeliveryFault, Receipt
from monitord.notify.relay import Relay
from monitord.notify.senders import Channel
from monitord.outbox import Claimed, Delivery, Result, batch_id, together
from monitord.turns import Gathering, Waiting, choose, first_in_line, turns
from tests.notify.events import MISMATCH, NOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from monitord.notify.senders import Sender

LEASE = timedelta(minutes=2)
PATIENCE = 10.0
NO_WAITS = (timedelta(), timedelta())


class Unavailable(MonitordError):  # noqa: N818 - reads as what the store is
    """The store does not work."""


@dataclass
class Row:
    """A message in the outbox."""

    delivery: Delivery
    waiting: Waiting
    state: str = "pending"
    error: str | None = None

    @property
    def due(self) -> datetime:
        """When it is to be tried next."""
        return self.waiting.due_at

    @property
    def lease(self) -> datetime | None:
        """Until when somebody is sending it."""
        return self.waiting.lease_until

    @property
    def attempts(self) -> int:
        """How many times it was given out."""
        return self.waiting.attempts

    def change(self, **changes: Any) -> None:
        """Let it wait otherwise."""
        self.waiting = replace(self.waiting, **changes)


@dataclass
class MemoryOutbox:
    """An outbox that keeps the rules of the real one. ``broken`` counts how many calls of each method fail next."""

    rows: dict[str, Row] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    releases: int = 0
    finished: bool = False
    held: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def queue(self, identifier: str, receiver: str = "ops", incident: str = "i1", **body: Any) -> None:
        """Put a message in, due at once."""
        self.queue_at(NOW, identifier, receiver, incident, **body)

    def queue_at(
        self, now: datetime, identifier: str, receiver: str = "ops", incident: str = "i1", **body: Any
    ) -> None:
        """Put a message in, due then."""
        delivery = Delivery(identifier, receiver, incident, {**MISMATCH, **body}, 0, now)
        waiting = Waiting(identifier, receiver, incident, len(self.rows), now, now, group=body.get("group"))
        self.rows[identifier] = Row(delivery, waiting)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something to be true after a change."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(holds)

    async def until_state(self, state: str, *identifiers: str) -> None:
        """Wait for these messages to be in a state."""
        await self.until(lambda: all(self.rows[each].state == state for each in identifiers))

    async def claim(
        self, limits: Mapping[str, int], now: datetime, *, others: int, gathering: Gathering | None
    ) -> Claimed:
        """As the port says."""
        await self._fail_if_broken("claim")
        heads = first_in_line([row.waiting for row in self.rows.values() if row.state == "pending"])
        found = [turn for turn in turns(heads, gathering, {}) if limits.get(turn.receiver, others)]
        chosen = choose(found, limits, others, now)
        given = []
        for turn in chosen:
            members = [self.rows[one.id] for one in turn.messages]
            parts = [replace(member.delivery, attempts=member.attempts) for member in members]
            batch = batch_id([one.id for one in turn.messages]) if turn.batch else None
            given.append(together(parts, batch) if batch else parts[0])
            for member in members:
                member.change(attempts=member.attempts + 1, lease_until=now + LEASE, batch=batch)
        await self._tell()
        return Claimed(given, min((turn.at for turn in found if turn not in chosen), default=None))

    async def settle(self, delivery: Delivery, result: Result) -> None:
        """As the port says."""
        for identifier in delivery.messages:
            row = self.rows[identifier]
            row.state, row.error = result.state.value, result.error
            row.change(due_at=result.next_attempt_at or row.due, lease_until=None)
        await self._tell()

    async def release_leases(self, now: datetime) -> None:
        """As the port says."""
        await self._fail_if_broken("release_leases")
        self.releases += 1
        for row in self.rows.values():
            row.change(due_at=min(row.due, now), lease_until=None)
        await self._tell()

    async def hold(self, receiver: str, since: datetime, until: datetime) -> None:
        """As the port says."""
        await self._fail_if_broken("hold")
        self.held[receiver] = since, until
        await self._tell()

    async def holds(self, now: datetime) -> Mapping[str, datetime]:
        """As the port says."""
        await self._fail_if_broken("holds")
        return {receiver: until for receiver, (since, until) in self.held.items() if since <= now < until}

    async def finish(self) -> None:
        """As the port says."""
        self.finished = True

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
    deliveries: list[Delivery] = field(default_factory=list)
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
            self.deliveries.append(delivery)
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
    longest_attempt: timedelta = timedelta(seconds=90)

    def relay(self, waits: tuple[timedelta, timedelta] = NO_WAITS, /, **channels: Channel | Sender) -> Relay:
        """A relay, not running, without jitter."""
        return Relay(
            self.outbox,
            as_channels(channels),
            now=self.clock,
            chance=lambda: 0.5,
            log=self.diary,
            on_result=lambda receiver, fault: self.results.append((receiver, fault)),
            waits=waits,
            longest_attempt=self.longest_attempt,
        )


def as_channels(channels: Mapping[str, Channel | Sender]) -> dict[str, Channel]:
    """Ways to receivers at the usual rate, where nothing else is given."""
    return {name: one if isinstance(one, Channel) else Channel(one) for name, one in channels.items()}


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[None]:
    """The relay at work."""
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        await relay.drain(PATIENCE)
        async with asyncio.timeout(PATIENCE):
            await task
