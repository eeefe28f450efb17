"""A source of signals asked again and again, with its state kept as the store keeps it: as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitord.signals.source import Poll, Source, Subject


class Polled:
    """A source with its memory."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.state: dict[str, Any] = {}

    async def poll(self, subjects: Sequence[Subject], now: datetime) -> Poll:
        """Ask it, and keep what it wants kept."""
        poll = await self.source.poll(subjects, json.loads(json.dumps(self.state)), now)
        for key, value in poll.state.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = json.loads(json.dumps(value))
        return poll
