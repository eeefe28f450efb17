"""The clockwork that follows the timetable.

APScheduler sleeps by the wall clock and would sleep past everything when that hops backwards; a monotonic timer looks
after it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from monitord.schedule.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from monitord.pinning.target import Target
    from monitord.schedule.timetable import Due, Hurry, Key

_STALE_TICKS = 3
_HOP = timedelta(seconds=1)  # smaller steps of the clock delay a job by no more than that


class Log(Protocol):
    """Where faults of jobs and rounds are written."""

    def error(self, event: str, **details: object) -> object:
        """Write one line; ``exc_info`` in the details adds the traceback."""


class Scheduler:
    """Starts the round of each due endpoint, and a few regular jobs, until it is shut down.

    No exception of a round or a job ends the schedule. Rounds run beside each other in tasks of their own, so many at
    once and no more: what is due beyond that waits in the timetable, and begins as soon as another round has ended.
    """

    def __init__(  # noqa: PLR0913 - two clocks and two bounds
        self,
        probe: Callable[[Due], Awaitable[None]],
        log: Log,
        *,
        on_tick: Callable[[], None] = lambda: None,
        tick_seconds: float = 1.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        hurry: Hurry | None = None,
        most_rounds: int = 1000,
    ) -> None:
        """``probe`` runs one round, ``on_tick`` is told of every tick; ``now`` is the wall clock.

        ``most_rounds`` may run at once.

        Must be made inside the running event loop, whose clock is the monotonic one.
        """
        self._loop = asyncio.get_running_loop()
        self._probe = probe
        self._log = log
        self._on_tick = on_tick
        self._tick_seconds = tick_seconds
        self._now = now
        self._timetable = Timetable(now(), self._loop.time(), hurry)
        self._engine = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self._most_rounds = most_rounds
        self._work: set[asyncio.Task[None]] = set()
        self._watcher: asyncio.TimerHandle | None = None
        self._stopping = False
        self._last_tick = self._last_end = self._loop.time()
        self._rounds = 0

    @property
    def tick_age(self) -> float:
        """Seconds, monotonic, since the last tick; before the first one since the scheduler was made."""
        return self._loop.time() - self._last_tick

    @property
    def stuck_seconds(self) -> float:
        """Seconds, monotonic, for which rounds have been running and none has ended; 0 where none runs."""
        return self._loop.time() - self._last_end if self._rounds else 0.0

    @property
    def skipped(self) -> int:
        """How many rounds were left out because the one before was still running or had begun too late."""
        return self._timetable.skipped

    @property
    def overdue_seconds(self) -> float:
        """For how long the endpoint that has been due for longest has waited for its round to begin; 0: none waits."""
        return self._timetable.overdue(self._loop.time())

    @property
    def shortest_interval(self) -> float:
        """The interval of the endpoint that is probed most often, in seconds; infinite where there is none."""
        return self._timetable.shortest_interval

    def update(self, targets: Iterable[Target]) -> None:
        """Watch exactly these targets from now on; rounds under way are not disturbed."""
        self._timetable.update(targets, self._loop.time())

    def request(self, key: Key) -> bool:
        """Probe an endpoint at the next tick; False if it is not registered."""
        return self._timetable.request(key, self._loop.time())

    def pace(self, key: Key, *, hurried: bool) -> bool:
        """Probe an endpoint more often, or no more; whether it is now. See ``Timetable.pace``."""
        return self._timetable.pace(key, self._loop.time(), hurried=hurried)

    def put_first(self, key: Key, *, first: bool) -> None:
        """Have an endpoint go before the others when not all that is due can begin, or no more."""
        self._timetable.put_first(key, first=first)

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
        self._begin_rounds()
        self._last_tick = self._loop.time()
        self._on_tick()

    def _begin_rounds(self) -> None:
        for due in self._timetable.due(self._loop.time(), self._most_rounds - self._rounds):
            if not self._rounds:
                self._last_end = self._loop.time()
            self._rounds += 1
            self._track(self._loop.create_task(self._run_round(due)))

    async def _run_round(self, due: Due) -> None:
        try:
            await self._probe(due)
        except Exception as error:  # noqa: BLE001 - one endpoint must not end the schedule of all
            self._log.error("a round failed", host=due.key[0], port=due.key[1], exc_info=error)
        finally:
            full = self._rounds == self._most_rounds
            self._rounds -= 1
            self._last_end = self._loop.time()
            self._timetable.finished(due.key, self._last_end)
            if full and not self._stopping:
                self._begin_rounds()

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
        self._watcher = self._loop.call_later(_STALE_TICKS * self._tick_seconds, self._watch)
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
