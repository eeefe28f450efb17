"""Messages on their way to receivers, as values: what the store keeps and what delivery works on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from monitord.pinning.target import format_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

_NAMED = 3
_LISTED = ("incident", "host", "port", "pinset", "since", "severity")


class DeliveryState(StrEnum):
    """What became of a message."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Given up; kept to be looked at, and to be sent again if somebody says so."""
    SKIPPED = "skipped"
    """Not to be sent: the end of what a receiver was never told of, or dropped by somebody."""


def _digest(*parts: str) -> str:
    """32 hex digits that name these parts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Message:
    """One message to be queued: what a receiver shall be told of transition ``number`` of an incident.

    ``body`` is the complete event: ``{"type": …, "timestamp": …, "data": {…}}``, ready for JSON. ``kept_with`` names
    what it is kept with until that is sent, such as a digest.
    """

    incident: str
    number: int
    receiver: str
    body: Mapping[str, Any]
    created_at: datetime
    kept_with: str | None = None

    @property
    def id(self) -> str:
        """The id of its delivery: 32 hex digits, the same whenever the same message is queued again."""
        return _digest(self.incident, str(self.number), self.receiver)

    @property
    def group(self) -> str | None:
        """What messages have in common that may be told as one: cause, kind, state and severity. None: told alone."""
        data = self.body["data"]
        if self.kept_with is not None:
            return self.kept_with
        if not data.get("group"):
            return None
        return _digest(str(data["group"]), str(self.body["type"]), str(data.get("severity")))


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one receiver is sent at once: a message, or several of one cause.

    ``id`` is the same at every attempt (``webhook-id``, local part of ``Message-ID``). ``body`` is the complete
    event as in docs: ``{"type": …, "timestamp": …, "data": {…}}``; mail is written from it too. ``attempts`` counts
    those begun before this one. Of several messages, ``events``, ``incidents`` and ``messages`` (their ids) have each
    one's, in one order; of a single one they are its own.
    """

    id: str
    receiver: str
    incident: str
    body: Mapping[str, Any]
    attempts: int
    created_at: datetime
    events: tuple[Mapping[str, Any], ...] = ()
    incidents: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """A single message is its own only one."""
        if not self.events:
            object.__setattr__(self, "events", (self.body,))
        if not self.incidents:
            object.__setattr__(self, "incidents", (self.incident,))
        if not self.messages:
            object.__setattr__(self, "messages", (self.id,))


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt to deliver: ``pending`` with the time of the next one, ``delivered``, or ``dead``."""

    state: DeliveryState
    at: datetime
    error: str | None = None
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How one message stands after ``attempts``, for a store that is to take note of it, at once or later.

    ``begun_at`` is when it was first tried. A pending one with ``lease_until`` is being sent.
    """

    message: str
    attempts: int
    begun_at: datetime
    result: Result
    lease_until: datetime | None = None


class Standing(NamedTuple):
    """How a message of an incident stands in the store, and whether it says that the incident fires."""

    id: str
    receiver: str
    incident: str
    number: int
    state: DeliveryState
    firing: bool


def stands(message: Standing, reported: Mapping[str, Report]) -> DeliveryState:
    """How a message stands according to the reports, or else as it did."""
    report = reported.get(message.id)
    return report.result.state if report else message.state


class Claimed(NamedTuple):
    """What is to be sent now, when there may be more, and which of the messages reported about the store has."""

    deliveries: list[Delivery]
    next_due: datetime | None = None
    noted: frozenset[str] = frozenset()


def reports(delivery: Delivery, result: Result) -> list[Report]:
    """What came of an attempt, for each message of the delivery."""
    return [Report(message, delivery.attempts + 1, result.at, result) for message in delivery.messages]


def together(deliveries: Sequence[Delivery], identifier: str) -> Delivery:
    """Deliveries of one message each, to one receiver, as one under this id."""
    first = deliveries[0]
    events = tuple(one.body for one in deliveries)
    return replace(
        first,
        id=identifier,
        body=grouped_body(events),
        events=events,
        incidents=tuple(one.incident for one in deliveries),
        messages=tuple(one.id for one in deliveries),
    )


def batch_id(message_ids: Sequence[str]) -> str:
    """The id of a delivery of these messages."""
    return _digest("batch", *message_ids)


def grouped_body(events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One event for several of one cause: the first, which names the others.

    ``data.grouped`` lists them all, the first included; ``data.summary`` says of how many more it is true.
    """
    first = events[0]
    if len(events) == 1:
        return first
    others = [_named(event["data"]) for event in events[1:]]
    named = ", ".join(others[:_NAMED])
    if len(others) > _NAMED:
        named += f" and {len(others) - _NAMED} more"
    data = {
        **first["data"],
        "summary": f"{first['data']['summary']} The same goes for {named}.",
        "grouped": [{name: event["data"].get(name) for name in _LISTED} for event in events],
    }
    return {**first, "data": data}


def _named(data: Mapping[str, Any]) -> str:
    endpoint = format_endpoint(str(data.get("host")), data.get("port") or 0)
    return f"{endpoint} ({data['pinset']})" if data.get("pinset") else endpoint
