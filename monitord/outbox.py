"""Messages on their way to receivers, as values: what the store keeps and what delivery works on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One message to be queued: what a receiver shall be told of transition ``number`` of an incident.

    ``body`` is the complete event: ``{"type": …, "timestamp": …, "data": {…}}``, ready for JSON.
    """

    incident: str
    number: int
    receiver: str
    body: Mapping[str, Any]
    created_at: datetime

    @property
    def id(self) -> str:
        """The id of its delivery: 32 hex digits, the same whenever the same message is queued again."""
        named = f"{self.incident}\0{self.number}\0{self.receiver}"
        return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for one receiver.

    ``id`` is the same at every attempt (``webhook-id``, local part of ``Message-ID``). ``body`` is the complete
    event as in docs: ``{"type": …, "timestamp": …, "data": {…}}``; mail is written from it too. ``attempts`` counts
    those begun before this one.
    """

    id: str
    receiver: str
    incident: str
    body: Mapping[str, Any]
    attempts: int
    created_at: datetime
