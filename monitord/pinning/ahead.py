"""Predictions in words: which are told, and how far away they are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.prediction import ALERT_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from monitord.pinning.prediction import Prediction

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_COUNTED_IN_HOURS = 2 * _DAY


def likely(predictions: Iterable[Prediction]) -> list[Prediction]:
    """Those that are sure enough to be told without being asked for."""
    return [one for one in predictions if one.confidence >= ALERT_CONFIDENCE]


def when(prediction: Prediction, now: datetime) -> str:
    """The first day on which it may come, and the last one where that is another."""
    first, last = f"{prediction.at:%Y-%m-%d}", f"{prediction.until:%Y-%m-%d}"
    days = f"{first} ({distance(prediction, now)})"
    return f"on {days}" if first == last else f"from {days} to {last}"


def distance(prediction: Prediction, now: datetime) -> str:
    """How far away it is: ``in 20 days``, ``in 17 hours``, ``any moment`` from its earliest time on."""
    ahead = prediction.at - now
    if ahead <= timedelta():
        return "any moment"
    if ahead < _COUNTED_IN_HOURS:
        hours = ahead // _HOUR
        return "within an hour" if hours == 0 else f"in {hours} hour{'' if hours == 1 else 's'}"
    return f"in {(prediction.at.date() - now.date()).days} days"


def hurry(prediction: Prediction, now: datetime) -> str:
    """The last day on which a release can begin and be in time, or that there is none left."""
    return "at once" if prediction.act_by <= now else f"{prediction.act_by:%Y-%m-%d}"
