"""The relay: from the outbox to the receivers, at least once, in order, and no receiver at the expense of another.

1. Claim: the outbox leases out what is due, for each receiver no more than it has free slots. A receiver that hangs
   fills its own slots only. Of one incident the outbox gives a receiver one message at a time.
2. Send: each message in a task of its own; the sender bounds the time of an attempt.
3. Mark: delivered, due again later, or dead. A slot is free only when the outbox has taken the mark: while the store
   cannot be written nothing is sent twice, and nothing new is sent either.

What is leased when the process dies is sent again at the next start, with the same id.
"""

from __future__ import annotations

import asyncio
import traceback
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from monitord.errors import MonitordError
from monitord.notify.fault import DeliveryError, DeliveryFault
from monitord.notify.retry import next_delay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from datetime import datetime

    from monitord.notify.senders import Sender
    from monitord.outbox import Delivery

    Mark = Callable[[], Awaitable[None]]
    OnResult = Callable[[str, DeliveryFault | None], None]

SLOTS = 4
_LONGEST_PAUSE = 60.0  # so that a wall clock set forward is noticed
_SHORTEST_PAUSE = 0.2
_STORE_PAUSE = 10.0
_CLOCK_TOLERANCE = timedelta(seconds=60)


class Outbox(Protocol):
    """What the relay wants of the store. Each may raise an error; the relay then tries again later."""

    async def claim(self, receiver_limit: Mapping[str, int] | int, now: datetime) -> list[Delivery]:
        """Lease what is due, at most so many for each of these receivers, or so many for any receiver."""

    async def delivered(self, message_id: str, now: datetime) -> None:
        """The receiver has it."""

    async def failed(self, message_id: str, error: str, next_attempt_at: datetime) -> None:
        """It is to be tried again then."""

    async def bury(self, message_id: str, error: str) -> None:
        """It is given up."""

    async def next_due(self, receivers: Collection[str] | None = None) -> datetime | None:
        """When something may be claimed for one of these receivers, or for any."""

    async def release_leases(self, now: datetime) -> None:
        """Everything pending is due now."""


class Log(Protocol):
    """Where the relay says what it does: an event and its details."""

    def info(self, event: str, **details: Any) -> Any:  # noqa: ANN401 - loggers differ in what they give back
        """As expected."""

    def warning(self, event: str, **details: Any) -> Any:  # noqa: ANN401
        """Not as expected; monitord goes on by itself."""

    def error(self, event: str, **details: Any) -> Any:  # noqa: ANN401
        """Somebody has to do something."""


