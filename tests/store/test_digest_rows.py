"""What waits for a digest, in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.store.store import Store
from monitord.turns import DIGEST, Digest, Gathering
from tests.store.samples import at, cleared, clock, delivered, failed, message, opened, outcome, repeated

if TYPE_CHECKING:
    from monitord.outbox import Delivery
    from monitord.pinning.incident import Transition

MORNING = 20 * 60  # minutes after noon
GATHERING = Gathering(
    timedelta(seconds=5), timedelta(minutes=5), at(-60), digests={"ops": Digest(timedelta(days=1), timedelta(hours=8))}
)


async def queue(store: Store, *steps: Transition, can_wait: bool = True) -> None:
    """Record transitions with a message to the receiver with the digest about each."""
    kept_with = DIGEST if can_wait else None
    told = [replace(message(step, "ops", group="a cause"), kept_with=kept_with) for step in steps]
    await store.record([outcome(transitions=list(steps))], told)


async def claim(store: Store, minute: float) -> list[Delivery]:
    """What is to be sent then."""
    return (await store.claim({"ops": 9}, at(minute), gathering=GATHERING)).deliveries


def told(claimed: list[Delivery]) -> list[list[str]]:
    """The incidents that each delivery is about."""
    return [list(one.incidents) for one in claimed]


async def test_what_can_wait_is_one_delivery_at_its_time_also_after_a_restart(store: Store, url: str) -> None:
    """Two incidents, one of them with its end, under one id however often it is tried."""
    one, other = opened("a1"), opened("b2", minute=1, host="b.example.test")
    await queue(store, one, other, cleared(repeated(one, minute=2), minute=3))
    assert await claim(store, 60) == []
    assert (await store.claim({"ops": 9}, at(60), gathering=GATHERING)).next_due == at(MORNING)
    await store.close()
    again = await Store.open(url, now=clock)
    try:
        await again.release_leases(at(61))
        assert await claim(again, 62) == []
        (digest,) = await claim(again, MORNING)
        assert digest.incidents == ("a1", "b2", "a1")
        await again.report(failed(digest, "refused", at(MORNING + 1)))
        (retried,) = await claim(again, MORNING + 1)
        assert (retried.id, retried.incidents) == (digest.id, digest.incidents)
        await again.report(delivered(retried, at(MORNING + 1)))
        assert await claim(again, MORNING + 2) == []
    finally:
        await again.close()


async def test_what_becomes_critical_takes_along_what_was_held_of_it(store: Store) -> None:
    """In order, and at once; what was held of others stays held."""
    one, other = opened("a1"), opened("b2", minute=1, host="b.example.test")
    await queue(store, one, other)
    await queue(store, repeated(one, minute=2), can_wait=False)
    (first,) = await claim(store, 3)
    assert (first.incidents, first.id) == (("a1",), message(one, "ops").id)
    await store.report(delivered(first, at(3)))
    (second,) = await claim(store, 4)
    assert second.incidents == ("a1",)
    await store.report(delivered(second, at(4)))
    assert told(await claim(store, MORNING)) == [["b2"]]


async def test_what_waits_for_a_digest_is_not_counted_as_late(store: Store) -> None:
    """It is pending, and the oldest that is late is another."""
    await queue(store, opened("a1"))
    assert await store.outbox_summary() == (1, None)
    await queue(store, opened("b2", minute=1, host="b.example.test"), can_wait=False)
    assert await store.outbox_summary() == (2, at(1))
    await claim(store, MORNING)
    assert await store.outbox_summary() == (2, at(0))
