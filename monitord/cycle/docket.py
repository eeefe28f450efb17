"""The open incidents of all endpoints and of monitord itself, what keeps them quiet, and who is to be told of a step.

The rules are in ``pinning.decide`` and ``pinning.quiet``; this keeps what they need from one decision to the next, in
memory. Whoever changes something here writes down the transitions that it gets back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitord.outbox import Message
from monitord.pinning.decide import Surroundings, acknowledge, after, decide, hush, withdraw
from monitord.pinning.flapping import OPENINGS
from monitord.pinning.incident import IncidentKind, IncidentState
from monitord.pinning.quiet import quiet_for
from monitord.pinning.report import event_body
from monitord.pinning.trouble import concerned_receiver
from monitord.turns import DIGEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from monitord.config.receivers import Receiver
    from monitord.pinning.conditions import Condition, Policy
    from monitord.pinning.incident import Acknowledgement, Incident, IncidentKey, Transition
    from monitord.pinning.quiet import Quiet, Scope, Silence, Window
    from monitord.pinning.target import Target
    from monitord.pinning.trouble import Trouble

    Endpoint = tuple[str, int]
    Steps = tuple[Transition, ...]


class Docket:
    """What is open, and what is known about the telling of it."""

    def __init__(
        self,
        incidents: Iterable[Incident],
        openings: Mapping[IncidentKey, Sequence[datetime]],
        silences: Iterable[Silence],
    ) -> None:
        """Go on from the open incidents, the beginnings of those that are over, and the silences of the last run.

        ``follow`` must be called before anything is decided.
        """
        self._incidents: dict[Endpoint, dict[IncidentKey, Incident]] = {}
        for incident in incidents:
            self._incidents.setdefault(_endpoint(incident.key), {})[incident.key] = incident
        self._openings = {key: tuple(found) for key, found in openings.items()}
        self._silences = {silence.id: silence for silence in silences}

    def follow(
        self,
        policy: Policy,
        receivers: Sequence[Receiver],
        targets: Mapping[Endpoint, Target],
        windows: Sequence[Window],
    ) -> None:
        """Decide by this configuration from now on."""
        self._policy, self._receivers, self._targets, self._windows = policy, receivers, targets, windows
        self._openings = {
            key: found for key, found in self._openings.items() if not key.host or _endpoint(key) in targets
        }

    @property
    def incidents(self) -> list[Incident]:
        """Every open incident."""
        return [incident for incidents in self._incidents.values() for incident in incidents.values()]

    @property
    def endpoints(self) -> list[Endpoint]:
        """Every endpoint with an open incident."""
        return list(self._incidents)

    def of(self, endpoint: Endpoint) -> Mapping[IncidentKey, Incident]:
        """The open incidents of an endpoint."""
        return self._incidents.get(endpoint, {})

    def silences(self, now: datetime) -> list[Silence]:
        """The silences that are in force or to come; those that are over are forgotten."""
        self._silences = {name: one for name, one in self._silences.items() if one.ends_at > now}
        return sorted(self._silences.values(), key=lambda one: (one.ends_at, one.id))

    def quiet(self, keys: Iterable[IncidentKey], now: datetime) -> dict[IncidentKey, Quiet]:
        """What keeps incidents quiet now, of those with these keys that anything does."""
        silences = self.silences(now)
        if not silences and not self._windows:
            return {}
        found = {key: quiet_for(key, self._labels(key), silences, self._windows, now) for key in keys}
        return {key: quiet for key, quiet in found.items() if quiet is not None}

    def decide(
        self,
        endpoint: Endpoint,
        conditions: Sequence[Condition | Trouble],
        now: datetime,
        *,
        among: Mapping[IncidentKey, Incident] | None = None,
    ) -> Steps:
        """What the conditions of an endpoint change; ``among``: only these of its open incidents are concerned."""
        concerned = self.of(endpoint) if among is None else among
        matters = {condition.key for condition in conditions if condition.holds} | concerned.keys()
        openings = {key: self._openings[key] for key in matters if key in self._openings}
        around = Surroundings(openings, self.quiet(matters, now))
        return self._taken(decide(concerned, conditions, now, self._policy, around))

    def withdraw(self, incidents: Iterable[Incident], now: datetime) -> Steps:
        """Close incidents whose subject is no longer watched."""
        return self._taken(tuple(withdraw(list(incidents), now, self._policy)))

    def acknowledge(self, incident: str, acknowledgement: Acknowledgement | None, now: datetime) -> Steps:
        """Somebody has seen the open incident with this id, or takes that back (None); nothing if there is none."""
        found = [one for one in self.incidents if one.id == incident]
        return self._taken(tuple(acknowledge(one, acknowledgement, now) for one in found))

    def silence(self, silence: Silence, now: datetime) -> Steps:
        """Keep quiet what a silence covers, from now on."""
        self._silences[silence.id] = silence
        return self.hush(now)

    def unsilence(self, identifier: str, now: datetime) -> Silence | None:
        """End a silence; as it then was, or None if there is none with this id."""
        found = next((one for one in self.silences(now) if one.id == identifier), None)
        if found is None:
            return None
        del self._silences[identifier]
        return replace(found, ends_at=max(now, found.starts_at))

    def covered(self, scope: Scope) -> list[Incident]:
        """The open incidents that are meant by a scope."""
        return [one for one in self.incidents if scope.covers(one.key, self._labels(one.key, one))]

    def hush(self, now: datetime) -> Steps:
        """Note of open incidents that they have come into a silence or window."""
        incidents = self.incidents
        quiet = self.quiet((one.key for one in incidents), now)
        return self._taken(tuple(hush(incidents, quiet, now))) if quiet else ()

    def loud(self, now: datetime) -> set[Endpoint]:
        """The endpoints of incidents whose silence is over, which the next round is to notice."""
        silenced = [one.key for one in self.incidents if one.handling.silenced_by is not None]
        quiet = self.quiet(silenced, now)
        return {_endpoint(key) for key in silenced if key not in quiet}

    def messages(self, steps: Iterable[Transition]) -> list[Message]:
        """A message for each receiver that wants it; the end is for all, and the store leaves out who never heard."""
        return [
            Message(
                step.incident.id,
                step.number,
                receiver.name,
                event_body(step),
                step.at,
                kept_with=DIGEST if receiver.can_wait_for(step.incident.severity) else None,
            )
            for step in steps
            if step.notify
            for receiver in self._concerned(step.incident)
        ]

    def _concerned(self, incident: Incident) -> list[Receiver]:
        """Who is to be told of an incident as it stands.

        That a receiver fails is told to the others. What is wrong with monitord is for those who take it from every
        endpoint or, if there are none, for whoever takes its severity from some.
        """
        others = [one for one in self._receivers if one.name != concerned_receiver(incident.key)]
        if incident.state is IncidentState.RESOLVED:
            return others
        labels = self._labels(incident.key, incident)
        kind = incident.key.kind
        wanting = [one for one in others if one.wants(kind, incident.severity, labels)]
        if wanting or kind is not IncidentKind.MONITOR_DEGRADED:
            return wanting
        return [one for one in others if one.takes(kind, incident.severity)]

    def _labels(self, key: IncidentKey, incident: Incident | None = None) -> Mapping[str, str]:
        """The labels that the endpoint has now, not those of when the incident began."""
        target = self._targets.get(_endpoint(key))
        if target is not None:
            return target.labels
        incident = incident or self.of(_endpoint(key)).get(key)
        labels: Mapping[str, str] = incident.facts.get("labels", {}) if incident else {}
        return labels

    def _taken(self, steps: Steps) -> Steps:
        for step in steps:
            key = step.incident.key
            left = after(self.of(_endpoint(key)), [step])
            if left:
                self._incidents[_endpoint(key)] = left
            else:
                self._incidents.pop(_endpoint(key), None)
            if step.incident.state is IncidentState.RESOLVED:
                self._openings[key] = (*self._openings.get(key, ()), step.incident.since)[-OPENINGS:]
        return steps


def _endpoint(key: IncidentKey) -> Endpoint:
    return key.host, key.port
