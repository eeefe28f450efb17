"""How good predictions are: does about p of what is told with confidence p come true, how far ahead, how often falsely.

Over the stories of ``tests/data/scenarios`` and over random histories of hosts (``tests/replay/histories.py``), all of
them played by the code that the daemon runs. docs/forecast.md has the tables that this prints, and what they mean.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import Pool
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from monitord.pinning.prediction import ALERT_CONFIDENCE
from monitord.replay.played import play_through
from monitord.replay.reading import read_story
from tests.replay.calibration import at_first_telling, at_lead_times, binned
from tests.replay.histories import random_story

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitord.replay.played import Played
    from tests.replay.calibration import Told

STORIES = Path(__file__).parents[1] / "tests" / "data" / "scenarios"
HISTORIES = 400
_FIRST = 1000
"""The first seed: the model was made with histories below it in sight, so it is to be held against others."""
_DAY = timedelta(days=1)
_YEAR = timedelta(days=365.25)


@dataclass(frozen=True, slots=True)
class Row:
    """One pin set of a story.

    ``lead`` is that of the alarm that was open when the set failed, so one that was averted before does not count.
    ``asked`` is the lead that was knowable, as worked out by hand in the story.
    """

    story: str
    pinset: str
    cause: str
    fails: bool
    lead: timedelta | None
    asked: timedelta | None
    false_alarms: int
    allowed: int | None
    lasted: timedelta


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a story came to, small enough to be passed between processes."""

    first: tuple[Told, ...]
    later: tuple[Told, ...]
    rows: tuple[Row, ...]


def measure(histories: int = HISTORIES) -> None:
    """Play everything and print the tables."""
    began = time.monotonic()
    with Pool(os.cpu_count()) as pool:
        stories = pool.map(_of_file, sorted(STORIES.glob("*.yaml")), chunksize=1)
        random = pool.map(_of_seed, range(_FIRST, _FIRST + histories), chunksize=4)
    print(f"{len(stories)} stories and {histories} random histories, {time.monotonic() - began:.0f} s\n")
    _calibration("Alarms, by their confidence when people were told first", stories, random, first=True)
    _calibration("Predictions 60, 30, 14, 7 and 1 days before what they foretell", stories, random, first=False)
    _causes([*stories, *random])
    _leads([row for one in stories for row in one.rows])
    _benign([row for one in stories for row in one.rows])
    _totals([row for one in random for row in one.rows])


def _of_file(file: Path) -> Outcome:
    story = read_story(file).story
    if story is None:
        raise SystemExit(f"{file} is no story that can be played")
    return _outcome(play_through(story), file.stem)


def _of_seed(seed: int) -> Outcome:
    return _outcome(play_through(random_story(seed)), f"history {seed}")


def _outcome(played: Played, name: str) -> Outcome:
    rows = []
    for one in played.reckoned:
        failed = one.fails_at
        alarm = next((each for each in one.alarms if failed and each.ended in (None, failed)), None)
        wanted = played.story.expect.get(one.pinset) or played.story.expect.get(None)
        rows.append(
            Row(
                name,
                one.pinset,
                alarm.cause if alarm else "-",
                failed is not None,
                failed - alarm.began if failed and alarm else None,
                played.asked(one),
                one.false_alarms,
                wanted.max_false_alarms if wanted else None,
                (failed or played.story.end) - played.story.start,
            )
        )
    return Outcome(tuple(at_first_telling(played)), tuple(at_lead_times(played)), tuple(rows))


def _calibration(title: str, stories: Sequence[Outcome], random: Sequence[Outcome], *, first: bool) -> None:
    print(f"{title}\n")
    rows = []
    for name, outcomes in (("stories", stories), ("histories", random), ("all", [*stories, *random])):
        told = [one for outcome in outcomes for one in (outcome.first if first else outcome.later)]
        rows += [
            (name, f"{each.least:.2f} to {each.most:.2f}", str(len(each.told)), f"{each.confidence:.2f}",
             f"{each.came_true:.2f}")
            for each in binned(told)
        ]  # fmt: skip
    _table(("over", "confidence", "predictions", "mean", "came true"), rows)


def _causes(outcomes: Sequence[Outcome]) -> None:
    print("Alarms by cause\n")
    causes: dict[str, list[Told]] = defaultdict(list)
    for told in (one for outcome in outcomes for one in outcome.first):
        causes[told.cause].append(told)
    rows = [
        (
            cause,
            str(len(told)),
            f"{_mean(one.confidence for one in told):.2f}",
            f"{_mean(one.came_true for one in told):.2f}",
        )
        for cause, told in sorted(causes.items())
    ]
    _table(("alarms by cause", "alarms", "mean", "came true"), rows)


def _leads(rows: Sequence[Row]) -> None:
    failing = [row for row in rows if row.fails]
    print(f"Lead time against what was knowable: {len(failing)} pin sets of stories that fail\n")
    _table(
        ("story", "pin set", "cause", "lead", "knowable"),
        [(row.story, row.pinset, row.cause, _span(row.lead), _span(row.asked)) for row in failing],
    )
    late = [row for row in failing if row.asked is not None and (row.lead is None or row.lead < row.asked)]
    print(f"later than knowable: {len(late)}\n")


def _benign(rows: Sequence[Row]) -> None:
    benign = [row for row in rows if not row.fails]
    print(f"False alarms: {len(benign)} pin sets of stories that never fail\n")
    _table(
        ("story", "pin set", "false alarms", "right at their time"),
        [(row.story, row.pinset, str(row.false_alarms), str(row.allowed or 0)) for row in benign if row.false_alarms],
    )
    print(
        f"more than were right at their time: {sum(row.false_alarms > (row.allowed or 0) for row in rows)} pin sets\n"
    )


def _totals(rows: Sequence[Row]) -> None:
    failing = [row for row in rows if row.fails]
    leads = sorted(row.lead for row in failing if row.lead is not None)
    years = sum((row.lasted for row in rows), timedelta()) / _YEAR
    print("Random histories as a whole\n")
    _table(
        ("", ""),
        [
            ("hosts", str(len(rows))),
            ("years watched, up to the failure", f"{years:.0f}"),
            ("hosts that fail", str(len(failing))),
            (f"foretold (confidence {ALERT_CONFIDENCE} and more, not withdrawn)", str(len(leads))),
            ("median lead of those", _span(median(lead / _DAY for lead in leads) * _DAY if leads else None)),
            ("foretold two weeks ahead and more", str(sum(lead >= 14 * _DAY for lead in leads))),
            ("false alarms", str(sum(row.false_alarms for row in rows))),
            ("false alarms a host and year", f"{sum(row.false_alarms for row in rows) / years:.2f}"),
        ],
    )


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def _span(span: timedelta | None) -> str:
    if span is None:
        return "-"
    hours = span / timedelta(hours=1)
    return f"{hours:.0f} h" if hours < 72 else f"{span / _DAY:.1f} d"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown, so that the documentation can have it as it is."""
    print(f"| {' | '.join(headings)} |")
    print(f"|{'---|' * len(headings)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print()
