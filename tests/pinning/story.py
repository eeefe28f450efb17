"""One endpoint over time, for the tests of incidents: rounds in, transitions out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.conditions import Known, Policy, conditions, remember, representative
from monitord.pinning.decide import Surroundings, after, decide
from monitord.pinning.incident import IncidentKey, IncidentKind, IncidentState
from monitord.pinning.outcome import Streaks
from tests.pinning.conftest import HOST, NOW, pin_of, unknown_pin

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.incident import Incident, Transition, TransitionReason
    from monitord.pinning.observation import Observation
    from monitord.pinning.quiet import Quiet
    from monitord.pinning.verdict import PinSetVerdict
    from tests.pinning.conftest import World

    Seen = tuple[Observation, ...]

POLICY = Policy(
    confirm=2,
    failures=3,
    release_time=timedelta(days=14),
    horizon=timedelta(days=30),
    repeat=timedelta(hours=4),
)
MISMATCH = IncidentKey(HOST, 443, "app", IncidentKind.PIN_MISMATCH)
UNTRUSTED = IncidentKey(HOST, 443, "app", IncidentKind.UNTRUSTED)
EXPIRING = IncidentKey(HOST, 443, "app", IncidentKind.PINS_EXPIRING)
UNREACHABLE = IncidentKey(HOST, 443, "", IncidentKind.UNREACHABLE)


class Story:
    """One endpoint over time: rounds in, transitions out."""

    def __init__(self, world: World, *, expires: datetime | None = None, policy: Policy = POLICY) -> None:
        """An endpoint whose leaf is pinned."""
        self.world, self.expires, self.policy = world, expires, policy
        self.open: dict[IncidentKey, Incident] = {}
        self.streaks = Streaks()
        self.lore = Known()
        self.openings: dict[IncidentKey, tuple[datetime, ...]] = {}
        self.quiet: Quiet | None = None

    def judge(self, *observations: Observation, now: datetime = NOW) -> tuple[PinSetVerdict]:
        """One attempt."""
        return (
            self.world.judge(
                *observations, pins=(pin_of(self.world.leaf), unknown_pin()), now=now, expires=self.expires
            ),
        )

    def round(self, *attempts: Seen, now: datetime = NOW) -> list[tuple[IncidentKey, TransitionReason]]:
        """A round of these attempts; the keys and reasons of its transitions."""
        return [(step.incident.key, step.reason) for step in self.steps(*attempts, now=now)]

    def steps(self, *attempts: Seen, now: datetime = NOW) -> tuple[Transition, ...]:
        """A round of these attempts; its transitions."""
        judged = [self.judge(*observations, now=now) for observations in attempts]
        verdicts = judged[representative(judged)]
        self.streaks = self.streaks.after(verdicts, self.policy.failures)
        known = replace(self.lore, incidents=self.open)
        held = conditions(judged, self.streaks, known, now, self.policy)
        quiet = {condition.key: self.quiet for condition in held} if self.quiet else {}
        steps = decide(self.open, held, now, self.policy, Surroundings(self.openings, quiet))
        self.lore = remember(judged, held, known)
        self.take(steps)
        return steps

    def take(self, steps: tuple[Transition, ...]) -> None:
        """Go on from these transitions."""
        self.open = after(self.open, steps)
        for step in steps:
            if step.incident.state is IncidentState.RESOLVED:
                self.openings[step.incident.key] = (*self.openings.get(step.incident.key, ()), step.incident.since)
