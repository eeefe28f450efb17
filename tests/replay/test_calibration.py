"""Of what is told with confidence p about p comes true, over random histories of hosts; ``bench`` plays many more."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import sqrt
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.incident import IncidentKind, IncidentState, TransitionReason
from monitord.replay.played import Played, play_through
from tests.replay.calibration import Told, at_first_telling, at_lead_times
from tests.replay.histories import random_story

if TYPE_CHECKING:
    from monitord.pinning.incident import Incident

DAY = timedelta(days=1)
HISTORIES = 80


@pytest.fixture(scope="module")
def played() -> list[Played]:
    """Two thirds of a year of eighty hosts, a probe a day."""
    return [play_through(random_story(seed, days=240, step=DAY)) for seed in range(HISTORIES)]


def within_chance(told: list[Told]) -> bool:
    """Whether about as many came true as was told: three standard deviations and a twentieth are allowed."""
    sure = sum(one.confidence for one in told) / len(told)
    came = sum(one.came_true for one in told) / len(told)
    return abs(sure - came) <= 3 * sqrt(sure * (1 - sure) / len(told)) + 0.05


@pytest.mark.parametrize(("least", "most"), [(0.5, 0.7), (0.7, 0.88), (0.88, 1.01)])
def test_alarms_come_true_as_often_as_they_say(played: list[Played], least: float, most: float) -> None:
    """By the confidence that people were told first."""
    told = [found for one in played for found in at_first_telling(one) if least <= found.confidence < most]
    assert len(told) >= 8
    assert within_chance(told)


def test_nearly_certain_predictions_come_true_more_often_than_doubtful_ones(played: list[Played]) -> None:
    """Confidence tells apart, at every lead time together."""
    told = [found for one in played for found in at_lead_times(one)]
    parts = [
        [one.came_true for one in told if least <= one.confidence < most]
        for least, most in ((0.05, 0.5), (0.5, 0.85), (0.85, 1.01))
    ]
    rates = [sum(part) / len(part) for part in parts]
    assert rates == sorted(rates)
    assert rates[0] < 0.35
    assert rates[-1] > 0.85


def test_most_failures_are_foretold_in_time_and_false_alarms_are_rare(played: list[Played]) -> None:
    """What nobody can know, such as a move to another CA that nothing announces, is the rest."""
    outcomes = [one.reckoned[0] for one in played]
    failing = [one for one in outcomes if one.fails_at is not None]
    assert sum(one.foretold is not None for one in failing) >= 0.75 * len(failing)
    assert sum(one.lead is not None and one.lead >= 7 * DAY for one in failing) >= 0.6 * len(failing)
    years = sum(len(one.rounds) for one in played) / 365
    assert sum(one.false_alarms for one in outcomes) <= 0.9 * years


def test_equal_seeds_give_equal_histories() -> None:
    """So that what is measured can be measured again."""
    assert random_story(7) == random_story(7)
    assert random_story(7) != random_story(8)


def test_an_incident_keeps_its_identity_through_revisions_and_is_never_told_as_new(played: list[Played]) -> None:
    """One at a time for a pin set, its steps numbered on; what was withdrawn does not come back the same."""
    for one in played:
        steps = [step for each in one.rounds for step in each.transitions]
        steps = [step for step in steps if step.incident.key.kind is IncidentKind.PIN_MISMATCH_PREDICTED]
        current: Incident | None = None
        withdrawn: tuple[str, datetime] | None = None
        for step in steps:
            incident = step.incident
            foretold = (incident.facts["cause"], datetime.fromisoformat(incident.facts["predicted_at"]))
            if step.number == 1:
                assert current is None
                assert withdrawn is None or foretold[0] != withdrawn[0] or abs(foretold[1] - withdrawn[1]) > DAY / 2
            else:
                assert current is not None
                assert (incident.id, incident.since, step.number) == (
                    current.id,
                    current.since,
                    current.transitions + 1,
                )
            current = incident if incident.state is IncidentState.FIRING else None
            if current is None:
                withdrawn = foretold if step.reason is TransitionReason.WITHDRAWN else None
