"""Predictions as a table by time: a row for each, and below those that come first why, and what to do.

Columns of a known width come first, so that endpoint and pin set can stand at the end of the row or, on a narrow
terminal, below it.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from monitord.cli.paragraph import paragraph
from monitord.cli.predicted import SEVERITY_STYLES, reasons
from monitord.pinning.ahead import distance, hurry
from monitord.pinning.printable import printable
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from monitord.cli.outlook import Outlook
    from monitord.pinning.prediction import Prediction

    Row = tuple[Prediction, Outlook]

_HEADINGS = ("when", "", "sure", "act by", "cause", "endpoint, pin set")
_GAP = 2
_INDENT = 4
_MOST_EXPLAINED = 10
_THEN = {
    Verdict.PIN_MISMATCH: "no pin matches any more, and {apps} cannot connect",
    Verdict.UNTRUSTED: "the chain is not trusted any more, and {apps} cannot connect",
    Verdict.PINS_EXPIRED: "the pin set is not enforced any more, and {apps} connect without pinning",
}


def table(rows: Sequence[Row], now: datetime, width: int | None) -> Iterator[Text]:
    """The table; ``width`` is that of the terminal, None where lines may be as long as they like.

    Rows that follow each other and have the same reason are explained once, and only the first ten reasons are.
    """
    rows = sorted(rows, key=lambda row: (row[0].at, row[1].name))
    cells = [_cells(prediction, outlook, now) for prediction, outlook in rows]
    columns = list(zip(_HEADINGS, *cells, strict=True))
    # The last column is as long as it likes.
    widths = [max(map(cell_len, column)) + _GAP for column in columns[:-1]]
    longest = max(map(cell_len, columns[-1]))
    broken = width is not None and sum(widths) + longest > width
    yield from _row(_HEADINGS, widths, "bold", broken=broken)
    unexplained = 0
    for number, (explanation, group) in enumerate(groupby(rows, lambda row: _explained(row[0], row[1], now, width))):
        members = list(group)
        for prediction, outlook in members:
            style = SEVERITY_STYLES[prediction.severity]
            yield from _row(_cells(prediction, outlook, now), widths, style, broken=broken)
        if number < _MOST_EXPLAINED:
            yield from explanation
        else:
            unexplained += len(members)
    if unexplained:
        yield from paragraph(
            f"Why and what to do about the last {unexplained} of these: monitord forecast HOST, or --json", 0, width
        )


def _cells(prediction: Prediction, outlook: Outlook, now: datetime) -> tuple[str, ...]:
    return (
        f"{prediction.at:%Y-%m-%d}",
        distance(prediction, now),
        f"{prediction.confidence:4.0%}",
        hurry(prediction, now),
        prediction.cause.value,
        printable(outlook.name),
    )


def _row(values: Sequence[str], widths: Sequence[int], style: str, *, broken: bool) -> Iterator[Text]:
    *known, name = values
    padded = "".join(set_cell_size(value, width) for value, width in zip(known, widths, strict=True))
    if broken:
        yield Text(padded.rstrip(), style)
        yield Text(" " * (_INDENT // 2) + name, style)
    else:
        yield Text(padded + name, style)


def _explained(prediction: Prediction, outlook: Outlook, now: datetime, width: int | None) -> list[Text]:
    then = _THEN[prediction.expected].format(apps=_apps(outlook))
    expected = paragraph(f"Expected {_window(prediction, now)}: {then}.", _INDENT, width)
    return [*expected, *reasons(prediction, _INDENT, width)]


def _window(prediction: Prediction, now: datetime) -> str:
    first, last = f"{prediction.at:%Y-%m-%d %H:%MZ}", f"{prediction.until:%Y-%m-%d %H:%MZ}"
    if prediction.at <= now:
        return f"between now and {last}"
    return f"at {first}" if first == last else f"between {first} and {last}"


def _apps(outlook: Outlook) -> str:
    verdict = outlook.ruling.verdict
    pinset = verdict.pinset
    if not pinset.all_pins:
        return f"clients that trust {verdict.trust}"
    users = f", {pinset.share:.0%} of the users" if pinset.share is not None else ""
    return f"the apps ({pinset.client}{users})"
