"""Alerts go on while the store refuses, hangs or is lost, in order, and nothing is sent twice when it is back."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitord.pinning.incident import IncidentState
from monitord.store.faults import StoreError
from tests.notify.outbox import PATIENCE
from tests.notify.rig import Mode, Rig
from tests.store.samples import at, cleared, message, opened, repeated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

    from monitord.outbox import Delivery
    from monitord.pinning.incident import Transition


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig with an empty store that works."""
    rig = await Rig.open(tmp_path)
    yield rig
    rig.moody.gate.set()
    await rig.moody.store.close()


async def test_what_cannot_be_written_is_sent_from_memory_and_not_again(rig: Rig) -> None:
    """The id is the one that it has in the store; when that works again the message is in it as delivered."""
    rig.moody.mode = Mode.FULL
    await rig.tell(opened())
    await rig.patience_ends()
    sent = await rig.only()
    assert sent.id == message(opened()).id
    assert await rig.claimed() == []
    await rig.taken(sent)
    assert await rig.claimed() == []
    rig.moody.mode = Mode.WORKS
    assert await rig.claimed() == []
    await rig.flush()
    assert await rig.claimed() == []
    assert await rig.states() == [(1, "delivered")]
    await rig.standby.finish()
    assert rig.diary.events("error") == []


async def test_a_refusal_of_a_moment_is_no_reason_to_go_without_the_store(rig: Rig) -> None:
    """What the store says is passed on for a while, and nothing is sent that is not written down."""
    await rig.tell(opened())
    rig.moody.mode = Mode.FULL
    for _ in range(5):
        with pytest.raises(StoreError):
            await rig.claimed()
        rig.now += timedelta(seconds=1)
    assert (await rig.only()).id == message(opened()).id
    rig.moody.mode = Mode.WORKS
    await rig.claimed()
    rig.moody.mode = Mode.FULL
    with pytest.raises(StoreError):
        await rig.claimed()


async def test_what_was_written_before_goes_on(rig: Rig) -> None:
    """Messages that wait in a store which has become full are sent, with their retries, and noted when that works."""
    await rig.tell(opened())
    rig.moody.mode = Mode.FULL
    await rig.patience_ends()
    first = await rig.only()
    await rig.refused(first)
    assert await rig.claimed() == []
    rig.now += timedelta(seconds=5)
    second = await rig.only()
    assert (second.id, second.attempts) == (first.id, 1)
    await rig.refused(second, timedelta(minutes=1))
    rig.moody.mode = Mode.WORKS
    assert await rig.claimed() == []
    rig.now += timedelta(minutes=1)
    third = await rig.only()
    assert (third.id, third.attempts) == (first.id, 2)
    await rig.taken(third)
    assert await rig.states() == [(1, "delivered")]


async def test_an_end_waits_for_its_beginning_wherever_that_is(rig: Rig) -> None:
    """The beginning is in the store, the end only in memory."""
    await rig.tell(first := opened())
    beginning = await rig.only()
    rig.moody.mode = Mode.FULL
    await rig.tell(cleared(first, minute=0))
    await rig.patience_ends()
    assert await rig.claimed() == []
    await rig.taken(beginning)
    end = await rig.only()
    assert end.body["type"] == "pin_mismatch.resolved"
    await rig.taken(end)
    rig.moody.mode = Mode.WORKS
    await rig.flush()
    assert await rig.claimed() == []
    assert await rig.states() == [(1, "delivered"), (2, "delivered")]


async def test_nobody_hears_of_the_end_who_never_heard_of_the_beginning(rig: Rig) -> None:
    """Neither from memory, where the beginning was given up, nor from the store afterwards."""
    rig.moody.mode = Mode.FULL
    await rig.tell(first := opened(), "ops")
    await rig.tell(cleared(first, minute=0), "ops", "pager")
    await rig.patience_ends()
    await rig.given_up(await rig.only())
    assert await rig.claimed() == []
    rig.moody.mode = Mode.WORKS
    await rig.flush()
    assert await rig.claimed() == []
    assert await rig.states() == [(1, "dead"), (2, "skipped")]


