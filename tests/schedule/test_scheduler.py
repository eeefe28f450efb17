from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitord.pinning.target import Target
from monitord.schedule.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitord.schedule.timetable import Due

KEY = ("a.example.com", 443)
TICK = 0.01
PATIENCE = 20  # seconds after which a test gives up


class Lines:
    """A log that keeps what is written."""

    def __init__(self) -> None:
        """Nothing is written yet."""
        self.written: list[tuple[str, dict[str, Any]]] = []

    def error(self, event: str, **details: object) -> None:
        """Keep one line."""
        self.written.append((event, details))


class Ticks:
    """Counts ticks, and can be waited on for the next ones."""

    def __init__(self) -> None:
        """No tick yet."""
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self.count = 0

    def __call__(self) -> None:
        """Count one."""
        self.count += 1
        for due, future in self._waiting:
            if due <= self.count and not future.done():
                future.set_result(None)

    async def more(self, number: int = 2) -> None:
        """Wait for so many further ticks."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((self.count + number, future))
        await future


class Rounds:
    """Rounds that last until they are released."""

    def __init__(self) -> None:
        """Nothing has begun."""
        self.begun: asyncio.Queue[Due] = asyncio.Queue()
        self.release = asyncio.Event()
        self.ended = 0

    async def __call__(self, due: Due) -> None:
        """One round."""
        self.begun.put_nowait(due)
        await self.release.wait()
        self.ended += 1


@asynccontextmanager
async def running(probe: Any, log: Lines, ticks: Ticks, *targets: Target, **options: Any) -> AsyncIterator[Scheduler]:
    """A scheduler that has begun to tick, shut down at the end."""
    scheduler = Scheduler(probe, log, on_tick=ticks, tick_seconds=TICK, **options)
    scheduler.update(targets)
    scheduler.start()
    try:
        async with asyncio.timeout(PATIENCE):
            yield scheduler
    finally:
        await scheduler.shutdown(0)


async def test_due_endpoints_are_probed_and_ticks_do_not_wait_for_them() -> None:
    """A round that hangs holds neither the tick nor the rounds of others."""
    rounds, ticks = Rounds(), Ticks()
    async with running(rounds, Lines(), ticks, Target("a.example.com"), Target("b.example.com")) as scheduler:
        begun = {(await rounds.begun.get()).key for _ in range(2)}
        assert begun == {KEY, ("b.example.com", 443)}
        await ticks.more()
        assert scheduler.tick_age < PATIENCE
        assert rounds.ended == 0


async def test_a_failing_round_is_logged_and_comes_again() -> None:
    """An exception in a round costs that round alone."""
    log = Lines()
    begun: asyncio.Queue[Due] = asyncio.Queue()

    async def probe(due: Due) -> None:
        begun.put_nowait(due)
        raise ValueError("a bug")

    async with running(probe, log, Ticks(), Target("a.example.com")) as scheduler:
        await begun.get()
        assert scheduler.request(KEY)
        due = await begun.get()
    assert due.target == Target("a.example.com")
    event, details = log.written[0]
    assert event == "a round failed"
    assert (details["host"], details["port"]) == KEY
    assert isinstance(details["exc_info"], ValueError)


async def test_a_slow_round_leaves_its_next_slots_out() -> None:
    """No endpoint is probed twice at once; what was left out is counted."""
    rounds, ticks = Rounds(), Ticks()
    short = Target("a.example.com", interval=timedelta(seconds=TICK))
    async with running(rounds, Lines(), ticks, short) as scheduler:
        await rounds.begun.get()
        await ticks.more(5)
        assert rounds.begun.empty()
        assert scheduler.skipped > 0
        rounds.release.set()
        await rounds.begun.get()


async def test_jobs_run_at_once_and_again_also_after_a_failure() -> None:
    """A job that fails is logged and runs at its next time."""
    log = Lines()
    runs: asyncio.Queue[None] = asyncio.Queue()

    async def job() -> None:
        runs.put_nowait(None)
        raise OSError("disk full")

    scheduler = Scheduler(Rounds(), log, tick_seconds=TICK)
    scheduler.every("sweep", TICK, job)
    scheduler.start()
    async with asyncio.timeout(PATIENCE):
        for _ in range(3):
            await runs.get()
    await scheduler.shutdown(0)
    event, details = log.written[0]
    assert (event, details["job"]) == ("a job failed", "sweep")


async def test_a_failing_listener_of_ticks_does_not_end_them() -> None:
    """Whatever goes wrong in a tick, there is a next one."""
    log = Lines()
    ticks = Ticks()

    def failing() -> None:
        ticks()
        raise RuntimeError("a bug")

    scheduler = Scheduler(Rounds(), log, on_tick=failing, tick_seconds=TICK)
    scheduler.start()
    async with asyncio.timeout(PATIENCE):
        await ticks.more(3)
    await scheduler.shutdown(0)
    assert log.written[0][1]["job"] == "tick"


async def test_a_clock_that_hopped_back_does_not_stop_the_ticks() -> None:
    """Jobs that lie an hour ahead, as after the clock was set back by an hour, are brought back."""
    rounds, ticks = Rounds(), Ticks()
    swept: asyncio.Queue[None] = asyncio.Queue()

    async def sweep() -> None:
        swept.put_nowait(None)

    async with running(rounds, Lines(), ticks) as scheduler:
        scheduler.every("sweep", 60, sweep)
        await swept.get()
        await ticks.more()
        ahead = datetime.now(UTC) + timedelta(hours=1)
        for job in scheduler._engine.get_jobs():
            job.modify(next_run_time=ahead)
        await ticks.more()
        await swept.get()


async def test_a_clockwork_that_stopped_is_woken() -> None:
    """When APScheduler's own timer is lost, as after a fault in it, the monotonic one wakes it up."""
    ticks = Ticks()
    async with running(Rounds(), Lines(), ticks) as scheduler:
        await ticks.more()
        scheduler._engine._stop_timer()
        await ticks.more()


