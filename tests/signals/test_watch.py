"""What the watch does about a store that refuses, and when it says that a source works."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitord.errors import MonitordError
from monitord.pinning.evidence import LoggedCertificate
from monitord.pinning.target import Target
from monitord.signals.ct.hook import HookSource
from monitord.signals.ct.spool import put, spool_beside
from monitord.signals.subjects import Subjects
from monitord.signals.watch import SignalWatch
from tests.signals.ct.conftest import HOST, ISSUERS, NOW, issued
from tests.signals.ct.test_hook import event

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)


class Stage:
    """A watch that reads a spool, with a clock and a store in the test's hands."""

    def __init__(self, directory: Path) -> None:
        self.spool = spool_beside(directory / "monitord.db")
        self.now = NOW
        self.refuses = False
        self.saved_facts = 0
        subjects = Subjects()
        subjects.watch([Target(HOST)])
        self.watch = SignalWatch(self, subjects, now=lambda: self.now, log=self, listener=self)
        self.watch.use([HookSource(self.spool)])

    async def minute(self) -> None:
        """A minute later, and what is due has been asked."""
        self.now += timedelta(minutes=1)
        self.watch.tick()
        for task in [task for task in asyncio.all_tasks() if task.get_name().startswith("signals: ")]:
            await task

    async def save_signals(self, source: str, facts: Any, state: Any, gone: Any = ()) -> None:
        """Write, or refuse as a full disk does."""
        del source, state, gone
        if self.refuses:
            raise MonitordError("the disk is full")
        self.saved_facts += len(facts)

    async def load_signals(self) -> tuple[list[Any], dict[str, dict[str, str]]]:
        """Nothing is known."""
        return [], {}

    async def prune_signals(self, hosts: Any, before: Any) -> int:
        """Nothing to forget."""
        del hosts, before
        return 0

    def ignore(self, *_: Any, **__: Any) -> None:
        """Not looked at here."""

    info = warning = error = kept = news = saved = polled = ignore

    @property
    def waiting(self) -> int:
        """How many files are in the spool."""
        return len(list(self.spool.glob("*.json")))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Nothing was told yet."""
    return Stage(tmp_path)


async def test_what_a_hook_told_stays_in_its_file_until_it_is_written(stage: Stage) -> None:
    """A store that refuses, and a process that then ends, lose nothing: certspotter does not tell twice."""
    put(stage.spool, event(issued(HOST).certificate, *ISSUERS))
    stage.refuses = True
    for _ in range(3):
        await stage.minute()
    assert stage.waiting == 1
    facts = stage.watch.signals_for(Target(HOST)).logged
    assert [type(fact) for fact in facts] == [LoggedCertificate]
    stage.refuses = False
    await stage.watch.flush()
    await stage.minute()
    assert stage.saved_facts == 1
    assert stage.waiting == 0


async def test_one_odd_file_is_no_failure_that_lasts(stage: Stage) -> None:
    """The next look into the spool that finds nothing wrong ends it, though there is nothing to learn."""
    stage.spool.mkdir(mode=0o700)
    (stage.spool / ("ab" * 32 + ".json")).write_text("rubbish")
    await stage.minute()
    await stage.minute()
    stage.now += 2 * DAY
    await stage.minute()
    assert stage.watch.failing == ()
