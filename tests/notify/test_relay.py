from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from monitord.config.receivers import EmailSettings, Receiver, SmtpSettings, SmtpTls, WebhookSettings
from monitord.config.secret import Secret
from monitord.notify.fault import DeliveryError, DeliveryFault, Receipt
from monitord.notify.relay import LONGEST_ATTEMPT, SLOTS
from monitord.notify.senders import build_channels
from monitord.store.deliveries import LEASE
from tests.notify.events import NOW
from tests.notify.outbox import NO_WAITS, PATIENCE, Actor, Stage, as_channels, running
from tests.support.sinks import SmtpSink, WebhookSink, accept

REFUSED = DeliveryError(DeliveryFault.REFUSED, "webhook https://a: no connection")


@pytest.fixture
def stage() -> Stage:
    """An empty outbox, a clock that stands still, a log."""
    return Stage()


async def test_mail_and_webhook_get_what_was_queued(stage: Stage) -> None:
    """From the outbox to two real servers, marked as delivered."""
    async with SmtpSink() as mailbox, WebhookSink() as hook:
        smtp = SmtpSettings("127.0.0.1", mailbox.port, SmtpTls.NONE)
        receivers = [
            Receiver("mail", email=EmailSettings(("ops@example.com",), "monitord@example.com", smtp)),
            Receiver("hook", webhook=WebhookSettings(Secret(hook.url))),
        ]
        stage.outbox.queue("m1", "mail")
        stage.outbox.queue("w1", "hook")
        async with running(stage.relay(**build_channels(receivers))):
            await stage.outbox.until_state("delivered", "m1", "w1")
    assert mailbox.mails[0].message["Message-ID"] == "<m1@example.com>"
    assert hook.calls[0].headers["webhook-id"] == "w1"
    assert sorted(stage.results) == [("hook", None), ("mail", None)]
    assert stage.diary.events("info") == ["delivered", "delivered"]


async def test_waking_sends_what_was_queued_meanwhile(stage: Stage) -> None:
    """A message does not wait for the next look of the clock."""
    sender = Actor()
    relay = stage.relay(ops=sender)
    async with running(relay):
        await stage.outbox.until(lambda: stage.outbox.releases > 0)
        stage.outbox.queue("m1")
        relay.wake()
        await stage.outbox.until_state("delivered", "m1")


async def test_a_hanging_receiver_delays_no_other(stage: Stage) -> None:
    """While one receiver sits on all its slots, another gets every message, and more than one batch of them."""
    hanging, healthy = Actor(), Actor()
    hanging.gate.clear()
    for number in range(SLOTS * 3):
        stage.outbox.queue(f"hung-{number}", "hanging", f"i{number}")
        stage.outbox.queue(f"well-{number}", "healthy", f"i{number}")
    async with running(stage.relay(hanging=hanging, healthy=healthy)):
        await stage.outbox.until_state("delivered", *(f"well-{number}" for number in range(SLOTS * 3)))
        assert len(hanging.begun) == SLOTS
        assert hanging.ended == []
        hanging.gate.set()
        await stage.outbox.until_state("delivered", *(f"hung-{number}" for number in range(SLOTS * 3)))
    assert hanging.most_at_once == SLOTS


async def test_slots_are_counted_across_looks(stage: Stage) -> None:
    """Messages that come while others are under way find only the slots that are left."""
    sender = Actor()
    sender.gate.clear()
    relay = stage.relay(ops=sender)
    for number in range(SLOTS - 1):
        stage.outbox.queue(f"m{number}", incident=f"i{number}")
    async with running(relay):
        await sender.until_begun(SLOTS - 1)
        for number in range(SLOTS - 1, SLOTS * 2):
            stage.outbox.queue(f"m{number}", incident=f"i{number}")
        relay.wake()
        await sender.until_begun(SLOTS)
        sender.gate.set()
        await stage.outbox.until_state("delivered", *stage.outbox.rows)
    assert sender.most_at_once == SLOTS


