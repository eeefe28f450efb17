"""From conditions to incidents: ``decide`` says what changed, and nothing when nothing did.

The rules, each tested by its number:

1. There is at most one open incident for a key (host, port, pin set, kind).
2. A condition that holds and has no open incident opens one. Its id comes from the key and the time alone, so that
   deciding again after a crash gives the same incident.
3. A condition that holds with a higher severity than its open incident escalates it. A lower one changes nothing: what
   has once been critical stays so until it is over.
4. A condition that holds while its incident is open is told again once the time between reminders of its severity has
   passed since people were last told, with the same body.
5. A condition that does not hold ends its open incident, once.
6. A condition that cannot be told (unknown) changes nothing: unknown is neither a failure nor its end.
7. An open incident of the endpoint whose key has no condition any more (pin set or endpoint gone from the
   configuration) ends as unregistered.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.facts import alert_facts
from monitord.pinning.incident import (
    Incident,
    IncidentState,
    Severity,
    Transition,
    TransitionReason,
)
from monitord.pinning.report import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from monitord.pinning.conditions import Condition, Policy
    from monitord.pinning.incident import IncidentKey

# Told in the future by more than this: the clock was set back, and the time of the last reminder means nothing.
_CLOCK_TOLERANCE = timedelta(minutes=5)
_LOUDNESS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


def decide(
    open_incidents: Mapping[IncidentKey, Incident], conditions: Iterable[Condition], now: datetime, policy: Policy
) -> tuple[Transition, ...]:
    """The transitions of one endpoint's incidents; ``open_incidents`` are all that are open for it."""
    present = {condition.key: condition for condition in conditions}
    gone = [incident for key, incident in open_incidents.items() if key not in present]
    steps = [_step(open_incidents.get(key), condition, now, policy) for key, condition in present.items()]
    return tuple([step for step in steps if step] + list(withdraw(gone, now, policy)))


def withdraw(incidents: Iterable[Incident], now: datetime, policy: Policy) -> Iterator[Transition]:
    """Rule 7: the end of incidents whose subject is no longer watched."""
    for incident in incidents:
        summary = "No longer watched: it was taken out of the configuration, so the incident is closed unseen."
        facts = {**incident.facts, "summary": summary, "reason": summary, "advice": "", "timestamp": timestamp(now)}
        yield _ended(incident, TransitionReason.UNREGISTERED, facts, now, policy)


def after(open_incidents: Mapping[IncidentKey, Incident], steps: Iterable[Transition]) -> dict[IncidentKey, Incident]:
    """The open incidents after these transitions."""
    left = dict(open_incidents)
    for step in steps:
        if step.incident.state is IncidentState.FIRING:
            left[step.incident.key] = step.incident
        else:
            left.pop(step.incident.key, None)
    return left


def _step(incident: Incident | None, condition: Condition, now: datetime, policy: Policy) -> Transition | None:
    if condition.holds is None:
        return None
    if incident is None:
        return _opened(condition, now) if condition.holds else None
    if not condition.holds:
        return _ended(incident, TransitionReason.CLEARED, alert_facts(condition, now, over=True), now, policy)
    if _LOUDNESS[condition.severity] > _LOUDNESS[incident.severity]:
        louder = replace(incident, severity=condition.severity, facts=alert_facts(condition, now))
        return _told(louder, TransitionReason.ESCALATED, now)
    since = now - incident.last_notified_at
    if since >= policy.repeat_after(incident.severity) or since < -_CLOCK_TOLERANCE:
        return _told(incident, TransitionReason.REPEATED, now)
    return None


def _opened(condition: Condition, now: datetime) -> Transition:
    key = condition.key
    seed = "\0".join((key.host, str(key.port), key.pinset, key.kind, now.isoformat()))
    incident = Incident(
        id=hashlib.sha256(seed.encode()).hexdigest()[:16],
        key=key,
        state=IncidentState.FIRING,
        severity=condition.severity,
        since=now,
        last_notified_at=now,
        transitions=0,
        facts=alert_facts(condition, now),
    )
    return _told(incident, TransitionReason.OPENED, now)


def _told(incident: Incident, reason: TransitionReason, now: datetime) -> Transition:
    number = incident.transitions + 1
    return Transition(replace(incident, transitions=number, last_notified_at=now), number, now, reason)


def _ended(
    incident: Incident, reason: TransitionReason, facts: Mapping[str, object], now: datetime, policy: Policy
) -> Transition:
    number = incident.transitions + 1
    ended = replace(incident, state=IncidentState.RESOLVED, resolved_at=now, transitions=number, facts=facts)
    return Transition(ended, number, now, reason, notify=policy.resolved)
