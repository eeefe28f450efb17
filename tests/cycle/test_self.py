"""monitord about itself: a part that does not work is an incident, and where there is no network nobody is accused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.config.receivers import Receiver
from monitord.pinning.incident import Severity
from monitord.pinning.observation import FailureReason
from monitord.pinning.target import Target
from monitord.pinning.trouble import Trouble, TroubleKind
from tests.cycle.bench import HOST, KEY, MAIL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cycle.bench import Bench

TIMEOUT = FailureReason.TIMEOUT
PLACES = {HOST: "192.0.2.1", "b.example.com": "198.51.100.1", "c.example.com": "203.0.113.1"}


def store(*, holds: bool | None) -> Trouble:
    """How the store is."""
    return Trouble(TroubleKind.STORE, holds, "the disk is full")


def open_causes(bench: Bench) -> list[str]:
    """The causes of the incidents of monitord itself."""
    return [incident.key.pinset for incident in bench.cycle.open_incidents if not incident.key.host]


async def test_a_trouble_is_told_once_and_its_end_once(bench: Bench) -> None:
    """Reported again and again, over a restart: one incident, with a reminder when it is time."""
    bench.cycle.report_self([store(holds=False)])
    bench.cycle.report_self([store(holds=True)])
    bench.cycle.report_self([store(holds=True)])
    bench.cycle.report_self([store(holds=None)])
    await bench.restart()
    assert open_causes(bench) == ["store"]
    bench.cycle.report_self([store(holds=True)])
    assert await bench.outbox() == [("mail", "monitor_degraded.firing"), ("pager", "monitor_degraded.firing")]
    bench.clock.advance(timedelta(hours=4))
    bench.cycle.report_self([store(holds=True)])
    assert bench.watcher.steps == ["monitor_degraded.repeated"]
    bench.cycle.report_self([store(holds=False)])
    assert open_causes(bench) == []
    assert [kind for _, kind in await bench.outbox()] == [
        "monitor_degraded.firing",
        "monitor_degraded.resolved",
    ] * 2
    assert await bench.store.load_streaks() == {}


async def test_a_trouble_speaks_for_its_own_cause_alone(bench: Bench) -> None:
    """What is not reported stays as it is."""
    bench.cycle.report_self([store(holds=True), Trouble(TroubleKind.SIGNALS, holds=True, name="ct_log")])
    bench.cycle.report_self([Trouble(TroubleKind.TICK, holds=True)])
    bench.cycle.report_self([store(holds=False)])
    assert open_causes(bench) == ["signals:ct_log", "tick"]


async def test_the_message_says_what_does_not_work_and_what_to_do(bench: Bench) -> None:
    """It has no endpoint, and its cause."""
    bench.cycle.report_self([store(holds=True)])
    data = (await bench.deliveries())[0].body["data"]
    assert (data["host"], data["port"], data["pinset"], data["cause"]) == (None, None, None, "store")
    assert (data["kind"], data["severity"]) == ("monitor_degraded", "critical")
    assert data["summary"] == "monitord cannot write its store."
    assert data["reason"] == "the disk is full"
    assert data["advice"].startswith("Free or mend the disk")


@pytest.mark.parametrize(
    ("receivers", "told"),
    [
        ((Receiver("a", MAIL), Receiver("b", MAIL)), ["b"]),
        ((Receiver("a", MAIL),), []),
        ((Receiver("a", MAIL), Receiver("b", MAIL), Receiver("c", MAIL, match={"team": "x"})), ["b"]),
        ((Receiver("a", MAIL), Receiver("c", MAIL, match={"team": "x"})), ["c"]),
        ((Receiver("a", MAIL), Receiver("d", MAIL, severities=frozenset({Severity.WARNING}))), []),
    ],
)
async def test_that_a_receiver_fails_is_told_to_the_others(
    bench: Bench, receivers: tuple[Receiver, ...], told: list[str]
) -> None:
    """To those that take everything or, if there are none, to those that are for some endpoints; never to itself."""
    await bench.cycle.reconfigure(replace(bench.settings, receivers=receivers))
    bench.cycle.report_self([Trouble(TroubleKind.RECEIVER, holds=True, name="a")])
    assert [receiver for receiver, _ in await bench.outbox()] == told
    assert open_causes(bench) == ["receiver:a"]


async def test_a_receiver_that_is_taken_out_fails_no_more(bench: Bench) -> None:
    """Its incident is closed; those of other causes stay."""
    bench.cycle.report_self([store(holds=True), Trouble(TroubleKind.RECEIVER, holds=True, name="pager")])
    await bench.cycle.reconfigure(replace(bench.settings, receivers=(Receiver("mail", MAIL),)))
    assert open_causes(bench) == ["store"]
    await bench.cycle.reconfigure(replace(bench.settings, receivers=()))
    assert open_causes(bench) == ["store"]


async def spread_out(bench: Bench, **more: str) -> None:
    """Three endpoints in three places, and more of these names at these addresses."""
    bench.prober.places = PLACES | more
    targets = {(host, 443): replace(bench.settings.targets[KEY], host=host) for host in bench.prober.places}
    bench.settings = replace(bench.settings, targets=targets)
    await bench.cycle.reconfigure(bench.settings)


async def look(bench: Bench, shown: Sequence[object], rounds: int = 1) -> list[str]:
    """So many rounds of each endpoint, which show this; the transitions of all."""
    said = []
    for _ in range(rounds):
        for host, what in zip(bench.prober.places, shown, strict=True):
            bench.prober.shows[host] = what if isinstance(what, FailureReason) else (what,)  # type: ignore[assignment]
            bench.clock.advance(timedelta(minutes=5))
            bench.watcher.steps.clear()
            outcome = await bench.cycle.run_round((host, 443))
            assert outcome is not None
            said += [f"{step.incident.key.kind}.{step.reason}" for step in outcome.transitions]
            said += bench.watcher.steps
    return said


async def test_without_a_network_nobody_is_accused(bench: Bench) -> None:
    """Hours of silence everywhere are one incident of monitord's own, over a restart; an answer ends it."""
    await spread_out(bench)
    assert await look(bench, [TIMEOUT] * 3, rounds=4) == ["monitor_degraded.opened"]
    await bench.restart()
    assert await look(bench, [FailureReason.UNREACHABLE] * 3, rounds=4) == []
    assert open_causes(bench) == ["network"]
    assert await bench.outbox() == [("mail", "monitor_degraded.firing"), ("pager", "monitor_degraded.firing")]
    refused = FailureReason.REFUSED
    assert await look(bench, [refused, TIMEOUT, TIMEOUT]) == ["monitor_degraded.cleared"]


