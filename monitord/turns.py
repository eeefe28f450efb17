"""Whose turn it is: which pending messages may be sent now, alone or together. Pure; the store and memory share it.

1. Of an incident a receiver gets one message at a time, in order: only the first in line has a turn.
2. Its turn comes when its next attempt is due and nobody is sending it.
3. A message of a group (one cause, kind, state and severity) that was never tried waits for ``wait``, so that others
   of its group may join it.
4. Where at least ``MANY`` have come together they are a batch: one delivery that stays together at every attempt.
   Fewer are sent one by one, since programs like events of their own.
5. Once a receiver has been told of nearly as many of a group within twice ``interval``, one at a time or together,
   people know the cause: further ones wait until ``interval`` after the last, and then go together, few or many.
6. What was due before ``since``, the start, has waited enough.
7. What is for a digest waits for its time, also over a start, and then goes as one with all that waits for it, several
   messages of an incident included. If the incident has more to tell that is not, its part goes at once. Where there is
   nothing to gather by (the store does not work) nothing is held.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import timedelta

MANY = 5
DIGEST = "digest"
"""The group of what may wait for a digest."""
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_LARGEST_BATCH = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pending message, as far as its turn is concerned.

    ``due_at`` is the time of its next attempt. ``lease_until``: until then somebody is sending it. ``pressed``: a later
    message of its incident that is for no digest waits for it.
    """

    id: str
    receiver: str
    incident: str
    number: int
    created_at: datetime
    due_at: datetime
    attempts: int = 0
    lease_until: datetime | None = None
    group: str | None = None
    batch: str | None = None
    pressed: bool = False

    @property
    def claimable_at(self) -> datetime:
        """From when on it may be sent, as far as it is concerned alone (rule 2)."""
        return self.due_at if self.lease_until is None else max(self.due_at, self.lease_until)

    @property
    def age_key(self) -> tuple[datetime, int, str]:
        """Sorts the oldest first."""
        return self.created_at, self.number, self.id


