"""Staging endpoints: where operators show beforehand what they are going to serve, looked at like any endpoint.

The name announced and looked for is the target's, as the apps will do it. A certificate for another name says nothing
about the target, and a chain that is served already is nothing to come.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from monitord.pinning.evidence import StagedChain
from monitord.pinning.hostname import names_host
from monitord.signals.source import Learned, Poll, SourceName, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitord.pinning.observation import Observation
    from monitord.pinning.target import Target

EVERY = timedelta(hours=1)
_AGAIN = timedelta(minutes=10)  # after a look that showed nothing
_IDLE = timedelta(hours=1)
_DETAIL = 200


class Observer(Protocol):
    """Who connects."""

    async def observe(  # the deadline belongs to each connection, not to the call
        self,
        target: Target,
        *,
        timeout: timedelta,  # noqa: ASYNC109
    ) -> tuple[Observation, ...]:
        """Observations of each address, one for each type of key; never raises for what the network does."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at a staging endpoint brought: facts, faults, and what is noted about it."""

    learned: tuple[Learned, ...]
    faults: tuple[str, ...]
    note: dict[str, Any]


class StagingSource:
    """Looks at the staging endpoint of every target that has one, each hour.

    Its state has for each target: where it looked (``endpoint``), when the next look is due (``due``), and which
    chain it told of last for each type of key (``told``).
    """

    name = SourceName.STAGING

    def __init__(self, observer: Observer, *, timeout: timedelta, every: timedelta = EVERY) -> None:
        """``timeout`` is for each connection, ``every`` the time between two looks."""
        self._observer = observer
        self._timeout = timeout
        self._every = every

    async def poll(self, subjects: Sequence[Subject], state: Mapping[str, Any], now: datetime) -> Poll:
        """Look where it is due. A target of which nothing is known yet has to wait: there is nothing to compare."""
        staged = {one.target.endpoint: one for one in subjects if one.target.staging is not None and one.chains}
        wanted = {one.target.endpoint for one in subjects if one.target.staging is not None}
        # One that seems further off than a look ever is was noted by a clock that has been set back.
        dues = {name: _due(one, _note(state, name)) for name, one in staged.items()}
        due = {name: one for name, one in staged.items() if not now < dues[name] <= now + self._every}
        looks = await asyncio.gather(*(self._look(one, _note(state, name), now) for name, one in due.items()))
        notes: dict[str, Any] = {name: None for name in state if name not in wanted}
        notes |= {name: look.note for name, look in zip(due, looks, strict=True)}
        after = {**state, **notes}
        return Poll(
            next_at=min((_due(one, _note(after, name)) for name, one in staged.items()), default=now + _IDLE),
            learned=tuple(learned for look in looks for learned in look.learned),
            state=notes,
            faults=tuple(fault for look in looks for fault in look.faults),
        )

    async def _look(self, subject: Subject, note: Mapping[str, Any], now: datetime) -> _Look:
        target, place = subject.target, _place(subject)
        disguised = replace(
            target,
            host=target.staging.host if target.staging else target.host,
            port=target.staging.port if target.staging else target.port,
            server_name=target.name,
            connect_to=(),
        )
        observations = await self._observer.observe(disguised, timeout=self._timeout)
        faults = [_silent(place, target, one) for one in observations if not one.chain]
        ours = [one for one in observations if one.chain and names_host(one.chain[0], target.name)]
        if len(ours) + len(faults) < len(observations):
            faults.append(f"the staging endpoint {place} shows a certificate that is not for {target.name}")
        told: dict[str, str] = dict(note.get("told") or {}) if note.get("endpoint") == place else {}
        learned: list[Learned] = []
        for kind, one in _newest(ours).items():
            digest = one.chain_sha256.hex()
            # One that is served by now is told only to put it in the place of what was staged before.
            if digest != told.get(kind) and (kind in told or one.chain not in subject.chains):
                learned.append(Learned(target.host, StagedChain(one.chain, now, place)))
                told[kind] = digest
        pause = self._every if ours else min(_AGAIN, self._every)
        fresh = {"endpoint": place, "due": (now + pause).isoformat(), "told": told}
        return _Look(tuple(learned), tuple(dict.fromkeys(faults)), fresh)


def _place(subject: Subject) -> str:
    return subject.target.staging.endpoint if subject.target.staging else ""


def _note(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What is noted about a target; nothing where another version noted something else."""
    found = state.get(name)
    return found if isinstance(found, dict) and isinstance(found.get("told") or {}, dict) else {}


def _due(subject: Subject, note: Mapping[str, Any]) -> datetime:
    """When the next look is due: at once where there was none at this staging endpoint."""
    always = datetime.min.replace(tzinfo=UTC)
    if note.get("endpoint") != _place(subject):
        return always
    try:
        return datetime.fromisoformat(note["due"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        return always


def _newest(observations: Sequence[Observation]) -> dict[str, Observation]:
    """For each type of key the chain whose leaf was issued last: where addresses differ, that one is to come."""
    found: dict[str, Observation] = {}
    for one in observations:
        kind = one.chain[0].key_type.value
        if kind not in found or found[kind].chain[0].not_before < one.chain[0].not_before:
            found[kind] = one
    return found


def _silent(place: str, target: Target, seen: Observation) -> str:
    detail = seen.failure.detail[:_DETAIL] if seen.failure else "nothing was shown"
    return f"the staging endpoint {place} of {target.endpoint} shows no certificate: {detail}"
