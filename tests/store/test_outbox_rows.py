from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitord.pinning.incident import IncidentState
from monitord.store.deliveries import LEASE
from monitord.store.faults import StoreError
from monitord.store.store import Store
from tests.store.samples import at, cleared, clock, message, opened, outcome, repeated

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from monitord.outbox import Delivery
    from monitord.pinning.incident import Transition


async def queue(store: Store, step: Transition, *receivers: str) -> None:
    """Record a transition with its messages."""
    await store.record([outcome(transitions=[step])], [message(step, receiver) for receiver in receivers or ("ops",)])


def numbers(claimed: list[Delivery], *sent: Transition) -> list[int]:
    """Which of these transitions the claimed deliveries are of."""
    known = {message(step, one.receiver).id: step.number for step in sent for one in claimed}
    return [known[one.id] for one in claimed]


async def test_delivery_as_queued(store: Store) -> None:
    """A claimed delivery is the message that was queued; its id is stable, hexadecimal and the receiver's own."""
    step = opened()
    await queue(store, step, "ops", "pager")
    claimed = await store.claim(10, at(0))
    assert {one.receiver: one.id for one in claimed} == {name: message(step, name).id for name in ("ops", "pager")}
    assert len({one.id for one in claimed}) == 2
    first = claimed[0]
    assert int(first.id, 16) >= 0
    assert len(first.id) == 32
    assert (first.incident, first.attempts, first.created_at) == ("a1", 0, at(0))
    assert first.body == {"type": "pin_mismatch.firing", "data": {"incident": "a1"}}


async def test_limit_for_each_receiver(store: Store) -> None:
    """The oldest come first; a limit counts for each receiver, and one that is not named gets nothing."""
    steps = [opened(f"i{minute}", minute=minute, host=f"h{minute}.example.test") for minute in range(4)]
    for step in steps:
        await queue(store, step, "ops", "pager", "gone")
    claimed = await store.claim({"ops": 2, "pager": 1}, at(10))
    assert [(one.incident, one.receiver) for one in claimed] == [("i0", "ops"), ("i0", "pager"), ("i1", "ops")]
    assert {(one.incident, one.receiver) for one in await store.claim(1, at(10))} == {
        ("i2", "ops"),
        ("i1", "pager"),
        ("i0", "gone"),
    }
    assert await store.claim(0, at(10)) == []


async def test_order_of_an_incident(store: Store) -> None:
    """The next message of an incident waits until the one before is delivered; other receivers do not."""
    first = opened()
    second = repeated(first, minute=1)
    last = cleared(second, minute=2)
    for step in (first, second, last):
        await queue(store, step, "ops", "pager")
    claimed = await store.claim({"ops": 9}, at(3))
    assert numbers(claimed, first, second, last) == [1]
    assert await store.claim({"ops": 9}, at(3)) == []
    await store.failed(claimed[0].id, "refused", at(60))
    assert await store.claim({"ops": 9}, at(59)) == []
    await store.delivered((await store.claim({"ops": 9}, at(60)))[0].id, at(60))
    assert numbers(await store.claim({"ops": 9}, at(60)), first, second, last) == [2]
    assert numbers(await store.claim({"pager": 9}, at(3)), first, second, last) == [1]


async def test_attempts_and_leases_outlive_a_crash(store: Store, url: str) -> None:
    """An attempt begun counts though its end was never told; the message comes back with its id when the lease ends."""
    step = opened()
    await queue(store, step)
    claimed = await store.claim(1, at(1))
    await store.close()
    again = await Store.open(url, now=clock)
    try:
        assert await again.claim(1, at(1)) == []
        assert await again.next_due() == at(1) + LEASE
        (retried,) = await again.claim(1, at(1) + LEASE)
        assert (retried.id, retried.attempts) == (claimed[0].id, 1)
        await again.release_leases(at(1.5))
        (third,) = await again.claim(1, at(1.5))
        assert third.attempts == 2
    finally:
        await again.close()


async def test_start_makes_everything_due(store: Store) -> None:
    """Releasing the leases makes what waits for its next attempt due, too, even with the clock set back."""
    await queue(store, opened())
    (claimed,) = await store.claim(1, at(0))
    await store.failed(claimed.id, "refused", at(600))
    assert await store.next_due() == at(600)
    await store.release_leases(at(-600))
    assert await store.next_due() == at(-600)
    assert len(await store.claim(1, at(-600))) == 1


