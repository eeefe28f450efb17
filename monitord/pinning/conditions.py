"""What a round says about each incident that an endpoint can have: it holds, it does not, or nobody can tell."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.clients.rules import expiry_of
from monitord.pinning.foreseen import Outlook, foremost, is_foreseen, lacks_backup, predicted_end, severity_of
from monitord.pinning.incident import IncidentKey, IncidentKind, Severity, TransitionReason
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.incident import Incident
    from monitord.pinning.outcome import Streaks
    from monitord.pinning.prediction import Prediction
    from monitord.pinning.verdict import PinSetVerdict

    Attempt = Sequence[PinSetVerdict]

_FAILING = {Verdict.PIN_MISMATCH: IncidentKind.PIN_MISMATCH, Verdict.UNTRUSTED: IncidentKind.UNTRUSTED}
# What a judgement must be to end an incident at its address. A chain that is not trusted says nothing about the pins,
# so a mismatch stays open until pins are judged again; a mismatch, on the other hand, was judged on a trusted path.
_ENDING = {
    IncidentKind.PIN_MISMATCH: (Verdict.OK, Verdict.NOT_PINNED, Verdict.PINS_EXPIRED),
    IncidentKind.UNTRUSTED: (Verdict.OK, Verdict.NOT_PINNED, Verdict.PINS_EXPIRED, Verdict.PIN_MISMATCH),
}
SPARE_ATTEMPTS = 2
"""How many attempts of a round beyond ``confirm`` may go by without an answer."""
_DAY = timedelta(days=1)
# What is foreseen changes slowly, and people have been told.
_SLOW = {
    IncidentKind.PIN_MISMATCH_PREDICTED: (3 * _DAY, 7 * _DAY),
    IncidentKind.PINS_EXPIRING: (3 * _DAY, 7 * _DAY),
    IncidentKind.NO_BACKUP_PIN: (30 * _DAY, 30 * _DAY),
}
_NOTHING_FORESEEN = Outlook()


@dataclass(frozen=True, slots=True)
class Policy:
    """How sure and how near something must be before people hear of it.

    ``confirm``: judgements that must agree before a failure counts. ``failures``: rounds without a verdict before
    "unreachable" counts. ``release_time`` and ``horizon``: what is nearer is critical, and warning. ``repeat``: time
    between reminders of a critical incident, of others a day at least, but for severities that have a time of their own
    in ``repeat_by``; what is foreseen is told again no sooner than each third day if critical, else each week.
    ``resolved``: whether people are told of the end.
    """

    confirm: int
    failures: int
    release_time: timedelta
    horizon: timedelta
    repeat: timedelta
    resolved: bool = True
    repeat_by: Mapping[Severity, timedelta] = field(default_factory=dict)

    def repeat_after(self, severity: Severity, kind: IncidentKind = IncidentKind.PIN_MISMATCH) -> timedelta:
        """The time between two reminders of an incident of this severity and kind."""
        is_critical = severity is Severity.CRITICAL
        pause = self.repeat_by.get(severity, self.repeat if is_critical else max(self.repeat, _DAY))
        slow_if_critical, slow = _SLOW.get(kind, (pause, pause))
        return max(pause, slow_if_critical if is_critical else slow)


@dataclass(frozen=True, slots=True)
class Condition:
    """One possible incident this round; ``holds`` is None where it cannot be told.

    ``verdict`` is the pin set that it is about; for kinds that concern the endpoint, any of its pin sets.
    ``prediction`` and ``evidence`` are for what is predicted; ``end`` says why it does not hold any more, where that is
    more than "it is over".
    """

    key: IncidentKey
    holds: bool | None
    severity: Severity
    verdict: PinSetVerdict
    rounds: int = 0
    prediction: Prediction | None = None
    evidence: str = ""
    end: TransitionReason | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known from before this round.

    ``incidents`` are the open ones; ``failing`` where each was seen last, by address. ``suspects`` are failures of the
    round before that were not confirmed and not contradicted, and how often they were seen.
    """

    incidents: Mapping[IncidentKey, Incident] = field(default_factory=dict)
    failing: Mapping[IncidentKey, frozenset[str]] = field(default_factory=dict)
    suspects: Mapping[IncidentKey, int] = field(default_factory=dict)


_NOTHING_KNOWN = Known()