class Relay:
    """Empties an outbox. All methods belong to one event loop."""

    def __init__(
        self,
        outbox: Outbox,
        senders: Mapping[str, Sender],
        *,
        now: Callable[[], datetime],
        chance: Callable[[], float],
        log: Log,
        on_result: OnResult,
    ) -> None:
        """A relay for these receivers by name.

        ``chance`` gives numbers in [0, 1) for the jitter of retries. ``on_result`` is told each attempt's fault, or
        None if the receiver took the message; ``recipient_refused`` if it did but for some recipients.
        """
        self._outbox = outbox
        self._senders = senders
        self._now = now
        self._chance = chance
        self._log = log
        self._on_result = on_result
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._pulse = asyncio.Event()
        self._stopping = False
        self._last_look: tuple[datetime, float] | None = None

    def replace_senders(self, senders: Mapping[str, Sender]) -> None:
        """Use these from now on; attempts under way go on with the old ones."""
        self._senders = senders
        self.wake()

    def wake(self) -> None:
        """Look into the outbox now: something was queued, or the store may work again."""
        pulse, self._pulse = self._pulse, asyncio.Event()
        pulse.set()

    async def run(self) -> None:
        """Relay until drained or cancelled. What was pending before the start is due at once."""
        try:
            while not self._stopping:
                pulse = self._pulse
                await _wait(pulse, await self._look())
        finally:
            await self._finish(timeout=0)

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - a budget in seconds, not a deadline to raise at
        """Claim nothing more, give the attempts under way this many seconds, then cut them off; ``run`` ends.

        What was cut off stays in the outbox and is due at the next start.
        """
        self._stopping = True
        self.wake()
        await self._finish(timeout)

    async def _finish(self, timeout: float) -> None:  # noqa: ASYNC109 - as above
        tasks = list(self._running.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _look(self) -> float:
        """Start what is due; the seconds until there may be more."""
        try:
            await self._release_after_a_break()
            started = await self._claim()
            due = await self._outbox.next_due(None if self._idle() else list(self._free()))
        except Exception as error:  # noqa: BLE001 - whatever it is, alerts must go on
            self._log.error("outbox_unavailable", **_described(error))
            return _STORE_PAUSE
        if due is None:
            return _LONGEST_PAUSE
        pause = (due - self._now()).total_seconds()
        return min(max(pause, 0 if started else _SHORTEST_PAUSE), _LONGEST_PAUSE)

    async def _release_after_a_break(self) -> None:
        """Make everything due at the start, and when the clock was set back: retries may be far in its future."""
        now, ticks = self._now(), asyncio.get_running_loop().time()
        if self._last_look is not None:
            then, ticks_then = self._last_look
            if now >= then + timedelta(seconds=ticks - ticks_then) - _CLOCK_TOLERANCE:
                self._last_look = now, ticks
                return
            self._log.warning("clock_set_back", now=now.isoformat(), before=then.isoformat())
        await self._outbox.release_leases(now)
        self._last_look = now, ticks

    async def _claim(self) -> int:
        free = self._free()
        if not free and self._senders:
            return 0
        # Without names the outbox also gives what receivers that are gone were to get.
        claimed = await self._outbox.claim(SLOTS if self._idle() else free, self._now())
        return sum(self._start(delivery) for delivery in claimed)

    def _idle(self) -> bool:
        return not self._running

    def _free(self) -> dict[str, int]:
        """The receivers with free slots, and how many."""
        busy = [receiver for receiver, _ in self._running]
        return {name: SLOTS - busy.count(name) for name in self._senders if busy.count(name) < SLOTS}

    def _start(self, delivery: Delivery) -> bool:
        key = delivery.receiver, delivery.incident
        if self._stopping or key in self._running:
            # Still leased, so it is claimed again later. A key is there twice only if the clock jumped past its lease.
            return False
        task = asyncio.create_task(self._deliver(delivery), name=f"delivery {delivery.id}")
        self._running[key] = task
        task.add_done_callback(lambda _: self._end(key))
        return True

    def _end(self, key: tuple[str, str]) -> None:
        del self._running[key]
        self.wake()

    async def _deliver(self, delivery: Delivery) -> None:
        mark = await self._attempt(delivery)
        while True:
            pulse = self._pulse
            try:
                await mark()
            except Exception as error:  # noqa: BLE001 - a lost mark would send the message again
                self._log.error("outbox_unavailable", delivery=delivery.id, **_described(error))
                await _wait(pulse, _STORE_PAUSE)
            else:
                return

    async def _attempt(self, delivery: Delivery) -> Mark:
        """Try once; how to mark what came of it."""
        sender = self._senders.get(delivery.receiver)
        try:
            if sender is None:
                sentence = f"receiver {delivery.receiver!r} is no longer configured"
                raise DeliveryError(DeliveryFault.UNKNOWN_RECEIVER, sentence, permanent=True)
            receipt = await sender.send(delivery, self._now())
        except DeliveryError as error:
            return self._note_failure(delivery, error)
        except Exception as error:  # noqa: BLE001 - a bug must cost neither this message nor the others
            self._log.error("delivery_bug", delivery=delivery.id, **_described(error))
            sentence = f"monitord could not send it ({type(error).__name__}); this is a bug, please report it"
            return self._note_failure(delivery, DeliveryError(DeliveryFault.INTERNAL, sentence))
        self._log.info("delivered", **_named(delivery))
        self._on_result(delivery.receiver, DeliveryFault.RECIPIENT_REFUSED if receipt.refused else None)
        for sentence in receipt.refused:
            self._log.error("recipient_refused", error=sentence, **_named(delivery))
        return lambda: self._outbox.delivered(delivery.id, self._now())

    def _note_failure(self, delivery: Delivery, error: DeliveryError) -> Mark:
        self._on_result(delivery.receiver, error.fault)
        details = {"fault": error.fault.value, "error": str(error), **_named(delivery)}
        age = self._now() - delivery.created_at
        delay = None if error.permanent else next_delay(delivery.attempts + 1, age, error.retry_after, self._chance())
        if delay is None:
            self._log.error("delivery_given_up", **details)
            return lambda: self._outbox.bury(delivery.id, str(error))
        retry_at = self._now() + delay
        self._log.warning("delivery_failed", retry_at=retry_at.isoformat(), **details)
        return lambda: self._outbox.failed(delivery.id, str(error), retry_at)


def _named(delivery: Delivery) -> dict[str, Any]:
    return {
        "receiver": delivery.receiver,
        "type": delivery.body.get("type"),
        "incident": delivery.incident,
        "delivery": delivery.id,
        "attempt": delivery.attempts + 1,
    }


def _described(error: Exception) -> dict[str, str]:
    """The error for the log: in full if it was written for people, else what it is and where it was raised.

    The text of a foreign exception may hold a URL or a password.
    """
    if isinstance(error, MonitordError):
        return {"error": str(error)}
    frames = traceback.extract_tb(error.__traceback__)
    return {"error": type(error).__name__, "at": f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""}


async def _wait(pulse: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await pulse.wait()
