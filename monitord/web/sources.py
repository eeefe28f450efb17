"""What the pages need from the rest of monitord, as they see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from monitord.pinning.conditions import Policy
    from monitord.pinning.evidence import Signals
    from monitord.pinning.history import History
    from monitord.pinning.incident import Incident, IncidentKey, Transition
    from monitord.pinning.quiet import Quiet, Scope, Silence
    from monitord.pinning.target import Target
    from monitord.pinning.trust import TrustStore
    from monitord.pinning.verdict import Verdict
    from monitord.web.fleet import Fleet


@dataclass(frozen=True, slots=True)
class Beside:
    """What is known of an endpoint beside its last round, and what its forecast goes by."""

    trust: Mapping[str, TrustStore]
    policy: Policy
    history: History
    signals: Signals


class VerdictChange(Protocol):
    """The verdict of a pin set since then, and why; None where it is no longer judged."""

    @property
    def since(self) -> datetime:
        """When it changed."""

    @property
    def pinset(self) -> str:
        """The name of the set."""

    @property
    def verdict(self) -> Verdict | None:
        """What it has been since then."""

    @property
    def reason(self) -> str | None:
        """Why."""


class Archive(Protocol):
    """What happened. Each method raises MonitordError if that cannot be read."""

    async def verdict_changes(self, host: str, port: int) -> Sequence[VerdictChange]:
        """The verdicts of an endpoint's pin sets over time, oldest first."""

    async def transitions_of(self, host: str, port: int | None, since: datetime) -> Sequence[Transition]:
        """Every step of the incidents of a host since then, oldest first."""

    async def load_ended(self, since: datetime) -> Sequence[Incident]:
        """The incidents that ended since then, oldest end first."""


class Operations(Protocol):
    """What people do about incidents. Each method raises MonitordError where it cannot be done."""

    async def acknowledge(self, incident: str, by: str, reason: str) -> None:
        """Somebody has seen the open incident with this id."""

    async def unacknowledge(self, incident: str, by: str) -> None:
        """Somebody takes that back."""

    async def silence(self, scope: Scope, length: timedelta, by: str, reason: str) -> None:
        """Tell nobody of what the scope covers for so long."""

    async def unsilence(self, identifier: str, by: str) -> None:
        """End a silence."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the pages know of.

    ``beside`` tells of an endpoint what its last round does not; ``quiet`` what keeps incidents quiet now.
    """

    fleet: Fleet
    beside: Callable[[Target], Beside]
    quiet: Callable[[Iterable[Incident]], Mapping[IncidentKey, Quiet]]
    silences: Callable[[], Sequence[Silence]]
    archive: Archive
    operations: Operations | None
    now: Callable[[], datetime]