def wants_another_attempt(attempts: Sequence[Attempt], known: Known, policy: Policy) -> bool:
    """Whether to probe again at once: the first attempt shows a failure that is neither known nor confirmed yet.

    An attempt that could not be judged does not count towards the confirmation; one that disagrees ends the matter.
    """
    if len(attempts) >= policy.confirm + SPARE_ATTEMPTS:
        return False
    for position, first in enumerate(attempts[0]):
        for kind in _ENDING:
            key = _key(first, kind)
            said = [shows for attempt in attempts if (shows := _shows(attempt[position], kind, known)) is not None]
            unsettled = said and all(said) and len(said) + known.suspects.get(key, 0) < policy.confirm
            if key not in known.incidents and _shows(first, kind, known) and unsettled:
                return True
    return False


def conditions(
    attempts: Sequence[Attempt],
    streaks: Streaks,
    known: Known,
    now: datetime,
    policy: Policy,
    *,
    outlook: Outlook = _NOTHING_FORESEEN,
) -> tuple[Condition, ...]:
    """Every condition of an endpoint, for all its pin sets and kinds, from the attempts of one round in their order.

    ``streaks`` include this round, and ``outlook`` was made after it.
    """
    found: list[Condition] = []
    stands = representative(attempts)
    for position in range(len(attempts[-1])):
        history = [attempt[position] for attempt in attempts]
        failing = list(_failing(history, known, policy))
        found.extend(failing)
        found.append(_expiring(history[-1], now, policy))
        confirmed = any(condition.holds for condition in failing)
        found.append(_predicted(history[stands], known, outlook, now, policy, confirmed=confirmed))
        found.append(_without_backup(history[stands]))
    found.append(_unreachable(attempts[stands], streaks, policy))
    return tuple(found)


def representative(attempts: Sequence[Attempt]) -> int:
    """Which attempt stands for the round: the last one in which anything could be judged, else the last."""
    judged = [
        position
        for position, attempt in enumerate(attempts)
        if any(verdict.verdict is not Verdict.UNDETERMINED for verdict in attempt)
    ]
    return judged[-1] if judged else len(attempts) - 1


def remember(attempts: Sequence[Attempt], held: Iterable[Condition], known: Known) -> Known:
    """What the next round is to know of this one, beside the incidents: places and suspects."""
    failing: dict[IncidentKey, frozenset[str]] = {}
    suspects: dict[IncidentKey, int] = {}
    for condition in held:
        kind = condition.key.kind
        if kind not in _ENDING or condition.holds is False:
            continue
        position = next(i for i, verdict in enumerate(attempts[-1]) if verdict.pinset == condition.verdict.pinset)
        history = [attempt[position] for attempt in attempts]
        said = [shows for verdict in history if (shows := _shows(verdict, kind, known)) is not None]
        if condition.key in known.incidents or condition.holds:
            failing[condition.key] = _places_after(history, kind, known)
        elif said and all(said):
            suspects[condition.key] = known.suspects.get(condition.key, 0) + len(said)
        elif not said and condition.key in known.suspects:
            suspects[condition.key] = known.suspects[condition.key]
    return Known(known.incidents, failing, suspects) if known.incidents or failing or suspects else _NOTHING_KNOWN


def _key(verdict: PinSetVerdict, kind: IncidentKind) -> IncidentKey:
    return IncidentKey(verdict.target.host, verdict.target.port, verdict.pinset.name, kind)


def _shows(verdict: PinSetVerdict, kind: IncidentKind, known: Known) -> bool | None:
    """Whether an attempt shows a failure of this kind anywhere; None where that cannot be told.

    It does not where something was judged well, nothing shows it, and no place that showed it is unknown now.
    """
    if _places(verdict, kind):
        return True
    well = any(judgement.verdict in _ENDING[kind] for judgement in verdict.judgements)
    return None if not well or _last_places(verdict, kind, known) & _unknown_places(verdict, kind) else False


def _places(verdict: PinSetVerdict, kind: IncidentKind) -> frozenset[str]:
    judgements = verdict.judgements
    return frozenset(one.observation.address for one in judgements if _FAILING.get(one.verdict) is kind)


def _unknown_places(verdict: PinSetVerdict, kind: IncidentKind) -> frozenset[str]:
    return frozenset(
        one.observation.address
        for one in verdict.judgements
        if one.verdict not in _ENDING[kind] and _FAILING.get(one.verdict) is not kind
    )