async def test_after_an_outage_of_ours_silence_is_counted_anew(bench: Bench) -> None:
    """Who does not answer then is accused after as many rounds as ever, not at once."""
    await spread_out(bench)
    await look(bench, [TIMEOUT] * 3, rounds=5)
    bad = bench.renewed
    said = [await look(bench, [bad, TIMEOUT, TIMEOUT]) for _ in range(3)]
    assert said[0] == ["pin_mismatch.opened", "monitor_degraded.cleared"]
    assert said[1] == []
    assert said[2] == ["unreachable.opened"] * 2


async def test_a_mismatch_is_told_whatever_the_network(bench: Bench) -> None:
    """One endpoint answers with a key that no app knows, in the middle of an outage."""
    await spread_out(bench)
    await look(bench, [TIMEOUT] * 3, rounds=4)
    assert "pin_mismatch.opened" in await look(bench, [bench.renewed, TIMEOUT, TIMEOUT])


async def test_a_single_endpoint_is_always_reported(bench: Bench) -> None:
    """Nothing can be compared with it."""
    bench.prober.shows[HOST] = TIMEOUT
    assert [await bench.round() for _ in range(3)] == [[], [], ["unreachable.firing"]]
    assert open_causes(bench) == []


async def test_two_endpoints_are_reported_too(bench: Bench) -> None:
    """They may have gone together."""
    bench.prober.places = dict(PLACES)
    targets = {(host, 443): Target(host, trust=("test",)) for host in list(PLACES)[:2]}
    await bench.cycle.reconfigure(replace(bench.settings, targets=targets))
    for host, _ in targets:
        bench.prober.shows[host] = TIMEOUT
    said = []
    for _ in range(3):
        for key in targets:
            bench.clock.advance(timedelta(minutes=5))
            outcome = await bench.cycle.run_round(key)
            assert outcome is not None
            said += [step.incident.key.kind.value for step in outcome.transitions]
    assert said == ["unreachable", "unreachable"]


async def test_an_incident_that_was_open_before_the_outage_stays_as_it_is(bench: Bench) -> None:
    """It neither ends nor is told again while nobody can say; the dead endpoint is no witness either."""
    await spread_out(bench, **{"dead.example.com": "192.0.2.9"})
    good = pki.issue(HOST, issuer=bench.root, key=bench.leaf.key, names=[*PLACES])
    opened = await look(bench, [good, good, good, TIMEOUT], rounds=3)
    assert opened == ["unreachable.opened"]
    assert await look(bench, [TIMEOUT] * 4, rounds=20) == ["monitor_degraded.opened", "monitor_degraded.repeated"]
    assert await look(bench, [good, good, good, TIMEOUT]) == ["monitor_degraded.cleared", "unreachable.repeated"]


async def test_too_few_endpoints_left_to_tell_end_the_excuse(bench: Bench) -> None:
    """After a reload that leaves two, silence is reported again."""
    await spread_out(bench)
    await look(bench, [TIMEOUT] * 3, rounds=4)
    assert open_causes(bench) == ["network"]
    targets = dict(list(bench.settings.targets.items())[:2])
    await bench.cycle.reconfigure(replace(bench.settings, targets=targets))
    assert open_causes(bench) == []
