"""Source: logs read directly."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from monitord.config.signals import CtLogKind
from monitord.signals.asking import MOST_FAULTS, join
from monitord.signals.ct.listed import LogLists
from monitord.signals.ct.log import Limits
from monitord.signals.ct.place import Place, place_from
from monitord.signals.ct.reading import Reading
from monitord.signals.ct.rfc6962 import Rfc6962Reader
from monitord.signals.ct.tiles import TiledReader
from monitord.signals.ct.watched import Watching
from monitord.signals.source import Poll, SourceName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitord.config.signals import CtLog
    from monitord.signals.ct.listed import Listed
    from monitord.signals.ct.log import Reader
    from monitord.signals.ct.watched import Watched
    from monitord.signals.fetch import Fetcher
    from monitord.signals.source import Learned, Subject

_LOG = "log:"
_AT_ONCE = 4
_NEVER = datetime.min.replace(tzinfo=UTC)


class LogSource:
    """Reads logs of Certificate Transparency from where it stopped, and tells what covers a registered name.

    A log that is read for the first time is read from its **current end**, not from its beginning (``lookback`` in the
    limits goes some entries back): reading the past of all logs takes weeks and terabytes. What was logged before, and
    what was logged before a name was registered, an issuance-search API knows.

    Signatures of tree heads are checked where the key is known, and each log is held to be one growing tree whose root
    is the hash of the entries that it showed (``reading.py``). Not checked are the promises in SCTs, and that others
    are shown the same tree.

    ``lists`` are log lists (v3), each a URL or the path of a file. A log that is named twice is read once, as ``logs``
    says. A few logs are read at a time, those that wait longest first; what is wrong with a log is told until it has
    been read without a fault.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        logs: Sequence[CtLog] = (),
        lists: Sequence[str] = (),
        interval: timedelta = timedelta(minutes=5),
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        """``interval`` is the time between two questions to a log that has been read to its end."""
        self._fetcher = fetcher
        self._logs = tuple(logs)
        self._lists = LogLists(fetcher, lists)
        self._interval = interval
        self._limits = limits
        self._issuers: dict[bytes, bytes] = {}
        self._watching = Watching()

    @property
    def name(self) -> SourceName:
        """That of logs read directly."""
        return SourceName.CT_LOG

    async def poll(self, subjects: Sequence[Subject], state: Mapping[str, Any], now: datetime) -> Poll:
        """Read on in every log that is due, as far as the time of a poll goes."""
        watched = await self._watching(subjects)
        if not watched:
            return Poll(now + self._interval)
        listed = await self._lists.read(state, now)
        logs = {log.identity: log for log in (*reversed(listed.logs), *reversed(self._logs))}
        faults = list(listed.faults)
        places = {identity: self._place(log, state, faults) for identity, log in logs.items()}
        learned = await self._read(logs, places, watched, now)
        faults += [fault for identity in sorted(places) for fault in places[identity].faults]
        states = {_LOG + identity: place.to_state() for identity, place in places.items()}
        return Poll(
            min((place.due for place in places.values()), default=now + self._interval),
            tuple(learned),
            listed.state
            | {key: kept for key, kept in states.items() if kept != state.get(key)}
            | _forgotten(state, logs, listed),
            join(faults, MOST_FAULTS),
        )

    async def _read(
        self, logs: Mapping[str, CtLog], places: dict[str, Place], watched: Watched, now: datetime
    ) -> list[Learned]:
        """Read on in the logs that are due; where each stands then is put in ``places``."""
        clock = asyncio.get_running_loop()
        deadline = clock.time() + self._limits.seconds
        reading = Reading(watched, now, self._interval, self._limits, lambda: clock.time() > deadline)
        turn = asyncio.Semaphore(_AT_ONCE)
        learned: dict[str, list[Learned]] = {}

        async def read_one(identity: str) -> None:
            async with turn:
                if not reading.expired():
                    log = logs[identity]
                    places[identity], learned[identity] = await reading.read(
                        log, self._reader(log, now), places[identity]
                    )

        due = sorted((identity for identity, place in places.items() if place.is_due(now)), key=lambda i: places[i].due)
        await asyncio.gather(*map(read_one, due))
        return [one for identity in sorted(learned) for one in learned[identity]]

    def _reader(self, log: CtLog, now: datetime) -> Reader:
        if log.kind is CtLogKind.TILED:
            return TiledReader(log, self._fetcher, now, self._issuers)
        return Rfc6962Reader(log, self._fetcher, now)

    def _place(self, log: CtLog, state: Mapping[str, Any], faults: list[str]) -> Place:
        kept = state.get(_LOG + log.identity)
        if kept is None:
            return Place(_NEVER)
        try:
            return place_from(kept)
        except ValueError:
            faults.append(f"{log.label}: where its reading stood cannot be understood; it begins anew at its end")
            return Place(_NEVER)


def _forgotten(state: Mapping[str, Any], logs: Mapping[str, CtLog], listed: Listed) -> dict[str, None]:
    """The places in logs that are no longer read; none while it is not certain which those are."""
    if not listed.complete:
        return {}
    return dict.fromkeys(key for key in state if key.startswith(_LOG) and key.removeprefix(_LOG) not in logs)
