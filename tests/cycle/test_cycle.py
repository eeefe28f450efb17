"""A round from observation to outbox: confirmed at once, recorded in one piece, taken up again after a restart."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord import pki
from monitord.pinning.incident import IncidentKind
from monitord.pinning.verdict import Verdict
from tests.cycle.bench import KEY, OTHER

if TYPE_CHECKING:
    from tests.cycle.bench import Bench


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


async def test_a_store_that_is_itself_at_fault_is_tried_by_flushes_alone(bench: Bench) -> None:
    """Not by each round, for each attempt goes through all that waits; the first flush that it takes writes all."""
    bench.faulty.refuses = True
    await bench.round((bench.renewed,))
    bench.prober.script = [(bench.leaf,)]
    for _ in range(3):
        await bench.cycle.run_round(KEY)
        await asyncio.sleep(0)  # for a writer, if there were one
    assert bench.faulty.attempts == [1]
    bench.faulty.refuses = False
    await bench.cycle.flush()
    assert bench.cycle.unwritten == 0
    await bench.cycle.run_round(OTHER)
    async with asyncio.timeout(10):
        await bench.watcher.waiting.wait()


async def test_very_many_outcomes_give_way_to_later_ones_of_their_endpoints(bench: Bench) -> None:
    """So while nothing can be written no more waits than two for each endpoint, and the last of each is written."""
    hosts = [f"h{number}.example.com" for number in range(1200)]
    target = bench.settings.targets[KEY]
    targets = {(host, 443): replace(target, host=host) for host in hosts}
    await bench.cycle.reconfigure(replace(bench.settings, targets=targets))
    bench.faulty.refuses = True
    for served in (bench.leaf, bench.renewed, bench.leaf):
        bench.prober.script = [(served,)]
        for key in targets:
            await bench.cycle.run_round(key)
    incidents = 2 * len(hosts)  # one that began and one that ended, for each
    assert bench.cycle.unwritten <= 2 * len(hosts) + incidents
    bench.faulty.refuses = False
    await bench.cycle.flush()
    assert bench.cycle.unwritten == 0
    histories = [await bench.faulty.history(host, 443) for host in hosts[::50]]
    assert {history.tenures[-1].leaf for history in histories} == {bench.leaf.certificate}


async def test_a_store_that_hangs_holds_up_no_first_round(bench: Bench) -> None:
    """The history of an endpoint is not waited for longer than the endpoint itself; a failure is told without it."""
    await bench.cycle.reconfigure(replace(bench.settings, timeout=timedelta(milliseconds=50)))
    bench.faulty.readable.clear()
    assert await bench.round((bench.renewed,)) == ["pin_mismatch.firing"]
    assert bench.watcher.errors[0] == "the store does not answer; check the disk that it is on"
    assert bench.cycle.looked_at == 0
    bench.faulty.readable.set()
    await bench.cycle.reconfigure(bench.settings)
    assert await bench.round((bench.leaf,)) == ["pin_mismatch.resolved"]
    assert bench.cycle.looked_at == 1


async def test_a_round_without_news_says_nothing_of_the_store(bench: Bench) -> None:
    """Only what was committed shows that the store can be written; a round that needed no disk does not."""
    await bench.round((bench.leaf,))
    assert bench.watcher.errors == [None]
    await bench.round((bench.leaf,))
    assert len(bench.faulty.attempts) == 1
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
    leaf = pki.issue(KEY[0], issuer=intermediate, names=[KEY[0]])
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


async def test_a_failure_that_is_not_confirmed_hurries_the_endpoint(bench: Bench) -> None:
    """The look after it said nothing, so the next round is wanted soon; a confirmed one is told and needs no hurry."""
    bench.prober.script = [(bench.renewed,), ()]
    suspected = await bench.cycle.run_round(KEY)
    assert suspected is not None
    assert (suspected.transitions, suspected.hurried) == ((), True)
    bench.prober.script = [(bench.renewed,)]
    confirmed = await bench.cycle.run_round(KEY)
    assert confirmed is not None
    assert [step.incident.key.kind for step in confirmed.transitions] == [IncidentKind.PIN_MISMATCH]
    assert not confirmed.hurried
