"""What commands may ask about messages: to list them, to have one sent again, to drop one.

As with orders about incidents, the daemon takes them over its socket, and a command that opens the store where no
daemon runs. Arguments are JSON that somebody sent, so each is looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from monitord.errors import MonitordError
from monitord.outbox import DeliveryState
from monitord.pinning.report import timestamp
from monitord.store.deadletters import OutboxRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from monitord.control import Request
    from monitord.store.outboxview import Entry

MAILROOM_COMMANDS = ("outbox", "outbox-resend", "outbox-drop")
_MOST = 2000
_LONGEST_ID = 100


class MailroomError(MonitordError):
    """What was asked cannot be done; the sentence says why."""


class OutboxStore(Protocol):
    """Where messages are kept."""

    async def outbox(self, states: Collection[DeliveryState], now: datetime) -> Sequence[Entry]:
        """Every delivery in one of these states, the oldest first."""

    async def dead_letters(self) -> Sequence[str]:
        """The ids of all deliveries that were given up."""

    async def resend(self, identifier: str, now: datetime) -> str:
        """Have a delivery tried now; its id in full. Raises OutboxRefusedError."""

    async def drop(self, identifier: str, now: datetime) -> str:
        """Do not send a delivery; its id in full. Raises OutboxRefusedError."""


class Mailroom:
    """Carries the orders out. Every method raises MonitordError for what cannot be done at all."""

    def __init__(self, store: OutboxStore, now: Callable[[], datetime], wake: Callable[[], None]) -> None:
        """Orders about this store's messages; ``wake`` has somebody look for what is to be sent."""
        self._store = store
        self._now = now
        self._wake = wake

    @property
    def handlers(self) -> Mapping[str, Callable[[Request], Awaitable[dict[str, Any]]]]:
        """What answers each command, as the control socket wants it."""
        return dict(zip(MAILROOM_COMMANDS, (self.outbox, self.resend, self.drop), strict=True))

    async def outbox(self, request: Request) -> dict[str, Any]:
        """The messages in one of ``states``, the oldest first, and how many older ones are left out."""
        try:
            states = [DeliveryState(state) for state in _texts(request, "states")]
        except ValueError as error:
            raise MailroomError(f"{error}; there are: {', '.join(DeliveryState)}") from error
        found = await self._store.outbox(states, self._now())
        older = max(len(found) - _MOST, 0)
        return {"ok": True, "message": "", "messages": [_entry(one) for one in found[older:]], "left_out": older}

    async def resend(self, request: Request) -> dict[str, Any]:
        """Have the messages named by ``ids`` sent now, or with ``all_dead`` those that were given up."""
        ids = await self._store.dead_letters() if request.arguments.get("all_dead") else _texts(request, "ids")
        answer = await self._each(ids, self._store.resend)
        self._wake()
        return answer

    async def drop(self, request: Request) -> dict[str, Any]:
        """Do not send the messages named by ``ids``."""
        return await self._each(_texts(request, "ids"), self._store.drop)

    async def _each(self, ids: Sequence[str], act: Callable[[str, datetime], Awaitable[str]]) -> dict[str, Any]:
        done, refused = [], []
        for identifier in ids:
            try:
                done.append(await act(identifier, self._now()))
            except OutboxRefusedError as error:
                refused.append(str(error))
        return {"ok": True, "message": "", "done": done, "refused": refused}


def _entry(one: Entry) -> dict[str, Any]:
    return {
        "id": one.id,
        "receiver": one.receiver,
        "state": one.state.value,
        "event": one.event,
        "severity": one.severity,
        "endpoints": [
            {"host": host, "port": port, "pinset": pinset or None, "incident": incident}
            for (host, port, pinset), incident in zip(one.endpoints, one.incidents, strict=True)
        ],
        "attempts": one.attempts,
        "created_at": timestamp(one.created_at),
        "next_attempt_at": timestamp(one.next_attempt_at) if one.state is DeliveryState.PENDING else None,
        "being_sent": one.being_sent,
        "delivered_at": timestamp(one.delivered_at) if one.delivered_at else None,
        "error": one.error,
    }


def _texts(request: Request, name: str) -> list[str]:
    values = request.arguments.get(name, [])
    fits = isinstance(values, list) and len(values) <= _MOST
    if not fits or not all(isinstance(one, str) and len(one) <= _LONGEST_ID for one in values):
        raise MailroomError(f"{name} is a list of at most {_MOST} texts")
    return list(values)