async def test_when_the_next_is_due(store: Store) -> None:
    """Only the first in line counts, and only of the receivers asked for."""
    assert await store.next_due() is None
    first = opened(minute=5)
    await queue(store, first, "ops", "pager")
    await queue(store, cleared(first, minute=6), "ops")
    assert await store.next_due() == at(5)
    assert await store.next_due(["nobody"]) is None
    (claimed,) = await store.claim({"ops": 1}, at(7))
    await store.failed(claimed.id, "refused", at(30))
    assert await store.next_due(["ops"]) == at(30)
    assert await store.next_due() == at(5)
    assert await store.outbox_summary() == (3, at(5))


async def test_no_end_without_a_beginning(store: Store) -> None:
    """A receiver that was never to be told of the incident is not told of its end."""
    first = opened()
    await queue(store, first, "ops")
    await queue(store, cleared(first, minute=1), "ops", "pager")
    assert await store.outbox_summary() == (2, at(0))
    assert [one.receiver for one in await store.claim(9, at(2))] == ["ops"]


async def test_end_after_a_dead_letter_is_skipped(store: Store) -> None:
    """When the only firing message is buried, the end that waits behind it is skipped; a later end is not queued."""
    first = opened()
    last = cleared(first, minute=1)
    await queue(store, first)
    await queue(store, last)
    (claimed,) = await store.claim(1, at(2))
    await store.bury(claimed.id, "gone for good")
    assert await store.claim(1, at(2)) == []
    assert await store.outbox_summary() == (0, None)

    other = opened("b2", minute=3)
    await queue(store, other)
    (claimed,) = await store.claim(1, at(3))
    await store.bury(claimed.id, "gone for good")
    await queue(store, cleared(other, minute=4))
    assert await store.outbox_summary() == (0, None)


async def test_end_is_told_if_any_firing_was(store: Store) -> None:
    """One dead letter among several firing messages does not suppress the end."""
    first = opened()
    second = repeated(first, minute=1)
    last = cleared(second, minute=2)
    for step in (first, second, last):
        await queue(store, step)
    (claimed,) = await store.claim(1, at(3))
    await store.bury(claimed.id, "too large")
    for expected in (2, 3):
        claims = await store.claim(9, at(3))
        assert numbers(claims, first, second, last) == [expected]
        await store.delivered(claims[0].id, at(3))
    assert await store.outbox_summary() == (0, None)


async def test_what_is_settled_stays_settled(store: Store) -> None:
    """A late report about a message that is delivered, or that never was, changes nothing."""
    await queue(store, opened())
    (claimed,) = await store.claim(1, at(0))
    await store.delivered(claimed.id, at(0))
    await store.failed(claimed.id, "late", at(1))
    await store.bury(claimed.id, "late")
    await store.bury("0" * 32, "unknown")
    await store.release_leases(at(1))
    assert await store.claim(1, at(9)) == []
    assert await store.next_due() is None


async def test_message_needs_its_transition(store: Store) -> None:
    """A message of a transition that was never recorded is refused."""
    with pytest.raises(StoreError):
        await store.record([], [message(opened())])


RECEIVERS = ("ops", "pager")


