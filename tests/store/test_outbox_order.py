"""The outbox under everything that may happen, in any order: nothing is lost, overtaken, or told twice."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitord.outbox import DeliveryState
from monitord.pinning.incident import IncidentState
from monitord.store.deadletters import OutboxRefusedError
from monitord.store.deliveries import LEASE
from monitord.store.store import Store
from monitord.turns import Gathering
from tests.store.samples import (
    at,
    cleared,
    clock,
    dead,
    delivered,
    failed,
    message,
    opened,
    outcome,
    repeated,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from monitord.outbox import Delivery, Report
    from monitord.pinning.incident import Transition

RECEIVERS = ("ops", "pager")


class AnyOrder(RuleBasedStateMachine):
    """Incidents open, repeat and end; messages are claimed, taken, refused, given up; monitord crashes; people act."""

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
        self.in_hand: dict[str, tuple[Delivery, float]] = {}
        self.late: list[Report] = []
        self.seen: dict[str, object] = {}
        self.delivered: list[tuple[Transition, str]] = []

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Await something of the store."""
        return self.runner.run(work)

    def teardown(self) -> None:
        """Deliver whatever is left: nothing pending may be lost, whatever happened."""
        self.restart()
        while claimed := self.claimed(3):
            for one in claimed:
                self.take(one)
                self.run(self.store.report(delivered(one, at(self.minute))))
        pending, _ = self.run(self.store.outbox_summary())
        gone = {
            (incident, entry.receiver)
            for entry in self.run(self.store.outbox([DeliveryState.DEAD], at(self.minute)))
            for incident in entry.incidents
        }
        self.run(self.store.close())
        self.runner.close()
        self.directory.cleanup()
        assert pending == 0
        settled = {message(step, receiver).id for step, receiver in self.delivered}
        for sent, (step, receiver) in self.sent.items():
            if (step.incident.id, receiver) not in gone:
                owed = step.incident.state is IncidentState.FIRING or self.was_told(step, receiver)
                assert (sent in settled) == owed

    def was_told(self, end: Transition, receiver: str) -> bool:
        """Whether a firing message of the incident reached the receiver."""
        return any(
            step.incident.id == end.incident.id and to == receiver and step.incident.state is IncidentState.FIRING
            for step, to in self.delivered
        )

    def claimed(self, limit: int, gathering: Gathering | None = None) -> list[Delivery]:
        """What the store gives, with whatever had not been reported yet."""
        given = self.run(self.store.claim(limit, at(self.minute), gathering=gathering, reported=self.late))
        assert given.noted == {report.message for report in self.late}
        self.late.clear()
        deliveries: list[Delivery] = given.deliveries
        return deliveries

    def take(self, delivery: Delivery) -> None:
        """A receiver takes it; whatever has an id never has another content."""
        assert self.seen.setdefault(delivery.id, delivery.body) == delivery.body
        self.delivered.extend(self.sent[each] for each in delivery.messages)

    def record(self, step: Transition, receivers: set[str], group: str | None) -> None:
        """Record one step of an incident, for these receivers."""
        messages = [message(step, receiver, group=group) for receiver in sorted(receivers)]
        self.steps.append(step)
        self.sent |= {one.id: (step, one.receiver) for one in messages}
        self.run(self.store.record([outcome(transitions=[step])], messages))

    @rule(receivers=st.sets(st.sampled_from(RECEIVERS)), count=st.sampled_from([1, 1, 6]))
    def incidents_open(self, receivers: set[str], count: int) -> None:
        """One more endpoint begins to fail, or a whole group."""
        for _ in range(count):
            name = f"i{len(self.steps)}"
            step = opened(name, minute=self.minute, host=f"{name}.example.test")
            self.open.append(step)
            self.record(step, receivers, "x" if count > 1 else None)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), receivers=st.sets(st.sampled_from(RECEIVERS)), group=st.sampled_from([None, "x"]))
    def incident_repeats(self, data: st.DataObject, receivers: set[str], group: str | None) -> None:
        """An open incident is told again."""
        place = data.draw(st.integers(0, len(self.open) - 1))
        self.open[place] = repeated(self.open[place], minute=self.minute)
        self.record(self.open[place], receivers, group)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), receivers=st.sets(st.sampled_from(RECEIVERS)), count=st.sampled_from([1, 6]))
    def incidents_end(self, data: st.DataObject, receivers: set[str], count: int) -> None:
        """Open incidents are over, one or many at once."""
        for _ in range(min(count, len(self.open))):
            before = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
            self.record(cleared(before, minute=self.minute), receivers, "x")

    @precondition(lambda self: self.steps)
    @rule(data=st.data())
    def step_is_recorded_again(self, data: st.DataObject) -> None:
        """The same round is written once more, as after a crash between commit and answer."""
        step = data.draw(st.sampled_from(self.steps))
        messages = [message(step, to) for known, to in self.sent.values() if known is step]
        self.run(self.store.record([outcome(transitions=[step])], messages))

    @rule(limit=st.integers(0, 3), gather=st.booleans())
    def claim(self, limit: int, gather: bool) -> None:
        """Senders take what is due."""
        gathering = Gathering(timedelta(), timedelta(minutes=5), at(-60)) if gather else None
        for one in self.claimed(limit, gathering):
            lines = {(one.receiver, incident) for incident in one.incidents}
            for other, _ in self.in_hand.values():
                assert lines.isdisjoint((other.receiver, incident) for incident in other.incidents)
            self.in_hand[one.id] = one, self.minute

    @precondition(lambda self: self.in_hand)
    @rule(data=st.data(), end=st.sampled_from(["delivered", "failed", "dead"]), late=st.booleans())
    def sender_reports(self, data: st.DataObject, end: str, late: bool) -> None:
        """A sender succeeds, fails, or gives up, and the store may hear of it only later."""
        taken = data.draw(st.sampled_from(sorted(self.in_hand)))
        one, _ = self.in_hand.pop(taken)
        if end == "delivered":
            self.take(one)
            news = delivered(one, at(self.minute))
        elif end == "failed":
            news = failed(one, "refused", at(self.minute + 7))
        else:
            news = dead(one, "given up")
        if late:
            self.late.extend(news)
        else:
            self.run(self.store.report(news))

    @rule(minutes=st.sampled_from([1, 2, 10]))
    def time_passes(self, minutes: int) -> None:
        """Leases end: whoever held one has died without a word. Reports are not kept so long."""
        self.run(self.store.report(self.late))
        self.late.clear()
        self.minute += minutes
        oldest = self.minute - LEASE / timedelta(minutes=1)
        self.in_hand = {taken: held for taken, held in self.in_hand.items() if held[1] > oldest}

    @rule()
    def restart(self) -> None:
        """Monitord starts again: everything pending is due, no sender is at work."""
        self.run(self.store.report(self.late))
        self.late.clear()
        self.run(self.store.close())
        self.store = self.run(Store.open(self.url, now=clock))
        self.run(self.store.release_leases(at(self.minute)))
        self.in_hand.clear()

    @rule(data=st.data())
    def somebody_sends_again(self, data: st.DataObject) -> None:
        """What was given up, unless it comes too late."""
        if letters := self.run(self.store.dead_letters()):
            with contextlib.suppress(OutboxRefusedError):
                self.run(self.store.resend(data.draw(st.sampled_from(letters)), at(self.minute)))

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
