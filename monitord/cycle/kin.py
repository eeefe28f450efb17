"""Whom a failure that has just begun may have hit as well: they are looked at soon, a bounded number of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.pinning.grouping import siblings
from monitord.pinning.incident import IncidentKind, TransitionReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from monitord.pinning.incident import Transition
    from monitord.pinning.observation import Observation

    Endpoint = tuple[str, int]

LIMIT = 100
SECONDS = 60.0
# What may hit others for the same reason, and is seen by looking.
_CATCHING = (IncidentKind.PIN_MISMATCH, IncidentKind.UNTRUSTED, IncidentKind.UNREACHABLE)
# All that was seen is gone through, so of very many endpoints not each failure gives rise to it.
_SEEN_PER_SECOND = 20_000
_FEW = 10_000
_BEGUN = (TransitionReason.OPENED, TransitionReason.FLAPPING)


class Kin:
    """Chooses them, at most ``LIMIT`` in ``SECONDS``, and none that was looked at in that time.

    An endpoint whose failure makes it choose counts as well, so that very many failures at once cost no more.
    """

    def __init__(self) -> None:
        """Nobody was chosen yet."""
        self._chosen: dict[Endpoint, float] = {}
        self._chose_at = float("-inf")

    def may_choose(self, steps: Iterable[Transition], at: float, seen: int) -> bool:
        """Whether these transitions begin a failure that may have hit others, and it is time to find those.

        ``seen`` is of how many endpoints it is known what they show.
        """
        return (
            (seen < _FEW or at - self._chose_at >= seen / _SEEN_PER_SECOND)
            and self._room(at) > 0
            and any(step.reason in _BEGUN and step.incident.key.kind in _CATCHING for step in steps)
        )

    def _room(self, at: float) -> int:
        self._chosen = {one: when for one, when in self._chosen.items() if when > at - SECONDS}
        return LIMIT - len(self._chosen)

    def of(
        self,
        endpoint: Endpoint,
        steps: Iterable[Transition],
        shown: Sequence[Observation],
        others: Mapping[Endpoint, tuple[float, Sequence[Observation]]],
        at: float,
    ) -> tuple[Endpoint, ...]:
        """Whom to look at after a round of this endpoint with these transitions, at this monotonic time.

        ``shown`` is what it shows and showed before, ``others`` when each endpoint was looked at and what it showed.
        """
        if not self.may_choose(steps, at, len(others)):
            return ()
        room, recently, self._chose_at = self._room(at), at - SECONDS, at
        waiting = {
            other: seen
            for other, (when, seen) in others.items()
            if other not in self._chosen and other != endpoint and when < recently
        }
        found = siblings(shown, waiting)[:room]
        self._chosen |= dict.fromkeys((endpoint, *found), at)
        return found
