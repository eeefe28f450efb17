"""One round of one endpoint, written down: probe → judge → forecast → decide → record → expose.

``judge``, ``forecast`` and ``decide`` are the pure rules of ``monitord.pinning``; this module feeds them and keeps what
they need from one round to the next. The state in memory leads and the store follows: an outcome that cannot be written
waits in the backlog and is written, in order, as soon as the store takes it again; probing goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitord.backlog import Backlog
from monitord.cycle.docket import Docket
from monitord.cycle.kin import Kin
from monitord.pinning.conditions import Known, conditions, remember, representative, wants_another_attempt
from monitord.pinning.evidence import Signals
from monitord.pinning.forecast import forecast
from monitord.pinning.foreseen import Outlook
from monitord.pinning.history import History
from monitord.pinning.incident import IncidentKind
from monitord.pinning.judge import judge
from monitord.pinning.outcome import Outcome, Streaks
from monitord.pinning.pace import hurried
from monitord.pinning.report import timestamp
from monitord.pinning.steady import Steady, repeated, steady
from monitord.pinning.target import Target
from monitord.pinning.trouble import NOWHERE, Trouble, TroubleKind, concerned_receiver, trouble_key
from monitord.pinning.vantage import LEAST_HOSTS, Vantage, hold_back
from monitord.store.faults import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from monitord.cycle.settings import Prober, RoundSettings, Store, Watcher
    from monitord.outbox import Message
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.incident import Acknowledgement, Incident, IncidentKey, Transition
    from monitord.pinning.observation import Observation
    from monitord.pinning.quiet import Quiet, Scope, Silence
    from monitord.pinning.trust import TrustStore
    from monitord.pinning.verdict import PinSetVerdict

    Endpoint = tuple[str, int]


_REMEMBERED = 200


@dataclass(slots=True)
class _Seen:
    """What an endpoint has shown, and showed last, at that time by the monotonic clock, which goes on."""

    history: History
    observations: tuple[Observation, ...] = ()
    at: float = 0.0


_NO_SIGNALS = Signals()


def _no_signals(_target: Target) -> Signals:
    return _NO_SIGNALS


def _nobody(_endpoints: Sequence[Endpoint]) -> None:
    """Nothing is looked at before its time."""


def _evidence(signals: Signals, trust: Mapping[str, TrustStore]) -> str:
    """The identity of all that predictions rest on beside what is served."""
    rules = sorted(
        f"{name}{root.hex()}{rule.not_before_after}"
        for name, store in trust.items()
        for root, rule in store.distrusts.items()
    )
    return hashlib.sha256("\n".join([signals.identity, *rules]).encode()).hexdigest()[:16]


class Cycle:
    """Runs rounds, and keeps the open incidents and streaks of all endpoints, and what is quiet."""

    def __init__(  # noqa: PLR0913 - its neighbours, a clock and what was kept from the last run
        self,
        settings: RoundSettings,
        *,
        prober: Prober,
        store: Store,
        watcher: Watcher,
        now: Callable[[], datetime],
        incidents: Mapping[IncidentKey, Incident],
        streaks: Mapping[Endpoint, Streaks],
        openings: Mapping[IncidentKey, Sequence[datetime]] | None = None,
        silences: Iterable[Silence] = (),
        signals: Callable[[Target], Signals] = _no_signals,
        look_soon: Callable[[Sequence[Endpoint]], None] = _nobody,
    ) -> None:
        """A cycle that goes on from what the store had.

        ``openings`` are when incidents began that are over, of the last two days (``LONGEST_WINDOW``). ``signals``
        gives what is known from outside about an endpoint, at once. ``look_soon`` is called for endpoints whose next
        round should come at once: those that a failure may have hit as well, and those whose silence is over.
        """
        self._settings = settings
        self._prober = prober
        self._watcher = watcher
        self._now = now
        self._docket = Docket(incidents.values(), openings or {}, silences)
        self._follow(settings)
        self._streaks = dict(streaks)
        self._lore: dict[Endpoint, Known] = {}
        self._intermediates: dict[Certificate, None] = {}
        self._store = store
        self._signals = signals
        self._look_soon = look_soon
        self._kin = Kin()
        self._loud: set[Endpoint] = set()
        self._outlooks: dict[Endpoint, _Seen] = {}
        self._steady: dict[Endpoint, Steady] = {}
        self._vantage = Vantage(down=trouble_key(TroubleKind.NETWORK) in self._docket.of(NOWHERE))
        self._backlog = Backlog(store, watcher)

    @property
    def open_incidents(self) -> list[Incident]:
        """Every open incident."""
        return self._docket.incidents

    def has_incident(self, endpoint: Endpoint) -> bool:
        """Whether an incident is open at an endpoint."""
        return bool(self._docket.of(endpoint))

    @property
    def looked_at(self) -> int:
        """How many endpoints have been looked at, and judged with all that they have shown before."""
        return len(self._outlooks)

    @property
    def silences(self) -> list[Silence]:
        """The silences that are in force or to come, those that end first first."""
        return self._docket.silences(self._now())

    def quiet(self, incidents: Iterable[Incident]) -> Mapping[IncidentKey, Quiet]:
        """What keeps these incidents quiet now, of those that a silence or a window does."""
        return self._docket.quiet((incident.key for incident in incidents), self._now())

    def covered(self, scope: Scope) -> list[Target]:
        """The endpoints with incidents that a silence with this scope would keep quiet."""
        targets = self._settings.targets.values()
        return [one for one in targets if scope.covers_endpoint(one.host, one.port, one.labels)]

    def history(self, endpoint: Endpoint) -> History:
        """What an endpoint has shown; nothing where it was not looked at yet."""
        seen = self._outlooks.get(endpoint)
        return seen.history if seen is not None else History()

    async def run_round(self, endpoint: Endpoint) -> Outcome | None:
        """Probe, judge, decide, and have it recorded; the round does not wait until it is written.

        None if the endpoint was taken out of the configuration meanwhile.
        """
        settings = self._settings
        target = settings.targets.get(endpoint)
        if target is None:
            return None
        known: Known | None = None
        started, began = self._now(), time.monotonic()
        attempts: list[tuple[tuple[Observation, ...], tuple[PinSetVerdict, ...]]] = []
        while known is None or wants_another_attempt([verdicts for _, verdicts in attempts], known, settings.policy):
            observations = await self._prober.observe(target, timeout=settings.timeout)
            if known is None and (same := self._again(endpoint, observations, started)) is not None:
                outcome = repeated(same, started, time.monotonic() - began)
                self._watcher.round_done(outcome)
                return outcome
            known = known or self._known(endpoint)
            self._remember(observations)
            remembered = tuple(self._intermediates)
            attempts.append((observations, judge(target, observations, settings.trust, self._now(), remembered)))
        seen = await self._seen(endpoint)
        if self._settings.targets.get(endpoint) != target:
            return None  # what was seen belongs to a registration that is no longer in force
        known = self._known(endpoint)  # it may have been taken out, closed, and put back meanwhile
        judged = [verdicts for _, verdicts in attempts]
        observations, verdicts = attempts[representative(judged)]
        now = self._now()
        self._notice_network(target, observations, now)
        streaks = self._streaks.get(endpoint, Streaks()).after(verdicts, settings.policy.failures)
        outlook = self._foresee(target, observations, verdicts, seen, now)
        held = conditions(judged, streaks, known, now, settings.policy, outlook=outlook)
        steps = self._docket.decide(endpoint, tuple(hold_back(held)) if self._vantage.down else held, now)
        lore = self._lore[endpoint] = remember(judged, held, known)
        history = self._outlooks[endpoint].history if endpoint in self._outlooks else History()
        hurry = hurried(observations, outlook.predictions, history, now, suspected=bool(lore.suspects))
        outcome = Outcome(
            target,
            started,
            observations,
            verdicts,
            steps,
            streaks,
            time.monotonic() - began,
            outlook.predictions,
            hurry,
        )
        self._streaks[endpoint] = streaks
        self._watcher.round_done(outcome)
        self._backlog.add(outcome, self._docket.messages(steps))
        self._look_around(endpoint, observations, seen, steps)
        self._steady.pop(endpoint, None)
        current = self._settings is settings  # else it was judged by what is no longer in force
        if current and not (seen is None or lore.suspects or self._docket.of(endpoint)):
            quiet = steady(outcome, settings.trust, settings.policy.horizon, self._basis(target), settings.quiet_for)
            if quiet is not None:
                self._steady[endpoint] = quiet
        return outcome

    async def reconfigure(self, settings: RoundSettings) -> None:
        """Go on with another configuration; incidents of what is no longer in it are closed."""
        self._settings = settings
        self._follow(settings)
        targets, now = settings.targets, self._now()
        self._streaks = {known: streaks for known, streaks in self._streaks.items() if known in targets}
        self._lore = {known: lore for known, lore in self._lore.items() if known in targets}
        self._outlooks = {known: seen for known, seen in self._outlooks.items() if known in targets}
        self._steady = {}
        self._vantage = self._vantage.of(targets)
        if self._vantage.down and len({target.host for target in targets.values()}) < LEAST_HOSTS:
            self._vantage = Vantage()
            self.report_self([Trouble(TroubleKind.NETWORK, holds=False)])
        names = {None, *(receiver.name for receiver in settings.receivers)}
        gone = [
            one
            for one in self._docket.incidents
            if concerned_receiver(one.key) not in names
            or (one.key.host and (one.key.host, one.key.port) not in targets)
        ]
        self._note(self._docket.withdraw(gone, now), now)
        self.review()

    def report_self(self, troubles: Iterable[Trouble]) -> None:
        """Take in how parts of monitord are: open, remind of and end incidents ``monitor_degraded``.

        Each trouble speaks for its own cause alone; what is not reported stays as it is. To be called with the same
        causes again and again (every few seconds will do): an incident ends when its trouble is reported not to hold,
        also for a source of signals that is no longer asked. The network is reported by the cycle itself, and troubles
        of a receiver end when it is taken out of the configuration.
        """
        troubles, now = tuple(troubles), self._now()
        reported = {trouble.key for trouble in troubles}
        among = {key: one for key, one in self._docket.of(NOWHERE).items() if key in reported}
        self._note(self._docket.decide(NOWHERE, troubles, now, among=among), now)

    def acknowledge(self, incident: str, acknowledgement: Acknowledgement | None) -> Incident | None:
        """Somebody has seen the open incident with this id, or takes that back (None). None if no such is open."""
        now = self._now()
        steps = self._docket.acknowledge(incident, acknowledgement, now)
        self._note(steps, now)
        return steps[0].incident if steps else None

    def silence(self, silence: Silence) -> list[Incident]:
        """Keep quiet what the silence covers: those of it that are open. It is for the caller to have it stored."""
        now = self._now()
        self._note(self._docket.silence(silence, now), now)
        return self._docket.covered(silence.scope)

    def unsilence(self, identifier: str) -> Silence | None:
        """End the silence with this id: as it then was, to be stored by the caller; None if there is none."""
        ended = self._docket.unsilence(identifier, self._now())
        self.review()
        return ended

    def review(self) -> None:
        """Notice silences and windows that have begun or ended; costs little, to be called every few seconds.

        What was kept quiet is told by the next round, which sees whether it is still so; that is asked for at once.
        """
        now = self._now()
        self._note(self._docket.hush(now), now)
        loud = self._docket.loud(now)
        self._look_soon(sorted(loud - self._loud - {NOWHERE}))
        self._loud = loud

    async def flush(self) -> None:
        """Try to write everything that waits, also what the store refused before."""
        await self._backlog.flush()

    @property
    def unwritten(self) -> int:
        """How many outcomes are not in the store yet."""
        return self._backlog.unwritten

    @property
    def unwritten_messages(self) -> list[Message]:
        """The messages that are not in the store yet, in order."""
        return self._backlog.messages

    def _follow(self, settings: RoundSettings) -> None:
        self._docket.follow(settings.policy, settings.receivers, settings.targets, settings.windows)

    def _basis(self, target: Target) -> tuple[object, ...]:
        """All that a judgement rests on beside what is observed."""
        return target, self._settings, self._signals(target)

    def _again(self, endpoint: Endpoint, observations: Sequence[Observation], at: datetime) -> Steady | None:
        """The quiet round that stands for this one, if there is one."""
        known, target = self._steady.get(endpoint), self._settings.targets.get(endpoint)
        if known is None or target is None or not known.again(observations, self._basis(target), at):
            return None
        vantage = self._vantage.again(endpoint, self._now())
        if vantage is None:
            return None
        self._vantage = vantage
        self._outlooks[endpoint].at = time.monotonic()
        return known

    async def _seen(self, endpoint: Endpoint) -> _Seen | None:
        """What the endpoint has shown; None while its history cannot be read, or not as fast as an endpoint answers."""
        if endpoint in self._outlooks:
            return self._outlooks[endpoint]
        try:
            async with asyncio.timeout(self._settings.timeout.total_seconds()):
                return _Seen(await self._store.history(*endpoint))
        except TimeoutError:
            error = StoreError("the store does not answer; check the disk that it is on")
        except StoreError as refusal:
            error = refusal
        self._watcher.recorded(error)
        return None

    def _foresee(
        self,
        target: Target,
        observations: tuple[Observation, ...],
        verdicts: tuple[PinSetVerdict, ...],
        seen: _Seen | None,
        now: datetime,
    ) -> Outlook:
        """What is foreseen after this round; nothing while the history cannot be read, for unknown is not none."""
        if seen is None:
            return Outlook()
        settings = self._settings
        history = seen.history.after(now, observations, seen.observations)
        signals = self._signals(target)
        predictions = forecast(target, verdicts, history, signals, settings.trust, now, settings.policy)
        self._outlooks[target.host, target.port] = _Seen(history, observations, time.monotonic())
        return Outlook(predictions, _evidence(signals, settings.trust))

    def _known(self, endpoint: Endpoint) -> Known:
        lore = self._lore.get(endpoint, Known())
        return replace(lore, incidents=self._docket.of(endpoint))

    def _remember(self, observations: Iterable[Observation]) -> None:
        """Keep the intermediates that endpoints present, the latest ones: others may forget to present them."""
        for observation in observations:
            for certificate in observation.chain[1:]:
                self._intermediates.pop(certificate, None)
                self._intermediates[certificate] = None
        while len(self._intermediates) > _REMEMBERED:
            del self._intermediates[next(iter(self._intermediates))]

    def _notice_network(self, target: Target, observations: tuple[Observation, ...], now: datetime) -> None:
        """Find out whether this host has a network, and tell it as an incident of monitord's own where it has none."""
        if not observations:
            return
        before = self._vantage.down
        silent = self._vantage.silent if before else []
        self._vantage = self._vantage.after(target, observations, now, self._settings.targets.values(), self._accused)
        down = self._vantage.down
        if before and not down:  # the rounds without a network say nothing about who did not answer
            accused = self._accused()
            self._streaks = {key: one if key in accused else Streaks() for key, one in self._streaks.items()}
        if down or before:
            silent = self._vantage.silent if down else silent
            since = min((look.silent_since for look in silent if look.silent_since), default=now)
            detail = f"{len(silent)} endpoints have not answered since {timestamp(since)}, and none has" if down else ""
            self.report_self([Trouble(TroubleKind.NETWORK, down, detail)])

    def _accused(self) -> set[Endpoint]:
        """The endpoints with an open incident ``unreachable``."""
        unreachable = (one.key for one in self.open_incidents if one.key.kind is IncidentKind.UNREACHABLE)
        return {(key.host, key.port) for key in unreachable}

    def _look_around(
        self, endpoint: Endpoint, observations: tuple[Observation, ...], seen: _Seen | None, steps: Iterable[Transition]
    ) -> None:
        """Have those looked at soon whom a failure that has just begun may have hit as well."""
        if not self._kin.may_choose(steps, time.monotonic(), len(self._outlooks)):
            return
        shown = (*observations, *(seen.observations if seen else ()))
        others = {other: (one.at, one.observations) for other, one in self._outlooks.items()}
        self._look_soon(self._kin.of(endpoint, steps, shown, others, time.monotonic()))

    def _note(self, steps: Sequence[Transition], now: datetime) -> None:
        """Have written down and shown what changed outside of a round."""
        by_endpoint: dict[Endpoint, list[Transition]] = {}
        for step in steps:
            by_endpoint.setdefault((step.incident.key.host, step.incident.key.port), []).append(step)
        for endpoint, several in by_endpoint.items():
            target = self._settings.targets.get(endpoint, Target(*endpoint))
            streaks = self._streaks.get(endpoint, Streaks())
            outcome = Outcome(target, now, (), (), tuple(several), streaks)
            self._backlog.add(outcome, self._docket.messages(several))
        if steps:
            self._watcher.changed(steps)
