"""When each endpoint is due, pure: the clock is a parameter.

Two clocks are kept apart. The wall clock is read once, to give each endpoint the same place in the hour, day or week
at every start; from then on all due times are monotonic, so that a clock that is set, leaps or hops changes nothing.

An endpoint where a failure may come at any moment is hurried: it has further slots, a minute apart, between its
regular ones. Only so many are hurried at a time, first come first served, so that they cannot crowd out the others.

When more is due than can be begun, what has been due for longest comes first, so that all get late alike and none is
left out. Endpoints that come *first* (an incident is open there, or a failure may come at any moment) do not wait for
the others, but for every few of them one of the others has its turn, so that they are only slowed down.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from monitord.pinning.target import Target

Key = tuple[str, int]
"""Host and port: what a registered endpoint is found by."""

_NS = 1_000_000_000
_RAMP_NS = 30 * _NS
_RAMP_PER_ENDPOINT_NS = _NS // 50
_RAMP_AT_LEAST_NS = _NS // 100  # for each endpoint of very many: first rounds cost several times a later one
_FIRST_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Due:
    """An endpoint whose round begins now. ``at`` is when it was due, in monotonic seconds: lag is now minus ``at``."""

    key: Key
    target: Target
    at: float


@dataclass(frozen=True, slots=True)
class Hurry:
    """How often endpoints are probed that are hurried, in seconds, and how many may be at a time."""

    seconds: float = 60.0
    limit: int = 100


@dataclass(slots=True)
class _Entry:
    target: Target
    interval: int
    phase: int  # a monotonic time at which it is due; so are all times whole intervals away from it
    due: int
    hurried: int | None = None  # a shorter interval, while it is hurried
    first: bool = False  # whether it goes before others

    def slot_after(self, now: int) -> int:
        # Both kinds of slots are counted from the phase, so where one interval is a multiple of the other they meet.
        intervals = (self.interval, self.hurried or self.interval)
        return min(now + interval - (now - self.phase) % interval for interval in intervals)


class Timetable:
    """Which endpoints are due, each once in its interval and each at its own stable place inside it.

    The place is a hash of host and port, so the load is even and the same after a restart. All times given are
    seconds of one monotonic clock.
    """

    def __init__(self, wall: datetime, monotonic: float, hurry: Hurry | None = None) -> None:
        """An empty timetable; ``wall`` and ``monotonic`` are the same instant on both clocks."""
        hurry = hurry or Hurry()
        self._wall_minus_monotonic = round(wall.timestamp() * _NS) - round(monotonic * _NS)
        self._hurried_interval = max(1, round(hurry.seconds * _NS))
        self._hurried_limit = hurry.limit
        self._hurried: set[Key] = set()
        self._in_line: dict[Key, None] = {}  # those that wait for a place among the hurried ones
        self._entries: dict[Key, _Entry] = {}
        # By ``first``. What is in them is a slot that is no longer valid where its entry says otherwise.
        self._heaps: dict[bool, list[tuple[int, Key]]] = {True: [], False: []}
        self._in_a_row = 0
        self._intervals: dict[int, int] = {}  # each once in memory
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self.skipped = 0
        """How many rounds were left out because the one before was still running or had begun too late."""

    def update(self, targets: Iterable[Target], monotonic: float) -> None:
        """Watch exactly these targets.

        Unchanged ones keep their due times. New and changed ones are due at once, spread over a ramp so that a start
        does not probe everything in one instant: at most 30 s, and of more than 3,000 endpoints 100 a second, but
        never longer than the interval. Their regular slots follow.
        """
        now = round(monotonic * _NS)
        before = self._entries
        wanted = {target.key: target for target in targets}
        fresh = [key for key, target in wanted.items() if key not in before or before[key].target != target]
        ramp = max(min(_RAMP_NS, _RAMP_PER_ENDPOINT_NS * len(fresh)), _RAMP_AT_LEAST_NS * len(fresh))
        self._entries = {key: before[key] for key in wanted if key in before}
        for key in fresh:
            self._entries[key] = self._first(key, wanted[key], now, ramp)
            self._entries[key].first = key in before and before[key].first
        # How a changed endpoint is to be paced its next round will say. Those in line leave first: a place that gets
        # free must not go to one that is no longer there.
        changed = set(fresh)
        for key in [key for key in (*self._in_line, *self._hurried) if key in changed or key not in wanted]:
            self._relax(key, now)
        self._intervals = {entry.interval: entry.interval for entry in self._entries.values()}
        # A round that runs now still works with what the target was before.
        self._again |= self._running.intersection(fresh)
        self._again &= self._entries.keys()
        # Slots that are no longer valid leave the heap here, so it cannot grow over many reloads.
        for first in self._heaps:
            self._heaps[first] = [(entry.due, key) for key, entry in self._entries.items() if entry.first is first]
            heapify(self._heaps[first])

    def due(self, monotonic: float, most: int | None = None) -> list[Due]:
        """The endpoints whose rounds begin now, ``most`` at the most; each is running until ``finished``.

        Earliest due first, those that come first before the others. What is overdue comes once, however many slots
        have passed; of those that did, all but one are counted as skipped. An endpoint that is still running is left
        out until its next slot.
        """
        now = round(monotonic * _NS)
        found: list[Due] = []
        while (most is None or len(found) < most) and (next_one := self._pop(now)) is not None:
            at, key, entry = next_one
            following = entry.slot_after(now)
            self.skipped += max(0, (following - at - 1) // entry.interval)
            self._reschedule(key, entry, following)
            if key in self._running:
                self.skipped += 1
            else:
                self._running.add(key)
                found.append(Due(key, entry.target, at / _NS))
        return found

    @property
    def shortest_interval(self) -> float:
        """The interval of the endpoint that is probed most often, in seconds; infinite where there is none."""
        return min(self._intervals, default=inf * _NS) / _NS

    def overdue(self, monotonic: float) -> float:
        """For how many seconds the endpoint that has been due for longest has waited; 0 where none is due."""
        now = round(monotonic * _NS)
        tops = [top for first in self._heaps if (top := self._top(first)) is not None]
        return max(0, now - min(tops, default=now)) / _NS

    def put_first(self, key: Key, *, first: bool) -> None:
        """Have an endpoint go before the others when not all that is due can begin, or no more."""
        entry = self._entries.get(key)
        if entry is not None and entry.first is not first:
            entry.first = first
            heappush(self._heaps[first], (entry.due, key))

    def request(self, key: Key, monotonic: float) -> bool:
        """Make an endpoint due now, or as soon as its running round has ended; False if it is not registered."""
        entry = self._entries.get(key)
        if entry is None:
            return False
        if key in self._running:
            self._again.add(key)
        else:
            self._reschedule(key, entry, min(entry.due, round(monotonic * _NS)))
        return True

    def pace(self, key: Key, monotonic: float, *, hurried: bool) -> bool:
        """Hurry an endpoint, or no more; whether it is hurried now.

        It is not where it has short intervals anyway, or is not registered. Beyond the limit it waits in line for a
        place. Its regular slots stay what they are.
        """
        now = round(monotonic * _NS)
        entry = self._entries.get(key)
        if entry is None or not hurried or entry.interval <= self._hurried_interval:
            self._relax(key, now)
        elif key not in self._hurried:
            self._in_line.setdefault(key)
            self._hurry_next(now)
        return key in self._hurried

    def finished(self, key: Key, monotonic: float) -> None:
        """Note that the running round of an endpoint has ended."""
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.request(key, monotonic)

    def _first(self, key: Key, target: Target, now: int, ramp: int) -> _Entry:
        place = _place(key)
        interval = max(1, round(target.interval.total_seconds() * _NS))
        interval = self._intervals.setdefault(interval, interval)
        phase = int(place * interval) - self._wall_minus_monotonic
        return _Entry(target, interval, phase, now + int(place * min(ramp, interval)))

    def _top(self, first: bool) -> int | None:  # noqa: FBT001 - the key of a heap
        """When the next one in a heap is due, after slots that are no longer valid have left it."""
        heap = self._heaps[first]
        while heap:
            at, key = heap[0]
            entry = self._entries.get(key)
            if entry is not None and entry.due == at and entry.first is first:
                return at
            heappop(heap)
        return None

    def _pop(self, now: int) -> tuple[int, Key, _Entry] | None:
        """Take out whose turn it is, if any is due."""
        waiting = [first for first in self._heaps if (at := self._top(first)) is not None and at <= now]
        if not waiting:
            return None
        first = waiting[-1] if self._in_a_row >= _FIRST_IN_A_ROW else waiting[0]
        self._in_a_row = self._in_a_row + 1 if first else 0
        at, key = heappop(self._heaps[first])
        return at, key, self._entries[key]

    def _hurry_next(self, now: int) -> None:
        """Give the places that are free to those who have waited longest."""
        while self._in_line and len(self._hurried) < self._hurried_limit:
            key = next(iter(self._in_line))
            del self._in_line[key]
            self._hurried.add(key)
            entry = self._entries[key]
            entry.hurried = self._hurried_interval
            self._reschedule(key, entry, min(entry.due, entry.slot_after(now)))

    def _relax(self, key: Key, now: int) -> None:
        """Leave an endpoint its regular slots only, once the one that it was given already has come."""
        self._in_line.pop(key, None)
        if key in self._hurried:
            self._hurried.discard(key)
            if key in self._entries:
                self._entries[key].hurried = None
            self._hurry_next(now)

    def _reschedule(self, key: Key, entry: _Entry, due: int) -> None:
        if due != entry.due:
            entry.due = due
            heappush(self._heaps[entry.first], (due, key))


def _place(key: Key) -> float:
    """Where in its interval an endpoint has its place, 0 to 1; the same in every process."""
    digest = hashlib.sha256(f"{key[0]}:{key[1]}".encode()).digest()
    return int.from_bytes(digest[:6]) / (1 << 48)
