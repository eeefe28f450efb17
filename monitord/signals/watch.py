"""Asks the sources of signals, each in a task of its own, and keeps what they tell.

1. A source is asked when its own ``next_at`` has come, and also soon after an endpoint was added or serves another
   chain: what is not due then it does not ask about. One that fails as a whole is left alone for longer each time.
2. What a source does, fails to do or leaves hanging touches no other source and no probe: each poll has a deadline,
   and an exception that escapes is a fault like any other.
3. The memory leads and the store follows, as for rounds: facts count at once, and what the store refuses is written
   as soon as it takes it. Nothing is asked more often because of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from monitord.signals.codec import decode
from monitord.signals.ledger import Changes, Ledger, Noted
from monitord.signals.saving import Unsaved
from monitord.signals.source import SignalFault
from monitord.signals.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from monitord.errors import MonitordError
    from monitord.pinning.evidence import Signals
    from monitord.pinning.target import Target
    from monitord.signals.saving import Store
    from monitord.signals.source import Learned, Source, SourceName, Subject
    from monitord.signals.standing import Log

DEADLINE_SECONDS = 900.0
"""For one poll as a whole; a source that has more to ask goes on in the next one."""
SETTLE_SECONDS = 60.0
"""How long after a poll the next one may begin because endpoints changed."""
RETENTION = timedelta(days=400)
"""How long facts are kept: somewhat more than the longest validity of a certificate (398 days)."""

_SOONEST, _LATEST = timedelta(seconds=5), timedelta(days=1)
_FIRST_PAUSE, _LONGEST_PAUSE, _DOUBLINGS = timedelta(minutes=5), timedelta(hours=6), 10
_OWN = "watch"  # under this name it is kept since when each source has been failing


class Listener(Protocol):
    """Who is told: the metrics, the scheduler, and whoever looks after the store."""

    def polled(self, source: str, at: datetime, *, success: bool | None) -> None:
        """A source was asked. ``success`` None: nothing was due, and it had been failing."""

    def kept(self, facts: Mapping[str, int]) -> None:
        """How many facts there are, by source."""

    def news(self, host: str) -> None:
        """There is something new about a host; "" is every host."""

    def saved(self, error: MonitordError | None) -> None:
        """Something was written, or something was refused."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A source that has been failing since then, and the sentences of its last poll."""

    source: SourceName
    since: datetime
    faults: tuple[str, ...]


