"""A picture of a pin set in time: how long the certificates are valid, how long each pin lives, and what is to come.

One row for each certificate, below it the pins that match it, and one column for a stretch of time. Columns that run
through all rows: now, the predicted failures, and the day by which a release has to begin or, where that is past, the
day on which one that begins now has reached the users.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from monitord.pinning.lifelines import Mark, RowKind
from monitord.pinning.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.lifelines import Row, Scene
    from monitord.pinning.pins import Pin

_ROLE = 13
_LEAST_LABEL, _MOST_LABEL = _ROLE + 6, 34
_LEAST_COLUMNS = 22  # two dates and a gap
# What hides the others comes last.
_STYLES = {Mark.DEADLINE: "bold yellow", Mark.RELEASED: "yellow", Mark.NOW: "bold", Mark.FAILURE: "bold red"}
_LABELS = {RowKind.PINNED: " pinned by", RowKind.IN_VAIN: " pin in vain", RowKind.SPARE: "spare pin"}


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What the picture is made of."""

    valid: str
    alive: str
    spare: str
    earlier: str
    later: str
    now: str
    deadline: str
    released: str
    failure: str
    cut: str


UNICODE = Glyphs("━", "█", "·", "◀", "▶", "│", "!", "┊", "✗", "…")
ASCII = Glyphs("=", "#", ".", "<", ">", "|", "!", ":", "X", "~")


def draw(scene: Scene, width: int, glyphs: Glyphs = UNICODE) -> Iterator[Text]:
    """The picture, so many columns wide, label included."""
    label = min(_MOST_LABEL, max(_LEAST_LABEL, width - 2 * _LEAST_COLUMNS))
    chart = _Chart(scene, label, max(_LEAST_COLUMNS, width - label - 1), glyphs)
    yield Text.assemble(
        (printable(scene.verdict.target.endpoint), "bold"), printable(f"  pin set {scene.verdict.pinset.name}")
    )
    for row in scene.rows:
        yield chart.row(row)
    yield chart.axis()
    yield from chart.legend()


def _name(certificate: Certificate) -> str:
    return certificate.display_subject.removeprefix("CN=")


class _Chart:
    """From times to columns."""

    def __init__(self, scene: Scene, label: int, columns: int, glyphs: Glyphs) -> None:
        self._scene = scene
        self._label = label
        self._columns = columns
        self._glyphs = glyphs
        self._start, self._end = scene.span

    def row(self, row: Row) -> Text:
        """A certificate, a pin, or how many more there are."""
        if row.pin is not None:
            return self._pin(_LABELS[row.kind], row.pin)
        if row.certificate is None:
            return Text(f"  and {row.count} more")
        comes = row.kind is RowKind.COMING
        valid = self._bar(self._glyphs.valid, row.certificate.not_before, row.certificate.not_after)
        label, style = ("to come", "cyan") if comes else (row.role, "green")
        return self._drawn(label, _name(row.certificate), valid, style)

    def axis(self) -> Text:
        """The first and the last day."""
        first, last = f"{self._start:%Y-%m-%d}", f"{self._end:%Y-%m-%d}"
        return Text(" " * (self._label + 1) + first + last.rjust(self._columns - len(first)), "dim")

    def legend(self) -> Iterator[Text]:
        """What the columns mean."""
        for mark, _, said in self._scene.marks:
            yield Text.assemble("  ", self._sign(mark), f" {said}")

    def _pin(self, label: str, pin: Pin) -> Text:
        """The life of a pin: from now to its likely end; dots for one that nothing presents."""
        survival = self._scene.survivals.get(pin)
        if survival is None:
            return self._drawn(label, str(pin), self._bar(self._glyphs.spare, self._scene.now, None), "dim")
        return self._drawn(label, str(pin), self._bar(self._glyphs.alive, self._scene.now, survival.until), "green")

    def _bar(self, glyph: str, begin: datetime, end: datetime | None) -> list[str]:
        cells = [" "] * self._columns
        first, last = self._column(begin), self._columns - 1 if end is None else self._column(end)
        if (end is None or end >= self._start) and begin <= self._end:
            cells[first : last + 1] = [glyph] * (last + 1 - first)
            cells[0] = self._glyphs.earlier if begin < self._start else cells[0]
            cells[-1] = self._glyphs.later if end is None or end > self._end else cells[-1]
        return cells

    def _column(self, at: datetime) -> int:
        share = (at - self._start) / (self._end - self._start)
        return min(self._columns - 1, max(0, round(share * (self._columns - 1))))

    def _marks(self) -> dict[int, tuple[str, str]]:
        """The columns that run through all rows; a failure hides the others."""
        found = {
            mark: [at for kind, at, _ in self._scene.marks if kind is mark and at <= self._end] for mark in _STYLES
        }
        return {self._column(at): self._sign(mark) for mark, moments in found.items() for at in moments}

    def _sign(self, mark: Mark) -> tuple[str, str]:
        glyphs = self._glyphs
        signs = {
            Mark.NOW: glyphs.now,
            Mark.FAILURE: glyphs.failure,
            Mark.DEADLINE: glyphs.deadline,
            Mark.RELEASED: glyphs.released,
        }
        return signs[mark], _STYLES[mark]

    def _drawn(self, role: str, name: str, cells: list[str], style: str) -> Text:
        marks = self._marks()
        shown = [marks.get(column, (cell, style)) for column, cell in enumerate(cells)]
        drawn = Text(self._labelled(role, name))
        for run_style, run in groupby(shown, itemgetter(1)):
            drawn.append("".join(cell for cell, _ in run), run_style)
        drawn.rstrip()
        return drawn

    def _labelled(self, role: str, name: str) -> str:
        label = f"  {role:<{_ROLE}}{printable(name)}"
        if cell_len(label) > self._label:
            label = set_cell_size(label, self._label - 1) + self._glyphs.cut
        return set_cell_size(label, self._label) + " "
