"""``replay``: lines of JSON as the contract with users has them, exit codes, and a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.replay.stories import SCENARIOS, story

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

EVENTS = """\
  - {at: 2026-01-03, staged: [new, inter]}
  - {at: 2026-01-04, staged: [same, inter]}
  - {at: 2026-01-05, staged: [new, inter]}
  - {at: 2026-01-06, ct: new}
  - {at: 2026-01-08, serve: [new, inter]}
"""
TRANSITION = ["at", "scenario", "pinset", "kind", "state", "severity", "cause", "predicted_at", "confidence"]
RESULT = ["scenario", "pinset", "fails_at", "first_predicted", "lead_hours", "false_alarms"]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a story into a file."""

    def written(text: str, name: str = "story.yaml") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return written


def test_json_has_a_line_for_each_transition_and_then_one_for_each_pin_set(
    monitord: Callable[..., Result], write: Callable[..., Path]
) -> None:
    """Foretold, withdrawn, foretold again, come true; the keys in the order that is promised."""
    result = monitord("replay", write("name: a tale\n" + story(EVENTS)), "--json")
    *transitions, last = result.records
    assert (result.code, result.err) == (0, "")
    told = [(one["at"][:10], one["kind"], one["state"]) for one in transitions]
    assert told == [
        ("2026-01-03", "pin_mismatch_predicted", "firing"),
        ("2026-01-04", "pin_mismatch_predicted", "withdrawn"),
        ("2026-01-05", "pin_mismatch_predicted", "firing"),
        ("2026-01-08", "pin_mismatch", "firing"),
        ("2026-01-08", "pin_mismatch_predicted", "resolved"),
    ]
    assert all(list(one)[: len(TRANSITION)] == TRANSITION for one in transitions)
    assert transitions[0]["cause"] == "leaf_renewal"
    assert transitions[0]["confidence"] == pytest.approx(0.95)
    assert transitions[0]["predicted_at"] == "2026-01-17T00:00:00Z"
    assert transitions[1]["reason"] == "superseded"
    assert transitions[3]["predicted_at"] is transitions[3]["cause"] is transitions[3]["confidence"] is None
    assert list(last)[: len(RESULT)] == RESULT
    assert {key: last[key] for key in RESULT} == {
        "scenario": "a tale",
        "pinset": "app",
        "fails_at": "2026-01-08T00:00:00Z",
        "first_predicted": "2026-01-05T00:00:00Z",
        "lead_hours": 72.0,
        "false_alarms": 0,
    }


def test_a_revision_repeats_the_line(monitord: Callable[..., Result], write: Callable[..., Path]) -> None:
    """With the state ``revised``, and what is foretold now."""
    events = """\
  - {at: 2026-01-02, ari: {certificate: leaf, start: 2026-01-20, end: 2026-01-22}}
  - {at: 2026-01-05, ari: {certificate: leaf, start: 2026-01-28, end: 2026-01-30}}
"""
    result = monitord("replay", write(story(events)), "--json")
    states = [(one["state"], one["predicted_at"]) for one in result.records[:-1]]
    assert states == [("firing", "2026-01-20T00:00:00Z"), ("revised", "2026-01-28T00:00:00Z")]


def test_nothing_known_is_null(monitord: Callable[..., Result], write: Callable[..., Path]) -> None:
    """No failure, no prediction, no lead; incidents of the endpoint have no pin set."""
    result = monitord("replay", write(story("  - {at: 2026-01-03, unreachable: true}\n")), "--json")
    transition, last = result.records
    assert (transition["kind"], transition["pinset"], transition["scenario"]) == ("unreachable", None, "story")
    assert [last[key] for key in ("fails_at", "first_predicted", "lead_hours", "false_alarms")] == [None, None, None, 0]


@pytest.mark.parametrize(
    ("expect", "code"), [("", 0), ("{fails_at: 2026-01-08}", 0), ("{fails_at: null}", 2), ("{max_false_alarms: 0}", 0)]
)
def test_the_exit_code_says_whether_all_holds(
    expect: str, code: int, monitord: Callable[..., Result], write: Callable[..., Path]
) -> None:
    """0 if it does or nothing is expected, 2 if not."""
    assert monitord("replay", write(story(EVENTS, expect=expect))).code == code


def test_one_story_that_does_not_hold_is_enough(monitord: Callable[..., Result], write: Callable[..., Path]) -> None:
    """And the table says which, for people and for programs alike."""
    good = write(story(EVENTS, expect="{fails_at: 2026-01-08}"), "good.yaml")
    bad = write(story(EVENTS, expect="{fails_at: null, warned_by: 2026-01-01}"), "bad.yaml")
    result = monitord("replay", good, bad)
    rows = {line.split()[-1]: line.split()[0] for line in result.out.splitlines()[-2:]}
    assert (result.code, rows) == (2, {"good": "yes", "bad": "NO"})
    unmet = [one["unmet"] for one in monitord("replay", good, bad, "--json").records if "unmet" in one]
    assert unmet[0] == []
    assert [one["key"] for one in unmet[1]] == ["fails_at", "warned_by"]


def test_a_file_that_is_no_story_plays_none(monitord: Callable[..., Result], write: Callable[..., Path]) -> None:
    """Every fault of every file on standard error, with its line, and exit code 3."""
    good = write(story(EVENTS), "good.yaml")
    bad = write(story(EVENTS).replace("step: 1d", "step: never"), "bad.yaml")
    result = monitord("replay", good, bad, "none.yaml")
    assert (result.code, result.out) == (3, "")
    first, second = result.err.splitlines()
    assert "bad.yaml:3: step 'never' is not a duration" in first
    assert "none.yaml:1: the file cannot be read" in second


def test_what_people_read(monitord: Callable[..., Result]) -> None:
    """A transition a line with its evidence, what the pin set came to, and each expectation."""
    out = monitord("replay", SCENARIOS / "renewal-with-new-key.yaml").out
    assert "2026-01-31 00:00Z  app  pin_mismatch_predicted firing warning  leaf_renewal at 2026-03-02T00:00:00Z" in out
    assert "most clients renew after two thirds of the lifetime" in out
    assert "pin set app: fails at 2026-03-02 00:00Z (pin_mismatch); predicted since 2026-01-31 00:00Z, 30 d" in out
    assert "ok    warned_by: expected 2026-02-01T00:00:00Z, found 2026-01-31T00:00:00Z" in out