def _last_places(verdict: PinSetVerdict, kind: IncidentKind, known: Known) -> frozenset[str]:
    key = _key(verdict, kind)
    if key in known.failing:
        return known.failing[key]
    incident = known.incidents.get(key)
    seen = incident.facts["observations"] if incident else ()
    return frozenset(one["address"] for one in seen if one["verdict"] == kind)


def _places_after(history: Sequence[PinSetVerdict], kind: IncidentKind, known: Known) -> frozenset[str]:
    """Where a failure was seen last, after this round: there still, or unknown there since.

    A round in which nothing could be judged (DNS failed, say) forgets no place.
    """
    before = _last_places(history[-1], kind, known)
    judged = [
        verdict for verdict in history if any(one.verdict is not Verdict.UNDETERMINED for one in verdict.judgements)
    ]
    return _places(judged[-1], kind) | before & _unknown_places(judged[-1], kind) if judged else before


def _failing(history: Sequence[PinSetVerdict], known: Known, policy: Policy) -> Iterator[Condition]:
    for kind in _ENDING:
        key = _key(history[-1], kind)
        said = [(verdict, shows) for verdict in history if (shows := _shows(verdict, kind, known)) is not None]
        holds: bool | None = None
        if said and all(shows for _, shows in said):
            seen = len(said) + known.suspects.get(key, 0)
            holds = True if key in known.incidents or seen >= policy.confirm else None
        elif said and not any(shows for _, shows in said):
            holds = False
        yield Condition(key, holds, Severity.CRITICAL, said[-1][0] if said else history[-1])


def _expiring(verdict: PinSetVerdict, now: datetime, policy: Policy) -> Condition:
    key = _key(verdict, IncidentKind.PINS_EXPIRING)
    expiry = expiry_of(verdict.pinset)
    if expiry is None or expiry.first - now > policy.horizon:
        return Condition(key, holds=False, severity=Severity.WARNING, verdict=verdict)
    severity = Severity.CRITICAL if expiry.first - now <= policy.release_time else Severity.WARNING
    return Condition(key, holds=True, severity=severity, verdict=verdict)


def _predicted(
    verdict: PinSetVerdict, known: Known, outlook: Outlook, now: datetime, policy: Policy, *, confirmed: bool
) -> Condition:
    key = _key(verdict, IncidentKind.PIN_MISMATCH_PREDICTED)
    incident = known.incidents.get(key)
    prediction = foremost(outlook.predictions, verdict.pinset.name)
    condition = Condition(key, None, Severity.WARNING, verdict, prediction=prediction, evidence=outlook.evidence)
    if confirmed:
        return replace(condition, holds=False, end=TransitionReason.CAME_TRUE)
    if verdict.verdict.apps_fail:
        return condition
    if prediction is not None and is_foreseen(verdict, prediction, incident):
        severity = severity_of(prediction.at, now, policy.release_time, policy.horizon)
        return replace(condition, holds=True, severity=severity)
    if verdict.verdict is Verdict.UNDETERMINED:
        return condition  # what was foretold may be about the place that cannot be judged
    end = predicted_end(verdict, incident, outlook.evidence) if incident else None
    return replace(condition, holds=False, end=end)


def _without_backup(verdict: PinSetVerdict) -> Condition:
    return Condition(_key(verdict, IncidentKind.NO_BACKUP_PIN), lacks_backup(verdict), Severity.WARNING, verdict)


def _unreachable(attempt: Attempt, streaks: Streaks, policy: Policy) -> Condition:
    """An endpoint that cannot be judged at all is critical; one address among others, a warning."""
    verdict = max(attempt, key=lambda one: sum(part.verdict is Verdict.UNDETERMINED for part in one.judgements))
    key = IncidentKey(verdict.target.host, verdict.target.port, "", IncidentKind.UNREACHABLE)
    if streaks.endpoint >= policy.failures:
        return Condition(key, holds=True, severity=Severity.CRITICAL, verdict=verdict, rounds=streaks.endpoint)
    longest = max(streaks.addresses.values(), default=0)
    if streaks.endpoint == 0 and longest >= policy.failures:
        return Condition(key, holds=True, severity=Severity.WARNING, verdict=verdict, rounds=longest)
    return Condition(key, holds=None if longest else False, severity=Severity.WARNING, verdict=verdict, rounds=longest)
