"""A round that sees what the quiet one before it saw is not judged anew; whatever may matter has it judged."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from monitord import pki
from monitord.pinning.evidence import DnsAnswer, Signals
from monitord.pinning.observation import FailureReason
from monitord.pinning.steady import LONGEST
from monitord.pinning.trust import TrustStore
from monitord.pinning.verdict import Verdict
from tests.cycle.bench import HOST, KEY

if TYPE_CHECKING:
    from monitord.pinning.outcome import Outcome
    from monitord.pki import Issued
    from tests.cycle.bench import Bench

STEP = timedelta(minutes=15)


async def look(bench: Bench, *shown: Issued, after: timedelta = STEP) -> Outcome:
    """One round in which the endpoint shows this chain, its leaf unless another is given."""
    bench.prober.script = [shown or (bench.leaf,)]
    bench.clock.advance(after)
    outcome = await bench.cycle.run_round(KEY)
    assert outcome is not None
    return outcome


def stands_for(before: Outcome, outcome: Outcome) -> bool:
    """Whether a round was not judged anew."""
    return outcome.verdicts is before.verdicts


async def test_a_quiet_round_stands_for_the_next_ones(bench: Bench) -> None:
    """With a time and a duration of their own; nothing is written for them."""
    first = await look(bench)
    await bench.cycle.flush()
    written = len(bench.faulty.attempts)
    second, third = await look(bench), await look(bench)
    assert stands_for(first, second)
    assert stands_for(first, third)
    assert [one.at - first.at for one in (second, third)] == [STEP, 2 * STEP]
    await bench.cycle.flush()
    assert len(bench.faulty.attempts) == written


async def test_another_chain_is_judged_at_once(bench: Bench) -> None:
    """Also one that differs above the leaf alone, and the first chain when it comes back."""
    first = await look(bench)
    longer = await look(bench, bench.leaf, bench.root)
    assert not stands_for(first, longer)
    assert stands_for(longer, await look(bench, bench.leaf, bench.root))
    failing = await look(bench, bench.renewed)
    assert failing.verdicts[0].verdict is Verdict.PIN_MISMATCH
    back = await look(bench)
    assert [step.incident.state for step in back.transitions] == ["resolved"]


async def test_a_failure_is_never_taken_for_quiet(bench: Bench) -> None:
    """Each round of an open incident and each silent round is judged, since rules count and remind."""
    await look(bench)
    failing = await look(bench, bench.renewed)
    assert not stands_for(failing, await look(bench, bench.renewed))
    await look(bench)
    bench.prober.shows[HOST] = FailureReason.TIMEOUT
    silent = [await look(bench) for _ in range(3)]
    assert [step.incident.key.kind for step in silent[-1].transitions] == ["unreachable"]


async def test_news_from_outside_are_judged_at_once(bench: Bench) -> None:
    """The same facts in a new object, too: what is known is compared by identity."""
    known = Signals()
    bench.cycle._signals = lambda _: known
    first = await look(bench)
    assert stands_for(first, await look(bench))
    known = Signals(dns=(DnsAnswer(bench.clock(), ("cdn.example.net",)),))
    assert not stands_for(first, await look(bench))


async def test_a_new_configuration_is_judged_at_once(bench: Bench) -> None:
    """Other pins, other trust stores, another policy."""
    first = await look(bench)
    assert stands_for(first, await look(bench))
    await bench.cycle.reconfigure(replace(bench.settings, policy=replace(bench.settings.policy, confirm=3)))
    second = await look(bench)
    assert not stands_for(first, second)
    (target,) = bench.settings.targets.values()
    (pinset,) = target.pinsets
    other = replace(target, pinsets=(replace(pinset, pins=(bench.renewed.certificate.pin, *pinset.pins[1:])),))
    await bench.cycle.reconfigure(replace(bench.settings, targets={KEY: other}))
    assert (await look(bench)).verdicts[0].verdict is Verdict.PIN_MISMATCH


async def test_a_round_under_way_while_the_configuration_changes_stands_for_none_after_it(bench: Bench) -> None:
    """It was judged by a trust store that is no longer in force; the next round is judged by the new one."""
    bench.prober.script = [(bench.leaf,)]
    bench.prober.gate = asyncio.Event()
    under_way = asyncio.create_task(bench.cycle.run_round(KEY))
    await bench.prober.waiting.wait()
    other = TrustStore("test", [pki.issue("Other Root").certificate])
    await bench.cycle.reconfigure(replace(bench.settings, trust={"test": other}))
    bench.prober.gate.set()
    before = await under_way
    assert before is not None
    after = await look(bench)
    assert after.verdicts[0].verdict is not Verdict.OK
    assert not stands_for(before, after)


async def test_it_is_judged_anew_after_its_longest_time(bench: Bench) -> None:
    """A forecast moves with time."""
    first = await look(bench)
    assert stands_for(first, await look(bench, after=LONGEST - timedelta(seconds=1)))
    second = await look(bench, after=timedelta(seconds=1))
    assert not stands_for(first, second)
    assert stands_for(second, await look(bench))


async def test_a_clock_that_was_set_back_has_it_judged(bench: Bench) -> None:
    """Nothing stands for the time before it."""
    first = await look(bench)
    assert not stands_for(first, await look(bench, after=-STEP))


def expiring(bench: Bench, moment: datetime) -> Issued:
    """A leaf that ends then, with the key that is pinned."""
    return pki.issue(HOST, issuer=bench.root, key=bench.leaf.key, names=[HOST], not_after=moment)


async def test_the_end_of_a_certificate_is_seen_in_the_round_after_it(bench: Bench) -> None:
    """Inside the hour for which a quiet round would stand; its last second is still good."""
    leaf = expiring(bench, bench.clock() + 2 * STEP + timedelta(seconds=30))
    await look(bench, leaf)
    await look(bench, leaf)
    assert (await look(bench, leaf, after=timedelta(seconds=30))).verdicts[0].verdict is Verdict.OK
    assert (await look(bench, leaf, after=timedelta(seconds=1))).verdicts[0].verdict is Verdict.UNTRUSTED