async def test_of_a_store_that_is_lost_only_what_begins_is_sent(rig: Rig) -> None:
    """Whether something earlier is still to be told cannot be known otherwise; what follows on it may be."""
    await rig.tell(old := opened("old"))
    rig.moody.mode = Mode.LOST
    await rig.tell(repeated(old, minute=0))
    await rig.tell(new := opened("new", minute=0, host="b.example.test"))
    await rig.tell(cleared(new, minute=0))
    await rig.patience_ends()
    rig.now += timedelta(seconds=5)
    for expected in ("pin_mismatch.firing", "pin_mismatch.resolved"):
        delivery = await rig.only()
        assert (delivery.incident, delivery.body["type"]) == ("new", expected)
        await rig.taken(delivery)
    assert await rig.claimed() == []
    rig.moody.mode = Mode.WORKS
    await rig.flush()
    for _ in range(2):
        delivery = await rig.only()
        assert delivery.incident == "old"
        await rig.taken(delivery)
    assert await rig.claimed() == []


async def test_what_is_under_way_when_the_store_is_back_is_not_given_out_again(rig: Rig) -> None:
    """Not even after its lease, once it has ended."""
    rig.moody.mode = Mode.FULL
    await rig.tell(opened())
    await rig.patience_ends()
    sent = await rig.only()
    rig.moody.mode = Mode.WORKS
    await rig.flush()
    assert await rig.claimed() == []
    await rig.taken(sent)
    rig.now += timedelta(minutes=5)
    assert await rig.claimed() == []


async def test_one_that_cannot_be_written_is_sent_though_others_can(rig: Rig) -> None:
    """A message of which the store says that it contradicts is no reason to keep it from people."""
    await rig.tell(opened())
    unwritable = opened("b2", host="b.example.test")
    rig.backlog.append((None, [message(unwritable)]))  # type: ignore[arg-type]  # is never written
    rig.now += timedelta(seconds=5)
    assert {one.incident for one in await rig.claimed()} == {"a1", "b2"}


async def test_a_store_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    """What it gives out late is sent then, but not what has gone from memory in the meantime."""
    rig = await Rig.open(tmp_path, answers_within=timedelta(milliseconds=20))
    await rig.tell(opened())
    rig.moody.gate.clear()
    writing = asyncio.create_task(rig.tell(unwritten := opened("b2", host="b.example.test")))
    rig.now += timedelta(seconds=5)
    sent = await rig.only()
    assert sent.incident == "b2"
    assert await rig.claimed() == []
    await rig.taken(sent)
    assert await rig.claimed() == []
    rig.moody.gate.set()
    await writing
    async with asyncio.timeout(PATIENCE):
        while not (late := await rig.claimed()):
            pass
    assert [one.incident for one in late] == ["a1"]
    await rig.taken(late[0])
    assert await rig.claimed() == []
    await rig.standby.finish()
    assert await rig.states("b2") == [(unwritten.number, "delivered")]
    await rig.moody.store.close()


async def test_what_is_never_noted_is_said(rig: Rig) -> None:
    """If monitord stops while the store refuses, the log tells how many messages it forgets, and how many it kept."""
    rig.moody.mode = Mode.FULL
    await rig.tell(opened())
    await rig.patience_ends()
    await rig.taken(await rig.only())
    await rig.tell(opened("b2", host="b.example.test"))
    await rig.standby.finish()
    assert rig.diary.entries[-1] == ("error", "outbox_unwritten", {"unnoted": 1, "unsent": 1})


async def test_holds_and_leases_are_the_store_s(rig: Rig) -> None:
    """A start goes on without them if the store refuses for long, and says so while it has only begun to."""
    await rig.standby.hold("ops", rig.now, at(9))
    assert await rig.standby.holds(rig.now) == {"ops": at(9)}
    rig.moody.mode = Mode.LOST
    assert await rig.standby.holds(rig.now) == {}
    with pytest.raises(StoreError):
        await rig.standby.hold("ops", rig.now, at(9))
    with pytest.raises(StoreError):
        await rig.standby.release_leases(rig.now)
    rig.now += timedelta(seconds=5)
    await rig.standby.release_leases(rig.now)


