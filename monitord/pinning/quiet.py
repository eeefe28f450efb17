"""Silences and maintenance windows: of which incidents people are not told for a while.

1. Both withhold messages and nothing else: incidents open, escalate and end as ever.
2. A silence covers an incident whose endpoint matches one of its hosts (all if it names none), has all of its labels,
   and whose kind is among its kinds (any if it names none).
3. Incidents of monitord itself have no host. They are covered only where their kind is named: quiet about all hosts is
   not meant to hide that nobody watches them.
4. A silence begins and ends at an instant. A window is once, or each week by the clock on the wall of its time zone:
   it begins and ends when that clock shows so, also on the days on which the clock is changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

from monitord.pinning.incident import IncidentKind
from monitord.pinning.target import format_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from monitord.pinning.incident import IncidentKey

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which incidents are meant (rules 2 and 3).

    ``hosts`` are patterns of hosts or of HOST:PORT, lower-case, in which ``*`` is any text and ``?`` any character.
    """

    hosts: tuple[str, ...] = ()
    match: Mapping[str, str] = field(default_factory=dict)
    kinds: frozenset[IncidentKind] = frozenset()

    def covers(self, key: IncidentKey, labels: Mapping[str, str]) -> bool:
        """Whether an incident is meant, given the labels that its endpoint has."""
        if key.kind is IncidentKind.MONITOR_DEGRADED:
            return key.kind in self.kinds
        if self.kinds and key.kind not in self.kinds:
            return False
        return self.covers_endpoint(key.host, key.port, labels)

    def covers_endpoint(self, host: str, port: int, labels: Mapping[str, str]) -> bool:
        """Whether incidents of this endpoint are meant, of one kind or another."""
        names = (host, format_endpoint(host, port))
        if self.hosts and not any(_fits(pattern, name) for pattern in self.hosts for name in names):
            return False
        return all(labels.get(name) == value for name, value in self.match.items())


@dataclass(frozen=True, slots=True)
class Silence:
    """Somebody keeps incidents quiet until ``ends_at``, for a reason."""

    id: str
    scope: Scope
    starts_at: datetime
    ends_at: datetime
    reason: str
    by: str

    def active_until(self, now: datetime) -> datetime | None:
        """When it ends, if it is in force now."""
        return self.ends_at if self.starts_at <= now < self.ends_at else None


@dataclass(frozen=True, slots=True)
class Once:
    """From one instant to another."""

    start: datetime
    end: datetime

    def active_until(self, now: datetime) -> datetime | None:
        """When it ends, if it is in force now."""
        return self.end if self.start <= now < self.end else None


@dataclass(frozen=True, slots=True)
class Weekly:
    """On these days of the week (Monday is 0), from one time of the day to another in a time zone.

    ``start`` and ``end`` count from midnight; an end that is not later than the start is on the day after.
    """

    days: frozenset[int]
    start: timedelta
    end: timedelta
    zone: tzinfo = UTC

    def active_until(self, now: datetime) -> datetime | None:
        """When it ends, if it is in force now; where one runs into the next, the later end."""
        today = now.astimezone(self.zone).date()
        ends = []
        for day in (today - _DAY, today, today + _DAY):
            last = day if self.end > self.start else day + _DAY
            start, end = self._instant(day, self.start), self._instant(last, self.end)
            if day.weekday() in self.days and start <= now < end:
                ends.append(end)
        return max(ends, default=None)

    def _instant(self, day: date, since_midnight: timedelta) -> datetime:
        whole, rest = divmod(since_midnight, _DAY)
        shown = datetime.combine(day + whole * _DAY, time(), self.zone) + rest  # arithmetic by the clock on the wall
        return shown.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """A time for maintenance, as the configuration has it; ``id`` names it in logs."""

    id: str
    scope: Scope
    times: Once | Weekly
    reason: str

    def active_until(self, now: datetime) -> datetime | None:
        """When it ends, if it is in force now."""
        return self.times.active_until(now)


@dataclass(frozen=True, slots=True)
class Quiet:
    """What keeps an incident quiet now: the id of a silence or window, why, until when, and who; "" for a window."""

    id: str
    reason: str
    until: datetime
    by: str = ""


def quiet_for(
    key: IncidentKey,
    labels: Mapping[str, str],
    silences: Iterable[Silence],
    windows: Iterable[Window],
    now: datetime,
) -> Quiet | None:
    """What keeps an incident quiet now, if anything does; of several, what lasts longest."""
    everything: tuple[Silence | Window, ...] = (*silences, *windows)
    found = [
        Quiet(one.id, one.reason, until, one.by if isinstance(one, Silence) else "")
        for one in everything
        if (until := one.active_until(now)) is not None and one.scope.covers(key, labels)
    ]
    return max(found, key=lambda quiet: quiet.until, default=None)


def _fits(pattern: str, name: str) -> bool:
    wild = {"*": ".*", "?": "."}
    return re.fullmatch("".join(wild.get(character) or re.escape(character) for character in pattern), name) is not None
