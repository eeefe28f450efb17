"""What is shown of a source of signals, and of a list of endpoints."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class SourceState:
    """How often a source was asked, how often with a fault, and when (Unix time) last without one."""

    polls: int = 0
    failures: int = 0
    last_success: float | None = None

    def after(self, at: float, *, success: bool | None) -> SourceState:
        """The state after a poll at that time; ``success`` None is neither a success nor a failure."""
        last = at if success else self.last_success
        return SourceState(self.polls + 1, self.failures + (success is False), last)


@dataclass(frozen=True, slots=True)
class ListState:
    """How many endpoints a list has, and how reading it went."""

    targets: int = 0
    reads: SourceState = SourceState()

    def holding(self, targets: int) -> ListState:
        """The list with that many endpoints."""
        return replace(self, targets=targets)

    def after(self, at: float, *, success: bool) -> ListState:
        """The list after it was read at that time."""
        return replace(self, reads=self.reads.after(at, success=success))
