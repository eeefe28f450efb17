"""Forecasts of commands: the same rule as the daemon's, with the history that the store has, or without."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitord.pinning.forecast import forecast
from monitord.pinning.lifelines import coming
from monitord.pinning.ruling import look_ahead

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitord.cli.judging import Judged
    from monitord.cli.past import Past
    from monitord.config.settings import Configuration
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.evidence import Signals
    from monitord.pinning.history import History
    from monitord.pinning.observation import Observation
    from monitord.pinning.prediction import Prediction
    from monitord.pinning.target import Target
    from monitord.pinning.verdict import PinSetVerdict


@dataclass(frozen=True, slots=True)
class Foresight:
    """What is coming for one endpoint, and what that was told from.

    ``observations`` are the latest look, which ``history`` includes.
    """

    target: Target
    observations: tuple[Observation, ...]
    history: History
    signals: Signals
    predictions: tuple[Prediction, ...]

    def of(self, verdict: PinSetVerdict) -> tuple[Prediction, ...]:
        """The predictions about this pin set."""
        return tuple(one for one in self.predictions if one.pinset == verdict.pinset.name)

    @property
    def coming(self) -> tuple[Certificate, ...]:
        """The leaf certificates that signals have shown, newer than what is served; each once."""
        return coming(self.observations, self.signals)


def foresee(
    target: Target,
    observations: Sequence[Observation],
    verdicts: Sequence[PinSetVerdict],
    past: Past,
    configuration: Configuration,
    now: datetime,
) -> Foresight:
    """The forecast after a look at the endpoint; ``past`` is from before it."""
    history = past.history(target).after(now, observations, past.last_seen(target))
    signals = past.signals(target)
    predictions = forecast(target, verdicts, history, signals, configuration.trust_stores, now, configuration.policy)
    return Foresight(target, tuple(observations), history, signals, predictions)


def foresee_each(
    judged: Sequence[Judged],
    seen: Sequence[Sequence[Observation]],
    past: Past,
    configuration: Configuration,
    now: datetime,
) -> list[tuple[Judged, Foresight]]:
    """Each endpoint with its rulings as they are in view of what is coming; ``seen`` are the looks, in their order."""
    found = []
    for one, observations in zip(judged, seen, strict=True):
        verdicts = [ruling.verdict for ruling in one.rulings]
        foresight = foresee(one.target, observations, verdicts, past, configuration, now)
        rulings = tuple(look_ahead(ruling, foresight.of(ruling.verdict)) for ruling in one.rulings)
        found.append((replace(one, rulings=rulings), foresight))
    return found
