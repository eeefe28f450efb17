"""The relay: from the outbox to the receivers, at least once, in order, and no receiver at the expense of another.

1. Claim: the outbox leases out what is due, for each receiver no more than it has free slots and its rate allows. A
   receiver that hangs fills its own slots only. Of one incident the outbox gives a receiver one message at a time.
2. Send: each delivery in a task of its own; the sender bounds the time of an attempt. A receiver that asks to be left
   alone is, with all that waits for it.
3. Settle: delivered, due again later, or dead. The outbox keeps what it is told until it can write it.

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
from monitord.notify.pacing import Pace
from monitord.notify.retry import next_delay
from monitord.outbox import DeliveryState, Result
from monitord.turns import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from monitord.notify.senders import Channel
    from monitord.outbox import Claimed, Delivery

    OnResult = Callable[[str, DeliveryFault | None], None]

SLOTS = 4
_LONGEST_PAUSE = 5.0  # so that a store that refuses and a wall clock that jumps are noticed
_SHORTEST_PAUSE = 0.2
_COSTLY_LOOK = 0.05
_LONGEST_REST = 1.0
_STORE_PAUSE = 2.0
_CLOCK_TOLERANCE = timedelta(seconds=60)
_LONGEST_HOLD_UNASKED = timedelta(minutes=1)
LONGEST_ATTEMPT = timedelta(seconds=90)  # less than a lease lasts


class Outbox(Protocol):
    """What the relay wants of the outbox. Each but ``settle`` may raise an error; the relay then tries again later."""

    async def claim(
        self, limits: Mapping[str, int], now: datetime, *, others: int, gathering: Gathering | None
    ) -> Claimed:
        """Lease what is due, at most so many for each of these receivers, and ``others`` for any other."""

    async def settle(self, delivery: Delivery, result: Result) -> None:
        """What came of an attempt. Never fails: what cannot be written now is kept until it can."""

    async def release_leases(self, now: datetime) -> None:
        """Everything pending is due now."""

    async def hold(self, receiver: str, since: datetime, until: datetime) -> None:
        """Remember over a restart that the receiver wants to be left alone."""

    async def holds(self, now: datetime) -> Mapping[str, datetime]:
        """The receivers that want to be left alone, and until when."""

    async def finish(self) -> None:
        """Write what is still to be written, if that can be; nothing more will come."""


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

    def __init__(  # noqa: PLR0913 - its two neighbours, a clock, a die, and who is told
        self,
        outbox: Outbox,
        channels: Mapping[str, Channel],
        *,
        now: Callable[[], datetime],
        chance: Callable[[], float],
        log: Log,
        on_result: OnResult,
        waits: tuple[timedelta, timedelta] = (timedelta(), timedelta()),
        longest_attempt: timedelta = LONGEST_ATTEMPT,
    ) -> None:
        """A relay for these receivers by name.

        ``chance`` gives numbers in [0, 1) for the jitter of retries. ``on_result`` is told each attempt's fault, or
        None if the receiver took the message; ``recipient_refused`` if it did but for some recipients. ``waits`` are
        how long a message waits for others of its group, and how long more of a group that is known are gathered; 0
        for the former is not at all. ``longest_attempt`` is for senders that fail to end one in their own time.
        """
        self._outbox = outbox
        self._channels = channels
        self._waits = waits
        self._attempt_seconds = longest_attempt.total_seconds()
        self._now = now
        self._chance = chance
        self._log = log
        self._on_result = on_result
        self._paces: dict[str, Pace] = {}
        self._running: dict[str, tuple[Delivery, asyncio.Task[None]]] = {}
        self._pulse = asyncio.Event()
        self._stopping = False
        self._last_look: tuple[datetime, float] | None = None
        self._since = now()

    def replace_channels(self, channels: Mapping[str, Channel], waits: tuple[timedelta, timedelta]) -> None:
        """Use these from now on; attempts under way go on with the old ones."""
        self._channels = channels
        self._waits = waits
        for name, pace in self._paces.items():
            if name in channels:
                pace.replace(channels[name].rate)
        self.wake()

    def wake(self) -> None:
        """Look into the outbox now: something was queued, or the store may work again."""
        pulse, self._pulse = self._pulse, asyncio.Event()
        pulse.set()

    async def run(self) -> None:
        """Relay until drained or cancelled. What was pending before the start is due at once."""
        try:
            clock = asyncio.get_running_loop().time
            while not self._stopping:
                pulse, began = self._pulse, clock()
                pause = await self._look()
                if (took := clock() - began) > _COSTLY_LOOK:  # at a large outbox others want the store as well
                    await asyncio.sleep(min(took, _LONGEST_REST))
                await _wait(pulse, pause)
        finally:
            await self._finish(timeout=0)

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - a budget in seconds, not a deadline to raise at
        """Claim nothing more, give the attempts under way this many seconds, then cut them off; ``run`` ends.

        What was cut off stays in the outbox and is due at the next start.
        """
        self._stopping = True
        self.wake()
        await self._finish(timeout)
        await self._outbox.finish()

    async def _finish(self, timeout: float) -> None:  # noqa: ASYNC109 - as above
        tasks = [task for _, task in self._running.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _look(self) -> float:
        """Start what is due; the seconds until there may be more."""
        now = self._now()
        try:
            await self._release_after_a_break(now)
            claimed = await self._outbox.claim(self._limits(now), now, others=SLOTS, gathering=self._gathering())
        except Exception as error:  # noqa: BLE001 - whatever it is, alerts must go on
            self._log.error("outbox_unavailable", **_described(error))
            return _STORE_PAUSE
        started = sum([self._start(delivery) for delivery in claimed.deliveries])
        waits = [self._pace(name).next_at(now) for name in self._channels]
        soonest = min((moment for moment in (claimed.next_due, *waits) if moment is not None), default=None)
        if soonest is None:
            return _LONGEST_PAUSE
        pause = (soonest - self._now()).total_seconds()
        return min(max(pause, 0 if started else _SHORTEST_PAUSE), _LONGEST_PAUSE)

    async def _release_after_a_break(self, now: datetime) -> None:
        """Make everything due at the start, and when the clock was set back: retries may be far in its future."""
        ticks = asyncio.get_running_loop().time()
        if self._last_look is not None:
            then, ticks_then = self._last_look
            if now >= then + timedelta(seconds=ticks - ticks_then) - _CLOCK_TOLERANCE:
                self._last_look = now, ticks
                return
            self._log.warning("clock_set_back", now=now.isoformat(), before=then.isoformat())
            for pace in self._paces.values():
                pace.release()
        await self._outbox.release_leases(now)
        for receiver, until in (await self._outbox.holds(now)).items():
            if receiver in self._channels:
                self._pace(receiver).hold(until)
        self._since = now
        self._last_look = now, ticks

    def _gathering(self) -> Gathering:
        wait, interval = self._waits
        alone = frozenset(name for name, channel in self._channels.items() if not channel.together)
        digests = {name: channel.digest for name, channel in self._channels.items() if channel.digest is not None}
        return Gathering(wait, interval, self._since, alone, digests)

    def _limits(self, now: datetime) -> dict[str, int]:
        """How many deliveries each receiver may be given."""
        busy = [delivery.receiver for delivery, _ in self._running.values()]
        return {name: max(min(SLOTS - busy.count(name), self._pace(name).allowance(now)), 0) for name in self._channels}

    def _pace(self, receiver: str) -> Pace:
        if receiver not in self._paces:
            self._paces[receiver] = Pace(self._channels[receiver].rate, self._now())
        return self._paces[receiver]

    def _start(self, delivery: Delivery) -> bool:
        if self._stopping or self._is_under_way(delivery):
            # Still leased, so it is claimed again later.
            return False
        task = asyncio.create_task(self._deliver(delivery), name=f"delivery {delivery.id}")
        self._running[delivery.id] = delivery, task
        if delivery.receiver in self._channels:
            self._pace(delivery.receiver).take()
        task.add_done_callback(lambda _: self._end(delivery.id))
        return True

    def _is_under_way(self, delivery: Delivery) -> bool:
        """Whether an incident of it is; so only if the clock jumped past a lease, or the store has come back."""
        return any(
            delivery.receiver == other.receiver and not set(delivery.incidents).isdisjoint(other.incidents)
            for other, _ in self._running.values()
        )

    def _end(self, identifier: str) -> None:
        del self._running[identifier]
        self.wake()

    async def _deliver(self, delivery: Delivery) -> None:
        await self._outbox.settle(delivery, await self._attempt(delivery))

    async def _attempt(self, delivery: Delivery) -> Result:
        """Try once; what came of it."""
        channel = self._channels.get(delivery.receiver)
        try:
            if channel is None:
                sentence = f"receiver {delivery.receiver!r} is no longer configured"
                raise DeliveryError(DeliveryFault.UNKNOWN_RECEIVER, sentence, permanent=True)
            async with asyncio.timeout(self._attempt_seconds):
                receipt = await channel.sender.send(delivery, self._now())
        except DeliveryError as error:
            return await self._failed(delivery, error)
        except TimeoutError:
            sentence = f"receiver {delivery.receiver!r} did not take it within {self._attempt_seconds:g} s"
            return await self._failed(delivery, DeliveryError(DeliveryFault.TIMEOUT, sentence))
        except Exception as error:  # noqa: BLE001 - a bug must cost neither this message nor the others
            self._log.error("delivery_bug", delivery=delivery.id, **_described(error))
            sentence = f"monitord could not send it ({type(error).__name__}); this is a bug, please report it"
            return await self._failed(delivery, DeliveryError(DeliveryFault.INTERNAL, sentence))
        self._log.info("delivered", **_named(delivery))
        self._on_result(delivery.receiver, DeliveryFault.RECIPIENT_REFUSED if receipt.refused else None)
        for sentence in receipt.refused:
            self._log.error("recipient_refused", error=sentence, **_named(delivery))
        return Result(DeliveryState.DELIVERED, self._now())

    async def _failed(self, delivery: Delivery, error: DeliveryError) -> Result:
        self._on_result(delivery.receiver, error.fault)
        now = self._now()
        details = {"fault": error.fault.value, "error": str(error), **_named(delivery)}
        age = now - delivery.created_at
        delay = None if error.permanent else next_delay(delivery.attempts + 1, age, error.retry_after, self._chance())
        pause = error.retry_after
        if pause is None and error.fault is DeliveryFault.THROTTLED:
            pause = min(delay or _LONGEST_HOLD_UNASKED, _LONGEST_HOLD_UNASKED)
        if pause:
            await self._hold(delivery.receiver, now, now + pause)
        if delay is None:
            self._log.error("delivery_given_up", **details)
            return Result(DeliveryState.DEAD, now, str(error))
        self._log.warning("delivery_failed", retry_at=(now + delay).isoformat(), **details)
        return Result(DeliveryState.PENDING, now, str(error), now + delay)

    async def _hold(self, receiver: str, since: datetime, until: datetime) -> None:
        """Leave the receiver alone, all that waits for it included."""
        if receiver not in self._channels:
            return
        self._pace(receiver).hold(until)
        self._log.warning("receiver_held", receiver=receiver, until=until.isoformat())
        with suppress(Exception):  # it is only forgotten at a restart
            await self._outbox.hold(receiver, since, until)


def _named(delivery: Delivery) -> dict[str, Any]:
    named = {
        "receiver": delivery.receiver,
        "type": delivery.body.get("type"),
        "incident": delivery.incident,
        "delivery": delivery.id,
        "attempt": delivery.attempts + 1,
    }
    return named if len(delivery.messages) == 1 else {**named, "messages": len(delivery.messages)}


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
