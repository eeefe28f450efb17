"""All endpoints at a glance: are the apps fine, and until when? Pure: from a snapshot to what the page shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.ahead import distance
from monitord.pinning.futures import LOOK_AHEAD
from monitord.web.fleet import State
from monitord.web.query import PAGE_SIZE
from monitord.web.words import words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.incident import Incident
    from monitord.pinning.prediction import Prediction
    from monitord.web.fleet import Entry, Snapshot
    from monitord.web.query import Query

WEEKS = 26
_WEEK = timedelta(days=7)
_ALL = {1: "the endpoint", 2: "both endpoints"}


@dataclass(frozen=True, slots=True)
class Week:
    """How many endpoints are likely to fail first in that week."""

    begins: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What the page shows. ``tone`` is the state that the answer sounds like, ``matched`` how many the query finds."""

    now: datetime
    query: Query
    tone: State
    answer: str
    until: str
    counts: Mapping[State, int]
    incidents: int
    weeks: Sequence[Week]
    rows: Sequence[Entry]
    open_at: Mapping[tuple[str, int], tuple[Incident, ...]]
    total: int
    matched: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.matched // PAGE_SIZE))

    @property
    def first_shown(self) -> int:
        """The number of the first row on this page, from 1; 0 where there is none."""
        return (self.query.page - 1) * PAGE_SIZE + 1 if self.rows else 0


def overview(snapshot: Snapshot, query: Query, now: datetime) -> Overview:
    """What there is to show of this snapshot to who asks this."""
    entries = snapshot.entries
    found = query.sorted(one for one in entries if query.matches(one, now))
    begin = (query.page - 1) * PAGE_SIZE
    counted = Counter(one.state for one in entries)
    counts = {state: counted[state] for state in State}
    return Overview(
        now=now,
        query=query,
        tone=_tone(counts),
        answer=_answer(counts, len(entries)),
        until=_until(entries, counts, now),
        counts=counts,
        incidents=sum(map(len, snapshot.incidents.values())),
        weeks=_weeks(entries, now),
        rows=found[begin : begin + PAGE_SIZE],
        open_at=snapshot.incidents,
        total=len(entries),
        matched=len(found),
    )


def plural(count: int, noun: str) -> str:
    """``1 endpoint``, ``2 endpoints``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def failure(entry: Entry, prediction: Prediction, now: datetime) -> str:
    """A predicted failure in one clause."""
    return (
        f"{entry.target.endpoint}, pin set {prediction.pinset}, {_from(prediction, now)} ({words(prediction.cause)}, "
        f"{prediction.confidence:.0%} sure)"
    )


def _from(prediction: Prediction, now: datetime) -> str:
    if prediction.at <= now:
        return "at any moment"
    return f"from {prediction.at:%-d %B %Y} on, {distance(prediction, now)}"


def _tone(counts: Mapping[State, int]) -> State:
    """The worst of what is known; endpoints that are not looked at yet do not spoil it, unless there are no others."""
    present = [state for state in State if counts[state]]
    return present[0] if present else State.WAITING


def _answer(counts: Mapping[State, int], total: int) -> str:
    """The first sentence: are the apps fine?"""
    failing, unknown, waiting = counts[State.FAILING], counts[State.UNKNOWN], counts[State.WAITING]
    if failing:
        return f"Apps cannot connect to {failing:,} of {plural(total, 'endpoint')}."
    if waiting == total:
        return f"{plural(total, 'endpoint')}, not looked at yet."
    if unknown == total - waiting:
        return f"Nothing can be said: {plural(unknown, 'endpoint')} could not be judged."
    good = total - unknown - waiting
    if good < total:
        return f"The apps connect to {good:,} of {plural(total, 'endpoint')}."
    return f"The apps connect to {_ALL.get(total, f'all {total:,} endpoints')}."


def _until(entries: Sequence[Entry], counts: Mapping[State, int], now: datetime) -> str:
    """The second: until when, and what is not known."""
    coming = [(one.first, one) for one in entries if one.first is not None and one.state is not State.FAILING]
    if coming:
        prediction, entry = min(coming, key=lambda pair: (pair[0].at, pair[1].endpoint))
        which = "Next" if counts[State.FAILING] else "First"
        said = f"{which} to fail, as far as can be foreseen: {failure(entry, prediction, now)}."
    elif any(counts[state] for state in (State.SOON, State.ATTENTION, State.OK)):
        others = any(counts[state] for state in (State.FAILING, State.UNKNOWN, State.WAITING))
        about = "For the others no failure" if others else "No failure"
        said = f"{about} is predicted until {now + LOOK_AHEAD:%-d %B %Y}."
    else:
        said = ""
    if counts[State.UNKNOWN] and counts[State.UNKNOWN] < len(entries):
        said += f" {plural(counts[State.UNKNOWN], 'endpoint')} could not be judged."
    if counts[State.WAITING] and counts[State.WAITING] < len(entries):
        said += f" Not looked at yet: {plural(counts[State.WAITING], 'endpoint')}."
    return said.strip()


def _weeks(entries: Sequence[Entry], now: datetime) -> list[Week]:
    """The coming half year; what may happen at any moment is in the first week."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today - timedelta(days=today.weekday())
    counted = Counter(
        max(0, (one.first.at - monday) // _WEEK)
        for one in entries
        if one.first is not None and one.state is not State.FAILING
    )
    return [Week(monday + number * _WEEK, counted[number]) for number in range(WEEKS)]
