"""What one round of probing an endpoint came to: the unit that is recorded in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.incident import Transition
    from monitord.pinning.observation import Observation
    from monitord.pinning.target import Target
    from monitord.pinning.verdict import PinSetVerdict


@dataclass(frozen=True, slots=True)
class Streaks:
    """Rounds in a row without a chain: of the whole endpoint, and of each address. Survives a restart."""

    endpoint: int = 0
    addresses: Mapping[str, int] = field(default_factory=dict)

    def after(self, observations: Sequence[Observation], limit: int) -> Streaks:
        """The streaks after one more round: counted up where no chain was seen, forgotten where one was.

        They end at ``limit``, the rounds that matter, so that a long outage is not written anew every round.
        """
        seen = {observation.address for observation in observations if observation.chain}
        silent = {observation.address for observation in observations if not observation.chain} - seen
        return Streaks(
            endpoint=0 if seen else min(self.endpoint + 1, limit),
            addresses={address: min(self.addresses.get(address, 0) + 1, limit) for address in sorted(silent)},
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round: what was seen, what it means, what changed. ``duration`` is in seconds."""

    target: Target
    at: datetime
    observations: tuple[Observation, ...]
    verdicts: tuple[PinSetVerdict, ...]
    transitions: tuple[Transition, ...]
    streaks: Streaks
    duration: float = 0.0
