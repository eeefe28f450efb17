"""What a round says about each incident that an endpoint can have: it holds, it does not, or nobody can tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.incident import IncidentKey, IncidentKind, Severity
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.incident import Incident
    from monitord.pinning.outcome import Streaks
    from monitord.pinning.verdict import PinSetVerdict

    Attempt = Sequence[PinSetVerdict]

_FAILING = {Verdict.PIN_MISMATCH: IncidentKind.PIN_MISMATCH, Verdict.UNTRUSTED: IncidentKind.UNTRUSTED}
# The verdicts that end an incident. A chain that is not trusted says nothing about the pins, so a mismatch stays open
# until pins are judged again; a mismatch, on the other hand, was judged on a trusted path.
_ENDING = {
    IncidentKind.PIN_MISMATCH: (Verdict.OK, Verdict.NOT_PINNED, Verdict.PINS_EXPIRED),
    IncidentKind.UNTRUSTED: (Verdict.OK, Verdict.NOT_PINNED, Verdict.PINS_EXPIRED, Verdict.PIN_MISMATCH),
}
_SPARE_ATTEMPTS = 2
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Policy:
    """How sure and how near something must be before people hear of it.

    ``confirm``: judgements that must agree before a failure counts. ``failures``: rounds without a verdict before
    "unreachable" counts. ``release_time`` and ``horizon``: what is nearer is critical, and warning. ``repeat``: time
    between reminders of a critical incident, of others a day at least. ``resolved``: whether people are told of the
    end.
    """

    confirm: int
    failures: int
    release_time: timedelta
    horizon: timedelta
    repeat: timedelta
    resolved: bool = True

    def repeat_after(self, severity: Severity) -> timedelta:
        """The time between two reminders of an incident of this severity."""
        return self.repeat if severity is Severity.CRITICAL else max(self.repeat, _DAY)


@dataclass(frozen=True, slots=True)
class Condition:
    """One possible incident this round; ``holds`` is None where it cannot be told.

    ``verdict`` is the pin set that it is about; for kinds that concern the endpoint, any of its pin sets.
    """

    key: IncidentKey
    holds: bool | None
    severity: Severity
    verdict: PinSetVerdict
    rounds: int = 0


def wants_another_attempt(attempts: Sequence[Attempt], known: Collection[IncidentKey], policy: Policy) -> bool:
    """Whether to probe again at once: the first attempt shows a failure that is neither known nor confirmed yet.

    An attempt that could not be judged does not count towards the confirmation; one that disagrees ends the matter.
    """
    return len(attempts) < policy.confirm + _SPARE_ATTEMPTS and any(
        first.verdict.apps_fail
        and _key(first, _FAILING[first.verdict]) not in known
        and set(judged := _judged(attempts, position)) == {first.verdict}
        and len(judged) < policy.confirm
        for position, first in enumerate(attempts[0])
    )


def conditions(
    attempts: Sequence[Attempt], streaks: Streaks, known: Mapping[IncidentKey, Incident], now: datetime, policy: Policy
) -> tuple[Condition, ...]:
    """Every condition of an endpoint, for all its pin sets and kinds, from the attempts of one round in their order.

    ``streaks`` include this round; ``known`` are the open incidents.
    """
    found: list[Condition] = []
    for position, verdict in enumerate(attempts[-1]):
        judged = _judged(attempts, position)
        found.extend(_failing(verdict, judged, known, policy))
        found.append(_expiring(verdict, now, policy))
    found.append(_unreachable(attempts[-1], streaks, policy))
    return tuple(found)


def _judged(attempts: Sequence[Attempt], position: int) -> list[Verdict]:
    return [attempt[position].verdict for attempt in attempts if attempt[position].verdict is not Verdict.UNDETERMINED]


def _key(verdict: PinSetVerdict, kind: IncidentKind) -> IncidentKey:
    return IncidentKey(verdict.target.host, verdict.target.port, verdict.pinset.name, kind)


def _failing(
    verdict: PinSetVerdict, judged: list[Verdict], known: Mapping[IncidentKey, Incident], policy: Policy
) -> Iterator[Condition]:
    for wanted, kind in _FAILING.items():
        key = _key(verdict, kind)
        holds: bool | None = None
        over = all(one in _ENDING[kind] for one in judged)
        if judged and all(one is wanted for one in judged):
            holds = True if key in known or len(judged) >= policy.confirm else None
        elif over and (judged or (key in known and _answered_well(verdict, known[key], kind))):
            holds = False
        yield Condition(key, holds, Severity.CRITICAL, verdict)


def _answered_well(verdict: PinSetVerdict, incident: Incident, kind: IncidentKind) -> bool:
    """Whether an incident is over though some address is undetermined: one at which it was never seen.

    Every address that can be judged is well, and those that failed are among them or gone.
    """
    failed = {seen["address"] for seen in incident.facts["observations"] if seen["verdict"] == kind}
    known = [judgement for judgement in verdict.judgements if judgement.verdict is not Verdict.UNDETERMINED]
    unknown = {one.observation.address for one in verdict.judgements if one.verdict is Verdict.UNDETERMINED}
    return bool(known) and not failed & unknown and all(one.verdict in _ENDING[kind] for one in known)


def _expiring(verdict: PinSetVerdict, now: datetime, policy: Policy) -> Condition:
    key = _key(verdict, IncidentKind.PINS_EXPIRING)
    expires = verdict.pinset.expires
    if expires is None or expires - now > policy.horizon:
        return Condition(key, holds=False, severity=Severity.WARNING, verdict=verdict)
    severity = Severity.CRITICAL if expires - now <= policy.release_time else Severity.WARNING
    return Condition(key, holds=True, severity=severity, verdict=verdict)


def _unreachable(attempt: Attempt, streaks: Streaks, policy: Policy) -> Condition:
    """An endpoint that cannot be judged at all is critical; one address among others, a warning."""
    verdict = attempt[0]
    key = IncidentKey(verdict.target.host, verdict.target.port, "", IncidentKind.UNREACHABLE)
    if streaks.endpoint >= policy.failures:
        return Condition(key, holds=True, severity=Severity.CRITICAL, verdict=verdict, rounds=streaks.endpoint)
    longest = max(streaks.addresses.values(), default=0)
    if streaks.endpoint == 0 and longest >= policy.failures:
        return Condition(key, holds=True, severity=Severity.WARNING, verdict=verdict, rounds=longest)
    return Condition(key, holds=None if longest else False, severity=Severity.WARNING, verdict=verdict, rounds=longest)
