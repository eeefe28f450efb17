"""Tells Alertmanagers again and again what fires and what has just ended, as they want it.

1. What fires is known from the incidents, in memory: a store that does not work keeps no alert from being renewed.
2. A receiver is renewed what it was told, or is to be told as soon as it takes messages: what a silence, a severity or
   a label kept from it stays so. Whom the outbox holds, or has held, a message for says that; where it cannot be read,
   what it said last holds.
3. What ended less than ``AFTERGLOW`` ago is told again as well, also after a restart.
4. What was told under labels that the incident no longer has is for the sender to end.

A renewal that fails is not tried again before its next time, and is not counted as a message; whether the receiver
takes messages is for the relay to find out.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from monitord.errors import MonitordError
from monitord.notify.alertmanager import AlertmanagerSender
from monitord.notify.fault import DeliveryError
from monitord.outbox import DeliveryState
from monitord.pinning.incident import IncidentState, Transition, TransitionReason
from monitord.pinning.report import event_body

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from monitord.config.receivers import Receiver
    from monitord.notify.relay import Log
    from monitord.notify.senders import Channel
    from monitord.outbox import Message, Standing
    from monitord.pinning.incident import Incident

AFTERGLOW = timedelta(minutes=15)


class Store(Protocol):
    """What is remembered of incidents and of messages about them. Each call may raise an error."""

    async def lines(self, incidents: Collection[str]) -> Sequence[Standing]:
        """How every message about these incidents stands."""

    async def load_ended(self, since: datetime) -> Sequence[Incident]:
        """The incidents that ended since then."""


class Resender:
    """Renews the alerts of all receivers that are Alertmanagers. ``resend`` is to be called each RESEND."""

    def __init__(
        self,
        store: Store,
        firing: Callable[[], Iterable[Incident]],
        unwritten: Callable[[], Iterable[Message]],
        *,
        now: Callable[[], datetime],
        log: Log,
    ) -> None:
        """A resender for the incidents that ``firing`` gives; ``unwritten`` are messages that the store has not yet."""
        self._store = store
        self._firing = firing
        self._unwritten = unwritten
        self._now = now
        self._log = log
        self._senders: list[tuple[Receiver, AlertmanagerSender]] = []
        self._told: frozenset[tuple[str, str]] = frozenset()
        self._ended: tuple[Incident, ...] = ()
        self._failing: set[str] = set()

    def follow(self, receivers: Iterable[Receiver], channels: Mapping[str, Channel]) -> None:
        """Renew these receivers from now on, by the way that their messages go."""
        self._senders = [
            (receiver, sender)
            for receiver in receivers
            if receiver.name in channels and isinstance(sender := channels[receiver.name].sender, AlertmanagerSender)
        ]

    async def resend(self) -> None:
        """Renew every alert, each receiver on its own. Never fails; what goes wrong is in the log, once."""
        if not self._senders:
            return
        await self._look()
        await asyncio.gather(*(self._refresh(receiver, sender) for receiver, sender in self._senders))

    async def _look(self) -> None:
        """Find out who was told what, and what has just ended (rules 2 and 3)."""
        told = {(one.receiver, one.incident) for one in self._unwritten() if _fires(one)}
        try:
            self._ended = tuple(await self._store.load_ended(self._now() - AFTERGLOW))
            asked = {incident.id for incident in (*self._firing(), *self._ended)}
            lines = await self._store.lines(asked)
        except MonitordError:  # the relay says so in the log
            self._told |= told
        else:
            kept = {(one.receiver, one.incident) for one in lines if one.firing and one.state not in _UNTOLD}
            self._told = frozenset(told | kept)

    async def _refresh(self, receiver: Receiver, sender: AlertmanagerSender) -> None:
        try:
            await sender.refresh(lambda: self._standing(receiver), self._now)
        except DeliveryError as error:
            if receiver.name not in self._failing:
                self._log.warning("alerts_not_renewed", receiver=receiver.name, error=str(error))
            self._failing.add(receiver.name)
        else:
            if receiver.name in self._failing:
                self._log.info("alerts_renewed_again", receiver=receiver.name)
            self._failing.discard(receiver.name)

    def _standing(self, receiver: Receiver) -> list[Mapping[str, Any]]:
        """How everything that the receiver was told of stands now."""
        labels = {one.id: one.facts.get("labels") or {} for one in self._firing()}
        firing = [one for one in self._firing() if receiver.wants(one.key.kind, one.severity, labels[one.id])]
        open_now = {incident.id for incident in firing}
        ended = [one for one in self._ended if one.id not in open_now]
        return [_body(one) for one in (*firing, *ended) if (receiver.name, one.id) in self._told]


_UNTOLD = (DeliveryState.SKIPPED,)


def _fires(message: Message) -> bool:
    return bool(message.body["data"]["state"] == IncidentState.FIRING)


def _body(incident: Incident) -> Mapping[str, Any]:
    return event_body(Transition(incident, incident.transitions, incident.last_notified_at, TransitionReason.REPEATED))
