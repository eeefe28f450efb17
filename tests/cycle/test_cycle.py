"""A round from observation to outbox: confirmed at once, recorded in one piece, taken up again after a restart."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

import pytest

from monitord import pki
from monitord.config.receivers import EmailSettings, Receiver, SmtpSettings, SmtpTls
from monitord.cycle import Cycle, RoundSettings
from monitord.pinning.conditions import Policy
from monitord.pinning.incident import IncidentKind, Severity
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.pins import PinSet
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.pinning.verdict import Verdict
from monitord.store.faults import StoreError
from monitord.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from monitord.errors import MonitordError
    from monitord.outbox import Delivery, Message
    from monitord.pinning.outcome import Outcome

HOST = "api.example.com"
KEY = (HOST, 443)
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
    """Shows one chain after another; the last for ever."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.script: list[tuple[pki.Issued, ...]] = []
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
        chain = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        certificates = tuple(issued.certificate for issued in chain)
        failure = None if chain else Failure(FailureReason.REFUSED, "connection refused")
        return (Observation(self.clock(), "192.0.2.1", target.port, certificates, failure),)


class Watcher:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.errors: list[str | None] = []
        self.messages: list[Message] = []
        self.waiting = asyncio.Event()

    def round_done(self, outcome: Outcome) -> None:
        """Nothing to note."""

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


