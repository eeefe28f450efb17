"""What a round needs: its neighbours, as it sees them, and what the configuration says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from monitord.backlog import OutcomeStore, WriteWatcher
from monitord.pinning.steady import LONGEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from monitord.config.receivers import Receiver
    from monitord.pinning.conditions import Policy
    from monitord.pinning.history import History
    from monitord.pinning.incident import Transition
    from monitord.pinning.observation import Observation
    from monitord.pinning.outcome import Outcome
    from monitord.pinning.quiet import Window
    from monitord.pinning.target import Target
    from monitord.pinning.trust import TrustStore

    Endpoint = tuple[str, int]


class Prober(Protocol):
    """Where observations come from."""

    async def observe(  # the deadline belongs to each connection, not to the call
        self,
        target: Target,
        *,
        timeout: timedelta,  # noqa: ASYNC109
    ) -> tuple[Observation, ...]:
        """Observations of each address, one for each type of key; never raises for what the network does."""


class Store(OutcomeStore, Protocol):
    """Where outcomes are kept, and what was seen before can be read."""

    async def history(self, host: str, port: int) -> History:
        """What the endpoint has shown so far; raises StoreError if it cannot be read."""


class Watcher(WriteWatcher, Protocol):
    """Who is told of each round: metrics, the relay, the log."""

    def round_done(self, outcome: Outcome) -> None:
        """A round was judged."""

    def changed(self, steps: Sequence[Transition]) -> None:
        """Incidents changed outside of a round."""


@dataclass(frozen=True, slots=True)
class RoundSettings:
    """What a round needs of the configuration, and for how long a quiet round may stand for others."""

    timeout: timedelta
    policy: Policy
    trust: Mapping[str, TrustStore]
    receivers: tuple[Receiver, ...]
    targets: Mapping[Endpoint, Target]
    windows: tuple[Window, ...] = ()
    quiet_for: timedelta = LONGEST
