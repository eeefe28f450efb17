from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from monitord.outbox import DeliveryState, batch_id
from monitord.store.deliveries import LEASE
from monitord.store.faults import StoreError
from monitord.store.store import Store
from tests.store.queues import GATHERING, claim, queue, queue_group
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
    sent,
)

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.outbox import Delivery
    from monitord.pinning.incident import Transition


async def next_due(store: Store, *receivers: str) -> datetime | None:
    """When one of these receivers, or any, may be sent something; nothing is claimed, since it is long ago."""
    limit = dict.fromkeys(receivers, 1) if receivers else 1
    return (await store.claim(limit, at(-10_000))).next_due


def numbers(claimed: list[Delivery], *sent: Transition) -> list[int]:
    """Which of these transitions the claimed deliveries are of."""
    known = {message(step, one.receiver).id: step.number for step in sent for one in claimed}
    return [known[one.id] for one in claimed]


async def test_delivery_as_queued(store: Store) -> None:
    """A claimed delivery is the message that was queued; its id is stable, hexadecimal and the receiver's own."""
    step = opened()
    await queue(store, step, "ops", "pager")
    claimed = await claim(store, 10, at(0))
    assert {one.receiver: one.id for one in claimed} == {name: message(step, name).id for name in ("ops", "pager")}
    assert len({one.id for one in claimed}) == 2
    first = claimed[0]
    assert int(first.id, 16) >= 0
    assert len(first.id) == 32
    assert (first.incident, first.attempts, first.created_at) == ("a1", 0, at(0))
    assert first.body == {"type": "pin_mismatch.firing", "data": {"incident": "a1", "state": "firing"}}


async def test_limit_for_each_receiver(store: Store) -> None:
    """The oldest come first; a limit counts for each receiver, and one that is not named gets nothing."""
    steps = [opened(f"i{minute}", minute=minute, host=f"h{minute}.example.test") for minute in range(4)]
    for step in steps:
        await queue(store, step, "ops", "pager", "gone")
    claimed = await claim(store, {"ops": 2, "pager": 1}, at(10))
    assert [(one.incident, one.receiver) for one in claimed] == [("i0", "ops"), ("i0", "pager"), ("i1", "ops")]
    assert {(one.incident, one.receiver) for one in await claim(store, 1, at(10))} == {
        ("i2", "ops"),
        ("i1", "pager"),
        ("i0", "gone"),
    }
    assert await claim(store, 0, at(10)) == []


async def test_order_of_an_incident(store: Store) -> None:
    """The next message of an incident waits until the one before is delivered; other receivers do not."""
    first = opened()
    second = repeated(first, minute=1)
    last = cleared(second, minute=2)
    for step in (first, second, last):
        await queue(store, step, "ops", "pager")
    claimed = await claim(store, {"ops": 9}, at(3))
    assert numbers(claimed, first, second, last) == [1]
    assert await claim(store, {"ops": 9}, at(3)) == []
    await store.report(failed(claimed[0], "refused", at(60)))
    assert await claim(store, {"ops": 9}, at(59)) == []
    await store.report(delivered((await claim(store, {"ops": 9}, at(60)))[0], at(60)))
    assert numbers(await claim(store, {"ops": 9}, at(60)), first, second, last) == [2]
    assert numbers(await claim(store, {"pager": 9}, at(3)), first, second, last) == [1]


async def test_attempts_and_leases_outlive_a_crash(store: Store, url: str) -> None:
    """An attempt begun counts though its end was never told; the message comes back with its id when the lease ends."""
    step = opened()
    await queue(store, step)
    claimed = await claim(store, 1, at(1))
    await store.close()
    again = await Store.open(url, now=clock)
    try:
        assert await claim(again, 1, at(1)) == []
        assert await next_due(again) == at(1) + LEASE
        (retried,) = await claim(again, 1, at(1) + LEASE)
        assert (retried.id, retried.attempts) == (claimed[0].id, 1)
        await again.release_leases(at(1.5))
        (third,) = await claim(again, 1, at(1.5))
        assert third.attempts == 2
    finally:
        await again.close()


async def test_start_makes_everything_due(store: Store) -> None:
    """Releasing the leases makes what waits for its next attempt due, too, even with the clock set back."""
    await queue(store, opened())
    (claimed,) = await claim(store, 1, at(0))
    await store.report(failed(claimed, "refused", at(600)))
    assert await next_due(store) == at(600)
    await store.release_leases(at(-600))
    assert await next_due(store) == at(-600)
    assert len(await claim(store, 1, at(-600))) == 1