async def test_a_hanging_webhook_delays_no_mail(stage: Stage) -> None:
    """The same with real servers: the mail is there while the webhook is still silent."""
    released = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        await released.wait()
        return await accept(request)

    async with SmtpSink() as mailbox, WebhookSink(hang) as hook:
        smtp = SmtpSettings("127.0.0.1", mailbox.port, SmtpTls.NONE)
        receivers = [
            Receiver("hook", webhook=WebhookSettings(Secret(hook.url))),
            Receiver("mail", email=EmailSettings(("ops@example.com",), "monitord@example.com", smtp)),
        ]
        stage.outbox.queue("w1", "hook")
        async with running(relay := stage.relay(**build_channels(receivers))):
            await hook.wait_for(1)
            stage.outbox.queue("m1", "mail")
            relay.wake()
            await stage.outbox.until_state("delivered", "m1")
            assert stage.outbox.rows["w1"].state == "pending"
            released.set()
            await stage.outbox.until_state("delivered", "w1")


async def test_messages_of_an_incident_go_in_order(stage: Stage) -> None:
    """The end waits until the beginning was taken, however often that has to be tried."""
    sender = Actor([REFUSED])
    stage.outbox.queue("firing")
    stage.outbox.queue("resolved")
    relay = stage.relay(ops=sender)
    async with running(relay):
        await stage.outbox.until(lambda: stage.outbox.rows["firing"].error is not None)
        stage.clock.now += timedelta(seconds=5)
        relay.wake()
        await stage.outbox.until_state("delivered", "resolved")
    assert sender.begun == ["firing", "firing", "resolved"]
    assert sender.most_at_once == 1


async def test_a_repeat_is_the_same_message_to_the_receiver(stage: Stage) -> None:
    """A real webhook that fails once sees the id and the body again."""
    statuses = iter([503])

    async def fail_once(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=next(statuses, 204))

    secret = "whsec_" + "QUFB" * 8
    async with WebhookSink(fail_once) as hook:
        receiver = Receiver("ops", webhook=WebhookSettings(Secret(hook.url), secret=Secret(secret)))
        stage.outbox.queue("w1")
        async with running(relay := stage.relay(**build_channels([receiver]))):
            await stage.outbox.until(lambda: stage.outbox.rows["w1"].error is not None)
            assert stage.outbox.rows["w1"].due == NOW + timedelta(seconds=5)
            stage.clock.now += timedelta(seconds=5)
            relay.wake()
            await stage.outbox.until_state("delivered", "w1")
    first, second = hook.calls
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "w1"
    assert first.body == second.body
    for call in (first, second):
        made = datetime.fromtimestamp(int(call.headers["webhook-timestamp"]), UTC)
        assert call.headers["webhook-signature"] == Webhook(secret).sign("w1", made, call.body.decode())
    assert stage.results == [("ops", DeliveryFault.SERVER_ERROR), ("ops", None)]


async def test_a_permanent_failure_is_a_dead_letter_at_once(stage: Stage) -> None:
    """It is kept with its reason and logged as an error."""
    stage.outbox.queue("m1")
    gone = DeliveryError(DeliveryFault.GONE, "webhook https://a answered 410", permanent=True)
    async with running(stage.relay(ops=Actor([gone]))):
        await stage.outbox.until_state("dead", "m1")
    assert stage.outbox.rows["m1"].error == "webhook https://a answered 410"
    assert stage.diary.events("error") == ["delivery_given_up"]
    assert stage.results == [("ops", DeliveryFault.GONE)]


async def test_the_schedule_ends_in_a_dead_letter(stage: Stage) -> None:
    """Twelve attempts, then somebody has to look."""
    sender = Actor([REFUSED] * 20)
    stage.outbox.queue("m1")
    relay = stage.relay(ops=sender)
    async with running(relay):
        for attempt in range(1, 12):
            await stage.outbox.until(lambda: stage.outbox.rows["m1"].lease is None and len(sender.ended) == attempt)  # noqa: B023 - awaited in the loop
            stage.clock.now = stage.outbox.rows["m1"].due
            relay.wake()
        await stage.outbox.until_state("dead", "m1")
    assert len(sender.begun) == 12
    assert stage.clock.now - NOW > timedelta(days=3)
    assert stage.diary.events("error") == ["delivery_given_up"]


