"""``expect:``: each of its keys holds or does not, for the story as a whole and for each pin set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.replay.stories import story

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.replay.stories import Told

    Tell = Callable[[str], Told]

# Fails 2026-01-07T00:00Z; staged and so foretold 2026-01-03.
FAILING = """\
  - {at: 2026-01-03, staged: [new, inter]}
  - {at: 2026-01-07, serve: [new, inter]}
"""


@pytest.mark.parametrize(
    ("expect", "unmet"),
    [
        ("{fails_at: 2026-01-07}", []),
        ("{fails_at: 2026-01-06}", []),  # one step by default
        ("{fails_at: 2026-01-08}", []),
        ("{fails_at: 2026-01-05}", ["fails_at"]),
        ("{fails_at: 2026-01-05, fails_at_tolerance: 2d}", []),
        ("{fails_at: 2026-01-06, fails_at_tolerance: 12h}", ["fails_at"]),
        ("{fails_at: 2026-01-07, fails_at_tolerance: 0s}", []),
        ("{fails_at: null}", ["fails_at"]),
        ("{warned_by: 2026-01-03}", []),
        ("{warned_by: 2026-01-09}", []),
        ("{warned_by: 2026-01-02T23:59:59Z}", ["warned_by"]),
        ("{warned_by: null}", []),
        ("{max_false_alarms: 0}", []),
        ("{kinds: [pin_mismatch_predicted, pin_mismatch]}", []),
        ("{kinds: [untrusted]}", ["kinds"]),
        ("{forbid_kinds: [untrusted, unreachable]}", []),
        ("{forbid_kinds: [pin_mismatch_predicted]}", ["forbid_kinds"]),
        ("{fails_at: null, warned_by: 2026-01-01, kinds: [untrusted]}", ["fails_at", "warned_by", "kinds"]),
    ],
)
def test_each_key_of_a_story_that_fails(expect: str, unmet: list[str], tell: Tell) -> None:
    """What holds, and all that does not."""
    assert tell(story(FAILING, expect=expect)).unmet == unmet


@pytest.mark.parametrize(
    ("expect", "unmet"),
    [
        ("{fails_at: null}", []),
        ("{fails_at: 2026-01-07}", ["fails_at"]),
        ("{max_false_alarms: 0}", ["max_false_alarms"]),
        ("{max_false_alarms: 1}", []),
        ("{forbid_kinds: [pin_mismatch, untrusted]}", []),
    ],
)
def test_each_key_of_a_story_that_does_not_fail(expect: str, unmet: list[str], tell: Tell) -> None:
    """What was staged is served, with the pinned key in the end: the alarm was false."""
    events = "  - {at: 2026-01-03, staged: [new, inter]}\n  - {at: 2026-01-07, serve: [same, inter]}\n"
    assert tell(story(events, expect=expect, end="2026-02-10")).unmet == unmet


TWO = """\
  - {name: app, client: okhttp, pins: [a, {unknown: 1}]}
  - {name: ca, client: okhttp, pins: [inter, {unknown: 1}]}"""


def test_with_several_pin_sets_the_earliest_failure_counts(tell: Tell) -> None:
    """One of them fails; kinds and false alarms are those of all."""
    expect = "{fails_at: 2026-01-07, warned_by: 2026-01-03, max_false_alarms: 0, kinds: [pin_mismatch]}"
    assert tell(story(FAILING, pinsets=TWO, expect=expect)).unmet == []


def test_with_several_pin_sets_false_alarms_are_added_up(tell: Tell) -> None:
    """Each has one."""
    events = "  - {at: 2026-01-03, staged: [new, inter]}\n  - {at: 2026-01-07, serve: [same, inter]}\n"
    pinsets = TWO.replace("pins: [inter,", "pins: [a,")
    for most, unmet in ((1, ["max_false_alarms"]), (2, [])):
        assert (
            tell(story(events, pinsets=pinsets, end="2026-02-10", expect=f"{{max_false_alarms: {most}}}")).unmet
            == unmet
        )


def test_each_pin_set_may_be_asked_on_its_own(tell: Tell) -> None:
    """``{app: {…}, ca: {…}}``."""
    expect = "{app: {fails_at: 2026-01-07, warned_by: 2026-01-01}, ca: {fails_at: 2026-01-07, kinds: [pin_mismatch]}}"
    assert tell(story(FAILING, pinsets=TWO, expect=expect)).unmet == ["app.warned_by", "ca.fails_at", "ca.kinds"]


def test_incidents_of_the_endpoint_count_for_every_pin_set(tell: Tell) -> None:
    """``unreachable`` belongs to none."""
    expect = "{app: {kinds: [unreachable]}, ca: {forbid_kinds: [unreachable]}}"
    told = tell(story("  - {at: 2026-01-03, unreachable: true}\n", pinsets=TWO, expect=expect))
    assert told.unmet == ["ca.forbid_kinds"]


def test_nothing_expected_nothing_checked(tell: Tell) -> None:
    """A story without ``expect:`` is played and told."""
    assert tell(story(FAILING)).played.checks == ()
