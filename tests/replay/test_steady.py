"""A quiet round may stand for those after it, and nobody is told anything else: every story with and without that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from monitord.pinning.steady import LONGEST
from monitord.replay.play import play
from monitord.replay.reading import read_story
from tests.replay.stories import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitord.replay.play import Round

STORIES = sorted(SCENARIOS.glob("*.yaml"))
# Shorter than a quiet round stands, so that it does.
STEP = LONGEST / 2


def told(rounds: Sequence[Round]) -> list[tuple[Any, ...]]:
    """What changed, in order, but for when."""
    steps = [step for one in rounds for step in one.transitions]
    return [(step.incident.key, step.reason, step.incident.severity, step.notify) for step in steps]


def moments(rounds: Sequence[Round]) -> list[Any]:
    """When each of these things changed."""
    return [one.at for one in rounds for _ in one.transitions]


@pytest.mark.parametrize("file", STORIES, ids=lambda file: file.stem)
def test_a_story_is_the_same_without_the_memory_of_quiet_rounds(file: Path) -> None:
    """Every verdict at once, and every incident; what time alone brings comes as late as a quiet round stands."""
    story = read_story(file).story
    assert story is not None
    story = replace(story, step=STEP)
    remembered = play(story)
    judged = play(story, quiet_for=timedelta())
    assert [[one.verdict for one in each.verdicts] for each in remembered] == [
        [one.verdict for one in each.verdicts] for each in judged
    ]
    assert told(remembered) == told(judged)
    late = [one - other for one, other in zip(moments(remembered), moments(judged), strict=True)]
    assert all(timedelta() <= each < LONGEST for each in late)


def test_quiet_rounds_stand_for_others_in_stories() -> None:
    """Or the test above would compare nothing."""
    story = read_story(SCENARIOS / "key-kept-at-renewals.yaml").story
    assert story is not None
    rounds = play(replace(story, step=STEP))
    assert sum(one.verdicts is before.verdicts for before, one in pairwise(rounds)) > len(rounds) / 3
