"""One life of a monitord that is killed at a chosen point, and the story that its lives tell together.

``live`` records the next steps of a story, unless much is left from the life before, and sends what is due to a real
webhook and a real mail server, until nothing is due or the point is reached: there the process kills itself with
SIGKILL.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event

from monitord.config.receivers import EmailSettings, Rate, Receiver, SmtpSettings, SmtpTls, WebhookSettings
from monitord.config.secret import Secret
from monitord.notify.relay import Relay
from monitord.notify.senders import Channel, build_channels
from monitord.notify.standby import Standby
from monitord.outbox import Message
from monitord.store.store import Store
from tests.notify import events
from tests.notify.outbox import Diary
from tests.store.samples import NOON, cleared, opened, outcome, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from multiprocessing.connection import Connection

    from monitord.notify.fault import Receipt
    from monitord.outbox import Claimed, Delivery, Result
    from monitord.pinning.incident import Transition
    from monitord.turns import Gathering

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDKAlkK2dQyQE="
RECEIVERS = ("hook", "mail")
ROUNDS_A_LIFE = 4
_GROUP = 6
_ENOUGH = 40
_WAITS = (timedelta(microseconds=1), timedelta(minutes=5))
POINTS = (
    "before record",
    "after record",
    "statement",
    "commit",
    "before claim",
    "after claim",
    "before send",
    "before send of a batch",
    "after send",
    "after send of a batch",
    "before settle",
    "before settle of a batch",
    "after settle",
    "after settle of a batch",
)
FAR = {"statement": 80, "commit": 12, "before record": ROUNDS_A_LIFE, "after record": ROUNDS_A_LIFE}
"""How many times a point may come before the end, of what comes often."""


@dataclass(frozen=True, slots=True)
class Life:
    """What one life is to do: which round it begins with, and where it ends (the ``count``-th time at ``point``).

    ``began`` is when the first life did.
    """

    began: datetime
    url: str
    hook: str
    mail: int
    round: int
    point: str | None
    count: int


def story(began: datetime, number: int) -> list[tuple[Transition, Message]]:
    """Round ``number``: a group of six opens, one opens, the group ends and the one is told again, the one ends."""
    act, scene = divmod(number, ROUNDS_A_LIFE)
    minute = (began - NOON) / timedelta(minutes=1) + number / 1000
    group = [opened(f"g{act}-{each}", minute=minute, host=f"g{each}.test") for each in range(_GROUP)]
    single = opened(f"s{act}", minute=minute, host="s.test")
    steps = (
        group,
        [single],
        [*(cleared(one, minute=minute) for one in group), repeated(single, minute=minute)],
        [cleared(repeated(single, minute=minute), minute=minute)],
    )[scene]
    return [(step, message(step, receiver)) for step in steps for receiver in RECEIVERS]


def message(step: Transition, receiver: str) -> Message:
    """What a receiver is told of a step."""
    incident = step.incident
    group = "the issuer of g" if incident.id.startswith("g") else f"that of {incident.id}"
    body = events.event("pin_mismatch", incident.state.value, incident=incident.id, host=incident.key.host, group=group)
    return Message(incident.id, step.number, receiver, body, step.at)


class Fate:
    """Kills this process at its point, having said so."""

    def __init__(self, life: Life, parent: Connection) -> None:
        self._life = life
        self._parent = parent
        self._passed: Counter[str] = Counter()

    def reach(self, point: str, delivery: Delivery | None = None) -> None:
        """Go on, or die here."""
        if delivery is not None and len(delivery.messages) > 1:
            point += " of a batch"
        self._passed[point] += 1
        if point == self._life.point and self._passed[point] == self._life.count:
            self._parent.send(point)
            os.kill(os.getpid(), signal.SIGKILL)


class MortalOutbox:
    """The outbox, with points before and after what it does. ``idle``: nothing is under way, and nothing due soon."""

    def __init__(self, outbox: Standby, fate: Fate) -> None:
        self._outbox = outbox
        self._fate = fate
        self._under_way = 0
        self.idle = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        """What has no point."""
        return getattr(self._outbox, name)

    async def claim(
        self, limits: Mapping[str, int], now: datetime, *, others: int, gathering: Gathering | None
    ) -> Claimed:
        """Claim."""
        self._fate.reach("before claim")
        claimed = await self._outbox.claim(limits, now, others=others, gathering=gathering)
        self._fate.reach("after claim")
        self._under_way += len(claimed.deliveries)
        if not self._under_way and (claimed.next_due is None or claimed.next_due > now + timedelta(seconds=1)):
            self.idle.set()
        return claimed

    async def settle(self, delivery: Delivery, result: Result) -> None:
        """Settle."""
        self._fate.reach("before settle", delivery)
        await self._outbox.settle(delivery, result)
        self._fate.reach("after settle", delivery)
        self._under_way -= 1


class MortalSender:
    """A sender, with points before and after the attempt."""

    def __init__(self, channel: Channel, fate: Fate) -> None:
        self._sender = channel.sender
        self._fate = fate

    async def send(self, delivery: Delivery, now: datetime) -> Receipt:
        """Make one attempt."""
        self._fate.reach("before send", delivery)
        try:
            return await self._sender.send(delivery, now)
        finally:
            self._fate.reach("after send", delivery)


def live(life: Life, parent: Connection) -> None:
    """Live it, and tell the parent each round that was recorded."""
    asyncio.run(_live(life, Fate(life, parent), parent))


async def _live(life: Life, fate: Fate, parent: Connection) -> None:
    store = await Store.open(life.url, now=_now)
    event.listen(Engine, "before_cursor_execute", lambda *_: fate.reach("statement"))
    event.listen(Engine, "commit", lambda *_: fate.reach("commit"))
    pending, _ = await store.outbox_summary()
    is_last = life.point is None
    rounds = ROUNDS_A_LIFE - life.round % ROUNDS_A_LIFE if is_last or pending < _ENOUGH else 0
    for number in range(life.round, life.round + rounds):
        fate.reach("before record")
        told = story(life.began, number)
        steps = list(dict.fromkeys(step.incident.id for step, _ in told))
        firsts = {step.incident.id: step for step, _ in told}
        await store.record([outcome(transitions=[firsts[each] for each in steps])], [one for _, one in told])
        fate.reach("after record")
        parent.send(number)
    outbox = MortalOutbox(Standby(store, list, Diary()), fate)
    channels = {
        name: Channel(MortalSender(channel, fate), Rate(10_000, 10_000))
        for name, channel in build_channels(_receivers(life)).items()
    }
    relay = Relay(outbox, channels, now=_now, chance=lambda: 0.5, log=Diary(), on_result=lambda *_: None, waits=_WAITS)
    relaying = asyncio.create_task(relay.run())
    await outbox.idle.wait()
    await relay.drain(5)
    await relaying
    await store.close()


def _receivers(life: Life) -> Iterator[Receiver]:
    yield Receiver("hook", webhook=WebhookSettings(Secret(life.hook), secret=Secret(SECRET)))
    smtp = SmtpSettings("127.0.0.1", life.mail, SmtpTls.NONE)
    yield Receiver("mail", email=EmailSettings(("ops@example.com",), "monitord@example.com", smtp))


def _now() -> datetime:
    return datetime.now(UTC)
