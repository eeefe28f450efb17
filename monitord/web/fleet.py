"""What the pages know: each endpoint as its last round left it, what is open, and how the last day went.

It is written on the event loop, round by round, and costs little there: what a page needs of an endpoint is worked out
once, when it is learned. Pages take a copy of the references and do their work in a thread of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.pinning.ahead import likely
from monitord.pinning.incident import IncidentState
from monitord.pinning.ruling import Rating, look_ahead, rule, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import timedelta

    from monitord.pinning.incident import Incident, Transition
    from monitord.pinning.outcome import Outcome
    from monitord.pinning.prediction import Prediction
    from monitord.pinning.ruling import Ruling
    from monitord.pinning.target import Target

    Endpoint = tuple[str, int]

HOURS = 24
_SECONDS_PER_HOUR = 3600


class State(StrEnum):
    """How an endpoint is, in one word; what needs somebody first comes first."""

    FAILING = "failing"
    """Apps cannot connect."""
    SOON = "soon"
    """They probably will not be able to, within the time that a release takes."""
    UNKNOWN = "unknown"
    """It could not be judged."""
    ATTENTION = "attention"
    """A failure further away, or a pin set that is weak."""
    OK = "ok"
    WAITING = "waiting"
    """It has not been looked at yet."""

    @property
    def badness(self) -> int:
        """Larger is worse."""
        return _BADNESS[self]


_BADNESS = {state: badness for badness, state in enumerate(reversed(State))}


@dataclass(frozen=True, slots=True)
class Hour:
    """The worst state in one hour, by its number since 1970."""

    number: int
    state: State


@dataclass(frozen=True, slots=True)
class Entry:
    """An endpoint as the pages know it; ``outcome`` is the last round that saw something.

    ``first`` is the likely failure that comes first, ``hours`` the last day, ``text`` what a search looks through.
    """

    target: Target
    outcome: Outcome | None = None
    rulings: tuple[Ruling, ...] = ()
    state: State = State.WAITING
    first: Prediction | None = None
    hours: tuple[Hour, ...] = ()
    text: str = ""

    @property
    def endpoint(self) -> Endpoint:
        """What it is found by."""
        return self.target.key

    @property
    def why(self) -> str:
        """What the state comes from, in a few words."""
        worst_ruling = max(self.rulings, key=lambda one: state_of([one]).badness, default=None)
        return worst_ruling.why if worst_ruling else ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment: entries in the order of the configuration, open incidents by endpoint."""

    entries: tuple[Entry, ...]
    incidents: Mapping[Endpoint, tuple[Incident, ...]]

    def at(self, host: str, port: int | None) -> list[Entry]:
        """The endpoints of a host, at this port or at any."""
        return [one for one in self.entries if one.target.host == host and port in (None, one.target.port)]


class Fleet:
    """Keeps the entries; to be used on the event loop."""

    def __init__(self, horizon: Callable[[], timedelta]) -> None:
        """``horizon`` gives the configured one: what ends later is no worry yet."""
        self._horizon = horizon
        self._entries: dict[Endpoint, Entry] = {}
        self._incidents: dict[Endpoint, tuple[Incident, ...]] = {}

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Know exactly these endpoints. What was said about pins is dropped where they or their trust changed."""
        before = self._entries
        self._entries = {target.key: _retargeted(before.get(target.key), target) for target in targets}

    def record(self, outcome: Outcome) -> None:
        """Take in a round of an endpoint that is registered."""
        endpoint = outcome.target.key
        before = self._entries.get(endpoint)
        if before is None or not outcome.observations or _differs(before.target, outcome.target):
            return
        number = int(outcome.at.timestamp()) // _SECONDS_PER_HOUR
        if before.outcome is not None and before.outcome.verdicts is outcome.verdicts:
            # A quiet round stood for this one, see ``pinning/steady.py``.
            self._entries[endpoint] = replace(before, outcome=outcome, hours=_after(before.hours, number, before.state))
            return
        rulings = tuple(self._ruled(outcome))
        state = state_of(rulings)
        failures = [one for one in likely(outcome.predictions) if one.expected.apps_fail]
        self._entries[endpoint] = replace(
            before,
            outcome=outcome,
            rulings=rulings,
            state=state,
            first=min(failures, key=lambda one: one.at, default=None),
            hours=_after(before.hours, number, state),
        )

    def set_incidents(self, incidents: Iterable[Incident]) -> None:
        """Know exactly these open incidents."""
        found: dict[Endpoint, list[Incident]] = {}
        for incident in incidents:
            found.setdefault((incident.key.host, incident.key.port), []).append(incident)
        self._incidents = {endpoint: tuple(several) for endpoint, several in found.items()}

    def changed(self, steps: Iterable[Transition]) -> None:
        """Incidents are now as they are after these steps."""
        for step in steps:
            incident = step.incident
            endpoint = (incident.key.host, incident.key.port)
            others = tuple(one for one in self._incidents.get(endpoint, ()) if one.id != incident.id)
            left = (*others, incident) if incident.state is IncidentState.FIRING else others
            if left:
                self._incidents[endpoint] = left
            else:
                self._incidents.pop(endpoint, None)

    def snapshot(self) -> Snapshot:
        """Everything as it is now; it does not change any more."""
        return Snapshot(tuple(self._entries.values()), dict(self._incidents))

    def _ruled(self, outcome: Outcome) -> Iterable[Ruling]:
        for verdict in outcome.verdicts:
            ruling = rule(verdict, registered=True, now=outcome.at, horizon=self._horizon())
            yield look_ahead(ruling, [one for one in outcome.predictions if one.pinset == verdict.pinset.name])


def state_of(rulings: Iterable[Ruling]) -> State:
    """The state that rulings on the pin sets of an endpoint come to."""
    several = list(rulings)
    if any(one.verdict.verdict.apps_fail for one in several):
        return State.FAILING
    states = {
        Rating.CRITICAL: State.SOON,
        Rating.UNKNOWN: State.UNKNOWN,
        Rating.WARNING: State.ATTENTION,
        Rating.OK: State.OK,
    }
    return states[worst(one.rating for one in several)]


def _retargeted(before: Entry | None, target: Target) -> Entry:
    text = _searchable(target)
    if before is None or _differs(before.target, target):
        return Entry(target, hours=before.hours if before else (), text=text)
    return replace(before, target=target, text=text)


def _differs(before: Target, after: Target) -> bool:
    """Whether what was judged of one says nothing about the other."""
    if before is after:
        return False
    return (before.pinsets, before.trust, before.name) != (after.pinsets, after.trust, after.name)


def _searchable(target: Target) -> str:
    names = [pinset.name for pinset in target.pinsets]
    labels = [f"{name}={value}" for name, value in target.labels.items()]
    return "\n".join([target.endpoint, *names, *labels]).casefold()


def _after(hours: tuple[Hour, ...], number: int, state: State) -> tuple[Hour, ...]:
    """The last day with one more round in it."""
    if hours and hours[-1].number == number:
        last = hours[-1]
        if last.state.badness >= state.badness:
            return hours
        return (*hours[:-1], Hour(number, state))
    kept = [hour for hour in hours if number - HOURS < hour.number < number]
    return (*kept, Hour(number, state))
