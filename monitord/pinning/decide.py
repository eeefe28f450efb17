"""From conditions to incidents: ``decide`` says what changed, and nothing when nothing did.

The rules, each tested by its number:

1. There is at most one open incident for a key (host, port, pin set, kind).
2. A condition that holds and has no open incident opens one. Its id comes from the key and the time alone, so that
   deciding again after a crash gives the same incident. Its group, which names the cause, stays for its life.
3. A condition that holds with a higher severity than its open incident escalates it, and people are told at once. A
   lower one changes nothing: what has once been critical stays so until it is over. Only a prediction that is revised
   to a later time is as loud as that is near.
4. A condition that holds while its incident is open is told again once the time between reminders of its severity has
   passed since people were last told, with the same body. What is predicted is revised where it moved or has another
   cause; people are told if that matters: it comes earlier, much later, or for another reason.
5. A condition that does not hold ends its open incident, once.
6. A condition that cannot be told (unknown) changes nothing: unknown is neither a failure nor its end.
7. An open incident of the endpoint whose key has no condition any more (pin set or endpoint gone from the
   configuration) ends as unregistered.
8. An incident that opens for the third time in a short while is flapping, and people are told that it is. From then on
   it neither ends nor begins: its comings and goings are noted in its log alone, and a reminder comes each day at most.
   When it has stayed for the whole window it is told as an ordinary incident, when it has been away as long it ends.
9. An incident that somebody acknowledged is not repeated until it escalates, which ends the acknowledgement. Whatever
   else is new of it is told.
10. While an incident is silenced nothing of it is told but its end; that something would have been is remembered. When
    the silence ends and the incident does not, it is told if so, as it is then. What begins and ends in a silence is
    told to nobody.
11. The end is told in a silence too, to those who were told of the incident (the store knows them): they would be left
    with an alarm that never ends.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitord.pinning.facts import alert_facts
from monitord.pinning.flapping import flap_window, flapping_facts, flaps, settled_facts
from monitord.pinning.foreseen import is_revised, matters
from monitord.pinning.grouping import group_of
from monitord.pinning.incident import (
    Handling,
    Incident,
    IncidentState,
    Severity,
    Transition,
    TransitionReason,
)
from monitord.pinning.report import timestamp
from monitord.pinning.target import DEFAULT_INTERVAL
from monitord.pinning.trouble import Trouble, trouble_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.conditions import Condition, Policy
    from monitord.pinning.incident import Acknowledgement, IncidentKey
    from monitord.pinning.quiet import Quiet

# Told in the future by more than this: the clock was set back, and the time of the last reminder means nothing.
_CLOCK_TOLERANCE = timedelta(minutes=5)
_DAY = timedelta(days=1)
_KEPT_REVISIONS = 20
_PREDICTED = ("predicted_at", "predicted_until", "cause", "confidence", "expected", "evidence", "act_by", "revisions")
_LOUDNESS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a decision depends on beside conditions and open incidents, both by the key of an incident.

    ``openings`` are when incidents opened that are over (rule 8). ``quiet`` is what keeps silent now (rule 10).
    """

    openings: Mapping[IncidentKey, Sequence[datetime]] = field(default_factory=dict)
    quiet: Mapping[IncidentKey, Quiet] = field(default_factory=dict)


_NOTHING_AROUND = Surroundings()


def decide(
    open_incidents: Mapping[IncidentKey, Incident],
    conditions: Iterable[Condition | Trouble],
    now: datetime,
    policy: Policy,
    around: Surroundings = _NOTHING_AROUND,
) -> tuple[Transition, ...]:
    """The transitions of one endpoint's incidents; ``open_incidents`` are all that are open for it."""
    present = {condition.key: condition for condition in conditions}
    gone = [incident for key, incident in open_incidents.items() if key not in present]
    steps = [
        step
        for key, condition in present.items()
        for step in _steps(open_incidents.get(key), condition, now, policy, around)
    ]
    return tuple(steps + list(withdraw(gone, now, policy)))


def withdraw(incidents: Iterable[Incident], now: datetime, policy: Policy) -> Iterator[Transition]:
    """Rule 7: the end of incidents whose subject is no longer watched."""
    for incident in incidents:
        summary = "No longer watched: it was taken out of the configuration, so the incident is closed unseen."
        facts = {**incident.facts, "summary": summary, "reason": summary, "advice": "", "timestamp": timestamp(now)}
        yield _ended(incident, TransitionReason.UNREGISTERED, facts, now, policy)


def acknowledge(incident: Incident, acknowledgement: Acknowledgement | None, now: datetime) -> Transition:
    """Rule 9: somebody has seen the incident, or takes that back (None)."""
    reason = TransitionReason.ACKNOWLEDGED if acknowledgement else TransitionReason.UNACKNOWLEDGED
    remark = {"by": acknowledgement.by, "reason": acknowledgement.reason} if acknowledgement else {}
    seen = replace(incident, handling=replace(incident.handling, acknowledged=acknowledgement))
    return _told(seen, reason, now, wanted=False, remark=remark)


