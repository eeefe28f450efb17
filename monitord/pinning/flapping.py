"""What comes and goes: when an incident is told as flapping, and when it has settled.

1. An incident flaps if it is the third of its key that opens within the window.
2. The window is three times as long as it takes at least from one opening to the next: two rounds, or for an
   unreachable endpoint one more than must fail in a row. It is an hour at least and two days at most: what comes and
   goes more slowly than that annoys nobody.
3. A flapping incident has settled when it has stayed there, or away, for as long as the window.

What is predicted does not flap: each end of a prediction has a reason of its own, which people want to know.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitord.pinning.incident import IncidentKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

OPENINGS = 3
LONGEST_WINDOW = timedelta(days=2)
_SHORTEST_WINDOW = timedelta(hours=1)
_CYCLES = 3


def flap_window(kind: IncidentKind, interval: timedelta, failures: int) -> timedelta:
    """How long what comes and goes is looked at together (rule 2), with ``interval`` between two rounds."""
    rounds = failures + 1 if kind is IncidentKind.UNREACHABLE else 2
    return min(max(_SHORTEST_WINDOW, _CYCLES * rounds * interval), LONGEST_WINDOW)


def flaps(kind: IncidentKind, openings: Iterable[datetime], now: datetime, window: timedelta) -> bool:
    """Whether an incident that opens now flaps (rule 1); ``openings`` are those of earlier ones with its key."""
    if kind is IncidentKind.PIN_MISMATCH_PREDICTED:
        return False
    return sum(now - window <= opening <= now for opening in openings) >= OPENINGS - 1


def flapping_facts(facts: Mapping[str, Any], window: timedelta) -> dict[str, Any]:
    """The facts of an incident with the sentence that it flaps."""
    return {
        **facts,
        "flapping": True,
        "summary": f"{facts['summary']} It comes and goes: this is the third time or more in "
        f"{_spoken(window)}, so you will hear of it again only when it has stayed or been away for as long.",
    }


def settled_facts(facts: Mapping[str, Any], window: timedelta) -> dict[str, Any]:
    """The facts of an incident that flapped and has stayed."""
    stayed = f"It came and went before, and has stayed for {_spoken(window)} now."
    return {**facts, "flapping": False, "summary": f"{facts['summary']} {stayed}"}


def _spoken(duration: timedelta) -> str:
    minutes = round(duration.total_seconds() / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} hours" if not rest and hours > 1 else f"{minutes} minutes"