class AnyOrder(RuleBasedStateMachine):
    """Incidents open, repeat and end, messages are claimed, delivered, refused, buried, and monitord crashes."""

    def __init__(self) -> None:
        """A fresh store and a clock that only goes on."""
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.url = f"sqlite:///{self.directory.name}/monitord.db"
        self.store = self.run(Store.open(self.url, now=clock))
        self.minute = 0.0
        self.steps: list[Transition] = []
        self.open: list[Transition] = []
        self.sent: dict[str, tuple[Transition, str]] = {}
        self.in_hand: dict[str, float] = {}
        self.delivered: list[tuple[Transition, str]] = []
        self.dead: set[str] = set()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Await something of the store."""
        return self.runner.run(work)

    def teardown(self) -> None:
        """Deliver whatever is left: nothing pending may be lost, whatever happened."""
        self.in_hand.clear()
        self.run(self.store.release_leases(at(self.minute)))
        while claimed := self.run(self.store.claim(3, at(self.minute))):
            for one in claimed:
                self.run(self.store.delivered(one.id, at(self.minute)))
                self.delivered.append(self.sent[one.id])
        pending, _ = self.run(self.store.outbox_summary())
        self.run(self.store.close())
        self.runner.close()
        self.directory.cleanup()
        assert pending == 0
        settled = {message(step, receiver).id for step, receiver in self.delivered} | self.dead
        for sent, (step, receiver) in self.sent.items():
            if step.incident.state is IncidentState.FIRING:
                assert sent in settled
            else:
                assert (sent in settled) == self.was_told(step, receiver)

    def was_told(self, end: Transition, receiver: str) -> bool:
        """Whether a firing message of the incident reached the receiver."""
        return any(
            step.incident.id == end.incident.id and to == receiver and step.incident.state is IncidentState.FIRING
            for step, to in self.delivered
        )

    def record(self, step: Transition, receivers: set[str]) -> None:
        """Record one step of an incident, for these receivers."""
        messages = [message(step, receiver) for receiver in sorted(receivers)]
        self.steps.append(step)
        self.sent |= {one.id: (step, one.receiver) for one in messages}
        self.run(self.store.record([outcome(transitions=[step])], messages))

    @rule(receivers=st.sets(st.sampled_from(RECEIVERS)))
    def incident_opens(self, receivers: set[str]) -> None:
        """Another endpoint begins to fail."""
        name = f"i{len(self.steps)}"
        step = opened(name, minute=self.minute, host=f"{name}.example.test")
        self.open.append(step)
        self.record(step, receivers)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), receivers=st.sets(st.sampled_from(RECEIVERS)))
    def incident_repeats(self, data: st.DataObject, receivers: set[str]) -> None:
        """An open incident is told again."""
        place = data.draw(st.integers(0, len(self.open) - 1))
        self.open[place] = repeated(self.open[place], minute=self.minute)
        self.record(self.open[place], receivers)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), receivers=st.sets(st.sampled_from(RECEIVERS)))
    def incident_ends(self, data: st.DataObject, receivers: set[str]) -> None:
        """An open incident is over."""
        before = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        self.record(cleared(before, minute=self.minute), receivers)

    @precondition(lambda self: self.steps)
    @rule(data=st.data())
    def step_is_recorded_again(self, data: st.DataObject) -> None:
        """The same round is written once more, as after a crash between commit and answer."""
        step = data.draw(st.sampled_from(self.steps))
        messages = [message(step, to) for known, to in self.sent.values() if known is step]
        self.run(self.store.record([outcome(transitions=[step])], messages))

    @rule(limit=st.integers(0, 3))
    def claim(self, limit: int) -> None:
        """Senders take what is due."""
        for one in self.run(self.store.claim(limit, at(self.minute))):
            assert one.id not in self.in_hand
            self.in_hand[one.id] = self.minute

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data(), end=st.sampled_from(["delivered", "failed", "buried"]))
    def sender_reports(self, data: st.DataObject, end: str) -> None:
        """A sender succeeds, fails, or gives up."""
        taken = data.draw(st.sampled_from(sorted(self.in_hand)))
        del self.in_hand[taken]
        if end == "delivered":
            self.run(self.store.delivered(taken, at(self.minute)))
            self.delivered.append(self.sent[taken])
        elif end == "failed":
            self.run(self.store.failed(taken, "refused", at(self.minute + 7)))
        else:
            self.run(self.store.bury(taken, "given up"))
            self.dead.add(taken)

    @rule(minutes=st.sampled_from([1, 2, 10]))
    def time_passes(self, minutes: int) -> None:
        """Leases end: whoever held one has died without a word."""
        self.minute += minutes
        oldest = self.minute - LEASE / timedelta(minutes=1)
        self.in_hand = {taken: since for taken, since in self.in_hand.items() if since > oldest}

    @rule()
    def restart(self) -> None:
        """Monitord starts again: everything pending is due, no sender is at work."""
        self.run(self.store.close())
        self.store = self.run(Store.open(self.url, now=clock))
        self.run(self.store.release_leases(at(self.minute)))
        self.in_hand.clear()

    @invariant()
    def delivered_in_the_order_of_transitions(self) -> None:
        """Per incident and receiver nothing overtakes, comes twice, or ends what was not told."""
        lines: dict[tuple[str, str], list[int]] = {}
        for place, (step, receiver) in enumerate(self.delivered):
            lines.setdefault((step.incident.id, receiver), []).append(step.number)
            if step.incident.state is IncidentState.RESOLVED:
                assert any(
                    told.incident.id == step.incident.id and to == receiver for told, to in self.delivered[:place]
                )
        for line in lines.values():
            assert line == sorted(set(line))


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