def hush(incidents: Iterable[Incident], quiet: Mapping[IncidentKey, Quiet], now: datetime) -> Iterator[Transition]:
    """Rule 10: note in the log of incidents that they are silenced from now on."""
    for incident in incidents:
        if incident.key in quiet and incident.handling.silenced_by is None:
            yield _silenced(incident, quiet[incident.key], now)


def after(open_incidents: Mapping[IncidentKey, Incident], steps: Iterable[Transition]) -> dict[IncidentKey, Incident]:
    """The open incidents after these transitions."""
    left = dict(open_incidents)
    for step in steps:
        if step.incident.state is IncidentState.FIRING:
            left[step.incident.key] = step.incident
        else:
            left.pop(step.incident.key, None)
    return left


def _steps(
    incident: Incident | None, condition: Condition | Trouble, now: datetime, policy: Policy, around: Surroundings
) -> Iterator[Transition]:
    quiet, window = around.quiet.get(condition.key), _window(condition, policy)
    if incident is None:
        if condition.holds:
            flapping = flaps(condition.key.kind, around.openings.get(condition.key, ()), now, window)
            yield _opened(condition, now, quiet, window if flapping else None)
        return
    if condition.holds is False and _may_end(incident, now, window):
        reason = condition.end or TransitionReason.CLEARED
        yield _ended(incident, reason, _last_facts(incident, condition, now), now, policy)
        return
    if bool(quiet) != bool(incident.handling.silenced_by):
        turn = _silenced(incident, quiet, now) if quiet else _unsilenced(incident, condition, now, window)
        yield turn
        if turn.notify:
            return
        incident = turn.incident
    step = _goes_on(incident, condition, now, policy, window) if condition.holds is not None else None
    if step:
        yield step


def _window(condition: Condition | Trouble, policy: Policy) -> timedelta:
    interval = DEFAULT_INTERVAL if isinstance(condition, Trouble) else condition.verdict.target.interval
    return flap_window(condition.key.kind, interval, policy.failures)


def _may_end(incident: Incident, now: datetime, window: timedelta) -> bool:
    """Whether an incident ends as soon as its condition does: it is not flapping, or was away long enough."""
    handling = incident.handling
    return handling.flapping_since is None or (not handling.holds and _settled(handling, now, window))


def _settled(handling: Handling, now: datetime, window: timedelta) -> bool:
    stood = now - handling.turned_at if handling.turned_at else window
    return stood >= window or stood < -_CLOCK_TOLERANCE


def _goes_on(
    incident: Incident, condition: Condition | Trouble, now: datetime, policy: Policy, window: timedelta
) -> Transition | None:
    handling = incident.handling
    if condition.holds and _escalates(incident, condition):
        turned_at = handling.turned_at if handling.holds else now
        seen = replace(handling, acknowledged=None, holds=True, turned_at=turned_at)
        facts = _facts_now(incident, condition, now, window)
        return _told(
            replace(incident, severity=condition.severity, facts=facts, handling=seen), TransitionReason.ESCALATED, now
        )
    if handling.flapping_since:
        if condition.holds is not handling.holds:
            return _turned(incident, condition, now, policy)
        if condition.holds and _settled(handling, now, window):
            return _persisted(incident, condition, now, window)
    if not condition.holds:
        return None
    if condition.prediction and is_revised(incident, condition.prediction, now):
        facts = _facts_now(incident, condition, now, window)
        revised = replace(incident, severity=condition.severity, facts=facts)
        return _told(revised, TransitionReason.REVISED, now, wanted=matters(incident, condition.prediction))
    return _told(incident, TransitionReason.REPEATED, now) if _wants_reminder(incident, now, policy) else None


def _escalates(incident: Incident, condition: Condition | Trouble) -> bool:
    return _LOUDNESS[condition.severity] > _LOUDNESS[incident.severity]


def _wants_reminder(incident: Incident, now: datetime, policy: Policy) -> bool:
    handling = incident.handling
    if handling.acknowledged or handling.silenced_by:
        return False
    pause = policy.repeat_after(incident.severity, incident.key.kind)
    if handling.flapping_since:
        pause = max(pause, _DAY)
    since = now - incident.last_notified_at
    return since >= pause or since < -_CLOCK_TOLERANCE


