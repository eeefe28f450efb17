"""``REGENERATE_GOLDEN=1 pytest tests/docs`` rewrites the forecast that the page shows, and its golden file."""

from __future__ import annotations

import os
import re
from pathlib import Path

from monitord.cli.outlook import entry
from monitord.cli.timeline import ASCII, UNICODE
from monitord.pinning.prediction import Cause
from monitord.pinning.report import prediction_entry
from tests.cli.outlooks import NOW
from tests.cli.test_forecast import renewing
from tests.docs.documents import ROOT, prose, rows, spans

PAGE = ROOT / "docs" / "forecast.md"
VERDICTS = ROOT / "docs" / "verdicts.md"
GOLDEN = Path(__file__).parent / "golden" / "forecast.txt"
_EXAMPLE = re.compile(r"(?<=<!-- forecast\.txt -->\n```text\n).*?(?=```\n<!-- /forecast\.txt -->)", re.DOTALL)


def test_the_forecast_shown_is_what_the_program_prints() -> None:
    """On a terminal of 80 columns, table, remarks and pictures."""
    story = renewing()
    lines = [*story.printed(width=80).splitlines(), *story.drawn(80)]
    written = "".join(f"{line.rstrip()}\n" for line in lines)
    if os.environ.get("REGENERATE_GOLDEN"):
        GOLDEN.write_text(written, "utf-8")
        PAGE.write_text(_EXAMPLE.sub(lambda _: written, PAGE.read_text("utf-8")), "utf-8")
    assert GOLDEN.read_text("utf-8") == written
    assert _EXAMPLE.findall(PAGE.read_text("utf-8")) == [written]
    assert f"now, {NOW:%Y-%m-%d}" in written


def test_every_cause_is_explained() -> None:
    """The table has the closed list, each once."""
    explained = [spans(row[0]) for row in rows(PAGE.read_text("utf-8"), "cause")]
    assert sorted(explained) == sorted([cause.value] for cause in Cause)


def test_every_key_of_a_prediction_is_explained() -> None:
    """As ``check --json`` and ``forecast --json`` print it."""
    explained = [key for row in rows(VERDICTS.read_text("utf-8"), "key of a prediction") for key in spans(row[0])]
    (prediction,) = renewing().outlooks[0].ruling.predictions
    assert set(explained) == set(prediction_entry(prediction))
    assert len(explained) == len(set(explained))


def test_what_a_forecast_rests_on_is_explained() -> None:
    """Every key of ``basis`` is on the page."""
    story = renewing()
    said = set(spans(prose(PAGE)))
    assert set(entry(story.outlooks[0], story.past, NOW)["basis"]) <= said


def test_the_signs_of_the_picture_are_explained() -> None:
    """Both spellings of every column that runs through all rows."""
    explained = [(*spans(row[0]), *spans(row[1])) for row in rows(PAGE.read_text("utf-8"), "sign")]
    columns = ("now", "failure", "deadline", "released")
    assert explained == [(getattr(UNICODE, name), getattr(ASCII, name)) for name in columns]
