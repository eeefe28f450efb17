"""Plays a story: probe after probe through the daemon's own round, with the story's clock for a clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitord.config.settings import AlertSettings
from monitord.cycle.cycle import Cycle
from monitord.cycle.settings import RoundSettings
from monitord.pinning.conditions import Policy
from monitord.pinning.history import History
from monitord.pinning.steady import LONGEST
from monitord.replay.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from monitord.errors import MonitordError
    from monitord.outbox import Message
    from monitord.pinning.incident import Transition
    from monitord.pinning.observation import Observation
    from monitord.pinning.outcome import Outcome
    from monitord.pinning.prediction import Prediction
    from monitord.pinning.target import Target
    from monitord.pinning.verdict import PinSetVerdict
    from monitord.replay.story import Story


@dataclass(frozen=True, slots=True)
class Round:
    """One probe of a story: what was said of each pin set, what changed, what was foreseen.

    ``news``: whether events happened just before it.
    """

    at: datetime
    news: bool
    verdicts: tuple[PinSetVerdict, ...]
    transitions: tuple[Transition, ...]
    predictions: tuple[Prediction, ...] = ()


def play(story: Story, *, quiet_for: timedelta = LONGEST) -> tuple[Round, ...]:
    """Every round of the story, in order; ``quiet_for`` as in ``RoundSettings``."""
    return asyncio.run(_play(story, quiet_for))


async def _play(story: Story, quiet_for: timedelta) -> tuple[Round, ...]:
    world = World(story)
    witness = _Witness()
    cycle = Cycle(
        _settings(story, world, quiet_for),
        prober=_StoryProber(world),
        store=_Memory(),
        watcher=witness,
        now=lambda: world.now,
        incidents={},
        streaks={},
        signals=world.signals,
    )
    target, trust = world.target, world.trust
    rounds: list[Round] = []
    for now, events in story.probes():
        world.advance(now, events)
        if world.target is not target or world.trust is not trust:
            target, trust = world.target, world.trust
            await cycle.reconfigure(_settings(story, world, quiet_for))
        await cycle.run_round((target.host, target.port))
        await cycle.flush()
        outcomes, witness.outcomes = witness.outcomes, []
        rounds += [Round(now, bool(events), one.verdicts, one.transitions, one.predictions) for one in outcomes]
    return tuple(rounds)


def _settings(story: Story, world: World, quiet_for: timedelta) -> RoundSettings:
    policy = Policy(
        confirm=story.confirm,
        failures=story.failures,
        release_time=story.release_time,
        horizon=story.horizon,
        repeat=AlertSettings().repeat,
    )
    target = world.target
    return RoundSettings(
        timeout=story.step,
        policy=policy,
        trust=world.trust,
        receivers=(),
        targets={(target.host, target.port): target},
        quiet_for=quiet_for,
    )


@dataclass(frozen=True, slots=True)
class _StoryProber:
    """Sees what the story says."""

    world: World

    async def observe(self, target: Target, *, timeout: timedelta) -> tuple[Observation, ...]:  # noqa: ASYNC109
        """What is served now, at once."""
        del target, timeout
        return self.world.observations()


class _Memory:
    """Keeps nothing: the round itself remembers what it needs."""

    async def record(self, outcomes: Sequence[Outcome], messages: Sequence[Message]) -> bool:
        """Nothing to write."""
        del outcomes, messages
        return False

    async def history(self, host: str, port: int) -> History:
        """Nothing was seen before the story."""
        del host, port
        return History()


@dataclass(slots=True)
class _Witness:
    """Notes each outcome."""

    outcomes: list[Outcome] = field(default_factory=list)

    def round_done(self, outcome: Outcome) -> None:
        """Note it."""
        self.outcomes.append(outcome)

    def changed(self, steps: Sequence[Transition]) -> None:
        """Nothing changes but by a round."""

    def recorded(self, error: MonitordError | None) -> None:
        """Nothing is recorded."""

    def queued(self, messages: Sequence[Message]) -> None:
        """Nobody is told."""