@dataclass(slots=True)
class _Post:
    """A source and when it is asked; ``broken`` counts the polls in a row that failed as a whole."""

    source: Source
    standing: Standing
    due: datetime | None = None
    due_monotonic: float = 0.0
    ended: float = 0.0
    subjects: Sequence[Subject] = ()
    broken: int = 0
    after_saving: bool = False
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a poll came to, checked; ``pause`` None where it failed as a whole."""

    pause: timedelta | None
    learned: Sequence[Learned] = ()
    state: Mapping[str, str | None] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    asked: bool = False
    after_saving: bool = False


class SignalWatch:
    """The sources, what they told, and what they keep for themselves."""

    def __init__(  # noqa: PLR0913 - its neighbours, a clock and two bounds
        self,
        store: Store,
        subjects: Callable[[], Sequence[Subject]],
        *,
        now: Callable[[], datetime],
        log: Log,
        listener: Listener,
        deadline: float = DEADLINE_SECONDS,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        """A watch without sources that knows nothing yet; ``deadline`` and ``settle`` are in seconds.

        ``subjects`` gives the endpoints and the chains that they serve now: the very same object until they change.
        """
        self._store = store
        self._subjects = subjects
        self._now = now
        self._log = log
        self._listener = listener
        self._deadline = deadline
        self._settle = settle
        self._ledger = Ledger()
        self._states: dict[str, dict[str, str]] = {}
        self._failing_before: dict[str, str] = {}
        self._posts: dict[SourceName, _Post] = {}
        self._unsaved = Unsaved(store, listener.saved)

    async def load(self) -> None:
        """Go on from what the store has. Raises MonitordError if it cannot be read."""
        rows, states = await self._store.load_signals()
        notes: list[Noted] = []
        unread: list[str] = []
        for host, identity, source, _, body in rows:
            try:
                notes.append(Noted(host, identity, source, decode(body)))
            except SignalFault as error:
                unread.append(f"{identity} about {host or 'every endpoint'}: {error}")
        if unread:
            self._log.warning("facts in the store are passed over", count=len(unread), first=unread[0])
        self._ledger.restore(notes)
        self._states = {source: dict(state) for source, state in states.items()}
        self._failing_before = self._states.pop(_OWN, {})
        self._listener.kept(self._ledger.count())

    def use(self, sources: Iterable[Source]) -> None:
        """Ask exactly these sources from now on; one that was there goes on as it is, also in the middle of a poll."""
        before, earlier = self._posts, self._failing_before
        self._posts, self._failing_before = {}, {}
        for source in sources:
            post = before.get(source.name)
            if post is None or post.source is not source:
                # Only over a restart is it the same source as before: here it is configured anew, so it begins anew.
                post = _Post(source, Standing(source.name.value, _moment(earlier.pop(source.name.value, None))))
            self._posts[source.name] = post
        for post in [post for name, post in before.items() if self._posts.get(name) is not post]:
            earlier[post.standing.source] = ""
            if post.task is not None:
                post.task.cancel()
        if earlier:
            self._unsaved.add(_OWN, Changes(), dict.fromkeys(earlier))

    def signals_for(self, target: Target) -> Signals:
        """All that is known about an endpoint; the very same object until that changes."""
        return self._ledger.signals_for(target)

    @property
    def failing(self) -> tuple[Failing, ...]:
        """The sources that have been failing for a day or longer."""
        now = self._now()
        return tuple(
            Failing(name, post.standing.since, post.standing.faults)
            for name, post in self._posts.items()
            if post.standing.since is not None and post.standing.lasting(now)
        )

    def tick(self) -> None:
        """Begin to ask the sources that are due; to be called each second or so."""
        now, monotonic = self._now(), asyncio.get_running_loop().time()
        subjects = self._subjects()
        for post in self._posts.values():
            if post.task is not None and not post.task.done():
                continue
            if post.after_saving and self._unsaved.holds(post.source.name.value):
                continue
            # By whichever clock: the one may be set back, and the other stands still while the machine sleeps.
            due = post.due is None or now >= post.due or monotonic >= post.due_monotonic
            if due or (subjects is not post.subjects and monotonic >= post.ended + self._settle):
                post.subjects = subjects
                post.task = asyncio.create_task(self._ask(post), name=f"signals: {post.source.name}")

    async def flush(self) -> None:
        """Try to write what waits, also what the store refused before."""
        await self._unsaved.flush()

    async def prune(self, hosts: Collection[str]) -> None:
        """Forget what is about other hosts than these and what is too old. Raises MonitordError as the store does."""
        before = self._now() - RETENTION
        self._ledger.prune(hosts, before)
        self._listener.kept(self._ledger.count())
        await self._store.prune_signals(hosts, before)

    async def close(self) -> None:
        """Stop asking, and write what waits if the store takes it."""
        tasks = [post.task for post in self._posts.values() if post.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.flush()

    async def _ask(self, post: _Post) -> None:
        """Ask one source, and draw every conclusion from its answer."""
        name = post.source.name.value
        answer = await self._answer(post)
        if answer.pause is None:
            post.broken += 1
            pause = min(_FIRST_PAUSE * 2 ** min(post.broken - 1, _DOUBLINGS), _LONGEST_PAUSE)
        else:
            post.broken, pause = 0, answer.pause
        now = self._now()
        post.due = now + pause
        post.ended = asyncio.get_running_loop().time()
        post.due_monotonic = post.ended + pause.total_seconds()
        post.after_saving = answer.after_saving
        changes = self._take_in(name, answer)
        self._judge(post, answer, now, idle=not (answer.learned or answer.state or answer.asked))
        if changes.noted or changes.gone:
            self._listener.kept(self._ledger.count())
        for host in changes.hosts:
            self._listener.news(host)
        await self.flush()

    async def _answer(self, post: _Post) -> _Answer:
        """The answer to one poll; whatever goes wrong is a fault in it."""
        name, limit = post.source.name.value, asyncio.timeout(self._deadline)
        state = _read_state(self._states.get(name, {}))
        try:
            async with limit:
                poll = await post.source.poll(post.subjects, state, self._now())
            pause = max(_SOONEST, min(poll.next_at - self._now(), _LATEST))
            texts = {key: None if value is None else json.dumps(value) for key, value in poll.state.items()}
        except SignalFault as error:
            return _Answer(None, faults=(str(error),))
        except Exception as error:  # noqa: BLE001 - no source ends the watch
            if limit.expired():
                return _Answer(None, faults=(f"it had not answered after {self._deadline:g} s and was cut off",))
            self._log.error("a source of signals broke", source=name, exc_info=error)
            return _Answer(None, faults=(f"it broke ({type(error).__name__}), which is a bug of monitord",))
        return _Answer(pause, poll.learned, texts, poll.faults, poll.asked, poll.after_saving)

    def _take_in(self, name: str, answer: _Answer) -> Changes:
        """Keep what was learned, in memory and for the store."""
        state = self._states.setdefault(name, {})
        for key, text in answer.state.items():
            if text is None:
                state.pop(key, None)
            else:
                state[key] = text
        changes = self._ledger.take_in(name, answer.learned)
        self._unsaved.add(name, changes, answer.state)
        return changes

    def _judge(self, post: _Post, answer: _Answer, now: datetime, *, idle: bool) -> None:
        """Say how the source stands, and keep since when it has been failing over a restart."""
        standing, name = post.standing, post.source.name.value
        before = standing.since
        success = standing.after(answer.faults, now, self._log, idle=idle)
        if standing.since != before:
            noted = json.dumps(standing.since.isoformat()) if standing.since else None
            self._unsaved.add(_OWN, Changes(), {name: noted})
        self._listener.polled(name, now, success=success)


def _read_state(texts: Mapping[str, str]) -> dict[str, Any]:
    """What a source had given to keep, a copy each time; without what another version wrote that is no JSON."""
    state: dict[str, Any] = {}
    for key, text in texts.items():
        with contextlib.suppress(ValueError, RecursionError):
            state[key] = json.loads(text)
    return state


def _moment(text: str | None) -> datetime | None:
    """The instant that was noted, if it was and can be read."""
    try:
        found = datetime.fromisoformat(json.loads(text)) if text is not None else None
        return None if found is None else found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
