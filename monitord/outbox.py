"""Messages on their way to receivers, as values: what the store keeps and what delivery works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


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
