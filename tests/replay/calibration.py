"""How often what is predicted comes true: predictions of played stories by confidence, against what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from monitord.pinning.incident import IncidentKind, TransitionReason
from monitord.pinning.prediction import ALERT_CONFIDENCE, Cause
from monitord.replay.reckoning import Alarm, Course, Fate, fate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitord.pinning.prediction import Prediction
    from monitord.replay.played import Played
    from monitord.replay.story import Story

LEAD_TIMES = tuple(timedelta(days=days) for days in (60, 30, 14, 7, 1))
BINS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Told:
    """One prediction at one moment, and what became of it: True came true, False did not."""

    story: str
    cause: str
    confidence: float
    ahead: timedelta
    came_true: bool


@dataclass(slots=True)
class Bin:
    """Predictions of about one confidence."""

    least: float
    most: float
    told: list[Told] = field(default_factory=list)

    @property
    def confidence(self) -> float:
        """Their mean confidence."""
        return sum(one.confidence for one in self.told) / len(self.told)

    @property
    def came_true(self) -> float:
        """The part of them that came true."""
        return sum(one.came_true for one in self.told) / len(self.told)


def binned(told: Iterable[Told]) -> list[Bin]:
    """The predictions by their confidence; bins that are empty are left out."""
    bins = [Bin(least, most) for least, most in pairwise(BINS)]
    for one in told:
        found = next((each for each in reversed(bins) if one.confidence >= each.least), None)
        if found:
            found.told.append(one)
    return [each for each in bins if each.told]


def at_first_telling(played: Played) -> Iterator[Told]:
    """Each alarm with the confidence that it had when people were told first."""
    for reckoned in played.reckoned:
        course = Course.of(reckoned.pinset, played.rounds)
        alarms = {alarm.began: alarm for alarm in reckoned.alarms}
        for step in (step for one in played.rounds for step in one.transitions):
            key = step.incident.key
            if key.kind is not IncidentKind.PIN_MISMATCH_PREDICTED or key.pinset != reckoned.pinset:
                continue
            alarm = alarms.get(step.at) if step.reason is TransitionReason.OPENED else None
            became = _came_true(alarm, alarm.fate, course, played.story) if alarm else None
            if alarm and became is not None:
                facts = step.incident.facts
                ahead = alarm.predicted_at - step.at
                yield Told(played.story.name, facts["cause"], facts["confidence"], ahead, became)


def at_lead_times(played: Played) -> Iterator[Told]:
    """The foremost prediction of each pin set whenever what it foretells has come as near as one of ``LEAD_TIMES``.

    Also those below the threshold of alerts. Foremost is the earliest that alerts, else the likeliest: less likely ones
    beside it may seem to come true by its cause. It says that the failure comes within its window, of which a horizon
    is taken as the least.
    """
    story = played.story
    for reckoned in played.reckoned:
        course = Course.of(reckoned.pinset, played.rounds)
        far: dict[timedelta, bool] = dict.fromkeys(LEAD_TIMES, True)
        for one in played.rounds:
            found = _foremost(one.predictions, reckoned.pinset)
            if found is None or (reckoned.fails_at and one.at >= reckoned.fails_at):
                continue
            ahead = found.at - one.at
            until = max(found.until, found.at + story.horizon)
            for lead in LEAD_TIMES:
                was_far, far[lead] = far[lead], ahead > lead
                if not was_far or ahead > lead:
                    continue
                ended = min(until, story.end)
                alarm = Alarm(one.at, until - story.horizon, found.cause, found.confidence, loud=True, ended=ended)
                became = _came_true(alarm, fate(alarm, course, story), course, story)
                if became or (became is False and until <= story.end):
                    yield Told(story.name, found.cause, found.confidence, ahead, became)


def _came_true(alarm: Alarm, became: Fate, course: Course, story: Story) -> bool | None:
    """Whether what was foretold came; None where nobody knows.

    Where the pin set was changed in time it did if the set as it was would match no more. Nothing can be told where
    another pin of the set took over, where newer evidence took the place of the old, or where the story ends before.
    """
    if became is Fate.AVERTED:
        looks = list(course.between(alarm.began, min(alarm.predicted_at + story.horizon, story.end)))
        held = set(looks[0].pinset.all_pins)
        return True if any(pins and not pins & held for look in looks for pins in look.matched.values()) else None
    return became is Fate.CAME_TRUE if became in (Fate.CAME_TRUE, Fate.FALSE) else None


def _foremost(predictions: Iterable[Prediction], pinset: str) -> Prediction | None:
    found = [one for one in predictions if one.pinset == pinset and one.cause is not Cause.PINS_EXPIRE]
    sure = [one for one in found if one.confidence >= ALERT_CONFIDENCE]
    if sure:
        return min(sure, key=lambda one: one.at)
    return max(found, key=lambda one: one.confidence, default=None)