def _opened(
    condition: Condition | Trouble, now: datetime, quiet: Quiet | None, flapping: timedelta | None
) -> Transition:
    """An incident that begins; ``flapping`` is the window in which it came too often, if it did."""
    key = condition.key
    seed = "\0".join((key.host, str(key.port), key.pinset, key.kind, now.isoformat()))
    facts = {**_facts(condition, now), "group": group_of(condition), "flapping": False}
    handling = Handling(silenced_by=quiet.id if quiet else None)
    if flapping:
        facts = flapping_facts(facts, flapping)
        handling = replace(handling, flapping_since=now, turned_at=now)
    incident = Incident(
        id=hashlib.sha256(seed.encode()).hexdigest()[:16],
        key=key,
        state=IncidentState.FIRING,
        severity=condition.severity,
        since=now,
        last_notified_at=now,
        transitions=0,
        facts=facts,
        handling=handling,
    )
    return _told(incident, TransitionReason.FLAPPING if flapping else TransitionReason.OPENED, now)


def _turned(incident: Incident, condition: Condition | Trouble, now: datetime, policy: Policy) -> Transition:
    """A flapping incident comes or goes; it may come with a reminder."""
    here = bool(condition.holds)
    turned = replace(incident, handling=replace(incident.handling, holds=here, turned_at=now))
    if here and _wants_reminder(incident, now, policy):
        return _told(turned, TransitionReason.REPEATED, now)
    remark = {"summary": _facts(condition, now, over=not here)["summary"]}
    reason = TransitionReason.RECURRED if here else TransitionReason.CEASED
    return _told(turned, reason, now, wanted=False, remark=remark)


def _persisted(incident: Incident, condition: Condition | Trouble, now: datetime, window: timedelta) -> Transition:
    handling = replace(incident.handling, flapping_since=None, turned_at=None)
    ordinary = replace(incident, handling=handling)
    facts = settled_facts(_facts_now(ordinary, condition, now, window), window)
    return _told(replace(ordinary, facts=facts), TransitionReason.PERSISTED, now)


def _silenced(incident: Incident, quiet: Quiet, now: datetime) -> Transition:
    remark = {"silence": quiet.id, "by": quiet.by, "reason": quiet.reason, "until": timestamp(quiet.until)}
    silenced = replace(incident, handling=replace(incident.handling, silenced_by=quiet.id))
    return _told(silenced, TransitionReason.SILENCED, now, wanted=False, remark=remark)


def _unsilenced(incident: Incident, condition: Condition | Trouble, now: datetime, window: timedelta) -> Transition:
    """The silence is over; what is owed is told, unless the incident escalates now, which tells it too."""
    loud = replace(incident, handling=replace(incident.handling, silenced_by=None))
    if not incident.handling.owed or (condition.holds and _escalates(incident, condition)):
        return _told(
            loud, TransitionReason.UNSILENCED, now, wanted=False, remark={"silence": incident.handling.silenced_by}
        )
    if condition.holds:
        loud = replace(loud, facts=_facts_now(incident, condition, now, window))
    return _told(loud, TransitionReason.UNSILENCED, now)


def _facts(condition: Condition | Trouble, now: datetime, *, over: bool = False) -> dict[str, Any]:
    if isinstance(condition, Trouble):
        return trouble_facts(condition, now, over=over)
    return alert_facts(condition, now, over=over)


def _facts_now(incident: Incident, condition: Condition | Trouble, now: datetime, window: timedelta) -> dict[str, Any]:
    """The facts as they are now; of a prediction also what it was before."""
    facts = {**_facts(condition, now), "group": incident.facts.get("group"), "flapping": False}
    if condition.prediction:
        before = {key: incident.facts.get(key) for key in ("timestamp", "predicted_at", "cause", "confidence")}
        facts["revisions"] = [*incident.facts.get("revisions", ()), before][-_KEPT_REVISIONS:]
    return flapping_facts(facts, window) if incident.handling.flapping_since else facts


def _last_facts(incident: Incident, condition: Condition | Trouble, now: datetime) -> dict[str, Any]:
    """The facts at the end; what was predicted stays told."""
    kept = {key: incident.facts[key] for key in _PREDICTED if key in incident.facts}
    return {**_facts(condition, now, over=True), **kept, "group": incident.facts.get("group"), "flapping": False}


def _told(
    incident: Incident,
    reason: TransitionReason,
    now: datetime,
    *,
    wanted: bool = True,
    remark: Mapping[str, Any] | None = None,
) -> Transition:
    """The next step; people are told if that is ``wanted`` and nothing keeps it quiet (rule 10)."""
    handling = incident.handling
    notify = wanted and handling.silenced_by is None
    told = replace(
        incident,
        transitions=incident.transitions + 1,
        last_notified_at=now if notify else incident.last_notified_at,
        handling=replace(handling, owed=not notify) if wanted else handling,
    )
    return Transition(told, told.transitions, now, reason, notify=notify, remark=remark)


def _ended(
    incident: Incident, reason: TransitionReason, facts: Mapping[str, object], now: datetime, policy: Policy
) -> Transition:
    number = incident.transitions + 1
    ended = replace(incident, state=IncidentState.RESOLVED, resolved_at=now, transitions=number, facts=facts)
    return Transition(ended, number, now, reason, notify=policy.resolved)
