"""Log lists kept: each read when it is due, and what it said last for when it cannot be read."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitord.config.document import read_capped
from monitord.signals.ct.asking import LONGEST_WAIT, Refused, ask
from monitord.signals.ct.loglist import LIST_LIMIT, logs_from_state, logs_to_state, read_log_list
from monitord.signals.source import SignalFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitord.config.signals import CtLog
    from monitord.signals.fetch import Fetcher

_LIST = "list:"
_WEB = ("https://", "http://")
_EVERY, _AGAIN = timedelta(days=1), timedelta(hours=1)


@dataclass(slots=True)
class Listed:
    """What the lists came to: their logs, what of the state changes, and what is wrong with those that are.

    ``complete`` unless one could never be read: then nobody knows which logs there are.
    """

    logs: list[CtLog] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    complete: bool = True


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is known of one list: its logs, None if it never could be read; when to read it; what is wrong with it."""

    logs: tuple[CtLog, ...] | None = None
    due: datetime | None = None
    fault: str | None = None

    def to_state(self) -> dict[str, Any]:
        return {
            "due": self.due.isoformat() if self.due else None,
            "logs": None if self.logs is None else logs_to_state(self.logs),
            "fault": self.fault,
        }


class LogLists:
    """Log lists at these places: URLs, read once a day, and files, read each time."""

    def __init__(self, fetcher: Fetcher, locations: Sequence[str]) -> None:
        """Nothing is read yet."""
        self._fetcher = fetcher
        self._locations = tuple(locations)

    async def read(self, state: Mapping[str, Any], now: datetime) -> Listed:
        """Read those that are due; ``state`` is the source's. Never raises for what is wrong with a list."""
        keys = {_key(location): location for location in self._locations}
        listed = Listed(state=dict.fromkeys(key for key in state if key.startswith(_LIST) and key not in keys))
        for key, location in keys.items():
            kept = _kept(state.get(key))
            if kept.due is None or not now < kept.due <= now + 2 * LONGEST_WAIT:
                kept = await self._read(location, kept, now)
                if kept.to_state() != state.get(key):
                    listed.state[key] = kept.to_state()
            listed.complete &= kept.logs is not None
            listed.logs += kept.logs or ()
            if kept.fault is not None:
                rest = "none of its logs is read" if kept.logs is None else "the logs that it named last are read"
                listed.faults.append(f"{kept.fault}; {rest}")
        return listed

    async def _read(self, location: str, before: _Kept, now: datetime) -> _Kept:
        remote = location.startswith(_WEB)
        again = _AGAIN
        try:
            if remote:
                body = (await ask(self._fetcher, location, limit=LIST_LIMIT, now=now)).body
            else:
                body = await asyncio.to_thread(_content, Path(location))
            logs = await asyncio.to_thread(read_log_list, body, now)
        except SignalFault as fault:
            # A location on the web may hold a token; the sentences of the fetcher name its host.
            shown = "the log list" if remote else f"the log list {location}"
            if isinstance(fault, Refused) and fault.wait is not None:
                again = max(again, fault.wait)
            return _Kept(before.logs, now + again if remote else None, f"{shown} cannot be used: {fault}")
        return _Kept(logs, now + _EVERY if remote else None)


def _kept(state: Any) -> _Kept:  # noqa: ANN401 - whatever was in the state
    """What ``to_state`` wrote; as if the list had never been read, for anything else."""
    try:
        due = None if state["due"] is None else datetime.fromisoformat(state["due"])
        if due is not None and due.utcoffset() is None:
            return _Kept()
        logs = None if state["logs"] is None else logs_from_state(state["logs"])
        return _Kept(logs, due, None if state["fault"] is None else str(state["fault"]))
    except (TypeError, KeyError, ValueError):
        return _Kept()


def _key(location: str) -> str:
    return _LIST + hashlib.sha256(location.encode()).hexdigest()[:32]


def _content(path: Path) -> bytes:
    try:
        return read_capped(path, limit=LIST_LIMIT)
    except OSError as error:
        raise SignalFault(f"the file cannot be read: {error.strerror or error}") from error
