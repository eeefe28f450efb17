"""What a played story comes to: when the apps failed, since when that was foretold, and which alarms were false.

The rules, each tested by its number. "Prediction" is an incident of the kind ``pin_mismatch_predicted``, which also
foretells ``untrusted``; no other kind counts here. Everything is reckoned for each pin set on its own.

1. **Failure.** A pin set fails at the first probe whose verdict on it, the worst of all addresses, types of key and
   trust stores, is ``pin_mismatch`` or ``untrusted``. What is undetermined is no failure. Later failures, after a
   recovery, do not move ``fails_at``.
2. **Life.** A prediction begins at the probe where it opens and goes on until it is ended. Revisions and escalations
   belong to it, and the time it foretells is that of its last one. One that never was at least a warning counts for
   nothing.
3. **Withdrawn** is one that was ended because it did not come true, because what it rested on is gone, or because
   newer evidence took the place of its evidence (superseded). An end because the pins changed, or because what was
   foretold has happened, is no withdrawal.
4. **First predicted** is the beginning of the earliest prediction that began no later than the failure and was not
   withdrawn at a probe before the failure. Without a failure: of the earliest that was never withdrawn. The lead is
   from there to the failure.
5. **Span.** A prediction is held against the probes from its beginning to ``predicted_at + horizon``, or to the
   story's end if that comes first.
6. **Came true.** It did if the pin set fails at any probe of the span, be it sooner than foretold, by another cause,
   or after it was withdrawn.
7. **Averted by hand.** It was if the pin set changed while it was open: at a probe after its beginning, up to the one
   that ended it. The share of users is no part of what changes.
8. **Averted by another pin.** It was if at a probe of the span, after its beginning, a place (address, type of key,
   trust store) is ok by pins none of which matched there before, that is at its beginning or, if nothing could be told
   then, last before. A place that is new is held against all places of its trust store. A renewal that keeps the
   matching pin, or one of them, averts nothing.
9. **Superseded** ones are not counted, but only if something happened in the story just before the probe that ended
   them: without news there is no newer evidence.
10. **False** is a prediction that neither came true nor was averted nor superseded, once that is decided: when it was
    withdrawn, however far off what it foretold, or when what it foretold lies before the story's end. What is foretold
    for the end or later, and not withdrawn, is left open.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.pinning.incident import IncidentKind, Severity, TransitionReason
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta

    from monitord.pinning.certificate import KeyType
    from monitord.pinning.incident import Transition
    from monitord.pinning.pins import Pin, PinSet
    from monitord.pinning.verdict import PinSetVerdict
    from monitord.replay.play import Round
    from monitord.replay.story import Story

    Place = tuple[str, KeyType | None, str]

WITHDRAWALS = (TransitionReason.WITHDRAWN, TransitionReason.SUPERSEDED)
"""The reasons for which a prediction ends that are a withdrawal (rule 3)."""

_ONGOING = (
    TransitionReason.OPENED,
    TransitionReason.ESCALATED,
    TransitionReason.REPEATED,
    TransitionReason.REVISED,
)


class Fate(StrEnum):
    """What became of a prediction."""

    CAME_TRUE = "came_true"
    AVERTED = "averted"
    SUPERSEDED = "superseded"
    FALSE = "false"
    OPEN = "open"


@dataclass(slots=True)
class Alarm:
    """A prediction from its beginning to its end: ``ended`` None is still open when the story ends."""

    began: datetime
    predicted_at: datetime
    cause: str
    confidence: float
    loud: bool
    ended: datetime | None = None
    ending: TransitionReason | None = None
    fate: Fate = Fate.OPEN

    def withdrawn_before(self, moment: datetime | None) -> bool:
        """Rule 3: whether it was withdrawn before then; None: ever."""
        if self.ended is None or self.ending not in WITHDRAWALS:
            return False
        return moment is None or self.ended < moment


@dataclass(frozen=True, slots=True)
class Reckoned:
    """One pin set of a story that was played. ``failure`` is the verdict at ``fails_at``."""

    pinset: str
    fails_at: datetime | None = None
    failure: Verdict | None = None
    alarms: tuple[Alarm, ...] = ()
    foretold: Alarm | None = None

    @property
    def first_predicted(self) -> datetime | None:
        """Rule 4."""
        return self.foretold.began if self.foretold else None

    @property
    def lead(self) -> timedelta | None:
        """From the prediction to the failure, where there are both."""
        return self.fails_at - self.foretold.began if self.fails_at and self.foretold else None

    @property
    def false_alarms(self) -> int:
        """How many predictions were false."""
        return sum(alarm.fate is Fate.FALSE for alarm in self.alarms)


def reckon(story: Story, rounds: Sequence[Round]) -> tuple[Reckoned, ...]:
    """Every pin set of the story, in its order."""
    names = dict.fromkeys(verdict.pinset.name for one in rounds for verdict in one.verdicts)
    return tuple(_reckon(story, Course.of(name, rounds)) for name in names)


@dataclass(frozen=True, slots=True)
class _Look:
    """One probe as one pin set saw it; ``matched`` are the pins by which each place that is ok is so."""

    at: datetime
    news: bool
    verdict: Verdict
    pinset: PinSet
    matched: Mapping[Place, frozenset[Pin]]


@dataclass(frozen=True, slots=True)
class Course:
    """All that concerns one pin set of a story that was played."""

    pinset: str
    looks: tuple[_Look, ...]
    steps: tuple[Transition, ...]

    @classmethod
    def of(cls, name: str, rounds: Sequence[Round]) -> Course:
        """The course of the pin set of this name."""
        looks = [_look(one, verdict) for one in rounds for verdict in one.verdicts if verdict.pinset.name == name]
        steps = [
            step
            for one in rounds
            for step in one.transitions
            if step.incident.key.pinset == name and step.incident.key.kind is IncidentKind.PIN_MISMATCH_PREDICTED
        ]
        return cls(name, tuple(looks), tuple(steps))

    def between(self, first: datetime, last: datetime) -> Iterator[_Look]:
        """The looks from one time to another, both included."""
        return (look for look in self.looks if first <= look.at <= last)

    def news_at(self, moment: datetime) -> bool:
        """Whether events happened just before the probe of this time."""
        return any(look.news for look in self.between(moment, moment))


def _look(one: Round, verdict: PinSetVerdict) -> _Look:
    matched: dict[Place, frozenset[Pin]] = {}
    for judgement in verdict.judgements:
        if judgement.verdict is Verdict.OK:
            observation = judgement.observation
            matched[observation.address, observation.key_type, judgement.trust] = frozenset(judgement.matched)
    return _Look(one.at, one.news, verdict.verdict, replace(verdict.pinset, share=None), matched)


def _reckon(story: Story, course: Course) -> Reckoned:
    failing = next((look for look in course.looks if look.verdict.apps_fail), None)  # rule 1
    fails_at = failing.at if failing else None
    alarms = [alarm for alarm in _alarms(course.steps) if alarm.loud]
    for alarm in alarms:
        alarm.fate = fate(alarm, course, story)
    foretold = next(
        (
            alarm
            for alarm in alarms
            if (fails_at is None or alarm.began <= fails_at) and not alarm.withdrawn_before(fails_at)
        ),
        None,
    )  # rule 4
    return Reckoned(course.pinset, fails_at, failing.verdict if failing else None, tuple(alarms), foretold)


def _alarms(steps: Sequence[Transition]) -> list[Alarm]:
    """Rule 2."""
    found: dict[str, Alarm] = {}
    for step in steps:
        facts, alarm = step.incident.facts, found.get(step.incident.id)
        loud = step.incident.severity is not Severity.INFO
        if step.reason not in _ONGOING:
            if alarm is not None:
                alarm.ended, alarm.ending = step.at, step.reason
            continue
        predicted_at = datetime.fromisoformat(facts["predicted_at"])
        if alarm is None:
            found[step.incident.id] = Alarm(step.at, predicted_at, facts["cause"], facts["confidence"], loud)
        else:
            alarm.predicted_at, alarm.cause, alarm.confidence = predicted_at, facts["cause"], facts["confidence"]
            alarm.loud |= loud
    return list(found.values())


def fate(alarm: Alarm, course: Course, story: Story) -> Fate:
    """What became of a prediction, by rules 5 to 10."""
    until = min(alarm.predicted_at + story.horizon, story.end)  # rule 5
    span = list(course.between(alarm.began, until))
    if any(look.verdict.apps_fail for look in span):  # rule 6
        return Fate.CAME_TRUE
    if _repinned(alarm, course, story) or _matched_otherwise(alarm, course, span):
        return Fate.AVERTED
    if alarm.ending is TransitionReason.SUPERSEDED and alarm.ended and course.news_at(alarm.ended):  # rule 9
        return Fate.SUPERSEDED
    if alarm.withdrawn_before(None) or alarm.predicted_at < story.end:  # rule 10
        return Fate.FALSE
    return Fate.OPEN


def _repinned(alarm: Alarm, course: Course, story: Story) -> bool:
    """Rule 7."""
    sets = [look.pinset for look in course.between(alarm.began, alarm.ended or story.end)]
    return any(one != sets[0] for one in sets)


def _matched_otherwise(alarm: Alarm, course: Course, span: Sequence[_Look]) -> bool:
    """Rule 8."""
    known = _Known()
    for look in course.looks:
        if look.at > alarm.began:
            break
        known.take_in(look)
    later = [look for look in span if look.at > alarm.began]
    return any(
        pins and before and not pins & before
        for look in later
        for place, pins in look.matched.items()
        for before in [known.before(place)]
    )


@dataclass(slots=True)
class _Known:
    """By which pins each place matched last."""

    places: dict[Place, frozenset[Pin]] = field(default_factory=dict)

    def take_in(self, look: _Look) -> None:
        self.places.update(look.matched)

    def before(self, place: Place) -> frozenset[Pin]:
        if place in self.places:
            return self.places[place]
        return frozenset(pin for other, pins in self.places.items() if other[2] == place[2] for pin in pins)
