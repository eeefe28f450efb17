"""A story that was played: every round of it, what that comes to, and how it agrees with what was expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.replay.expectation import checks
from monitord.replay.play import play
from monitord.replay.reckoning import reckon

if TYPE_CHECKING:
    from datetime import timedelta

    from monitord.replay.expectation import Check
    from monitord.replay.play import Round
    from monitord.replay.reckoning import Reckoned
    from monitord.replay.story import Story


@dataclass(frozen=True, slots=True)
class Played:
    """A story and what became of it."""

    story: Story
    rounds: tuple[Round, ...]
    reckoned: tuple[Reckoned, ...]
    checks: tuple[Check, ...]

    def holds(self, pinset: str | None = None) -> bool | None:
        """Whether every check that concerns the pin set holds, None: of all; None if there is none."""
        concerned = [check for check in self.checks if pinset is None or check.pinset in (None, pinset)]
        return all(check.holds for check in concerned) if concerned else None

    def asked(self, one: Reckoned) -> timedelta | None:
        """The lead that the story asks for, from what it says could be known to the failure; None if it asks none."""
        wanted = self.story.expect.get(one.pinset) or self.story.expect.get(None)
        if wanted is None or wanted.warned_by is None or one.fails_at is None:
            return None
        return one.fails_at - wanted.warned_by


def play_through(story: Story) -> Played:
    """The story from its first probe to its last."""
    rounds = play(story)
    reckoned = reckon(story, rounds)
    return Played(story, rounds, reckoned, checks(story, rounds, reckoned))
