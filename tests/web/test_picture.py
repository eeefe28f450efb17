from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.judge import judge
from monitord.pinning.lifelines import Scene, Survival
from monitord.web.picture import Bar, Mark, picture
from tests.web.fleets import DAY, NOW, SPARE, Watched, issued, pinset, prediction, trust

if TYPE_CHECKING:
    from monitord.pinning.prediction import Prediction


def scene(*predictions: Prediction, ends: int | None = 6, release: int = 14) -> Scene:
    """An endpoint whose leaf of 90 days is pinned, 20 days old; the pin lives so many days."""
    one = Watched("api.example.com", 100)
    one.pinned(pinset("app", one.leaf.certificate.pin, SPARE))
    (verdict,) = judge(one.target, one.seen().observations[:1], trust(), NOW)
    until = None if ends is None else NOW + ends * DAY
    coming = issued("api.example.com", 900, one.intermediate, -1, 90, "api.example.com").certificate
    return Scene(verdict, predictions, {one.leaf.certificate.pin: Survival(until)}, (coming,), NOW, release * DAY)


def test_rows_say_what_they_draw() -> None:
    """Each certificate and pin in words, for who does not see the bars."""
    drawn = picture(scene(prediction()))
    assert [(row.label, row.says) for row in drawn.rows] == [
        ("leaf", "valid 2026-02-09 to 2026-05-10"),
        ("pin", "matches now, likely until 2026-03-07"),
        ("intermediate", "valid 2023-06-05 to 2028-11-25"),
        ("root", "valid 2017-12-13 to 2037-02-11"),
        ("to come", "valid 2026-02-28 to 2026-05-29"),
        ("spare pin", "matches nothing that is served"),
    ]
    assert drawn.rows[0].name == "api.example.com"


def test_bars_lie_where_their_times_are() -> None:
    """In percent of the picture; one that begins before it or ends after it is cut, and known to be."""
    drawn = picture(scene(prediction()))
    begin, end = scene(prediction()).span
    whole = end - begin

    def at(days: float) -> float:
        return round(100 * ((NOW + timedelta(days=days) - begin) / whole), 2)

    bars = [row.bar for row in drawn.rows]
    assert bars[0] == Bar(0.0, at(70), begins=True, ends=True)
    assert bars[1] == Bar(at(0), round(at(6) - at(0), 2), begins=True, ends=True)
    assert bars[2] == Bar(0.0, 100.0, begins=False, ends=False)
    assert bars[5] == Bar(at(0), round(100 - at(0), 2), begins=True, ends=False)
    assert drawn.marks == [
        Mark("window", at(6), round(at(10) - at(6), 2)),
        Mark("released", at(14)),
        Mark("now", at(0)),
        Mark("failure", at(6)),
    ]


def test_a_deadline_that_can_be_kept_is_drawn_instead() -> None:
    """The last day on which a release helps; a window that is open begins now."""
    kept = picture(scene(prediction(40)))
    assert [mark.kind for mark in kept.marks] == ["window", "deadline", "now", "failure"]
    assert kept.legend[1].text == "last day to begin an app release: 2026-03-27"
    opened = replace(prediction(1), at=NOW - DAY, until=NOW + DAY)
    marks = {mark.kind: mark for mark in picture(scene(opened)).marks}
    assert marks["window"].x == marks["now"].x == marks["failure"].x
    assert [mark.kind for mark in picture(scene(ends=None)).marks] == ["now"]


@pytest.mark.parametrize("release", [0, 2, 14, 100, 400, 3650])
def test_dates_below_are_few_and_inside(release: int) -> None:
    """However long the picture is."""
    ticks = picture(scene(prediction(), release=release)).ticks
    assert 2 <= len(ticks) <= 8
    places = [tick.x for tick in ticks]
    assert places == sorted(places)
    assert all(0 < x < 100 for x in places)
    assert min(second - first for first, second in pairwise(places)) > 8