async def test_when_the_next_is_due(store: Store) -> None:
    """Only the first in line counts, and only of the receivers asked for."""
    assert await next_due(store) is None
    first = opened(minute=5)
    await queue(store, first, "ops", "pager")
    await queue(store, cleared(first, minute=6), "ops")
    assert await next_due(store) == at(5)
    assert await next_due(store, "nobody") is None
    (claimed,) = await claim(store, {"ops": 1}, at(7))
    await store.report(failed(claimed, "refused", at(30)))
    assert await next_due(store, "ops") == at(30)
    assert await next_due(store) == at(5)
    assert await store.outbox_summary() == (3, at(5))


async def test_no_end_without_a_beginning(store: Store) -> None:
    """A receiver that was never to be told of the incident is not told of its end."""
    first = opened()
    await queue(store, first, "ops")
    await queue(store, cleared(first, minute=1), "ops", "pager")
    assert await store.outbox_summary() == (2, at(0))
    assert [one.receiver for one in await claim(store, 9, at(2))] == ["ops"]


async def test_end_after_a_dead_letter_is_skipped(store: Store) -> None:
    """When the only firing message is buried, the end that waits behind it is skipped; a later end is not queued."""
    first = opened()
    last = cleared(first, minute=1)
    await queue(store, first)
    await queue(store, last)
    (claimed,) = await claim(store, 1, at(2))
    await store.report(dead(claimed, "gone for good"))
    assert await claim(store, 1, at(2)) == []
    assert await store.outbox_summary() == (0, None)

    other = opened("b2", minute=3)
    await queue(store, other)
    (claimed,) = await claim(store, 1, at(3))
    await store.report(dead(claimed, "gone for good"))
    await queue(store, cleared(other, minute=4))
    assert await store.outbox_summary() == (0, None)


async def test_end_is_told_if_any_firing_was(store: Store) -> None:
    """One dead letter among several firing messages does not suppress the end."""
    first = opened()
    second = repeated(first, minute=1)
    last = cleared(second, minute=2)
    for step in (first, second, last):
        await queue(store, step)
    (claimed,) = await claim(store, 1, at(3))
    await store.report(dead(claimed, "too large"))
    for expected in (2, 3):
        claims = await claim(store, 9, at(3))
        assert numbers(claims, first, second, last) == [expected]
        await store.report(delivered(claims[0], at(3)))
    assert await store.outbox_summary() == (0, None)


async def test_what_is_settled_stays_settled(store: Store) -> None:
    """A late report about a message that is delivered, or that never was, changes nothing."""
    await queue(store, opened())
    (claimed,) = await claim(store, 1, at(0))
    await store.report(delivered(claimed, at(0)))
    await store.report(failed(claimed, "late", at(1)))
    await store.report(dead(claimed, "late"))
    unknown = replace(claimed, id="0" * 32, messages=("0" * 32,))
    assert await store.report(dead(unknown, "unknown")) == frozenset()
    await store.release_leases(at(1))
    assert await claim(store, 1, at(9)) == []
    assert await next_due(store) is None


async def test_message_needs_its_transition(store: Store) -> None:
    """A message of a transition that was never recorded is refused."""
    with pytest.raises(StoreError):
        await store.record([], [message(opened())])


async def test_one_cause_is_one_delivery_until_it_is_settled(store: Store, url: str) -> None:
    """Six of a group are claimed as one after the wait, and as the very same at a retry and after a restart."""
    steps = await queue_group(store, 6)
    assert (await store.claim(9, at(0), gathering=GATHERING)) == ([], at(0.1), frozenset())
    (first,) = (await store.claim(9, at(0.1), gathering=GATHERING)).deliveries
    assert first.messages == tuple(message(step).id for step in steps)
    assert first.incidents == tuple(step.incident.id for step in steps)
    assert first.id == batch_id(first.messages)
    assert [entry["incident"] for entry in first.body["data"]["grouped"]] == list(first.incidents)
    await store.report(failed(first, "refused", at(1)))
    await queue_group(store, 1, minute=0.5, first=6)
    (second,) = (await store.claim(1, at(1), gathering=GATHERING)).deliveries
    assert second == replace(first, attempts=1)
    await store.close()
    again = await Store.open(url, now=clock)
    try:
        await again.release_leases(at(2))
        third = next(one for one in await claim(again, 9, at(2)) if one.id == first.id)
        assert third == replace(first, attempts=2)
        await again.report(delivered(third, at(2)))
        assert await again.outbox_summary() == (1, at(0.5))
    finally:
        await again.close()


async def test_a_batch_that_is_given_up_is_given_up_whole(store: Store) -> None:
    """Every message is a dead letter, and none of the ends is told."""
    steps = await queue_group(store, 5)
    (batch,) = (await store.claim(9, at(1), gathering=GATHERING)).deliveries
    for step in steps:
        await queue(store, cleared(step, minute=1))
    await store.report(dead(batch, "gone for good"))
    assert await store.outbox_summary() == (0, None)
    (entry,) = await store.outbox([DeliveryState.DEAD], at(2))
    assert (entry.id, entry.error, len(entry.endpoints)) == (batch.id, "gone for good", 5)


