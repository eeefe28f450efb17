"""Source: certificates that certspotter found and handed over by ``monitord ct-hook``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitord.pinning.certificate import CertificateUnreadable, certificates_in
from monitord.signals.asking import join
from monitord.signals.ct import spool as spooling
from monitord.signals.ct.found import EntryUnfit, learned_of, read_chain
from monitord.signals.ct.watched import Watching
from monitord.signals.source import Poll, SourceName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from monitord.pinning.certificate import Certificate
    from monitord.signals.source import Learned, Subject

_HANDLED = "handled"
_MOST_FILES = 500
_UNFINISHED_FOR = timedelta(days=1)


class HookSource:
    """Reads what certspotter's hook has put into a directory, and tells what covers a registered name.

    A file is removed only at the poll after the one that read it: ``state`` holds the names of the files that were
    read, and since it is kept together with the facts, a name in it says that they were kept. Files that are not what
    the hook writes are moved to ``faulty`` beside them. A directory that is not there is empty.
    """

    def __init__(self, spool: Path, *, interval: timedelta = timedelta(minutes=1)) -> None:
        """``spool`` is the directory; ``interval`` the time between two looks into it."""
        self._spool = spool
        self._interval = interval
        self._watching = Watching()

    @property
    def name(self) -> SourceName:
        """That of the hook."""
        return SourceName.CT_HOOK

    async def poll(self, subjects: Sequence[Subject], state: Mapping[str, Any], now: datetime) -> Poll:
        """Remove the files that were read at the last poll and read those that came since, a few hundred at most."""
        handled = state.get(_HANDLED)
        before = [name for name in handled if isinstance(name, str)] if isinstance(handled, list) else []
        taken = await asyncio.to_thread(self._take, before, now)
        learned: list[Learned] = []
        if taken.chains:
            watched = await self._watching(subjects)
            learned = [one for chain, where in taken.chains for one in learned_of(chain, watched, now, where)]
        changed = {} if taken.handled == before else {_HANDLED: taken.handled or None}
        faults = join(taken.faults)
        return Poll(now + self._interval, tuple(learned), changed, faults, asked=True, after_saving=True)

    def _take(self, before: Sequence[str], now: datetime) -> _Taken:
        taken = _Taken()
        try:
            spooling.clear_unfinished(self._spool, now, _UNFINISHED_FOR)
            for name in before:
                spooling.remove(self._spool, name)
            names = spooling.waiting(self._spool, _MOST_FILES)
        except spooling.SpoolError as error:
            # What cannot be removed would only be read again and again.
            taken.faults.append(str(error))
            taken.handled = list(before)
            return taken
        for name in names:
            try:
                self._take_one(name, taken)
            except (spooling.SpoolError, EntryUnfit, CertificateUnreadable) as error:
                taken.faults.append(f"{self._spool / name} is moved aside: {error}")
                try:
                    spooling.set_aside(self._spool, name)
                except spooling.SpoolError as refused:
                    taken.faults.append(str(refused))
        return taken

    def _take_one(self, name: str, taken: _Taken) -> None:
        event = spooling.take(self._spool, name)
        if event.problem:
            taken.faults.append(f"certspotter reports: {event.problem}")
        else:
            leaf, *issuers = list(certificates_in(event.chain)) or [b""]
            where = f"Certificate Transparency, by certspotter in {event.log or 'a log'}"
            taken.chains.append((read_chain(leaf, issuers), where + (f", entry {event.entry}" if event.entry else "")))
        taken.handled.append(name)


@dataclass(slots=True)
class _Taken:
    """What lay in the spool: chains with the place where each was logged, and the names of the files."""

    chains: list[tuple[tuple[Certificate, ...], str]] = field(default_factory=list)
    handled: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
