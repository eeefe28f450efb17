"""Messages put into the outbox of a store, and taken out of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.turns import Gathering
from tests.store.samples import at, message, opened, outcome

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.outbox import Delivery
    from monitord.pinning.incident import Transition
    from monitord.store.store import Store

GATHERING = Gathering(timedelta(seconds=6), timedelta(minutes=5), at(-60))


async def queue(store: Store, step: Transition, *receivers: str) -> None:
    """Record a transition with its messages."""
    await store.record([outcome(transitions=[step])], [message(step, receiver) for receiver in receivers or ("ops",)])


async def claim(store: Store, limit: dict[str, int] | int, now: datetime) -> list[Delivery]:
    """What is to be sent now."""
    return (await store.claim(limit, now)).deliveries


async def queue_group(store: Store, count: int, *, minute: float = 0, first: int = 0) -> list[Transition]:
    """Queue messages of one group, each about an incident of its own."""
    names = [f"g{number:02}" for number in range(first, first + count)]
    steps = [opened(name, minute=minute + place / 1000, host=f"{name}.test") for place, name in enumerate(names)]
    messages = [message(step, group="issuer X") for step in steps]
    for step, one in zip(steps, messages, strict=True):
        await store.record([outcome(transitions=[step], host=step.incident.key.host)], [one])
    return steps
