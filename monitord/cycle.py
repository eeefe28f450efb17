"""One round of one endpoint, written down: probe → judge → decide → record → expose.

``judge`` and ``decide`` are the pure rules of ``monitord.pinning``; this module feeds them and keeps what they need
from one round to the next. The state in memory leads and the store follows: an outcome that cannot be written waits in
the backlog and is written, in order, as soon as the store takes it again; probing goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from monitord.outbox import Message
from monitord.pinning.conditions import Known, conditions, remember, representative, wants_another_attempt
from monitord.pinning.decide import after, decide, withdraw
from monitord.pinning.incident import IncidentState
from monitord.pinning.judge import judge
from monitord.pinning.outcome import Outcome, Streaks
from monitord.pinning.report import event_body
from monitord.pinning.target import Target
from monitord.store.faults import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta

    from monitord.config.receivers import Receiver
    from monitord.errors import MonitordError
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.conditions import Policy
    from monitord.pinning.incident import Incident, IncidentKey, Transition
    from monitord.pinning.observation import Observation
    from monitord.pinning.trust import TrustStore
    from monitord.pinning.verdict import PinSetVerdict

    Endpoint = tuple[str, int]
    _Entry = tuple[Outcome, list[Message]]


_CROWDED = 1000
_REMEMBERED = 200


class Prober(Protocol):
    """Where observations come from."""

    async def observe(  # the deadline belongs to each connection, not to the call
        self,
        target: Target,
        *,
        timeout: timedelta,  # noqa: ASYNC109
    ) -> tuple[Observation, ...]:
        """Observations of each address, one for each type of key; never raises for what the network does."""


class Store(Protocol):
    """Where outcomes are kept."""

    async def record(self, outcomes: Sequence[Outcome], messages: Sequence[Message]) -> bool:
        """Write all or nothing, and whether there was anything new to write; raises StoreError if it cannot."""


class Watcher(Protocol):
    """Who is told of each round: metrics, the relay, the log."""

    def round_done(self, outcome: Outcome) -> None:
        """A round was judged."""

    def recorded(self, error: MonitordError | None) -> None:
        """Everything so far was written, or could not be; not told where nothing was new."""

    def queued(self, messages: Sequence[Message]) -> None:
        """Messages were written and wait to be sent."""


@dataclass(frozen=True, slots=True)
class RoundSettings:
    """What a round needs of the configuration."""

    timeout: timedelta
    policy: Policy
    trust: Mapping[str, TrustStore]
    receivers: tuple[Receiver, ...]
    targets: Mapping[Endpoint, Target]


class Cycle:
    """Runs rounds and keeps the open incidents and streaks of all endpoints."""

    def __init__(  # noqa: PLR0913 - its four neighbours, a clock and what was kept from the last run
        self,
        settings: RoundSettings,
        *,
        prober: Prober,
        store: Store,
        watcher: Watcher,
        now: Callable[[], datetime],
        incidents: Mapping[IncidentKey, Incident],
        streaks: Mapping[Endpoint, Streaks],
    ) -> None:
        """A cycle that goes on from the incidents and streaks that the store had."""
        self._settings = settings
        self._prober = prober
        self._watcher = watcher
        self._now = now
        self._incidents: dict[Endpoint, dict[IncidentKey, Incident]] = {}
        for key, incident in incidents.items():
            self._incidents.setdefault((key.host, key.port), {})[key] = incident
        self._streaks = dict(streaks)
        self._lore: dict[Endpoint, Known] = {}
        self._intermediates: dict[Certificate, None] = {}
        self._backlog = Backlog(store, watcher)

    @property
    def open_incidents(self) -> list[Incident]:
        """Every open incident."""
        return [incident for incidents in self._incidents.values() for incident in incidents.values()]

    async def run_round(self, endpoint: Endpoint) -> Outcome | None:
        """Probe, judge, decide, and have it recorded; the round does not wait until it is written.

        None if the endpoint was taken out of the configuration meanwhile.
        """
        settings = self._settings
        target = settings.targets.get(endpoint)
        if target is None:
            return None
        known = self._known(endpoint)
        started, began = self._now(), time.monotonic()
        attempts: list[tuple[tuple[Observation, ...], tuple[PinSetVerdict, ...]]] = []
        while not attempts or wants_another_attempt([verdicts for _, verdicts in attempts], known, settings.policy):
            observations = await self._prober.observe(target, timeout=settings.timeout)
            self._remember(observations)
            remembered = tuple(self._intermediates)
            attempts.append((observations, judge(target, observations, settings.trust, self._now(), remembered)))
        if self._settings.targets.get(endpoint) != target:
            return None  # what was seen belongs to a registration that is no longer in force
        known = self._known(endpoint)  # it may have been taken out, closed, and put back meanwhile
        judged = [verdicts for _, verdicts in attempts]
        observations, verdicts = attempts[representative(judged)]
        now = self._now()
        streaks = self._streaks.get(endpoint, Streaks()).after(verdicts, settings.policy.failures)
        held = conditions(judged, streaks, known, now, settings.policy)
        steps = decide(known.incidents, held, now, settings.policy)
        self._lore[endpoint] = remember(judged, held, known)
        outcome = Outcome(target, started, observations, verdicts, steps, streaks, time.monotonic() - began)
        self._streaks[endpoint] = streaks
        self._apply(endpoint, steps)
        self._watcher.round_done(outcome)
        self._backlog.add(outcome, self._messages(steps))
        return outcome

    async def reconfigure(self, settings: RoundSettings) -> None:
        """Go on with another configuration; incidents of endpoints that are no longer in it are closed."""
        self._settings = settings
        for endpoint in [known for known in self._incidents if known not in settings.targets]:
            now = self._now()
            steps = tuple(withdraw(self._incidents[endpoint].values(), now, settings.policy))
            outcome = Outcome(Target(*endpoint), now, (), (), steps, Streaks())
            self._apply(endpoint, steps)
            self._watcher.round_done(outcome)
            self._backlog.add(outcome, self._messages(steps))
        self._streaks = {known: streaks for known, streaks in self._streaks.items() if known in settings.targets}
        self._lore = {known: lore for known, lore in self._lore.items() if known in settings.targets}

    async def flush(self) -> None:
        """Try to write everything that waits, also what the store refused before."""
        await self._backlog.flush()

    @property
    def unwritten(self) -> int:
        """How many outcomes are not in the store yet."""
        return self._backlog.unwritten

    def _known(self, endpoint: Endpoint) -> Known:
        lore = self._lore.get(endpoint, Known())
        return replace(lore, incidents=self._incidents.get(endpoint, {}))

    def _remember(self, observations: Iterable[Observation]) -> None:
        """Keep the intermediates that endpoints present, the latest ones: others may forget to present them."""
        for observation in observations:
            for certificate in observation.chain[1:]:
                self._intermediates.pop(certificate, None)
                self._intermediates[certificate] = None
        while len(self._intermediates) > _REMEMBERED:
            del self._intermediates[next(iter(self._intermediates))]

    def _apply(self, endpoint: Endpoint, steps: Iterable[Transition]) -> None:
        left = after(self._incidents.get(endpoint, {}), steps)
        if left:
            self._incidents[endpoint] = left
        else:
            self._incidents.pop(endpoint, None)

    def _messages(self, steps: Iterable[Transition]) -> list[Message]:
        """A message for each receiver that wants it; the end is for all, and the store leaves out who never heard."""
        return [
            Message(step.incident.id, step.number, receiver.name, event_body(step), step.at)
            for step in steps
            if step.notify
            for receiver in self._settings.receivers
            if step.incident.state is IncidentState.RESOLVED
            or receiver.wants(step.incident.severity, self._labels(step.incident))
        ]

    def _labels(self, incident: Incident) -> Mapping[str, str]:
        """The labels that the endpoint has now, not those of when the incident began."""
        target = self._settings.targets.get((incident.key.host, incident.key.port))
        labels: Mapping[str, str] = target.labels if target else incident.facts["labels"]
        return labels


class Backlog:
    """Outcomes on their way to the store, written together and in order; nothing leaves it unwritten.

    Nobody who adds an outcome waits for the store. While that refuses, or where very many wait, an outcome without
    transitions gives way to the next of its endpoint, so that the backlog is bounded by the endpoints and what
    happened to them.
    """

    def __init__(self, store: Store, watcher: Watcher) -> None:
        """An empty backlog in front of ``store``."""
        self._store = store
        self._watcher = watcher
        self._waiting: list[_Entry] = []
        self._taken: list[_Entry] = []
        self._untried = False
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    @property
    def unwritten(self) -> int:
        """How many outcomes wait or are being written."""
        return len(self._waiting) + len(self._taken)

    def add(self, outcome: Outcome, messages: list[Message]) -> None:
        """Have an outcome written soon; a store that refuses is reported to the watcher."""
        self._waiting.append((outcome, messages))
        if len(self._waiting) > _CROWDED:
            self._waiting = _compact(self._waiting)
        self._untried = True
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_soon(), name="backlog")

    async def flush(self) -> None:
        """Write what waits, in one transaction. Rounds that end while one is being written share the next.

        If an outcome can be at fault, they are tried one by one, so that one which can never be written does not hold
        up the others.
        """
        async with self._writing:
            self._untried = False
            if not self._waiting:
                return
            self._taken, self._waiting = self._waiting, []
            refused = self._taken
            try:
                refused, committed, error = await self._write(self._taken)
            finally:
                taken, self._taken = self._taken, []
                if refused:
                    self._waiting = _compact(refused + self._waiting)
        if error or committed:
            self._watcher.recorded(error)
        left = {id(entry) for entry in refused}
        messages = [message for entry in taken if id(entry) not in left for message in entry[1]]
        if messages:
            self._watcher.queued(messages)

    async def _write_soon(self) -> None:
        while self._untried:
            await self.flush()

    async def _write(self, entries: list[_Entry]) -> tuple[list[_Entry], bool, StoreError | None]:
        """What was refused, whether anything was committed, and the last refusal."""
        try:
            return [], await self._record(entries), None
        except StoreError as error:
            if error.systemic or len(entries) == 1:
                return entries, False, error
        return await self._write_singly(entries)

    async def _write_singly(self, entries: list[_Entry]) -> tuple[list[_Entry], bool, StoreError | None]:
        refused: list[_Entry] = []
        endpoints: set[Endpoint] = set()
        committed = False
        last: StoreError | None = None
        for entry in entries:
            endpoint = (entry[0].target.host, entry[0].target.port)
            # What happened at one endpoint is written in its order or not at all.
            if endpoint in endpoints or (last is not None and last.systemic):
                refused.append(entry)
                continue
            try:
                committed |= await self._record([entry])
            except StoreError as error:
                last = error
                refused.append(entry)
                endpoints.add(endpoint)
        return refused, committed, last

    async def _record(self, entries: list[_Entry]) -> bool:
        messages = [message for _, several in entries for message in several]
        return await self._store.record([outcome for outcome, _ in entries], messages)


def _compact(waiting: list[_Entry]) -> list[_Entry]:
    latest = {(outcome.target.host, outcome.target.port): position for position, (outcome, _) in enumerate(waiting)}
    return [
        entry
        for position, entry in enumerate(waiting)
        if entry[0].transitions or position == latest[entry[0].target.host, entry[0].target.port]
    ]