class Bench:
    """A cycle on a real store, with everything around it in the test's hands."""

    def __init__(self, directory: Path) -> None:
        self.url = f"sqlite:///{directory}/monitord.db"
        self.clock = Clock()
        self.prober = ScriptedProber(self.clock)
        self.root = root = pki.issue("Root")
        self.leaf = pki.issue(HOST, issuer=root, names=[HOST])
        self.renewed = pki.issue(HOST, issuer=root, names=[HOST])
        target = Target(HOST, pinsets=(PinSet("app", pins=(self.leaf.certificate.pin,), trust=("test",)),))
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
        self.cycle = Cycle(
            self.settings,
            prober=self.prober,
            store=self.faulty,
            watcher=self.watcher,
            now=self.clock,
            incidents=await self.store.load_incidents(),
            streaks=await self.store.load_streaks(),
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
        self.prober.script = list(chains)
        self.clock.advance()
        outcome = await self.cycle.run_round(KEY)
        assert outcome is not None
        await self.cycle.flush()
        return [f"{step.incident.key.kind}.{step.incident.state}" for step in outcome.transitions]

    async def outbox(self) -> list[tuple[str, str]]:
        """Everything that can be sent now, in order, marked as sent."""
        await self.cycle.flush()
        found: list[Delivery] = []
        while batch := await self.store.claim(10, self.clock()):
            for delivery in batch:
                await self.store.delivered(delivery.id, self.clock())
            found.extend(batch)
        return sorted((delivery.receiver, str(delivery.body["type"])) for delivery in found)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench that has started."""
    bench = await Bench(tmp_path).start()
    yield bench
    await bench.stop()


async def test_a_mismatch_is_confirmed_by_a_second_probe_and_told_to_every_receiver(bench: Bench) -> None:
    """Two probes, one incident, one message for each receiver that wants it."""
    assert await bench.round((bench.renewed,)) == ["pin_mismatch.firing"]
    assert bench.prober.probes == 2
    assert await bench.outbox() == [("mail", "pin_mismatch.firing"), ("pager", "pin_mismatch.firing")]
    assert [message.receiver for message in bench.watcher.messages] == ["mail", "pager"]


async def test_a_mismatch_that_is_gone_at_once_wakes_nobody(bench: Bench) -> None:
    """One backend of many, once: not confirmed, so not told."""
    assert await bench.round((bench.renewed,), (bench.leaf,)) == []
    assert await bench.outbox() == []


async def test_a_restart_loses_nothing_and_alerts_of_nothing_again(bench: Bench) -> None:
    """The incident is still open after the restart, is not told again, and its end is told once."""
    await bench.round((bench.renewed,))
    await bench.restart()
    assert [incident.key.kind for incident in bench.cycle.open_incidents] == [IncidentKind.PIN_MISMATCH]
    assert await bench.outbox() == [("mail", "pin_mismatch.firing"), ("pager", "pin_mismatch.firing")]
    assert await bench.round((bench.renewed,)) == []
    await bench.restart()
    assert await bench.round((bench.leaf,)) == ["pin_mismatch.resolved"]
    assert await bench.outbox() == [("mail", "pin_mismatch.resolved"), ("pager", "pin_mismatch.resolved")]
    await bench.restart()
    assert await bench.round((bench.leaf,)) == []
    assert await bench.outbox() == []


async def test_a_restart_does_not_start_the_count_of_silent_rounds_anew(bench: Bench) -> None:
    """Two silent rounds before the restart and one after it are three."""
    assert await bench.round(()) == []
    assert await bench.round(()) == []
    await bench.restart()
    assert await bench.round(()) == ["unreachable.firing"]


async def test_a_store_that_refuses_loses_nothing(bench: Bench) -> None:
    """Rounds go on while the store refuses; what happened is written in order once it takes it again."""
    bench.faulty.refuses = True
    assert await bench.round((bench.renewed,)) == ["pin_mismatch.firing"]
    assert await bench.round((bench.renewed,)) == []
    assert await bench.round((bench.leaf,)) == ["pin_mismatch.resolved"]
    assert bench.watcher.errors == ["disk full"] * 3
    assert await bench.outbox() == []
    bench.faulty.refuses = False
    await bench.cycle.flush()
    assert bench.watcher.errors[-1] is None
    assert await bench.outbox() == [
        ("mail", "pin_mismatch.firing"),
        ("mail", "pin_mismatch.resolved"),
        ("pager", "pin_mismatch.firing"),
        ("pager", "pin_mismatch.resolved"),
    ]
    await bench.restart()
    assert bench.cycle.open_incidents == []


async def test_a_round_does_not_wait_for_a_slow_store(bench: Bench) -> None:
    """While a write hangs rounds end one after another; what they saw is written, in order, when it no longer does."""
    bench.faulty.open.clear()
    bench.prober.script = [(bench.renewed,)]
    assert await bench.cycle.run_round(KEY) is not None
    await bench.faulty.entered.wait()
    for _ in range(3):
        assert await bench.cycle.run_round(KEY) is not None
    bench.prober.script = [(bench.leaf,)]
    assert await bench.cycle.run_round(KEY) is not None
    assert bench.faulty.attempts == [1]
    assert bench.cycle.unwritten == 5
    assert bench.watcher.errors == []
    bench.faulty.open.set()
    await bench.cycle.flush()
    assert bench.faulty.attempts == [1, 4]
    assert bench.cycle.unwritten == 0
    assert [str(message.body["type"]) for message in bench.watcher.messages] == [
        *["pin_mismatch.firing"] * 2,
        *["pin_mismatch.resolved"] * 2,
    ]


async def test_a_round_is_written_without_being_asked(bench: Bench) -> None:
    """Nobody has to flush for an alert to leave: the round itself has it written."""
    bench.prober.script = [(bench.renewed,)]
    await bench.cycle.run_round(KEY)
    async with asyncio.timeout(10):
        await bench.watcher.waiting.wait()
    assert [message.receiver for message in bench.watcher.messages] == ["mail", "pager"]


async def test_a_slow_store_does_not_let_the_backlog_grow(bench: Bench) -> None:
    """Thousands of rounds while a write hangs leave the last one and what happened."""
    bench.faulty.open.clear()
    bench.prober.script = [(bench.renewed,)]
    await bench.cycle.run_round(KEY)
    await bench.faulty.entered.wait()
    bench.prober.script = [(bench.leaf,)]
    for _ in range(2000):
        await bench.cycle.run_round(KEY)
    assert bench.cycle.unwritten < 1100
    bench.faulty.open.set()
    assert await bench.outbox() == [
        ("mail", "pin_mismatch.firing"),
        ("mail", "pin_mismatch.resolved"),
        ("pager", "pin_mismatch.firing"),
        ("pager", "pin_mismatch.resolved"),
    ]


async def test_a_store_that_is_itself_at_fault_is_asked_once(bench: Bench) -> None:
    """On a full disk the outcomes that wait are not tried one by one as well."""
    bench.faulty.refuses = True
    for chain in (bench.renewed, bench.leaf, bench.renewed):
        await bench.round((chain,))
    assert bench.faulty.attempts == [1, 2, 3]


async def test_a_round_without_news_says_nothing_of_the_store(bench: Bench) -> None:
    """Only what was committed shows that the store can be written; a round that needed no disk does not."""
    await bench.round((bench.leaf,))
    assert bench.watcher.errors == [None]
    await bench.round((bench.leaf,))
    assert len(bench.faulty.attempts) == 2
    assert bench.watcher.errors == [None]


async def test_a_flush_that_is_cut_off_loses_nothing(bench: Bench) -> None:
    """A job that is cancelled in the middle of a write leaves everything to the next flush."""
    bench.faulty.open.clear()
    bench.prober.script = [(bench.renewed,)]
    await bench.cycle.run_round(KEY)
    flushing = asyncio.create_task(bench.cycle.flush())
    await bench.faulty.entered.wait()
    flushing.cancel()
    await asyncio.wait({flushing})
    bench.faulty.open.set()
    assert await bench.outbox() == [("mail", "pin_mismatch.firing"), ("pager", "pin_mismatch.firing")]


async def test_an_endpoint_that_is_taken_out_has_its_incidents_closed(bench: Bench) -> None:
    """Nobody is left with an alert that will never end."""
    await bench.round((bench.renewed,))
    await bench.outbox()
    await bench.cycle.reconfigure(replace(bench.settings, targets={}))
    assert bench.cycle.open_incidents == []
    assert await bench.outbox() == [("mail", "pin_mismatch.resolved"), ("pager", "pin_mismatch.resolved")]
    assert await bench.cycle.run_round(KEY) is None


async def test_a_round_under_way_does_not_speak_for_a_registration_that_changed(bench: Bench) -> None:
    """What was judged by the old pins is dropped; the new pins are judged by a round of their own."""
    bench.prober.script = [(bench.renewed,)]
    bench.prober.gate = asyncio.Event()
    under_way = asyncio.create_task(bench.cycle.run_round(KEY))
    await bench.prober.waiting.wait()
    pins = (bench.leaf.certificate.pin, bench.renewed.certificate.pin)
    target = bench.settings.targets[KEY]
    changed = replace(target, pinsets=(replace(target.pinsets[0], pins=pins),))
    await bench.cycle.reconfigure(replace(bench.settings, targets={KEY: changed}))
    bench.prober.gate.set()
    assert await under_way is None
    assert bench.cycle.open_incidents == []
    assert await bench.round((bench.renewed,)) == []


async def test_a_round_under_way_does_not_end_again_what_a_reload_has_closed(bench: Bench) -> None:
    """Taken out and put back while it is probed: its incident was closed with the first reload, once."""
    await bench.round((bench.renewed,))
    await bench.outbox()
    bench.prober.script = [(bench.leaf,)]
    bench.prober.gate = asyncio.Event()
    under_way = asyncio.create_task(bench.cycle.run_round(KEY))
    await bench.prober.waiting.wait()
    await bench.cycle.reconfigure(replace(bench.settings, targets={}))
    await bench.cycle.reconfigure(bench.settings)
    bench.prober.gate.set()
    outcome = await under_way
    assert outcome is not None
    assert outcome.transitions == ()
    assert await bench.outbox() == [("mail", "pin_mismatch.resolved"), ("pager", "pin_mismatch.resolved")]


async def test_a_receiver_for_critical_alerts_is_told_of_an_escalation_and_its_end_only(bench: Bench) -> None:
    """A warning goes to the mail alone; when it becomes critical both hear; both hear the end."""
    target = replace(bench.settings.targets[KEY])
    expires = bench.clock() + timedelta(days=20)
    pinsets = (replace(target.pinsets[0], expires=expires),)
    await bench.cycle.reconfigure(replace(bench.settings, targets={KEY: replace(target, pinsets=pinsets)}))
    assert await bench.round((bench.leaf,)) == ["pins_expiring.firing"]
    assert await bench.outbox() == [("mail", "pins_expiring.firing")]
    bench.clock.advance(timedelta(days=10))
    assert await bench.round((bench.leaf,)) == ["pins_expiring.firing"]
    assert await bench.outbox() == [("mail", "pins_expiring.firing"), ("pager", "pins_expiring.firing")]
    await bench.cycle.reconfigure(bench.settings)
    assert await bench.round((bench.leaf,)) == ["pins_expiring.resolved"]
    assert await bench.outbox() == [("mail", "pins_expiring.resolved"), ("pager", "pins_expiring.resolved")]


async def test_the_end_is_not_told_to_a_receiver_that_never_heard_of_it(bench: Bench) -> None:
    """The pager takes critical alerts only; the warning was not for it, so neither is its end."""
    target = bench.settings.targets[KEY]
    pinsets = (replace(target.pinsets[0], expires=bench.clock() + timedelta(days=20)),)
    await bench.cycle.reconfigure(replace(bench.settings, targets={KEY: replace(target, pinsets=pinsets)}))
    await bench.round((bench.leaf,))
    await bench.cycle.reconfigure(bench.settings)
    await bench.round((bench.leaf,))
    assert await bench.outbox() == [("mail", "pins_expiring.firing"), ("mail", "pins_expiring.resolved")]


async def test_a_long_outage_writes_nothing_once_it_is_told(bench: Bench) -> None:
    """After the incident nothing changes any more, however long the endpoint stays silent."""
    assert [await bench.round(()) for _ in range(4)] == [[], [], ["unreachable.firing"], []]
    streaks = await bench.store.load_streaks()
    assert await bench.round(()) == []
    assert await bench.store.load_streaks() == streaks


async def test_an_outcome_that_can_never_be_written_holds_up_no_other(bench: Bench) -> None:
    """Two endpoints wait; the store takes one of them and refuses the other for ever."""
    other = replace(bench.settings.targets[KEY], host="other.example.com")
    await bench.cycle.reconfigure(replace(bench.settings, targets={KEY: bench.settings.targets[KEY], OTHER: other}))
    bench.faulty.refuses = True
    bench.prober.script = [(bench.renewed,)]
    await bench.cycle.run_round(OTHER)
    assert await bench.round((bench.renewed,)) == ["pin_mismatch.firing"]
    bench.faulty.refuses, bench.faulty.poison = False, "other.example.com"
    await bench.cycle.flush()
    assert bench.watcher.errors[-1] == "constraint failed"
    assert await bench.outbox() == [("mail", "pin_mismatch.firing"), ("pager", "pin_mismatch.firing")]
    bench.faulty.poison = None
    await bench.cycle.flush()
    assert bench.watcher.errors[-1] is None


async def test_an_intermediate_seen_elsewhere_is_named_where_it_is_missing(bench: Bench) -> None:
    """Another endpoint presented it, so devices may have it: the sentence says which clients could connect."""
    intermediate = pki.issue("Intermediate", issuer=bench.root)
    leaf = pki.issue(HOST, issuer=intermediate, names=[HOST])
    other = replace(bench.settings.targets[KEY], host="other.example.com")
    await bench.cycle.reconfigure(replace(bench.settings, targets={KEY: bench.settings.targets[KEY], OTHER: other}))
    bench.prober.script = [(leaf, intermediate)]
    await bench.cycle.run_round(OTHER)
    bench.prober.script = [(leaf,)]
    outcome = await bench.cycle.run_round(KEY)
    assert outcome is not None
    assert outcome.verdicts[0].verdict is Verdict.UNDETERMINED
    assert (
        "devices that have cached or fetch CN=Intermediate (Android, Apple) can connect" in outcome.verdicts[0].reason
    )