async def test_restarts_while_a_receiver_is_down_lose_no_message(stage: Stage) -> None:
    """Each start tries at once; twenty of them in an hour are no reason to give up, three days are."""
    sender = Actor([REFUSED] * 21)
    stage.outbox.queue("m1")
    for start in range(1, 21):
        async with running(stage.relay(ops=sender)):
            await stage.outbox.until(lambda: stage.outbox.rows["m1"].lease is None and len(sender.ended) == start)  # noqa: B023 - awaited in the loop
        stage.clock.now += timedelta(minutes=3)
    row = stage.outbox.rows["m1"]
    assert row.state == "pending"
    assert row.due == NOW + timedelta(minutes=57, days=1)
    stage.clock.now = NOW + timedelta(days=4)
    async with running(stage.relay(ops=sender)):
        await stage.outbox.until_state("dead", "m1")
    assert len(sender.begun) == 21


async def test_a_receiver_that_is_gone_gets_its_messages_buried(stage: Stage) -> None:
    """What was queued for a receiver that is no longer configured says so, and nothing waits for it."""
    stage.outbox.queue("m1", "former")
    stage.outbox.queue("m2", "ops")
    async with running(stage.relay(ops=Actor())):
        await stage.outbox.until_state("dead", "m1")
        await stage.outbox.until_state("delivered", "m2")
    assert "'former' is no longer configured" in (stage.outbox.rows["m1"].error or "")
    assert ("former", DeliveryFault.UNKNOWN_RECEIVER) in stage.results


async def test_new_senders_serve_the_next_attempt(stage: Stage) -> None:
    """After a reload a corrected receiver is used; the attempt under way is not disturbed."""
    before, after = Actor([REFUSED]), Actor()
    before.gate.clear()
    stage.outbox.queue("m1")
    relay = stage.relay(ops=before)
    async with running(relay):
        await before.until_begun(1)
        relay.replace_channels(as_channels({"ops": after}), NO_WAITS)
        before.gate.set()
        await stage.outbox.until(lambda: stage.outbox.rows["m1"].error is not None)
        stage.clock.now += timedelta(seconds=5)
        relay.wake()
        await stage.outbox.until_state("delivered", "m1")
    assert (before.begun, after.begun) == (["m1"], ["m1"])


@pytest.mark.parametrize("method", ["claim", "release_leases", "holds"])
async def test_a_store_that_fails_does_not_end_the_relay(stage: Stage, method: str) -> None:
    """The fault is logged, and the next look finds the message."""
    stage.outbox.queue("m1")
    stage.outbox.broken[method] = 1
    relay = stage.relay(ops=Actor())
    async with running(relay):
        await stage.outbox.until(lambda: stage.outbox.broken[method] == 0)
        relay.wake()
        await stage.outbox.until_state("delivered", "m1")
    assert "outbox_unavailable" in stage.diary.events("error")


async def test_a_lease_that_ended_early_sends_nothing_twice(stage: Stage) -> None:
    """A wall clock that jumps ahead makes the outbox give a message again; it is already on its way."""
    sender = Actor()
    sender.gate.clear()
    stage.outbox.queue("m1")
    relay = stage.relay(ops=sender)
    async with running(relay):
        await sender.until_begun(1)
        stage.clock.now += timedelta(hours=1)
        relay.wake()
        await stage.outbox.until(lambda: stage.outbox.rows["m1"].attempts == 2)
        sender.gate.set()
        await stage.outbox.until_state("delivered", "m1")
    assert sender.begun == ["m1"]


async def test_what_was_pending_before_the_start_is_due_at_once(stage: Stage) -> None:
    """Neither a lease of the dead process nor a retry of tomorrow is waited for."""
    stage.outbox.queue("leased", incident="i1")
    stage.outbox.queue("later", incident="i2")
    stage.outbox.rows["leased"].change(lease_until=NOW + timedelta(minutes=2))
    stage.outbox.rows["later"].change(due_at=NOW + timedelta(days=1))
    async with running(stage.relay(ops=Actor())):
        await stage.outbox.until_state("delivered", "leased", "later")


