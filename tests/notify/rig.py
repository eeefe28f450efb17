"""A real store that refuses, hangs or cannot be read when told, a backlog in front of it, and the outbox between."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from monitord.notify.standby import Standby
from monitord.outbox import DeliveryState, Result
from monitord.store.faults import StoreError
from monitord.store.store import Store
from tests.notify.outbox import Diary
from tests.store.samples import NOON, clock, message, outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from monitord.outbox import Claimed, Delivery, Message, Standing
    from monitord.pinning.incident import Transition
    from monitord.pinning.outcome import Outcome

_WRITES = ("claim", "report", "release_leases", "hold", "record")


class Mode(Enum):
    """What the store does."""

    WORKS = "works"
    FULL = "full"
    """It can be read and not written."""
    LOST = "lost"
    """It cannot even be read."""


class MoodyStore:
    """A store that works, refuses, or is slow: while ``gate`` is not set no call is answered."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.mode = Mode.WORKS
        self.gate = asyncio.Event()
        self.gate.set()

    def __getattr__(self, name: str) -> Any:
        """A method of the store, with its mood."""
        method: Callable[..., Awaitable[Any]] = getattr(self.store, name)

        async def moody(*arguments: Any, **options: Any) -> Any:
            if self.mode is Mode.LOST or (self.mode is Mode.FULL and name in _WRITES):
                raise StoreError("the disk is full")
            answer = await method(*arguments, **options)
            await self.gate.wait()
            return answer

        return moody


class Rig:
    """Everything between an incident and a sender, and a clock that moves when told."""

    def __init__(self, store: Store, answers_within: timedelta = timedelta(seconds=30)) -> None:
        self.moody = MoodyStore(store)
        self.diary = Diary()
        self.now = NOON
        self.backlog: deque[tuple[Outcome, list[Message]]] = deque()
        self.standby = Standby(self.moody, self.unwritten, self.diary, answers_within=answers_within)

    @classmethod
    async def open(cls, directory: Path | str, **options: Any) -> Rig:
        """A rig with an empty store."""
        return cls(await Store.open(f"sqlite:///{directory}/monitord.db", now=clock), **options)

    def unwritten(self) -> list[Message]:
        """What is not in the store yet."""
        return [one for _, messages in self.backlog for one in messages]

    async def tell(self, step: Transition, *receivers: str) -> None:
        """An incident takes a step."""
        self.backlog.append((outcome(transitions=[step]), [message(step, name) for name in receivers or ("ops",)]))
        await self.flush()

    async def flush(self) -> None:
        """Write what waits, if the store takes it."""
        while self.backlog:
            entry, messages = self.backlog[0]
            try:
                await self.moody.record([entry], messages)
            except StoreError:
                return
            self.backlog.popleft()

    async def claimed(self, most: int = 9) -> list[Delivery]:
        """What may be sent now."""
        given: Claimed = await self.standby.claim({}, self.now, others=most, gathering=None)
        return given.deliveries

    async def only(self) -> Delivery:
        """The one that may be sent now."""
        (delivery,) = await self.claimed()
        return delivery

    async def patience_ends(self) -> None:
        """The store has refused for a while."""
        try:
            await self.claimed()
        except StoreError:
            self.now += timedelta(seconds=5)
            return
        self.now += timedelta(seconds=5)

    async def taken(self, delivery: Delivery) -> None:
        """The receiver takes it."""
        await self.standby.settle(delivery, Result(DeliveryState.DELIVERED, self.now))

    async def refused(self, delivery: Delivery, wait: timedelta = timedelta(seconds=5)) -> None:
        """The receiver does not take it now."""
        await self.standby.settle(delivery, Result(DeliveryState.PENDING, self.now, "refused", self.now + wait))

    async def given_up(self, delivery: Delivery) -> None:
        """The receiver will never take it."""
        await self.standby.settle(delivery, Result(DeliveryState.DEAD, self.now, "gone"))

    async def states(self, incident: str = "a1") -> list[tuple[int, str]]:
        """How the messages about an incident stand in the store, by number."""
        lines: list[Standing] = await self.moody.store.lines([incident])
        return [(one.number, one.state.value) for one in lines]
