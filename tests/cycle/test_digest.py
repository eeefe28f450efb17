"""A receiver with a digest: what is held for it, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitord.config.receivers import Receiver
from monitord.notify.senders import build_channels
from monitord.outbox import DeliveryState, Result, reports
from monitord.turns import Digest, Gathering
from tests.cycle.bench import KEY, MAIL

if TYPE_CHECKING:
    from tests.cycle.bench import Bench

DAY = timedelta(days=1)
DIGEST = Digest(DAY, timedelta(hours=8))
RECEIVERS = (Receiver("mail", replace(MAIL, digest=DIGEST)), Receiver("pager", MAIL))


async def expire(bench: Bench, days: int) -> list[str]:
    """A round in which the pins expire in so many days."""
    target = bench.settings.targets[KEY]
    pinsets = (replace(target.pinsets[0], expires=bench.clock() + days * DAY),)
    targets = {KEY: replace(target, pinsets=pinsets)}
    await bench.cycle.reconfigure(replace(bench.settings, receivers=RECEIVERS, targets=targets))
    return await bench.round((bench.leaf,))


async def sent(bench: Bench) -> list[tuple[str, list[str]]]:
    """What goes out now: receivers, and the severities of the events of each delivery."""
    digests = {name: one.digest for name, one in build_channels(RECEIVERS).items() if one.digest}
    gathering = Gathering(timedelta(), timedelta(), bench.clock() - DAY, digests=digests)
    found = []
    while claimed := (await bench.store.claim(10, bench.clock(), gathering=gathering)).deliveries:
        for one in claimed:
            await bench.store.report(reports(one, Result(DeliveryState.DELIVERED, bench.clock())))
            found.append((one.receiver, [str(event["data"]["severity"]) for event in one.events]))
    return sorted(found)


async def test_a_warning_waits_for_the_digest_and_others_hear_at_once(bench: Bench) -> None:
    """With its end, if that comes before."""
    assert await expire(bench, 20) == ["pins_expiring.firing"]
    assert await sent(bench) == [("pager", ["warning"])]
    assert await expire(bench, 300) == ["pins_expiring.resolved"]
    assert await sent(bench) == [("pager", ["warning"])]
    bench.clock.now = DIGEST.next_after(bench.clock.now)
    assert await sent(bench) == [("mail", ["warning", "warning"])]


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_becomes_critical_waits_no_longer(bench: Bench, *, restarted: bool) -> None:
    """The warning goes before it, so that the order is kept."""
    await expire(bench, 20)
    await sent(bench)
    if restarted:
        await bench.restart()
    assert await expire(bench, 5) == ["pins_expiring.firing"]
    assert await sent(bench) == [("mail", ["critical"]), ("mail", ["warning"]), ("pager", ["critical"])]
