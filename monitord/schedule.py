"""When each endpoint is probed: a timetable that is pure, and the clockwork that follows it.

Two clocks are kept apart. The wall clock is read once, to give each endpoint the same place in the hour, day or week
at every start; from then on all due times are monotonic, so that a clock that is set, leaps or hops changes nothing.
APScheduler sleeps by the wall clock and would sleep past everything when that hops backwards; a monotonic timer looks
after it.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from monitord.pinning.target import Target

Key = tuple[str, int]
"""Host and port: what a registered endpoint is found by."""

_NS = 1_000_000_000
_RAMP_NS = 30 * _NS
_RAMP_PER_ENDPOINT_NS = _NS // 50
_STALE_TICKS = 3
_HOP = timedelta(seconds=1)  # smaller steps of the clock delay a job by no more than that


@dataclass(frozen=True, slots=True)
class Due:
    """An endpoint whose round begins now. ``at`` is when it was due, in monotonic seconds: lag is now minus ``at``."""

    key: Key
    target: Target
    at: float


@dataclass(slots=True)
class _Entry:
    target: Target
    interval: int
    phase: int  # a monotonic time at which it is due; so are all times whole intervals away from it
    due: int

    def slot_after(self, now: int) -> int:
        return now + self.interval - (now - self.phase) % self.interval


class Timetable:
    """Which endpoints are due, each once in its interval and each at its own stable place inside it.

    The place is a hash of host and port, so the load is even and the same after a restart. All times given are
    seconds of one monotonic clock.
    """

    def __init__(self, wall: datetime, monotonic: float) -> None:
        """An empty timetable; ``wall`` and ``monotonic`` are the same instant on both clocks."""
        self._wall_minus_monotonic = round(wall.timestamp() * _NS) - round(monotonic * _NS)
        self._entries: dict[Key, _Entry] = {}
        self._heap: list[tuple[int, Key]] = []
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self.skipped = 0
        """How many rounds were left out because the one before was still running."""

    def update(self, targets: Iterable[Target], monotonic: float) -> None:
        """Watch exactly these targets.

        Unchanged ones keep their due times. New and changed ones are due at once, spread over a ramp of at most 30 s
        so that a start does not probe everything in one instant; their regular slots follow.
        """
        now = round(monotonic * _NS)
        before = self._entries
        wanted = {(target.host, target.port): target for target in targets}
        fresh = [key for key, target in wanted.items() if key not in before or before[key].target != target]
        ramp = min(_RAMP_NS, _RAMP_PER_ENDPOINT_NS * len(fresh))
        self._entries = {key: before[key] for key in wanted if key in before}
        for key in fresh:
            self._entries[key] = self._first(key, wanted[key], now, ramp)
        # A round that runs now still works with what the target was before.
        self._again |= self._running.intersection(fresh)
        self._again &= self._entries.keys()
        # Slots that are no longer valid leave the heap here, so it cannot grow over many reloads.
        self._heap = [(entry.due, key) for key, entry in self._entries.items()]
        heapify(self._heap)

    def due(self, monotonic: float) -> list[Due]:
        """The endpoints whose rounds begin now, earliest due first; each is running until ``finished``.

        What is overdue comes once, however many slots have passed. An endpoint that is still running is left out
        until its next slot.
        """
        now = round(monotonic * _NS)
        found: list[Due] = []
        while self._heap and self._heap[0][0] <= now:
            at, key = heappop(self._heap)
            entry = self._entries.get(key)
            if entry is None or entry.due != at:
                continue  # left behind by a request
            self._reschedule(key, entry, entry.slot_after(now))
            if key in self._running:
                self.skipped += 1
            else:
                self._running.add(key)
                found.append(Due(key, entry.target, at / _NS))
        return found

    def request(self, key: Key, monotonic: float) -> bool:
        """Make an endpoint due now, or as soon as its running round has ended; False if it is not registered."""
        entry = self._entries.get(key)
        if entry is None:
            return False
        if key in self._running:
            self._again.add(key)
        else:
            self._reschedule(key, entry, min(entry.due, round(monotonic * _NS)))
        return True

    def finished(self, key: Key, monotonic: float) -> None:
        """Note that the running round of an endpoint has ended."""
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.request(key, monotonic)

    def _first(self, key: Key, target: Target, now: int, ramp: int) -> _Entry:
        place = _place(key)
        interval = max(1, round(target.interval.total_seconds() * _NS))
        phase = int(place * interval) - self._wall_minus_monotonic
        return _Entry(target, interval, phase, now + int(place * min(ramp, interval)))

    def _reschedule(self, key: Key, entry: _Entry, due: int) -> None:
        if due != entry.due:
            entry.due = due
            heappush(self._heap, (due, key))


def _place(key: Key) -> float:
    """Where in its interval an endpoint has its place, 0 to 1; the same in every process."""
    digest = hashlib.sha256(f"{key[0]}:{key[1]}".encode()).digest()
    return int.from_bytes(digest[:6]) / (1 << 48)


class Log(Protocol):
    """Where faults of jobs and rounds are written."""

    def error(self, event: str, **details: object) -> object:
        """Write one line; ``exc_info`` in the details adds the traceback."""


class Scheduler:
    """Starts the round of each due endpoint, and a few regular jobs, until it is shut down.

    No exception of a round or a job ends the schedule. Rounds run beside each other in tasks of their own; how many
    may connect at once is not decided here.
    """

    def __init__(
        self,
        probe: Callable[[Due], Awaitable[None]],
        log: Log,
        *,
        on_tick: Callable[[], None] = lambda: None,
        tick_seconds: float = 1.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``probe`` runs one round, ``on_tick`` is told of every tick; ``now`` is the wall clock.

        Must be made inside the running event loop, whose clock is the monotonic one.
        """
        self._loop = asyncio.get_running_loop()
        self._probe = probe
        self._log = log
        self._on_tick = on_tick
        self._tick_seconds = tick_seconds
        self._now = now
        self._timetable = Timetable(now(), self._loop.time())
        self._engine = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._work: set[asyncio.Task[None]] = set()
        self._watcher: asyncio.TimerHandle | None = None
        self._stopping = False
        self._last_tick = self._loop.time()

    @property
    def tick_age(self) -> float:
        """Seconds, monotonic, since the last tick; before the first one since the scheduler was made."""
        return self._loop.time() - self._last_tick

    @property
    def skipped(self) -> int:
        """How many rounds were left out because the one before was still running."""
        return self._timetable.skipped

    def update(self, targets: Iterable[Target]) -> None:
        """Watch exactly these targets from now on; rounds under way are not disturbed."""
        self._timetable.update(targets, self._loop.time())

    def request(self, key: Key) -> bool:
        """Probe an endpoint at the next tick; False if it is not registered."""
        return self._timetable.request(key, self._loop.time())

    def every(self, name: str, seconds: float, job: Callable[[], Awaitable[None]]) -> None:
        """Run ``job`` each ``seconds``, for the first time as soon as possible, and never twice at once."""
        self._engine.add_job(partial(self._run_job, name, job), _Every(timedelta(seconds=seconds)), id=name, name=name)

    def start(self) -> None:
        """Begin to tick."""
        self.every("tick", self._tick_seconds, self._tick)
        self._engine.start()
        self._watch()

    async def shutdown(self, deadline: float) -> None:
        """Stop ticking, give what runs ``deadline`` seconds to end, then cancel the rest. May be repeated."""
        if self._watcher is None or self._stopping:
            return
        self._stopping = True
        self._watcher.cancel()
        # APScheduler cancels its running jobs when it shuts down, so they are waited for first.
        self._engine.pause()
        work = self._work - {asyncio.current_task()}
        if work:
            _, late = await asyncio.wait(work, timeout=deadline)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._engine.shutdown(wait=False)
        await asyncio.sleep(0)  # it does so in a callback of the loop

    async def _tick(self) -> None:
        for due in self._timetable.due(self._loop.time()):
            self._track(self._loop.create_task(self._run_round(due)))
        self._last_tick = self._loop.time()
        self._on_tick()

    async def _run_round(self, due: Due) -> None:
        try:
            await self._probe(due)
        except Exception as error:  # noqa: BLE001 - one endpoint must not end the schedule of all
            self._log.error("a round failed", host=due.key[0], port=due.key[1], exc_info=error)
        finally:
            self._timetable.finished(due.key, self._loop.time())

    async def _run_job(self, name: str, job: Callable[[], Awaitable[None]]) -> None:
        if self._stopping:
            return
        self._track(asyncio.current_task())
        try:
            await job()
        except asyncio.CancelledError:
            # Only a shutdown does this, on purpose; APScheduler would log a traceback.
            self._log.error("a job was cut off by the shutdown", job=name)
        except Exception as error:  # noqa: BLE001 - a failing job runs again at its next time
            self._log.error("a job failed", job=name, exc_info=error)

    def _track(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            self._work.add(task)
            task.add_done_callback(self._work.discard)

    def _watch(self) -> None:
        """Wake the clockwork, by the monotonic clock, where the wall clock or a fault put it to sleep for too long."""
        self._watcher = self._loop.call_later(self._tick_seconds, self._watch)
        now = self._now()
        for job in self._engine.get_jobs():
            if job.next_run_time - now > job.trigger.interval + _HOP:
                job.modify(next_run_time=now)
        if self.tick_age > _STALE_TICKS * self._tick_seconds:
            self._engine.wakeup()


class _Every(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Each interval, without catching up: APScheduler lists all missed times, millions after a leap of years."""

    __slots__ = ("interval",)

    def __init__(self, interval: timedelta) -> None:
        self.interval = interval

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The next time in step with the previous one, or one interval from now where that has passed."""
        if previous_fire_time is None:
            return now
        due = previous_fire_time + self.interval
        return due if due > now else now + self.interval