class AnyOrder(RuleBasedStateMachine):
    """The store changes its mood while incidents come and go and senders succeed, fail and give up."""

    def __init__(self) -> None:
        """An empty store that works."""
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.rig: Rig = self.run(Rig.open(self.directory.name))
        self.steps: dict[str, Transition] = {}
        self.open: list[Transition] = []
        self.in_hand: dict[str, Delivery] = {}
        self.delivered: list[Transition] = []
        self.dead: set[str] = set()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Await something."""
        return self.runner.run(work)

    def claim(self) -> list[Delivery]:
        """What may be sent now; the store may refuse to say."""
        with contextlib.suppress(StoreError):
            given: list[Delivery] = self.run(self.rig.claimed(3))
            return given
        return []

    def teardown(self) -> None:
        """The store works again, and all that is left is delivered."""
        self.rig.moody.mode = Mode.WORKS
        self.run(self.rig.flush())
        for one in self.in_hand.values():
            self.take(one)
        self.rig.now += timedelta(days=1)
        while claimed := self.claim():
            for one in claimed:
                self.take(one)
        pending, _ = self.run(self.rig.moody.store.outbox_summary())
        self.run(self.rig.moody.store.close())
        self.runner.close()
        self.directory.cleanup()
        assert pending == 0
        delivered = {message(step).id for step in self.delivered}
        for identifier, step in self.steps.items():
            if step.incident.id not in self.dead:
                assert identifier in delivered

    def take(self, delivery: Delivery) -> None:
        """The receiver takes it."""
        self.delivered.append(self.steps[delivery.id])
        self.run(self.rig.taken(delivery))

    def tell(self, step: Transition) -> None:
        """People are to be told of a step."""
        self.steps[message(step).id] = step
        self.run(self.rig.tell(step))

    @property
    def minute(self) -> float:
        """The time."""
        return (self.rig.now - at(0)) / timedelta(minutes=1)

    @rule()
    def incident_opens(self) -> None:
        """Another endpoint begins to fail."""
        name = f"i{len(self.steps)}"
        self.open.append(opened(name, minute=self.minute, host=f"{name}.example.test"))
        self.tell(self.open[-1])

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def incident_repeats(self, data: st.DataObject) -> None:
        """An open incident is told again."""
        place = data.draw(st.integers(0, len(self.open) - 1))
        self.open[place] = repeated(self.open[place], minute=self.minute)
        self.tell(self.open[place])

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def incident_ends(self, data: st.DataObject) -> None:
        """An open incident is over."""
        self.tell(cleared(self.open.pop(data.draw(st.integers(0, len(self.open) - 1))), minute=self.minute))

    @rule(mode=st.sampled_from(Mode))
    def store_changes(self, mode: Mode) -> None:
        """The store works, or not."""
        self.rig.moody.mode = mode

    @rule()
    def backlog_is_flushed(self) -> None:
        """What waits is written, as far as the store takes it."""
        self.run(self.rig.flush())

    @rule(seconds=st.sampled_from([1, 5, 30]))
    def time_passes(self, seconds: int) -> None:
        """A sender takes a minute at most; a lease does not end while anything is under way."""
        if not self.in_hand or seconds == 1:
            self.rig.now += timedelta(seconds=seconds)

    @rule()
    def something_is_claimed(self) -> None:
        """Senders take what is due."""
        for one in self.claim():
            assert one.id not in self.in_hand
            assert one.incident not in {other.incident for other in self.in_hand.values()}
            self.in_hand[one.id] = one

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data(), end=st.sampled_from(["delivered", "refused", "dead"]))
    def sender_ends(self, data: st.DataObject, end: str) -> None:
        """A sender succeeds, fails, or gives up."""
        one = self.in_hand.pop(data.draw(st.sampled_from(sorted(self.in_hand))))
        if end == "delivered":
            self.take(one)
        elif end == "refused":
            self.run(self.rig.refused(one))
        else:
            self.dead.add(one.incident)
            self.run(self.rig.given_up(one))

    @invariant()
    def delivered_once_and_in_order(self) -> None:
        """Of an incident nothing comes twice, overtakes, or ends what was not told."""
        lines: dict[str, list[Transition]] = {}
        for step in self.delivered:
            lines.setdefault(step.incident.id, []).append(step)
        for line in lines.values():
            numbers = [step.number for step in line]
            assert numbers == sorted(set(numbers))
            assert line[0].incident.state is IncidentState.FIRING


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