async def test_a_clock_set_back_does_not_postpone_retries(stage: Stage) -> None:
    """A retry that was planned by a clock a year ahead is made now."""
    stage.outbox.queue("m1")
    relay = stage.relay(ops=Actor([REFUSED]))
    async with running(relay):
        await stage.outbox.until(lambda: stage.outbox.rows["m1"].error is not None)
        stage.clock.now -= timedelta(days=365)
        relay.wake()
        await stage.outbox.until_state("delivered", "m1")
    assert "clock_set_back" in stage.diary.events("warning")


async def test_no_attempt_outlasts_its_lease(stage: Stage) -> None:
    """A sender that waits for ever in spite of all is cut off, and the message is tried again."""
    sender = Actor()
    sender.gate.clear()
    stage.outbox.queue("m1")
    stage.longest_attempt = timedelta(milliseconds=50)
    relay = stage.relay(ops=sender)
    async with running(relay):
        await stage.outbox.until(lambda: stage.outbox.rows["m1"].error is not None)
        assert stage.results == [("ops", DeliveryFault.TIMEOUT)]
        sender.gate.set()
        stage.clock.now += timedelta(seconds=5)
        relay.wake()
        await stage.outbox.until_state("delivered", "m1")
    assert LONGEST_ATTEMPT < LEASE


async def test_a_bug_in_a_sender_costs_one_attempt(stage: Stage) -> None:
    """An unforeseen error is logged without its text, which may be secret, and the message is tried again."""
    sender = Actor([ValueError("https://user:pa55@example.com/")])
    stage.outbox.queue("m1")
    relay = stage.relay(ops=sender)
    async with running(relay):
        await stage.outbox.until(lambda: stage.outbox.rows["m1"].error is not None)
        stage.clock.now += timedelta(seconds=5)
        relay.wake()
        await stage.outbox.until_state("delivered", "m1")
    assert stage.results == [("ops", DeliveryFault.INTERNAL), ("ops", None)]
    assert "delivery_bug" in stage.diary.events("error")
    assert "pa55" not in repr(stage.diary.entries)
    assert "pa55" not in repr(stage.outbox.rows)


async def test_refused_recipients_are_counted_beside_the_delivery(stage: Stage) -> None:
    """The mail is delivered, and yet the metrics and the log show that somebody did not get it."""
    stage.outbox.queue("m1")
    async with running(stage.relay(ops=Actor([Receipt(refused=("mail server does not take mail for a@b.c",))]))):
        await stage.outbox.until_state("delivered", "m1")
    assert stage.results == [("ops", DeliveryFault.RECIPIENT_REFUSED)]
    assert stage.diary.events("error") == ["recipient_refused"]


async def test_draining_lets_attempts_finish_and_starts_no_more(stage: Stage) -> None:
    """What is on its way at shutdown arrives; what was waiting stays for the next start."""
    sender = Actor()
    sender.gate.clear()
    stage.outbox.queue("first")
    stage.outbox.queue("second")
    relay = stage.relay(ops=sender)
    work = asyncio.create_task(relay.run())
    await sender.until_begun(1)
    draining = asyncio.create_task(relay.drain(PATIENCE))
    sender.gate.set()
    async with asyncio.timeout(PATIENCE):
        await draining
        await work
    assert stage.outbox.rows["first"].state == "delivered"
    assert stage.outbox.rows["second"].state == "pending"
    assert sender.begun == ["first"]
    assert stage.outbox.finished


async def test_draining_ends_in_bounded_time(stage: Stage) -> None:
    """A hanging attempt is cut off, and its message stays in the outbox."""
    sender = Actor()
    sender.gate.clear()
    stage.outbox.queue("m1")
    relay = stage.relay(ops=sender)
    work = asyncio.create_task(relay.run())
    await sender.until_begun(1)
    async with asyncio.timeout(PATIENCE):
        await relay.drain(0.01)
        await work
    assert sender.ended == ["m1"]
    assert stage.outbox.rows["m1"].state == "pending"


async def test_cancelling_the_relay_cancels_its_attempts(stage: Stage) -> None:
    """No task is left behind."""
    sender = Actor()
    sender.gate.clear()
    stage.outbox.queue("m1")
    work = asyncio.create_task(stage.relay(ops=sender).run())
    await sender.until_begun(1)
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
    assert sender.ended == ["m1"]
    assert asyncio.all_tasks() == {asyncio.current_task()}
