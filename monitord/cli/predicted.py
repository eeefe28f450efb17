"""Predictions for people: what is coming, when, how sure that is, why, and what to do by when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from monitord.cli.paragraph import paragraph
from monitord.pinning.ahead import when
from monitord.pinning.incident import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from monitord.pinning.prediction import Prediction

SEVERITY_STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def prediction_lines(predictions: Iterable[Prediction], now: datetime, width: int | None = None) -> Iterator[Text]:
    """A block for each prediction, to stand below the pin set that it is about; ``width`` as in ``paragraph``."""
    for one in predictions:
        yield Text.assemble(
            "  ahead ",
            (one.cause.value, SEVERITY_STYLES[one.severity]),
            f" {when(one, now)}, {one.confidence:.0%} sure: {one.expected}",
        )
        yield from reasons(one, 8, width)


def reasons(prediction: Prediction, indent: int, width: int | None) -> Iterator[Text]:
    """What a prediction rests on, and what to do about it."""
    yield from paragraph(f"Because {prediction.evidence}.", indent, width)
    yield from paragraph(f"What to do: {prediction.advice}", indent, width)
