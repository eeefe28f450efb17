"""Every story of ``tests/data/scenarios`` ends as the reckoning by hand at its top says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from monitord.replay.played import play_through
from monitord.replay.reading import read_story
from tests.replay.stories import SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path

STORIES = sorted(SCENARIOS.glob("*.yaml"))


@pytest.mark.parametrize("file", STORIES, ids=lambda file: file.stem)
def test_a_story_ends_as_it_says(file: Path) -> None:
    """Every expectation holds, and there is at least one."""
    reading = read_story(file)
    assert reading.story is not None, reading.faults
    assert not reading.warnings
    played = play_through(reading.story)
    assert [check for check in played.checks if not check.holds] == []
    assert played.checks


@pytest.mark.parametrize("file", STORIES, ids=lambda file: file.stem)
def test_a_story_is_worked_out_by_hand(file: Path) -> None:
    """The comment at its top says when it fails, and then from when that could be known."""
    comment = "\n".join(line for line in file.read_text().splitlines() if line.startswith("#"))
    assert "# Fails" in comment or "Fails: never" in comment or "Nothing ever fails" in comment or "Must not" in comment