@dataclass(frozen=True, slots=True)
class Digest:
    """The times of a receiver's digest: each ``every``, such that one is ``at`` after midnight UTC of a Monday."""

    every: timedelta
    at: timedelta

    def next_after(self, moment: datetime) -> datetime:
        """The first time after this moment."""
        begin = _MONDAY + self.at
        return begin + ((moment - begin) // self.every + 1) * self.every


@dataclass(frozen=True, slots=True)
class Gathering:
    """How long messages of one group wait for each other (rules 3 to 6), except for receivers that want none of it.

    No ``wait`` is no gathering. ``digests`` are the times of those receivers that have a digest (rule 7).
    """

    wait: timedelta
    interval: timedelta
    since: datetime
    alone: frozenset[str] = frozenset()
    digests: Mapping[str, Digest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """How many messages of a group a receiver was sent within twice the interval, and when the last of them."""

    count: int
    last: datetime


class Turn(NamedTuple):
    """Messages to one receiver that go together, or one that goes alone, and from when on."""

    at: datetime
    messages: tuple[Waiting, ...]
    batch: bool

    @property
    def receiver(self) -> str:
        """Who gets them."""
        return self.messages[0].receiver


Group = tuple[str, str]
"""Receiver and group."""


def first_in_line(waiting: Iterable[Waiting]) -> list[Waiting]:
    """Rule 1: for each incident and receiver the one that comes first."""
    first: dict[tuple[str, str], Waiting] = {}
    for message in waiting:
        line = message.receiver, message.incident
        if line not in first or message.number < first[line].number:
            first[line] = message
    return list(first.values())


def fresh_groups(heads: Iterable[Waiting], gathering: Gathering | None) -> dict[Group, list[Waiting]]:
    """Those that were never tried, by what they may be told together with."""
    found: dict[Group, list[Waiting]] = {}
    for message in heads:
        if gathering is None or not gathering.wait or message.receiver in gathering.alone:
            continue
        if message.group in (None, DIGEST):
            continue
        if not message.batch and not message.attempts:
            found.setdefault((message.receiver, message.group), []).append(message)
    return found


def turns(
    waiting: Collection[Waiting], gathering: Gathering | None, told: Mapping[Group, Told], now: datetime | None = None
) -> list[Turn]:
    """The turns of messages, the oldest first: of those that are first in line and, for a digest, of those behind them.

    ``told`` has the groups of which receivers were told within twice the interval. What claims to have been queued
    after ``now`` waits for the next digest.
    """
    found = list(_digested(waiting, gathering.digests, now)) if gathering else []
    batched = [message for message in waiting if message.batch]
    heads = [one for one in first_in_line(waiting) if not one.batch and not _held(one, gathering)]
    groups = fresh_groups(heads, gathering)
    gathered = {message.id for messages in groups.values() for message in messages}
    batches: dict[tuple[str, str], list[Waiting]] = {}
    for message in batched:
        batches.setdefault((message.receiver, str(message.batch)), []).append(message)
    found.extend(Turn(message.claimable_at, (message,), batch=False) for message in heads if message.id not in gathered)
    found.extend(
        Turn(max(one.claimable_at for one in messages), _oldest_first(messages), batch=True)
        for messages in batches.values()
    )
    if gathering:
        for group, messages in groups.items():
            found.extend(_gathered(_oldest_first(messages), gathering, told.get(group)))
    return sorted(found, key=lambda turn: turn.messages[0].age_key)


def choose(found: Iterable[Turn], limits: Mapping[str, int], others: int, now: datetime) -> list[Turn]:
    """The turns that have come, at most so many for each receiver: ``others`` for one that ``limits`` does not name."""
    left = dict(limits)
    chosen: list[Turn] = []
    for turn in found:
        room = left.get(turn.receiver, others)
        if turn.at <= now and room > 0:
            left[turn.receiver] = room - 1
            chosen.append(turn)
    return chosen


def _oldest_first(messages: Iterable[Waiting]) -> tuple[Waiting, ...]:
    return tuple(sorted(messages, key=lambda message: message.age_key))


def _held(message: Waiting, gathering: Gathering | None) -> bool:
    """Whether a message waits for a digest."""
    fresh = message.group == DIGEST and not message.attempts and not message.batch and not message.pressed
    return fresh and gathering is not None and message.receiver in gathering.digests


def _digested(waiting: Iterable[Waiting], digests: Mapping[str, Digest], now: datetime | None) -> Iterator[Turn]:
    """Rule 7: the next digest of each receiver; a later one waits until that is claimed."""
    held: dict[str, list[tuple[datetime, Waiting]]] = {}
    begun: set[tuple[str, str]] = set()
    for message in _oldest_first(waiting):
        line = message.receiver, message.incident
        fresh = message.group == DIGEST and not message.attempts and not message.batch and not message.pressed
        if not fresh or message.receiver not in digests or line in begun:
            begun.add(line)  # what is behind it waits for it
            continue
        queued = message.created_at if now is None else min(message.created_at, now)
        held.setdefault(message.receiver, []).append((digests[message.receiver].next_after(queued), message))
    for found in held.values():
        at = min(moment for moment, _ in found)
        part = tuple(message for moment, message in found if moment == at)[:_LARGEST_BATCH]
        yield Turn(at, part, batch=len(part) > 1)


def _gathered(messages: tuple[Waiting, ...], gathering: Gathering, told: Told | None) -> Iterator[Turn]:
    """Rules 3 to 6, for messages of one group to one receiver, the oldest first."""
    before = told.count if told else 0
    waited = any(message.due_at <= gathering.since for message in messages)
    first = min(message.claimable_at for message in messages)
    at = first if waited else first + gathering.wait
    if told and before >= MANY - 1 and not waited:
        at = max(at, told.last + gathering.interval)
    if before + len(messages) >= MANY:
        for begin in range(0, len(messages), _LARGEST_BATCH):
            part = messages[begin : begin + _LARGEST_BATCH]
            yield Turn(at, part, batch=len(part) > 1)
        return
    for message in messages:
        own = message.claimable_at
        yield Turn(own if own <= gathering.since else own + gathering.wait, (message,), batch=False)