async def test_order_holds_for_each_incident_of_a_batch(store: Store) -> None:
    """The end of one waits for the batch that told its beginning; the ends of all are a batch again."""
    steps = await queue_group(store, 5)
    ends = [cleared(step, minute=1 + place / 1000) for place, step in enumerate(steps)]
    for end in ends:
        await store.record([outcome(transitions=[end])], [message(end, group="issuer X")])
    (batch,) = (await store.claim(9, at(2), gathering=GATHERING)).deliveries
    assert batch.messages == tuple(message(step).id for step in steps)
    assert await claim(store, 9, at(2)) == []
    await store.report(delivered(batch, at(2)))
    (last,) = (await store.claim(9, at(2), gathering=GATHERING)).deliveries
    assert last.messages == tuple(message(end).id for end in ends)
    assert last.id != batch.id


async def test_more_of_a_known_cause_waits_and_goes_together(store: Store) -> None:
    """What comes in the minutes after is one message more, not one for each endpoint."""
    await queue_group(store, 4)
    for one in (await store.claim(9, at(1), gathering=GATHERING)).deliveries:
        await store.report(delivered(one, at(1)))
    await queue_group(store, 2, minute=2, first=4)
    assert await store.claim(9, at(5.9), gathering=GATHERING) == ([], at(6), frozenset())
    (batch,) = (await store.claim(9, at(6), gathering=GATHERING)).deliveries
    assert len(batch.messages) == 2


async def test_reports_that_come_late_are_noted_before_anything_is_claimed(store: Store) -> None:
    """What was sent while nothing could be written is not given out again when its row appears, nor is its end lost."""
    first = opened()
    last = cleared(first, minute=1)
    beginning = message(first)
    report = delivered(sent(beginning), at(0.5))
    assert await store.report(report) == frozenset()
    await queue(store, first)
    await queue(store, last)
    claimed = await store.claim(9, at(2), reported=report)
    assert claimed.noted == {beginning.id}
    assert numbers(claimed.deliveries, first, last) == [2]


async def test_a_report_of_an_attempt_before_the_last_changes_nothing(store: Store) -> None:
    """It must not take the lease from the attempt that is under way."""
    await queue(store, opened())
    (first,) = await claim(store, 1, at(0))
    late = failed(first, "refused", at(1))
    await store.report(late)
    await claim(store, 1, at(1))
    await store.report(late)
    assert await claim(store, 1, at(1.5)) == []


async def test_what_could_be_claimed_can_be_seen_without_writing(store: Store) -> None:
    """Leases, order and reports count; nothing changes, and an end is only for whom the beginning was told to."""
    first = opened()
    last = cleared(first, minute=1)
    await queue(store, first, "ops", "pager")
    await queue(store, last, "ops", "pager")
    seen = await store.peek({"ops": 9, "pager": 9}, at(2), 0, {})
    assert sorted(one.id for one in seen) == sorted(message(first, name).id for name in ("ops", "pager"))
    (told,) = delivered(next(one for one in seen if one.receiver == "ops"), at(2))
    (given_up,) = dead(next(one for one in seen if one.receiver == "pager"), "gone")
    reported = {told.message: told, given_up.message: given_up}
    (after,) = await store.peek({"ops": 9}, at(2), 9, reported)
    assert after.id == message(last).id
    assert (await store.claim(9, at(2))).deliveries[0].attempts == 0
    assert await store.peek({"ops": 9}, at(2), 9, {}) == []


async def test_a_peek_shows_batches_as_they_are_and_makes_none(store: Store) -> None:
    """Nothing that cannot be written down is put together, so that a receiver sees each message under one id only."""
    await queue_group(store, 5)
    assert len(await store.peek({}, at(1), 9, {})) == 5
    (batch,) = (await store.claim(9, at(1), gathering=GATHERING)).deliveries
    await store.report(failed(batch, "refused", at(2)))
    assert await store.peek({}, at(2), 9, {}) == [replace(batch, attempts=1)]


async def test_a_receiver_is_held_until_the_time_it_asked_for(store: Store, url: str) -> None:
    """The hold outlives a restart, is replaced by the next, and is nothing to a clock that says it lies ahead."""
    await store.hold("ops", at(0), at(10))
    await store.hold("ops", at(1), at(20))
    await store.close()
    again = await Store.open(url, now=clock)
    try:
        assert await again.holds(at(15)) == {"ops": at(20)}
        assert await again.holds(at(20)) == {}
        assert await again.holds(at(-1000)) == {}
    finally:
        await again.close()
