"""One endpoint in full. Pure: from what is known of it to what its page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.pinning.ahead import distance, likely
from monitord.pinning.alike import alike
from monitord.pinning.futures import LOOK_AHEAD
from monitord.pinning.incident import IncidentState
from monitord.pinning.lifelines import Scene, coming, survivals
from monitord.pinning.verdict import Verdict
from monitord.web.fleet import State
from monitord.web.picture import picture
from monitord.web.words import sentence, severity_state, verdict_state, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from monitord.pinning.history import History
    from monitord.pinning.incident import Transition
    from monitord.pinning.pins import PinSet
    from monitord.pinning.prediction import Prediction
    from monitord.pinning.ruling import Ruling
    from monitord.pinning.verdict import Judgement
    from monitord.web.fleet import Entry
    from monitord.web.opened import OpenIncident
    from monitord.web.picture import Picture
    from monitord.web.sources import Beside, VerdictChange

_MOST_EVENTS = 60
_ANSWERS = {
    State.FAILING: "Apps cannot connect.",
    State.SOON: "The apps connect, and probably will not for long.",
    State.UNKNOWN: "Whether the apps connect cannot be told.",
    State.ATTENTION: "The apps connect, and there is something to do.",
    State.OK: "The apps connect.",
    State.WAITING: "It has not been looked at yet.",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One pin set: ``predictions`` are the likely ones, ``unlikely`` is how many others there are."""

    ruling: Ruling
    picture: Picture | None
    predictions: Sequence[Prediction]
    unlikely: int
    groups: Sequence[Sequence[Judgement]]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, in the tone of a state."""

    at: datetime
    state: State
    text: str


@dataclass(frozen=True, slots=True)
class Detail:
    """What the page shows. ``here`` is its own place in URLs, ``fault`` why the history is not to be had."""

    entry: Entry
    here: str
    answer: str
    until: str
    parts: Sequence[Part]
    others: Sequence[PinSet]
    incidents: Sequence[OpenIncident]
    events: Sequence[Event]
    fault: str = ""


def answer(entry: Entry, now: datetime) -> tuple[str, str]:
    """Are the apps fine, and until when? Two sentences, of which the second may be empty."""
    said = _ANSWERS[entry.state]
    if entry.state in (State.FAILING, State.WAITING):
        return said, ""
    if entry.first is not None:
        first = entry.first
        sure = f"{words(first.cause)}, {first.confidence:.0%} sure"
        late = first.act_by <= now
        release = "comes too late" if late else f"has to begin by {first.act_by:%Y-%m-%d}"
        helps = "A release that begins now" if late else "A release"
        return said, f"Likely to begin to fail {_between(first, now)}: {sure}. {helps} {release}."
    if entry.state is State.UNKNOWN:
        return said, ""
    return said, f"No failure is predicted until {now + LOOK_AHEAD:%-d %B %Y}."


def _between(prediction: Prediction, now: datetime) -> str:
    begin, end = f"{prediction.at:%Y-%m-%d}", f"{prediction.until:%Y-%m-%d}"
    if prediction.at <= now:
        return f"at any moment until {end}"
    days = f"{begin} ({distance(prediction, now)})"
    return f"on {days}" if begin == end else f"between {days} and {end}"


def parts(entry: Entry, beside: Beside, now: datetime) -> list[Part]:
    """Each pin set that was judged."""
    if entry.outcome is None:
        return []
    return [_part(ruling, entry, beside, now) for ruling in entry.rulings]


def _part(ruling: Ruling, entry: Entry, beside: Beside, now: datetime) -> Part:
    verdict = ruling.verdict
    sure = likely(ruling.predictions)
    drawn = None
    if entry.outcome and any(one.observation.chain for one in verdict.judgements):
        scene = Scene(
            verdict,
            ruling.predictions,
            survivals(verdict, beside.history, beside.signals, beside.trust, now, beside.policy),
            coming(entry.outcome.observations, beside.signals),
            now,
            beside.policy.release_time,
        )
        drawn = picture(scene)
    ordered = sorted(sure, key=lambda one: one.at)
    return Part(ruling, drawn, ordered, len(ruling.predictions) - len(sure), alike(verdict.judgements))


def events(changes: Iterable[VerdictChange], steps: Iterable[Transition], history: History) -> list[Event]:
    """What happened, the latest first, as far as it fits on a page."""
    found = [*_verdicts(changes), *_certificates(history), *_steps(steps)]
    return sorted(found, key=lambda event: event.at, reverse=True)[:_MOST_EVENTS]


def _verdicts(changes: Iterable[VerdictChange]) -> Iterator[Event]:
    for change in changes:
        if change.verdict is None:
            yield Event(change.since, State.WAITING, f"Pin set {change.pinset} is no longer judged.")
        else:
            verdict = Verdict(change.verdict)
            said = f"Pin set {change.pinset}: {words(verdict)}" + (f", {change.reason}" if change.reason else "")
            yield Event(change.since, verdict_state(verdict), sentence(said))


def _certificates(history: History) -> Iterator[Event]:
    for tenure in history.tenures:
        leaf, before = tenure.leaf, tenure.replaced
        until = f"valid until {leaf.not_after:%Y-%m-%d}"
        if before is None:
            said = f"Certificate of {leaf.display_issuer}, {until}, pin {leaf.pin}."
        else:
            key = "with the same key" if leaf.pin == before.pin else f"with a new key, pin {leaf.pin}"
            said = f"Renewed {key}, {until}, by {leaf.display_issuer}."
        yield Event(tenure.since, State.WAITING, said)


def _steps(steps: Iterable[Transition]) -> Iterator[Event]:
    for step in steps:
        incident = step.incident
        what = sentence(words(incident.key.kind), stop=False)
        pinset = f" of pin set {incident.key.pinset}" if incident.key.pinset else ""
        remark = step.remark or {}
        more = next((str(remark[name]) for name in ("summary", "reason") if remark.get(name)), "")
        over = incident.state is IncidentState.RESOLVED
        tone = State.OK if over else severity_state(incident.severity)
        said = f"{what}{pinset}: {words(step.reason)}" + (f". {more}" if more else "")
        yield Event(step.at, tone, sentence(said))
