"""What one round of probing an endpoint came to: the unit that is recorded in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitord.pinning.target import format_endpoint
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.incident import Transition
    from monitord.pinning.observation import Observation
    from monitord.pinning.prediction import Prediction
    from monitord.pinning.target import Target
    from monitord.pinning.verdict import PinSetVerdict


@dataclass(frozen=True, slots=True)
class Streaks:
    """Rounds in a row that could not be judged: of the whole endpoint, and of each address. Survives a restart."""

    endpoint: int = 0
    addresses: Mapping[str, int] = field(default_factory=dict)

    def after(self, verdicts: Sequence[PinSetVerdict], limit: int) -> Streaks:
        """The streaks after one more round.

        Of an address where something could not be judged (a pin set, a type of key); of the endpoint where nothing
        could. They end at ``limit``, the rounds that matter, so that a long outage is not written anew every round.
        """
        judgements = [judgement for verdict in verdicts for judgement in verdict.judgements]
        silent = all(one.verdict is Verdict.UNDETERMINED for one in judgements)
        unknown = {_place(one.observation) for one in judgements if one.verdict is Verdict.UNDETERMINED}
        if not silent and not unknown:
            return _NONE
        return Streaks(
            endpoint=min(self.endpoint + 1, limit) if silent else 0,
            addresses={address: min(self.addresses.get(address, 0) + 1, limit) for address in sorted(unknown)},
        )


_NONE = Streaks()


def _place(observation: Observation) -> str:
    """An address and its port: two ports of one address are two places."""
    return format_endpoint(observation.address, observation.port)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round: what was seen, what it means, what changed, what is to come. ``duration`` is in seconds.

    ``hurried``: until a later round says otherwise the endpoint is to be probed more often than at its interval.
    """

    target: Target
    at: datetime
    observations: tuple[Observation, ...]
    verdicts: tuple[PinSetVerdict, ...]
    transitions: tuple[Transition, ...]
    streaks: Streaks
    duration: float = 0.0
    predictions: tuple[Prediction, ...] = ()
    hurried: bool = False
