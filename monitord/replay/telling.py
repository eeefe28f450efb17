"""A played story as the JSON that users rely on: a line for each transition, then one for each pin set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitord.pinning.incident import IncidentState, TransitionReason
from monitord.pinning.report import timestamp
from monitord.replay.reckoning import WITHDRAWALS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from monitord.pinning.incident import IncidentKind, Transition
    from monitord.replay.expectation import Check
    from monitord.replay.play import Round
    from monitord.replay.reckoning import Reckoned
    from monitord.replay.story import Story

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Step:
    """One transition as it is told.

    ``state`` is firing, revised, withdrawn or resolved, ``why`` the reason for the last two. ``pinset`` None is the
    endpoint. ``cause``, ``predicted_at`` and ``confidence`` are those of a prediction, at its end those that it had
    last. ``summary`` is the sentence that people are told, ``evidence`` what a prediction rests on.
    """

    at: datetime
    pinset: str | None
    kind: IncidentKind
    state: str
    severity: str
    why: TransitionReason | None
    summary: str
    evidence: str | None = None
    cause: str | None = None
    predicted_at: str | None = None
    confidence: float | None = None


def steps_of(rounds: Sequence[Round]) -> Iterator[Step]:
    """Every transition in order, but for reminders and for the turns of what comes and goes."""
    last: dict[str, Transition] = {}
    for step in (step for one in rounds for step in one.transitions):
        incident = step.incident
        if step.reason is TransitionReason.REPEATED or step.remark is not None:
            continue
        over = incident.state is IncidentState.RESOLVED
        if not over:
            last[incident.id] = step
        foretold = last.get(incident.id, step).incident.facts
        yield Step(
            at=step.at,
            pinset=incident.key.pinset or None,
            kind=incident.key.kind,
            state=_state(step, over=over),
            severity=incident.severity.value,
            why=step.reason if over else None,
            summary=incident.facts["summary"],
            evidence=foretold.get("evidence"),
            cause=foretold["cause"],
            predicted_at=foretold["predicted_at"],
            confidence=foretold.get("confidence"),
        )


def _state(step: Transition, *, over: bool) -> str:
    if over:
        return "withdrawn" if step.reason in WITHDRAWALS else "resolved"
    return "firing" if step.number == 1 else "revised"


def step_entry(story: Story, step: Step) -> dict[str, Any]:
    """The line of one transition."""
    entry: dict[str, Any] = {
        "at": timestamp(step.at),
        "scenario": story.name,
        "pinset": step.pinset,
        "kind": step.kind.value,
        "state": step.state,
        "severity": step.severity,
        "cause": step.cause,
        "predicted_at": step.predicted_at,
        "confidence": step.confidence,
    }
    if step.why is not None:
        entry["reason" if step.state == "withdrawn" else "because"] = step.why.value
    return {**entry, "summary": step.summary}


def pinset_entry(story: Story, reckoned: Reckoned, checks: Sequence[Check]) -> dict[str, Any]:
    """The line of one pin set, with what of the story's expectations concerns it and does not hold."""
    concerned = [check for check in checks if check.pinset in (None, reckoned.pinset)]
    unmet = [check for check in concerned if not check.holds]
    return {
        "scenario": story.name,
        "pinset": reckoned.pinset,
        "fails_at": _when(reckoned.fails_at),
        "first_predicted": _when(reckoned.first_predicted),
        "lead_hours": None if reckoned.lead is None else round(reckoned.lead.total_seconds() / _HOUR, 2),
        "false_alarms": reckoned.false_alarms,
        "ok": not unmet if concerned else None,
        "unmet": [{"key": one.key, "expected": one.expected, "found": one.found} for one in unmet],
    }


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
