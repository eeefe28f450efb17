"""What people do with messages, and what is forgotten when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitord.outbox import DeliveryState
from monitord.store.deadletters import OutboxRefusedError
from tests.store.queues import GATHERING, claim, queue, queue_group
from tests.store.samples import at, cleared, dead, delivered, failed, opened, repeated

if TYPE_CHECKING:
    from monitord.store.store import Store


async def test_a_dead_letter_is_sent_again_with_its_end(store: Store) -> None:
    """It keeps its id and has all its attempts again; the end that made no sense without it comes after it."""
    first = opened()
    await queue(store, first)
    await queue(store, cleared(first, minute=1))
    (claimed,) = await claim(store, 1, at(2))
    await store.report(dead(claimed, "given up"))
    (entry,) = await store.outbox([DeliveryState.DEAD], at(2))
    assert entry.id == claimed.id
    assert await store.resend(entry.id[:8], at(3)) == claimed.id
    (again,) = await claim(store, 9, at(3))
    assert (again.id, again.attempts) == (claimed.id, 0)
    await store.report(delivered(again, at(3)))
    (end,) = await claim(store, 9, at(3))
    assert end.body["type"] == "pin_mismatch.resolved"


async def test_an_end_that_comes_after_the_dead_letter_waits_for_somebody_to_send_it_again(store: Store) -> None:
    """It is kept aside and not sent alone."""
    first = opened()
    await queue(store, first)
    (claimed,) = await claim(store, 1, at(2))
    await store.report(dead(claimed, "given up"))
    await queue(store, cleared(first, minute=3))
    assert await claim(store, 9, at(3)) == []
    await store.resend(claimed.id, at(4))
    for expected in ("pin_mismatch.firing", "pin_mismatch.resolved"):
        (one,) = await claim(store, 9, at(4))
        assert one.body["type"] == expected
        await store.report(delivered(one, at(4)))


async def test_a_dead_letter_that_later_news_have_overtaken_is_not_sent_again(store: Store) -> None:
    """Order holds for a person as well; dropping it is left."""
    first = opened()
    await queue(store, first)
    (claimed,) = await claim(store, 1, at(2))
    await store.report(dead(claimed, "given up"))
    await queue(store, repeated(first, minute=3))
    await claim(store, 1, at(3))
    with pytest.raises(OutboxRefusedError, match="comes too late: ops has been sent later news"):
        await store.resend(claimed.id, at(4))
    assert await store.drop(claimed.id, at(4)) == claimed.id
    assert await store.dead_letters() == []


async def test_what_waits_for_its_next_attempt_can_be_sent_now(store: Store) -> None:
    """Whoever has repaired the receiver need not wait for the schedule, and the attempts made count."""
    await queue(store, opened())
    (claimed,) = await claim(store, 1, at(0))
    await store.report(failed(claimed, "refused", at(600)))
    await store.resend(claimed.id, at(5))
    (again,) = await claim(store, 1, at(5))
    assert again.attempts == 1


async def test_a_dropped_message_is_neither_sent_nor_followed_by_its_end(store: Store) -> None:
    """Nobody who did not hear of the beginning hears of the end."""
    first = opened()
    await queue(store, first)
    await queue(store, cleared(first, minute=1))
    waits, _ = await store.outbox([DeliveryState.PENDING], at(1))
    await store.drop(waits.id, at(2))
    assert await store.outbox_summary() == (0, None)
    with pytest.raises(OutboxRefusedError, match="it was dropped"):
        await store.resend(waits.id, at(3))


async def test_what_is_being_sent_is_not_dropped(store: Store) -> None:
    """It may be at the receiver already."""
    await queue(store, opened())
    (claimed,) = await claim(store, 1, at(0))
    with pytest.raises(OutboxRefusedError, match="is being sent right now"):
        await store.drop(claimed.id, at(0))
    await store.report(delivered(claimed, at(1)))
    for act in (store.drop, store.resend):
        with pytest.raises(OutboxRefusedError, match="was delivered already"):
            await act(claimed.id, at(2))


async def test_an_id_has_to_name_one_message(store: Store) -> None:
    """None, and a beginning that is too short to mean anything, is said as what it is; a batch is named as a whole."""
    await queue_group(store, 5)
    (batch,) = (await store.claim(9, at(1), gathering=GATHERING)).deliveries
    await store.report(dead(batch, "given up"))
    for unknown in ("f" * 32, batch.id[:5], "", "%%%%%%%"):
        with pytest.raises(OutboxRefusedError, match="there is no message"):
            await store.resend(unknown, at(2))
    assert await store.dead_letters() == [batch.id]
    assert await store.resend(batch.messages[3], at(2)) == batch.id
    assert await claim(store, 9, at(2)) == [batch]


async def test_what_is_over_is_forgotten_and_nothing_else(store: Store) -> None:
    """Months later the delivered and dead are gone; not who was told of what is open, and not what is pending."""
    over, still_open = opened("over"), opened("open", host="b.example.test")
    unsent = opened("new", host="c.example.test")
    ended, reminded = cleared(over, minute=1), repeated(still_open, minute=1)
    given_up = opened("dead", host="d.example.test")
    for step in (over, ended, still_open, reminded, given_up):
        await queue(store, step)
        (one,) = await claim(store, 9, at(2))
        await store.report(dead(one, "gone") if step is given_up else delivered(one, at(2)))
    await queue(store, cleared(given_up, minute=3))
    await queue(store, unsent)
    day = 24 * 60
    assert await store.prune_alerts(at(29 * day)) == 0
    assert await store.prune_alerts(at(31 * day)) == 3
    assert await store.prune_alerts(at(91 * day)) == 2
    assert {one.incidents for one in await store.outbox(list(DeliveryState), at(0))} == {("open",), ("new",)}
    await queue(store, cleared(reminded, minute=500 * day))
    assert len(await claim(store, 9, at(500 * day))) == 2
    assert await store.prune_alerts(at(500 * day)) > 0
    assert {incident.id for incident in (await store.load_incidents()).values()} == {"new"}