async def test_a_clock_that_leapt_by_decades_does_not_run_missed_jobs_one_by_one() -> None:
    """A job that lies decades back, as on a machine that learns the time after start, runs once and goes on."""
    ticks = Ticks()
    async with running(Rounds(), Lines(), ticks) as scheduler:
        await ticks.more()
        for job in scheduler._engine.get_jobs():
            job.modify(next_run_time=datetime(1970, 1, 2, tzinfo=UTC))
        await ticks.more()


async def test_the_wall_clock_is_used_only_to_place_the_slots() -> None:
    """With a clock that stands still or hops about, rounds and requests go on by monotonic time."""
    hops = iter(range(1_000_000))
    rounds, ticks = Rounds(), Ticks()
    rounds.release.set()
    short = Target("a.example.com", interval=timedelta(seconds=TICK))

    def hopping() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=next(hops) % 7)

    async with running(rounds, Lines(), ticks, short, now=hopping):
        for _ in range(5):
            await rounds.begun.get()


async def test_shutdown_waits_for_rounds_and_jobs() -> None:
    """What is under way ends by itself within the deadline, and nothing new begins."""
    rounds, ticks, log = Rounds(), Ticks(), Lines()
    job_ended = asyncio.Event()
    job_begun = asyncio.Event()

    async def job() -> None:
        job_begun.set()
        await rounds.release.wait()
        job_ended.set()

    scheduler = Scheduler(rounds, log, on_tick=ticks, tick_seconds=TICK)
    scheduler.every("sweep", 60, job)
    scheduler.update([Target("a.example.com")])
    scheduler.start()
    async with asyncio.timeout(PATIENCE):
        await rounds.begun.get()
        await job_begun.wait()
        stopping = asyncio.create_task(scheduler.shutdown(PATIENCE))
        await asyncio.sleep(0)
        count = ticks.count
        rounds.release.set()
        await stopping
    assert rounds.ended == 1
    assert job_ended.is_set()
    assert ticks.count == count
    assert log.written == []
    await scheduler.shutdown(0)


async def test_shutdown_cuts_off_what_is_late() -> None:
    """After the deadline what still runs is cancelled; a job that is cut off is named."""
    rounds, log = Rounds(), Lines()
    job_begun = asyncio.Event()

    async def job() -> None:
        job_begun.set()
        await rounds.release.wait()

    scheduler = Scheduler(rounds, log, tick_seconds=TICK)
    scheduler.every("sweep", 60, job)
    scheduler.update([Target("a.example.com")])
    scheduler.start()
    async with asyncio.timeout(PATIENCE):
        await rounds.begun.get()
        await job_begun.wait()
        await scheduler.shutdown(0)
    assert rounds.ended == 0
    assert log.written == [("a job was cut off by the shutdown", {"job": "sweep"})]


async def test_a_scheduler_that_never_started_can_be_shut_down() -> None:
    """Nothing runs, so nothing ends; an unregistered endpoint cannot be asked for."""
    scheduler = Scheduler(Rounds(), Lines())
    assert not scheduler.request(KEY)
    await scheduler.shutdown(0)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Any:
    """No test may make APScheduler report an error of its own."""
    yield
    assert [record for record in caplog.get_records("call") if record.levelname in ("ERROR", "CRITICAL")] == []


async def test_rounds_that_do_not_end_are_noticed() -> None:
    """It counts from when the first of them began, begins anew with each that ends, and is nothing where none runs."""
    first, second = Rounds(), Rounds()

    async def probe(due: Due) -> None:
        await (first if due.key == KEY else second)(due)

    daily = timedelta(days=1)
    clock, ticks = asyncio.get_running_loop().time, Ticks()
    async with running(probe, Lines(), ticks, Target(*KEY, interval=daily)) as scheduler:
        await first.begun.get()
        began = clock()
        scheduler.update([Target(*KEY, interval=daily), Target("b.example.com", interval=daily)])
        await second.begun.get()
        await ticks.more()
        elapsed = clock() - began
        assert scheduler.stuck_seconds >= elapsed
        before = clock()
        first.release.set()
        await ticks.more()
        assert first.ended == 1
        assert 0 < scheduler.stuck_seconds <= clock() - before
        second.release.set()
        await ticks.more()
        assert scheduler.stuck_seconds == 0


async def test_no_more_rounds_run_than_may_and_each_end_begins_the_next() -> None:
    """What is due beyond that waits, is known to wait, and begins without waiting for a tick."""
    log, ticks, rounds = Lines(), Ticks(), Rounds()
    targets = [Target(f"h{number}.example.com") for number in range(9)]
    async with running(rounds, log, ticks, *targets, most_rounds=2) as scheduler:
        first = [await rounds.begun.get() for _ in range(2)]
        while not scheduler.overdue_seconds:
            await ticks.more(1)
        assert rounds.begun.empty()
        rounds.release.set()
        others = [await rounds.begun.get() for _ in range(7)]
        assert {due.key for due in (*first, *others)} == {(one.host, one.port) for one in targets}
    assert not log.written
