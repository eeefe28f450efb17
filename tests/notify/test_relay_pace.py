"""How fast a receiver is sent messages, when it is left alone, and what goes together."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitord.config.receivers import Rate
from monitord.notify.fault import DeliveryError, DeliveryFault, Receipt
from monitord.notify.senders import Channel
from monitord.outbox import batch_id
from tests.notify.events import NOW
from tests.notify.outbox import NO_WAITS, Actor, Stage, running

REFUSED = DeliveryError(DeliveryFault.REFUSED, "webhook https://a: no connection")


@pytest.fixture
def stage() -> Stage:
    """An empty outbox, a clock that stands still, a log."""
    return Stage()


THROTTLED = DeliveryError(DeliveryFault.THROTTLED, "webhook https://a answered 429", retry_after=timedelta(hours=1))


async def test_a_receiver_that_asks_for_an_hour_is_left_alone_for_an_hour(stage: Stage) -> None:
    """Not only with the message that it said so to, but with all that waits; others are not."""
    throttled, other = Actor([THROTTLED]), Actor()
    stage.outbox.queue("m1", incident="i1")
    relay = stage.relay(ops=throttled, pager=other)
    async with running(relay):
        await stage.outbox.until(lambda: stage.outbox.rows["m1"].error is not None)
        assert stage.outbox.rows["m1"].due == NOW + timedelta(hours=1)
        stage.outbox.queue("m2", incident="i2")
        stage.outbox.queue("m3", "pager", "i2")
        stage.clock.now += timedelta(minutes=59)
        relay.wake()
        await stage.outbox.until_state("delivered", "m3")
        assert throttled.begun == ["m1"]
        stage.clock.now += timedelta(minutes=1)
        relay.wake()
        await stage.outbox.until_state("delivered", "m1", "m2")
    assert stage.diary.events("warning") == ["receiver_held", "delivery_failed"]


async def test_a_restart_is_no_reason_to_disturb_a_receiver_that_asked_for_time(stage: Stage) -> None:
    """What else is pending is due at once, but not to whom has asked to be left alone."""
    before, after, other = Actor([THROTTLED]), Actor(), Actor()
    stage.outbox.queue("m1")
    stage.outbox.queue("m2", "pager", "i2")
    async with running(stage.relay(ops=before, pager=Actor([REFUSED]))):
        await stage.outbox.until(lambda: all(row.error is not None for row in stage.outbox.rows.values()))
        await stage.outbox.until(lambda: "ops" in stage.outbox.held)
    relay = stage.relay(ops=after, pager=other)
    async with running(relay):
        await stage.outbox.until_state("delivered", "m2")
        assert after.begun == []
        stage.clock.now += timedelta(hours=1)
        relay.wake()
        await stage.outbox.until_state("delivered", "m1")


async def test_a_hold_that_cannot_be_remembered_holds_until_the_restart(stage: Stage) -> None:
    """A store that refuses costs the memory of the hold and nothing else."""
    sender = Actor([THROTTLED])
    stage.outbox.queue("m1")
    stage.outbox.broken["hold"] = 1
    relay = stage.relay(ops=sender)
    async with running(relay):
        await stage.outbox.until(lambda: stage.outbox.rows["m1"].error is not None)
        stage.clock.now += timedelta(hours=1)
        relay.wake()
        await stage.outbox.until_state("delivered", "m1")
    assert stage.outbox.held == {}


async def test_too_many_requests_without_a_time_is_a_short_rest(stage: Stage) -> None:
    """The receiver is left alone until the first retry, and never for more than a minute."""
    stage.outbox.queue("m1", incident="i1")
    sender = Actor([DeliveryError(DeliveryFault.THROTTLED, "webhook https://a answered 429")])
    relay = stage.relay(ops=sender)
    async with running(relay):
        await stage.outbox.until(lambda: stage.outbox.rows["m1"].error is not None)
        assert stage.outbox.held["ops"] == (NOW, NOW + timedelta(seconds=5))
        stage.clock.now += timedelta(seconds=5)
        relay.wake()
        await stage.outbox.until_state("delivered", "m1")


async def test_a_clock_set_back_ends_a_hold(stage: Stage) -> None:
    """An hour of a clock that was a year ahead is not waited for a year."""
    stage.outbox.queue("m1")
    relay = stage.relay(ops=Actor([THROTTLED]))
    async with running(relay):
        await stage.outbox.until(lambda: stage.outbox.rows["m1"].error is not None)
        stage.clock.now -= timedelta(days=365)
        relay.wake()
        await stage.outbox.until_state("delivered", "m1")


async def test_a_receiver_gets_no_more_than_its_rate(stage: Stage) -> None:
    """Two at once, then one a minute; the rest waits in the outbox and not in a slot, and others are not slowed."""
    sender, other = Actor(), Actor()
    for number in range(5):
        stage.outbox.queue(f"m{number}", incident=f"i{number}")
        stage.outbox.queue(f"o{number}", "pager", f"i{number}")
    relay = stage.relay(ops=Channel(sender, Rate(per_minute=1, burst=2)), pager=other)
    async with running(relay):
        await stage.outbox.until_state("delivered", "m0", "m1", *(f"o{number}" for number in range(5)))
        for number in (2, 3, 4):
            assert sender.begun == [f"m{each}" for each in range(number)]
            stage.clock.now += timedelta(minutes=1)
            relay.wake()
            await stage.outbox.until_state("delivered", f"m{number}")


async def test_a_new_rate_is_kept_from_the_reload_on(stage: Stage) -> None:
    """What had been saved up under a larger burst is not sent all the same."""
    sender = Actor()
    relay = stage.relay(ops=Channel(sender, Rate(burst=20)))
    async with running(relay):
        await stage.outbox.until(lambda: stage.outbox.releases > 0)
        relay.replace_channels({"ops": Channel(sender, Rate(per_minute=1, burst=1))}, NO_WAITS)
        for number in range(3):
            stage.outbox.queue(f"m{number}", incident=f"i{number}")
        relay.wake()
        await stage.outbox.until_state("delivered", "m0")
        stage.clock.now += timedelta(minutes=1)
        relay.wake()
        await stage.outbox.until_state("delivered", "m1")
    assert sender.begun == ["m0", "m1"]


WAITS = (timedelta(seconds=5), timedelta(minutes=5))


async def test_one_cause_is_one_message(stage: Stage) -> None:
    """Six endpoints within the wait are one delivery; when that fails, the same one is tried again, whatever came."""
    sender = Actor([Receipt(), REFUSED])
    relay = stage.relay(WAITS, ops=Channel(sender, Rate(per_minute=1, burst=2)))
    async with running(relay):
        await stage.outbox.until(lambda: stage.outbox.releases > 0)
        stage.clock.now += timedelta(seconds=1)
        for number in range(6):
            stage.outbox.queue_at(stage.clock.now, f"m{number}", incident=f"i{number}", group="issuer X")
        stage.outbox.queue_at(stage.clock.now, "alone", incident="i9")
        relay.wake()
        await stage.outbox.until_state("delivered", "alone")
        assert sender.begun == ["alone"]
        stage.clock.now += timedelta(seconds=5)
        relay.wake()
        await stage.outbox.until(lambda: stage.outbox.rows["m5"].error is not None)
        stage.outbox.queue_at(stage.clock.now, "m6", incident="i6", group="issuer X")
        stage.clock.now += timedelta(minutes=1)
        relay.wake()
        await stage.outbox.until_state("delivered", *(f"m{number}" for number in range(6)))
    _, first, second, *_ = sender.deliveries
    assert first.messages == tuple(f"m{number}" for number in range(6))
    assert first.id == second.id == batch_id(first.messages)
    assert first.body == second.body
    assert [event["group"] for event in second.events] == ["issuer X"] * 6
    assert second.attempts == 1


async def test_a_receiver_that_wants_each_event_gets_each(stage: Stage) -> None:
    """Some programs open a ticket for each event; they neither wait nor get lists."""
    sender = Actor()
    for number in range(6):
        stage.outbox.queue(f"m{number}", incident=f"i{number}", group="issuer X")
    async with running(stage.relay(WAITS, ops=Channel(sender, together=False))):
        await stage.outbox.until_state("delivered", *(f"m{number}" for number in range(6)))
    assert sorted(sender.begun) == [f"m{number}" for number in range(6)]
