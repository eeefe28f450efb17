"""ACME Renewal Information (RFC 9773): the CAs are asked when they want the served certificates to be renewed.

1. Which directory. A leaf is asked about at the public CA whose name its issuer has, and at each directory that is
   configured, until one knows it; that one alone is asked from then on, and first about others by the same issuer.
2. When. As soon as a leaf is served; then at Retry-After, between a minute and a day; six hours later where that is
   missing or an answer cannot be used; a day later where the CA does not know the leaf. Timeouts, servers that are
   not reached and errors of theirs are tried again after 1, 2, 4, 8 and 16 minutes before they count as lasting.
   Never about a leaf that has expired or is no longer served (RFC 9773 section 4.3).
3. Politely. Each wait is up to a twentieth longer, by a hash of the leaf, so that many do not come back together; few
   questions at a time, few in one poll, and a server that fails three times in a row is left alone for this poll.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from monitord.pinning.evidence import RenewalWindow
from monitord.signals.acmedirectories import PUBLIC_CAS, directories_of
from monitord.signals.arimemory import Appointment, DirectoryNote, Memory, Said
from monitord.signals.fetch import FetchFault, origin_of
from monitord.signals.renewalinfo import (
    LARGEST_ANSWER,
    LARGEST_DIRECTORY,
    LONGEST_WAIT,
    certificate_id,
    read_directory,
    read_window,
    retry_after,
)
from monitord.signals.source import Learned, Poll, SignalFault, SourceName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.signals.acmedirectories import PublicCa
    from monitord.signals.fetch import Fetcher
    from monitord.signals.source import Subject

_T = TypeVar("_T")

MOST_IN_A_POLL = 60
"""Leaves; the others are asked about in the next poll, ``PAUSE`` later."""
PAUSE = timedelta(seconds=10)

# How much later a leaf may be asked about for each leaf that there is, since every poll goes through them all.
_GATHERED = timedelta(milliseconds=3)
_BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 16))
_LASTING = timedelta(hours=6)
_SPREAD = 20
_PATIENCE = 3
_OK, _CLIENT_ERROR, _SERVER_ERROR = 200, 400, 500
_UNKNOWN = frozenset({404, 410})
_NOT_NOW = frozenset({408, 425, 429})
_NAMED = 3


class AriSource:
    """Asks ACME servers for the renewal windows of the leaves that the endpoints serve."""

    def __init__(
        self,
        directories: Sequence[str],
        fetch: Fetcher,
        *,
        public: Sequence[PublicCa] = PUBLIC_CAS,
        concurrency: int = 4,
        budget: float = 240.0,
    ) -> None:
        """``directories`` are the URLs of ACME directories to ask about every leaf.

        ``public`` are the CAs that are asked about what carries their name; empty: none. ``concurrency`` is how many
        questions may be under way at once; after ``budget`` seconds of a poll no more are begun in it.
        """
        self._directories = tuple(dict.fromkeys(directories))
        self._fetch = fetch
        self._public = tuple(public)
        self._concurrency = concurrency
        self._budget = budget

    @property
    def name(self) -> SourceName:
        """``ari``."""
        return SourceName.ARI

    async def poll(self, subjects: Sequence[Subject], state: Mapping[str, Any], now: datetime) -> Poll:
        """Ask what is due. Learned are the windows that were answered, and known ones where a host is new to them."""
        # With thousands of leaves the notes take a while to go through: not on the event loop.
        asking, due = await asyncio.to_thread(self._prepare, subjects, state, now)
        await asking.ask(due[:MOST_IN_A_POLL], self._budget)
        return await asyncio.to_thread(asking.conclude)

    def _prepare(
        self, subjects: Sequence[Subject], state: Mapping[str, Any], now: datetime
    ) -> tuple[_Asking, list[_Served]]:
        """What is known, and the leaves that there is something to ask about, the longest overdue first."""
        served = self._served(subjects, now)
        memory = Memory(state, now)
        memory.follow(
            {one.key: one.identity for one in served}, {url for one in served for url in one.directories}, now
        )
        asking = _Asking(self._fetch, memory, served, self._directories, now, self._concurrency)
        return asking, sorted(asking.due(), key=lambda one: (asking.due_at(one), one.key))

    def _served(self, subjects: Sequence[Subject], now: datetime) -> list[_Served]:
        """Each leaf that can be asked about: it has an authority key identifier, a directory, and has not expired."""
        hosts: dict[Certificate, dict[str, None]] = {}
        for subject in subjects:
            for chain in subject.chains:
                if chain and chain[0].not_after >= now:
                    hosts.setdefault(chain[0], {})[subject.target.host] = None
        served = []
        for leaf, names in hosts.items():
            identity = certificate_id(leaf)
            directories = tuple(dict.fromkeys((*directories_of(leaf.issuer, self._public), *self._directories)))
            if identity and directories:
                served.append(_Served(leaf, identity, directories, tuple(sorted(names))))
        return served


@dataclass(frozen=True, slots=True)
class _Served:
    """A leaf, its CertID, the directories that may know it, and the hosts that serve it."""

    leaf: Certificate
    identity: str
    directories: tuple[str, ...]
    hosts: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.leaf.sha256.hex()

    def spread(self, wait: timedelta) -> timedelta:
        return wait + wait / _SPREAD * (int.from_bytes(self.leaf.sha256[:4]) / 2**32)


class _Refusal(SignalFault):
    """No answer that can be used: with another status than 200, with a body that makes no sense, or none at all.

    ``temporary``: it may well be answered a little later. ``wait`` is what the server asked for.
    """

    def __init__(
        self, sentence: str, *, temporary: bool = False, status: int | None = None, wait: timedelta | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.temporary = temporary or (status is not None and (status >= _SERVER_ERROR or status in _NOT_NOW))
        self._wait = wait

    @property
    def is_no(self) -> bool:
        """Whether the server understood and said no."""
        return self.status is not None and _CLIENT_ERROR <= self.status < _SERVER_ERROR and not self.temporary

    def postpone(self, appointment: Appointment) -> timedelta:
        """Count it, and how long to wait because of it."""
        appointment.failures += 1
        short = self.temporary and appointment.failures <= len(_BACKOFF)
        wait = _BACKOFF[appointment.failures - 1] if short else _LASTING
        return max(wait, self._wait) if self._wait else wait


class _Asking:
    """One poll: its memory, the time that it has, and what goes wrong in it."""

    def __init__(
        self,
        fetch: Fetcher,
        memory: Memory,
        served: Sequence[_Served],
        configured: Sequence[str],
        now: datetime,
        concurrency: int,
    ) -> None:
        self._fetch = fetch
        self._memory = memory
        self._served = served
        self._configured = frozenset(configured)
        self._now = now
        self._turn = asyncio.Semaphore(concurrency)
        self._until = math.inf
        self._failing: Counter[str] = Counter()
        self._last_refusal: dict[str, _Refusal] = {}
        self._answered: set[str] = set()
        self._faults: dict[str, list[str]] = {}
        self._by_authority = {note.authority: note.known_by for note in memory.leaves.values() if note.known_by}

    def due(self) -> list[_Served]:
        """The leaves that there is something to ask about."""
        return [one for one in self._served if self.due_at(one) <= self._now]

    def due_at(self, one: _Served) -> datetime:
        """When there is something to ask about a leaf; now if there never was."""
        asking = self._memory.leaves[one.key].asking
        return min(asking[url].due if url in asking else self._now for url in self._candidates(one))

    async def ask(self, leaves: Sequence[_Served], budget: float) -> None:
        """Ask about these leaves, after reading the directories that were not read within a day."""
        self._until = asyncio.get_running_loop().time() + budget
        needed = {url for one in leaves for url in self._candidates(one)}
        notes = self._memory.directories
        async with asyncio.TaskGroup() as tasks:
            for url in sorted(needed):
                if url not in notes or notes[url].reading.due <= self._now:
                    tasks.create_task(self._read_directory(url))
        async with asyncio.TaskGroup() as tasks:
            for one in leaves:
                tasks.create_task(self._ask(one))

    def conclude(self) -> Poll:
        """What the poll came to."""
        next_at = min((self.due_at(one) for one in self._served), default=self._now + LONGEST_WAIT)
        if next_at <= self._now:
            next_at = self._now + PAUSE
        return Poll(
            next_at=max(next_at, self._now + _GATHERED * len(self._served)),
            learned=tuple(self._tell()),
            state=self._memory.changes(),
            faults=tuple(sentence + _asked_for(hosts) for sentence, hosts in self._faults.items()),
        )

    def _tell(self) -> Iterable[Learned]:
        """The windows that were answered now, for each host; those known before for hosts that are new to them."""
        for one in self._served:
            note = self._memory.leaves[one.key]
            hosts = [host for host in one.hosts if one.key in self._answered or host not in note.told]
            if note.said is None:
                continue
            note.told = one.hosts
            fact = RenewalWindow(
                certificate=one.leaf.sha256,
                start=note.said.window.start,
                end=note.said.window.end,
                learned_at=note.said.since,
                explanation=note.said.window.explanation,
                previous_start=note.said.previous_start,
            )
            yield from (Learned(host, fact) for host in hosts)

    def _candidates(self, one: _Served) -> Sequence[str]:
        """The directories to ask about a leaf: the one that knows it, else all, the likeliest first."""
        note = self._memory.leaves[one.key]
        if note.known_by in one.directories:
            return (note.known_by,)
        likely = self._by_authority.get(note.authority)
        return sorted(one.directories, key=lambda url: url != likely)

    async def _read_directory(self, url: str) -> None:
        note = self._memory.directories.setdefault(url, DirectoryNote(None, Appointment(self._now)))
        read = partial(read_directory, https=url.startswith("https:"))
        try:
            async with self._turn:
                note.renewal_info, _ = await self._get(url, url, LARGEST_DIRECTORY, read)
        except _Refusal as refusal:
            check = url in self._configured and not refusal.temporary
            advice = "; check its URL in signals.ari.directories" if check else ""
            self._note_fault(f"the ACME directory at {refusal}{advice}")
            note.reading.due = self._now + refusal.postpone(note.reading)
            return
        note.reading = Appointment(self._now + LONGEST_WAIT)
        if note.renewal_info is None and url in self._configured:
            advice = "it cannot say when to renew, so take it out of signals.ari.directories"
            self._note_fault(f"the ACME directory at {origin_of(url)} has no renewalInfo: {advice}")

    async def _ask(self, one: _Served) -> None:
        note = self._memory.leaves[one.key]
        note.asking = {url: appointment for url, appointment in note.asking.items() if url in one.directories}
        if note.known_by not in one.directories:
            note.known_by = None
        for url in self._candidates(one):
            async with self._turn:
                if asyncio.get_running_loop().time() > self._until:
                    return
                if await self._ask_at(url, one):
                    return

    async def _ask_at(self, url: str, one: _Served) -> bool:
        """Ask one directory about a leaf, if that is due; whether it knows it."""
        note, directory = self._memory.leaves[one.key], self._memory.directories[url]
        appointment = note.asking.setdefault(url, Appointment(self._now))
        if appointment.due > self._now:
            return False
        if directory.renewal_info is None:
            appointment.due = directory.reading.due
            if not directory.reading.failures and note.known_by == url:  # it knew the leaf, and has ended the service
                note.known_by = None
            return False
        question = f"{directory.renewal_info}/{one.identity}"
        try:
            window, asked_wait = await self._get(url, question, LARGEST_ANSWER, read_window)
        except _Refusal as refusal:
            appointment.due = self._now + one.spread(self._wait_after(refusal, url, one))
            return False
        note.said = note.said.then(window, self._now) if note.said else Said(window, self._now)
        note.known_by = self._by_authority[note.authority] = url
        note.asking = {url: Appointment(self._now + one.spread(asked_wait or _LASTING))}
        self._answered.add(one.key)
        return True

    def _wait_after(self, refusal: _Refusal, url: str, one: _Served) -> timedelta:
        """Note what it means that there is no window, and how long to wait because of it."""
        note = self._memory.leaves[one.key]
        # Asked for the issuer's name alone, a public CA may say in its own way that it knows nothing of the leaf.
        stranger = url not in self._configured and note.known_by != url and refusal.is_no
        if stranger or refusal.status in _UNKNOWN:
            note.known_by = None if note.known_by == url else note.known_by
            note.asking[url].failures = 0
            return LONGEST_WAIT
        for host in one.hosts:
            self._note_fault(str(refusal), host)
        return refusal.postpone(note.asking[url])

    async def _get(
        self, directory: str, url: str, limit: int, read: Callable[[bytes], _T]
    ) -> tuple[_T, timedelta | None]:
        """What an answer with status 200 says, and how long it asks to wait. Raises _Refusal."""
        if self._failing[directory] >= _PATIENCE:
            raise self._last_refusal[directory]
        try:
            answer = await self._fetch.get(url, limit=limit, headers={"accept": "application/json"})
        except FetchFault as fault:
            refusal = _Refusal(str(fault), temporary=fault.temporary)
            self._failing[directory] += 1
            self._last_refusal[directory] = refusal
            raise refusal from None
        wait = retry_after(answer.headers.get("retry-after"), self._now)
        if answer.status == _OK:
            self._failing[directory] = 0
            try:
                return read(answer.body), wait
            except SignalFault as fault:
                raise _Refusal(f"{origin_of(url)} {fault}") from None
        refusal = _Refusal(f"{origin_of(url)} answered with status {answer.status}", status=answer.status, wait=wait)
        self._failing[directory] = self._failing[directory] + 1 if refusal.temporary else 0
        self._last_refusal[directory] = refusal
        raise refusal

    def _note_fault(self, sentence: str, host: str | None = None) -> None:
        hosts = self._faults.setdefault(sentence, [])
        if host is not None and host not in hosts:
            hosts.append(host)


def _asked_for(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else ""
    return f", asked for {', '.join(hosts[:_NAMED])}{more}" if hosts else ""
