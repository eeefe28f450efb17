"""Does a story end as its ``expect:`` says? One check for each thing that is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.pinning.incident import TransitionReason
from monitord.pinning.report import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from monitord.pinning.incident import IncidentKind
    from monitord.replay.play import Round
    from monitord.replay.reckoning import Reckoned
    from monitord.replay.story import Expectation, Story


@dataclass(frozen=True, slots=True)
class Check:
    """One line of ``expect:`` and what was found. ``pinset`` None is the story as a whole."""

    pinset: str | None
    key: str
    expected: str
    found: str
    holds: bool


def checks(story: Story, rounds: Sequence[Round], reckoned: Sequence[Reckoned]) -> tuple[Check, ...]:
    """Every check that the story asks for, in its order.

    For a story as a whole the pin set that fails first is the one that matters for ``fails_at`` and ``warned_by`` (of
    several that fail at the same probe the one that was foretold last; where none fails, the one foretold first), and
    false alarms are added up. Kinds of the endpoint count for every pin set.
    """
    return tuple(
        check
        for pinset, wanted in story.expect.items()
        for check in _checks(pinset, wanted, story, rounds, [one for one in reckoned if pinset in (None, one.pinset)])
    )


def _checks(
    pinset: str | None, wanted: Expectation, story: Story, rounds: Sequence[Round], reckoned: Sequence[Reckoned]
) -> Iterator[Check]:
    fails_at, first_predicted = _foremost(reckoned)
    if wanted.asks_for_failure:
        tolerance = story.step if wanted.tolerance is None else wanted.tolerance
        near = fails_at and wanted.fails_at and abs(fails_at - wanted.fails_at) <= tolerance
        holds = bool(near) or fails_at is wanted.fails_at is None
        yield Check(pinset, "fails_at", _when(wanted.fails_at), _when(fails_at), holds)
    if wanted.warned_by is not None:
        holds = first_predicted is not None and first_predicted <= wanted.warned_by
        yield Check(pinset, "warned_by", _when(wanted.warned_by), _when(first_predicted), holds)
    if wanted.max_false_alarms is not None:
        found = sum(one.false_alarms for one in reckoned)
        holds = found <= wanted.max_false_alarms
        yield Check(pinset, "max_false_alarms", str(wanted.max_false_alarms), str(found), holds)
    fired = fired_kinds(rounds, pinset)
    if wanted.kinds:
        yield Check(pinset, "kinds", ", ".join(wanted.kinds), _listed(fired), set(wanted.kinds) <= set(fired))
    if wanted.forbid_kinds:
        bad = [kind for kind in fired if kind in wanted.forbid_kinds]
        yield Check(pinset, "forbid_kinds", ", ".join(wanted.forbid_kinds), _listed(bad), not bad)


def fired_kinds(rounds: Sequence[Round], pinset: str | None = None) -> tuple[IncidentKind, ...]:
    """The kinds of incident that opened, for this pin set or for its endpoint; None: for any."""
    steps = [step for one in rounds for step in one.transitions if step.reason is TransitionReason.OPENED]
    return tuple(
        dict.fromkeys(s.incident.key.kind for s in steps if pinset is None or s.incident.key.pinset in ("", pinset))
    )


def _foremost(reckoned: Sequence[Reckoned]) -> tuple[datetime | None, datetime | None]:
    """When the pin set fails that fails first, and when that was foretold."""
    failing = [one.fails_at for one in reckoned if one.fails_at is not None]
    if not failing:
        foretold = [one.first_predicted for one in reckoned if one.first_predicted is not None]
        return None, min(foretold, default=None)
    first = min(failing)
    warned = [one.first_predicted for one in reckoned if one.fails_at == first]
    known = [moment for moment in warned if moment is not None]
    return first, max(known) if len(known) == len(warned) else None


def _when(moment: datetime | None) -> str:
    return "never" if moment is None else timestamp(moment)


def _listed(kinds: Sequence[IncidentKind]) -> str:
    return ", ".join(kinds) or "none"
