"""A cycle on a real store, with clock, network, receivers and disk in the test's hands."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from monitord import pki
from monitord.config.receivers import EmailSettings, Receiver, SmtpSettings, SmtpTls
from monitord.cycle.cycle import Cycle
from monitord.cycle.settings import RoundSettings
from monitord.outbox import DeliveryState, Result, reports
from monitord.pinning.conditions import Policy
from monitord.pinning.flapping import LONGEST_WINDOW
from monitord.pinning.incident import Severity
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.pins import Pin, PinSet
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.store.faults import StoreError
from monitord.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitord.errors import MonitordError
    from monitord.outbox import Delivery, Message
    from monitord.pinning.history import History
    from monitord.pinning.incident import Transition
    from monitord.pinning.outcome import Outcome

HOST = "api.example.com"
KEY = (HOST, 443)
SPARE = Pin(bytes(32))  # without it the set would lack a backup, which is another story
OTHER = ("other.example.com", 443)
MAIL = EmailSettings(("ops@example.com",), "monitord@example.com", SmtpSettings("127.0.0.1", 25, SmtpTls.NONE))


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time now."""
        return self.now

    def advance(self, step: timedelta = timedelta(minutes=15)) -> None:
        """Let time pass."""
        self.now += step


class ScriptedProber:
    """Shows one chain after another, the last for ever; of the hosts in ``shows`` what stands there."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.script: list[tuple[pki.Issued, ...]] = []
        self.shows: dict[str, tuple[pki.Issued, ...] | FailureReason] = {}
        self.places: dict[str, str] = {}
        self.probes = 0
        self.gate: asyncio.Event | None = None
        self.waiting = asyncio.Event()

    async def observe(self, target: Target, *, timeout: timedelta) -> tuple[Observation, ...]:  # noqa: ASYNC109
        """The next of the script."""
        del timeout
        self.probes += 1
        if self.gate:
            self.waiting.set()
            await self.gate.wait()
        shown = self.shows.get(target.host) if target.host in self.shows else self._next()
        place = self.places.get(target.host, "192.0.2.1")
        if isinstance(shown, FailureReason):
            failure = Failure(shown, "it fails")
            return (Observation(self.clock(), place, target.port, failure=failure),)
        certificates = tuple(issued.certificate for issued in shown or ())
        refused = None if shown else Failure(FailureReason.REFUSED, "connection refused")
        return (Observation(self.clock(), place, target.port, certificates, refused),)

    def _next(self) -> tuple[pki.Issued, ...]:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


class Watcher:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.errors: list[str | None] = []
        self.messages: list[Message] = []
        self.waiting = asyncio.Event()
        self.steps: list[str] = []

    def round_done(self, outcome: Outcome) -> None:
        """Nothing to note."""

    def changed(self, steps: Sequence[Transition]) -> None:
        """Note what happened outside of a round."""
        self.steps.extend(f"{step.incident.key.kind}.{step.reason}" for step in steps)

    def recorded(self, error: MonitordError | None) -> None:
        """Note whether the store took it."""
        self.errors.append(None if error is None else str(error))

    def queued(self, messages: Sequence[Message]) -> None:
        """Note what waits to be sent."""
        self.messages.extend(messages)
        self.waiting.set()


class FaultyStore:
    """The real store behind a switch that makes it refuse, and a gate that makes it slow."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.refuses = False
        self.poison: str | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.readable = asyncio.Event()
        self.readable.set()
        self.entered = asyncio.Event()
        self.attempts: list[int] = []

    async def record(self, outcomes: Sequence[Outcome], messages: Sequence[Message]) -> bool:
        """Write, or refuse as a full disk does, or as a database does that contradicts."""
        self.attempts.append(len(outcomes))
        self.entered.set()
        await self.open.wait()
        if self.refuses:
            raise StoreError("disk full")
        if any(outcome.target.host == self.poison for outcome in outcomes):
            raise StoreError("constraint failed", systemic=False)
        return await self.store.record(outcomes, messages)

    async def history(self, host: str, port: int) -> History:
        """What the store knows."""
        await self.readable.wait()
        return await self.store.history(host, port)


class Bench:
    """A cycle on a real store, with everything around it in the test's hands."""

    def __init__(self, directory: Path) -> None:
        self.url = f"sqlite:///{directory}/monitord.db"
        self.clock = Clock()
        self.prober = ScriptedProber(self.clock)
        self.root = root = pki.issue("Root")
        self.leaf = pki.issue(HOST, issuer=root, names=[HOST])
        self.renewed = pki.issue(HOST, issuer=root, names=[HOST])
        target = Target(HOST, pinsets=(PinSet("app", pins=(self.leaf.certificate.pin, SPARE), trust=("test",)),))
        day = timedelta(days=1)
        self.settings = RoundSettings(
            timeout=timedelta(seconds=5),
            policy=Policy(2, 3, 14 * day, 30 * day, timedelta(hours=4)),
            trust={"test": TrustStore("test", [root.certificate])},
            receivers=(Receiver("mail", MAIL), Receiver("pager", MAIL, severities=frozenset({Severity.CRITICAL}))),
            targets={KEY: target},
        )

    async def start(self) -> Self:
        """Open the store and go on from what it holds, as a daemon does when it starts."""
        self.store = await Store.open(self.url, now=self.clock)
        self.faulty = FaultyStore(self.store)
        self.watcher = Watcher()
        self.asked: list[tuple[str, int]] = []
        self.cycle = Cycle(
            self.settings,
            prober=self.prober,
            store=self.faulty,
            watcher=self.watcher,
            now=self.clock,
            incidents=await self.store.load_incidents(),
            streaks=await self.store.load_streaks(),
            openings=await self.store.load_openings(self.clock() - LONGEST_WINDOW),
            silences=await self.store.load_silences(self.clock()),
            look_soon=self.asked.extend,
        )
        return self

    async def restart(self) -> None:
        """Stop and start again."""
        await self.stop()
        await self.start()

    async def stop(self) -> None:
        """Write what waits, and close the store."""
        await self.cycle.flush()
        await self.store.close()

    async def round(self, *chains: tuple[pki.Issued, ...]) -> list[str]:
        """One round, written, in which the endpoint shows these chains; its transitions as ``kind.state``."""
        return [f"{step.incident.key.kind}.{step.incident.state}" for step in await self.steps(*chains)]

    async def steps(
        self, *chains: tuple[pki.Issued, ...], after: timedelta = timedelta(minutes=15)
    ) -> Sequence[Transition]:
        """One round, written, so long after the one before, in which the endpoint shows these chains."""
        self.prober.script = list(chains)
        self.clock.advance(after)
        outcome = await self.cycle.run_round(KEY)
        assert outcome is not None
        await self.cycle.flush()
        return outcome.transitions

    async def outbox(self) -> list[tuple[str, str]]:
        """Everything that can be sent now, marked as sent: receivers and types, in the order of the alphabet."""
        return sorted((delivery.receiver, str(delivery.body["type"])) for delivery in await self.deliveries())

    async def deliveries(self) -> list[Delivery]:
        """Everything that can be sent now, in order, marked as sent."""
        await self.cycle.flush()
        found: list[Delivery] = []
        while batch := (await self.store.claim(10, self.clock())).deliveries:
            for delivery in batch:
                taken = Result(DeliveryState.DELIVERED, self.clock())
                await self.store.report(reports(delivery, taken))
            found.extend(batch)
        return found
