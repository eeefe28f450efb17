"""From verdicts and predictions to one of four ratings, each with its reason: what needs somebody, and how soon."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from monitord.pinning.clients.rules import expiry_of
from monitord.pinning.foreseen import lacks_backup
from monitord.pinning.incident import Severity
from monitord.pinning.prediction import ALERT_CONFIDENCE
from monitord.pinning.verdict import PinSetVerdict, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta

    from monitord.pinning.prediction import Prediction


class Rating(IntEnum):
    """The states of the monitoring-plugins API, which its exit codes stand for."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


# A failure that is certain outweighs what could not be judged, and that a mere warning.
_WORST_FIRST = (Rating.CRITICAL, Rating.UNKNOWN, Rating.WARNING, Rating.OK)
OF_VERDICT: Mapping[Verdict, Rating] = MappingProxyType(
    {
        Verdict.PIN_MISMATCH: Rating.CRITICAL,
        Verdict.UNTRUSTED: Rating.CRITICAL,
        Verdict.PINS_EXPIRED: Rating.WARNING,
        Verdict.UNDETERMINED: Rating.UNKNOWN,
        Verdict.NOT_PINNED: Rating.OK,
        Verdict.OK: Rating.OK,
    }
)
NO_BACKUP = "no backup pin"
"""The weakness of a set that breaks with the only key that it has, or with the one in use."""
_NO_PINS = "no pins are registered"


def worst(ratings: Iterable[Rating]) -> Rating:
    """The rating for all together; UNKNOWN for none at all."""
    return min(ratings, key=_WORST_FIRST.index, default=Rating.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict with the rating that it asks for, and why in a few words.

    ``weaknesses`` are what is wrong with the pin set beside the verdict, in a few words each. ``predictions`` are those
    about it, the unlikely ones included.
    """

    verdict: PinSetVerdict
    rating: Rating
    why: str
    weaknesses: tuple[str, ...] = ()
    predictions: tuple[Prediction, ...] = ()


def rule(verdict: PinSetVerdict, *, registered: bool, now: datetime, horizon: timedelta) -> Ruling:
    """The ruling on one pin set: by its verdict, else by what is weak about it.

    A registered pin set without pins is a warning, and so is one that stops to be enforced within ``horizon``.
    """
    rating, why = OF_VERDICT[verdict.verdict], verdict.verdict.value
    expiry = None if verdict.verdict is Verdict.PINS_EXPIRED else expiry_of(verdict.pinset)
    weakness = ""
    if registered and not verdict.pinset.all_pins:
        weakness = _NO_PINS
    elif expiry is not None and expiry.first - now <= horizon:
        weakness = f"pins expire on {expiry.first:%Y-%m-%d}"
    if rating is Rating.OK and weakness:
        return Ruling(verdict, Rating.WARNING, weakness, (weakness,))
    return Ruling(verdict, rating, why, (weakness,) if weakness else ())


def look_ahead(ruling: Ruling, predictions: Iterable[Prediction]) -> Ruling:
    """The ruling with what is coming, and with what the set lacks for it.

    A likely failure of the apps inside ``release_time`` is critical; one inside ``horizon``, the end of pinning, and
    a set without a backup pin are warnings. What is wrong already is told before what is to come.
    """
    found = replace(ruling, predictions=tuple(predictions))
    reasons = [(ruling.rating, ruling.why)]
    sure = [one for one in found.predictions if one.confidence >= ALERT_CONFIDENCE]
    reasons += [(_rating_of(one), f"{one.cause} expected on {one.at:%Y-%m-%d}") for one in sure]
    if lacks_backup(ruling.verdict):
        reasons.append((Rating.WARNING, NO_BACKUP))
        found = replace(found, weaknesses=(*found.weaknesses, NO_BACKUP))
    rating = worst(one for one, _ in reasons)
    return replace(found, rating=rating, why=next(why for one, why in reasons if one is rating))


def _rating_of(prediction: Prediction) -> Rating:
    if prediction.severity is Severity.INFO:
        return Rating.OK
    critical = prediction.severity is Severity.CRITICAL and prediction.expected.apps_fail
    return Rating.CRITICAL if critical else Rating.WARNING
