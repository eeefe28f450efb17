"""The picture of a pin set in time, as places in percent of its width: bars, and marks that run through all rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning import lifelines
from monitord.pinning.lifelines import RowKind
from monitord.web.words import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from monitord.pinning.lifelines import Row, Scene

_DAY = timedelta(days=1)
_MOST_TICKS = 7
_STEPS = (timedelta(days=1), timedelta(days=2), timedelta(days=7), timedelta(days=14))
_MONTHS = (1, 2, 3, 6, 12)
_ROOM = 6.0  # a date at the edge would be cut off
_LABELS = {
    RowKind.COMING: "to come",
    RowKind.PINNED: "pin",
    RowKind.IN_VAIN: "pin in vain",
    RowKind.SPARE: "spare pin",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """From ``x`` on, ``width`` wide, both in percent. ``begins`` and ``ends``: whether that lies inside the picture."""

    x: float
    width: float
    begins: bool
    ends: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment, or a stretch of time if ``width`` is not 0, that runs through all rows."""

    kind: str
    x: float
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """One row: what it is about, the text that says what the bar shows, and the bar, if it lies in the picture."""

    kind: str
    label: str
    name: str
    says: str
    bar: Bar | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """A date below the picture."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Explained:
    """What a mark means, in words."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it."""

    rows: Sequence[Drawn]
    marks: Sequence[Mark]
    ticks: Sequence[Tick]
    legend: Sequence[Explained]


def picture(scene: Scene) -> Picture:
    """The picture of a pin set."""
    frame = _Frame(*scene.span)
    return Picture(
        rows=[_drawn(scene, row, frame) for row in scene.rows],
        marks=list(_marks(scene, frame)),
        ticks=list(_ticks(frame)),
        legend=[Explained(mark.value, words(said)) for mark, _, said in scene.marks],
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """From times to percent."""

    start: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        share = (at - self.start) / (self.end - self.start)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def bar(self, begin: datetime, end: datetime | None) -> Bar | None:
        if begin > self.end or (end is not None and end < self.start):
            return None
        first, last = self.x(begin), 100.0 if end is None else self.x(end)
        return Bar(first, round(last - first, 2), begin >= self.start, end is not None and end <= self.end)


def _drawn(scene: Scene, row: Row, frame: _Frame) -> Drawn:
    if row.pin is not None:
        survival = scene.survivals.get(row.pin)
        if survival is None:
            says = "matches a certificate that is to come" if row.kind is RowKind.PINNED else _SPARE[row.kind]
            return Drawn(row.kind.value, _LABELS[row.kind], str(row.pin), says, frame.bar(scene.now, None))
        until = survival.until
        says = f"matches now, likely until {until:%Y-%m-%d}" if until else "matches now, and no end of it is in sight"
        return Drawn("alive", _LABELS[row.kind], str(row.pin), says, frame.bar(scene.now, until))
    if row.certificate is None:
        return Drawn("more", "", f"and {row.count} more", "")
    begin, end = row.certificate.not_before, row.certificate.not_after
    label = _LABELS.get(row.kind, row.role)
    name = row.certificate.display_subject.removeprefix("CN=")
    return Drawn(row.kind.value, label, name, f"valid {begin:%Y-%m-%d} to {end:%Y-%m-%d}", frame.bar(begin, end))


_SPARE = {
    RowKind.SPARE: "matches nothing that is served",
    RowKind.IN_VAIN: "is of this certificate, which the client does not count",
}


def _marks(scene: Scene, frame: _Frame) -> Iterator[Mark]:
    """What hides the others comes last."""
    for one in scene.sure:
        begin, end = frame.x(max(one.at, scene.now)), frame.x(one.until)
        yield Mark("window", begin, round(max(0.0, end - begin), 2))
    for kind in (lifelines.Mark.DEADLINE, lifelines.Mark.RELEASED, lifelines.Mark.NOW, lifelines.Mark.FAILURE):
        yield from (Mark(kind.value, frame.x(at)) for mark, at, _ in scene.marks if mark is kind and at <= frame.end)


def _ticks(frame: _Frame) -> Iterator[Tick]:
    """Round dates: days, weeks or months, not too many."""
    for at in _dates(frame):
        x = frame.x(at)
        if _ROOM <= x <= 100 - _ROOM:
            yield Tick(x, f"{at:%Y-%m-%d}")


def _dates(frame: _Frame) -> list[datetime]:
    whole = frame.end - frame.start
    midnight = frame.start.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
    for step in _STEPS:
        if whole / step <= _MOST_TICKS:
            return [midnight + number * step for number in range(_MOST_TICKS + 1)]
    for months in _MONTHS:
        dates = list(_months(frame, months))
        if len(dates) <= _MOST_TICKS:
            return dates
    return []


def _months(frame: _Frame, step: int) -> Iterator[datetime]:
    """The first days of every ``step``-th month inside the frame."""
    first = frame.start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    number = (first.year * 12 + first.month - 1) // step * step
    while True:
        number += step
        at = first.replace(year=number // 12, month=number % 12 + 1)
        if at > frame.end:
            return
        yield at
