"""What commands may ask about incidents: to list them, to acknowledge one, to silence, to end a silence.

The same orders are taken by a running daemon, over the control socket, and by a command that opens the store because no
daemon runs: both have a cycle. Arguments are JSON that somebody sent, so each is looked at.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from monitord.errors import MonitordError
from monitord.pinning.incident import Acknowledgement, IncidentKind
from monitord.pinning.quiet import Scope, Silence
from monitord.pinning.report import incident_entry, silence_entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from monitord.control import Request
    from monitord.cycle.cycle import Cycle
    from monitord.pinning.incident import Incident

LONGEST_SILENCE = timedelta(days=365)
_LEAST_PREFIX = 4
_LONGEST_TEXT = 500
_LONGEST_LIST = 1000


class OrderError(MonitordError):
    """What was ordered cannot be done; the sentence says why."""


class SilenceStore(Protocol):
    """Where silences are kept."""

    async def load_silences(self, after: datetime | None = None) -> list[Silence]:
        """The silences that end later than that, or all that there ever were."""

    async def save_silence(self, silence: Silence) -> None:
        """Write a silence, in the place of what was written of it before."""


class Orders:
    """Carries them out. Every method raises OrderError for what cannot be done."""

    def __init__(self, cycle: Cycle, store: SilenceStore, now: Callable[[], datetime]) -> None:
        """Orders about the incidents of this cycle, whose silences this store keeps."""
        self._cycle = cycle
        self._store = store
        self._now = now

    @property
    def handlers(self) -> Mapping[str, Callable[[Request], Awaitable[dict[str, Any]]]]:
        """What answers each command, as the control socket wants it."""
        return {
            "incidents": self.incidents,
            "ack": self.acknowledge,
            "silence": self.silence,
            "silences": self.silences,
            "unsilence": self.unsilence,
        }

    async def incidents(self, request: Request) -> dict[str, Any]:
        """Every open incident, the loudest first, and of these the oldest."""
        del request
        incidents = self._cycle.open_incidents
        quiet = self._cycle.quiet(incidents)
        loudness = {"critical": 0, "warning": 1, "info": 2}
        incidents.sort(key=lambda one: (loudness[one.severity], one.since, one.key))
        return _done(incidents=[incident_entry(one, quiet.get(one.key)) for one in incidents])

    async def acknowledge(self, request: Request) -> dict[str, Any]:
        """Acknowledge the incident whose id, or the beginning of it, is ``incident``; ``undo`` takes it back."""
        arguments = request.arguments
        incident = self._found(_text(arguments, "incident"))
        undo, reason = bool(arguments.get("undo")), _text(arguments, "reason", needed=False)
        if undo and incident.handling.acknowledged is None:
            raise OrderError(f"incident {incident.id} is not acknowledged")
        seen = None if undo else Acknowledgement(self._now(), _who(request), reason)
        after = self._cycle.acknowledge(incident.id, seen)
        if after is None:
            raise OrderError(f"incident {incident.id} has just ended")
        return await self._written(incident=incident_entry(after, self._cycle.quiet([after]).get(after.key)))

    async def silence(self, request: Request) -> dict[str, Any]:
        """Silence ``hosts`` (patterns) that have the labels ``match``, and ``kinds`` there, for so many ``seconds``."""
        arguments, now = request.arguments, self._now()
        scope = Scope(_texts(arguments, "hosts"), _labels(arguments), _kinds(arguments))
        if not scope.hosts and not scope.match and scope.kinds != {IncidentKind.MONITOR_DEGRADED}:
            raise OrderError("a silence needs a host or labels; '*' is every host")
        covered = self._cycle.covered(scope)
        if not covered and IncidentKind.MONITOR_DEGRADED not in scope.kinds:
            raise OrderError("no registered endpoint has to do with this; to see what is registered: monitord domains")
        lasts = _duration(arguments)
        silence = Silence(secrets.token_hex(4), scope, now, now + lasts, _text(arguments, "reason"), _who(request))
        incidents = self._cycle.silence(silence)
        return await self._written(
            silence,
            silence=silence_entry(silence),
            endpoints=len(covered),
            incidents=[incident.id for incident in incidents],
        )

    async def silences(self, request: Request) -> dict[str, Any]:
        """The silences in force; with ``all`` those that are over as well."""
        if request.arguments.get("all"):
            return _done(silences=[silence_entry(one) for one in await self._store.load_silences()])
        return _done(silences=[silence_entry(one) for one in self._cycle.silences])

    async def unsilence(self, request: Request) -> dict[str, Any]:
        """End the silence whose id is ``silence``."""
        identifier = _text(request.arguments, "silence")
        ended = self._cycle.unsilence(identifier)
        if ended is None:
            raise OrderError(f"there is no silence {identifier}; to see which there are: monitord silences")
        return await self._written(ended, silence=silence_entry(ended))

    def _found(self, prefix: str) -> Incident:
        """The open incident whose id begins so."""
        found = [one for one in self._cycle.open_incidents if one.id.startswith(prefix)]
        exact = [one for one in found if one.id == prefix]
        if len(exact or found) > 1:
            raise OrderError(f"{len(found)} open incidents have ids that begin with {prefix}; write more of it")
        if not found or (not exact and len(prefix) < _LEAST_PREFIX):
            raise OrderError(f"no incident {prefix} is open; to see which are: monitord incidents")
        return found[0]

    async def _written(self, *silences: Silence, **facts: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """The answer, once what was ordered is in the store; a store that refuses does not undo it."""
        try:
            for silence in silences:
                await self._store.save_silence(silence)
            await self._cycle.flush()
        except MonitordError as error:
            return _done(warning=f"it is in force, but a restart will forget it: {error}", **facts)
        if self._cycle.unwritten:
            return _done(warning="it is in force, but not yet in the store, so a restart may forget it", **facts)
        return _done(**facts)


def _done(**facts: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"ok": True, "message": "", **facts}


def _who(request: Request) -> str:
    claimed = request.arguments.get("by")
    return request.peer.named(claimed if isinstance(claimed, str) and len(claimed) <= _LONGEST_TEXT else None)


def _text(arguments: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    value = arguments.get(name, "")
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or (needed and not value.strip()):
        raise OrderError(f"{name} is needed, a text of at most {_LONGEST_TEXT} characters")
    return value.strip()


def _texts(arguments: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = arguments.get(name, [])
    if not isinstance(values, list) or len(values) > _LONGEST_LIST or not all(isinstance(one, str) for one in values):
        raise OrderError(f"{name} is a list of texts")
    return tuple(values)


def _labels(arguments: Mapping[str, Any]) -> dict[str, str]:
    labels = arguments.get("match", {})
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise OrderError("match is a mapping of labels to texts")
    return labels


def _kinds(arguments: Mapping[str, Any]) -> frozenset[IncidentKind]:
    try:
        return frozenset(IncidentKind(kind) for kind in _texts(arguments, "kinds"))
    except ValueError as error:
        raise OrderError(f"{error}; there are: {', '.join(IncidentKind)}") from error


def _duration(arguments: Mapping[str, Any]) -> timedelta:
    seconds = arguments.get("seconds")
    if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST_SILENCE.total_seconds():
        raise OrderError(f"a silence lasts more than no time and at most {LONGEST_SILENCE.days} days")
    return timedelta(seconds=seconds)
