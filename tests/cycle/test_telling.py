"""Who is told of what: flapping, acknowledged, silenced, in maintenance; all of it over restarts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitord.config.receivers import Receiver
from monitord.pinning.incident import Acknowledgement, IncidentKind, Severity
from monitord.pinning.quiet import Once, Scope, Silence, Window
from tests.cycle.bench import HOST, KEY, MAIL

if TYPE_CHECKING:
    from datetime import datetime

    from tests.cycle.bench import Bench

HOUR = timedelta(hours=1)
FIRING = [("mail", "pin_mismatch.firing"), ("pager", "pin_mismatch.firing")]
RESOLVED = [("mail", "pin_mismatch.resolved"), ("pager", "pin_mismatch.resolved")]


def silence(bench: Bench, *hosts: str, lasts: timedelta = HOUR) -> Silence:
    """A silence that begins now."""
    now = bench.clock()
    return Silence("s1", Scope(hosts or ("*",)), now, now + lasts, "a move", "ann")


async def quieten(bench: Bench, *hosts: str, lasts: timedelta = HOUR) -> Silence:
    """Silence hosts as a command does."""
    one = silence(bench, *hosts, lasts=lasts)
    await bench.store.save_silence(one)
    bench.cycle.silence(one)
    return one


async def reasons(bench: Bench, *chains: object, after: timedelta = timedelta(minutes=15)) -> list[str]:
    """The reasons of the transitions of a round; "!" is told."""
    steps = await bench.steps(*chains, after=after)  # type: ignore[arg-type]
    return [step.reason + ("!" if step.notify else "") for step in steps]


async def test_flapping_outlives_restarts(bench: Bench) -> None:
    """A restart between any two rounds changes nothing: the third opening flaps, is told once, and ends once."""
    good, bad = (bench.leaf,), (bench.renewed,)
    expected = ["opened!", "cleared!", "opened!", "cleared!", "flapping!", "ceased", "recurred", "ceased"]
    for number, reason in enumerate(expected):
        assert await reasons(bench, good if number % 2 else bad) == [reason]
        await bench.restart()
    assert await bench.outbox() == sorted(FIRING * 3 + RESOLVED * 2)
    (incident,) = bench.cycle.open_incidents
    assert incident.handling.flapping_since == incident.since
    assert await reasons(bench, good, after=timedelta(minutes=89)) == []
    await bench.restart()
    assert await reasons(bench, good, after=timedelta(minutes=1)) == ["cleared!"]
    assert await bench.outbox() == RESOLVED
    assert bench.cycle.open_incidents == []


async def test_an_acknowledgement_outlives_a_restart_and_stops_reminders(bench: Bench) -> None:
    """Nobody is reminded until it is taken back; the end is told in any case."""
    bad = (bench.renewed,)
    await bench.steps(bad)
    (incident,) = bench.cycle.open_incidents
    seen = bench.cycle.acknowledge(incident.id, Acknowledgement(bench.clock(), "ann", "on it"))
    assert seen is not None
    assert bench.watcher.steps == ["pin_mismatch.acknowledged"]
    assert bench.cycle.acknowledge("no such id", None) is None
    await bench.restart()
    assert await bench.outbox() == FIRING
    assert await reasons(bench, bad, after=50 * HOUR) == []
    (incident,) = bench.cycle.open_incidents
    assert incident.handling.acknowledged == Acknowledgement(seen.handling.acknowledged.at, "ann", "on it")  # type: ignore[union-attr]
    bench.cycle.acknowledge(incident.id, None)
    assert await reasons(bench, bad) == ["repeated!"]
    assert await reasons(bench, (bench.leaf,)) == ["cleared!"]
    log = await bench.store.transitions_of(HOST, 443, bench.clock() - 99 * HOUR)
    assert [step.reason.value for step in log] == ["opened", "acknowledged", "unacknowledged", "repeated", "cleared"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_is_silenced_is_told_when_the_silence_is_over(bench: Bench, *, restarted: bool) -> None:
    """The incident opens unheard; when the silence ends the endpoint is looked at, and it is told as it is then."""
    bad = (bench.renewed,)
    await quieten(bench, "*.example.com")
    assert await reasons(bench, bad) == ["opened"]
    assert await bench.outbox() == []
    assert [incident.handling.owed for incident in bench.cycle.open_incidents] == [True]
    if restarted:
        await bench.restart()
    bench.clock.advance(HOUR)
    bench.cycle.review()
    bench.cycle.review()
    assert bench.asked == [KEY]
    assert await reasons(bench, bad) == ["unsilenced!"]
    assert await bench.outbox() == FIRING
    assert await reasons(bench, (bench.leaf,)) == ["cleared!"]
    assert await bench.outbox() == RESOLVED


async def test_what_begins_and_ends_in_a_silence_is_told_to_nobody(bench: Bench) -> None:
    """Neither the failure nor its end leaves the house."""
    await quieten(bench)
    await bench.steps((bench.renewed,))
    assert await reasons(bench, (bench.leaf,)) == ["cleared!"]
    bench.clock.advance(HOUR)
    bench.cycle.review()
    assert await reasons(bench, (bench.leaf,)) == []
    assert await bench.outbox() == []


async def test_the_end_is_told_in_a_silence_to_those_who_know(bench: Bench) -> None:
    """The mail heard of the warning; the pager, which is for critical ones, was to hear of the escalation only."""
    target = bench.settings.targets[KEY]
    pinsets = (replace(target.pinsets[0], expires=bench.clock() + timedelta(days=14, hours=1)),)
    await bench.cycle.reconfigure(replace(bench.settings, targets={KEY: replace(target, pinsets=pinsets)}))
    assert await reasons(bench, (bench.leaf,)) == ["opened!"]
    await quieten(bench, lasts=24 * HOUR)
    assert bench.watcher.steps == ["pins_expiring.silenced"]
    assert await reasons(bench, (bench.leaf,), after=HOUR) == ["escalated"]
    await bench.cycle.reconfigure(bench.settings)
    assert await reasons(bench, (bench.leaf,)) == ["cleared!"]
    assert await bench.outbox() == [("mail", "pins_expiring.firing"), ("mail", "pins_expiring.resolved")]


async def test_a_silence_that_is_ended_by_hand_is_over_at_once(bench: Bench) -> None:
    """The endpoint is looked at, and people are told what they were not; it stays over after a restart."""
    one = await quieten(bench)
    await bench.steps((bench.renewed,))
    assert bench.cycle.silences == [one]
    assert bench.cycle.unsilence("another") is None
    ended = bench.cycle.unsilence("s1")
    assert ended == replace(one, ends_at=bench.clock())
    await bench.store.save_silence(ended)
    assert bench.asked == [KEY]
    await bench.restart()
    assert bench.cycle.silences == []
    assert await reasons(bench, (bench.renewed,)) == ["unsilenced!"]
    assert await bench.outbox() == FIRING


async def test_a_silence_is_about_its_hosts(bench: Bench) -> None:
    """What it does not cover is told."""
    await quieten(bench, "other.example.com")
    assert await reasons(bench, (bench.renewed,)) == ["opened!"]
    assert bench.cycle.quiet(bench.cycle.open_incidents) == {}


async def test_a_window_of_the_configuration_is_a_silence(bench: Bench) -> None:
    """It begins and ends by itself; the incident that is open meanwhile says so in its log."""
    start: datetime = bench.clock() + HOUR
    window = Window("maintenance-1", Scope(match={"team": "payments"}), Once(start, start + HOUR), "patches")
    target = replace(bench.settings.targets[KEY], labels={"team": "payments"})
    await bench.cycle.reconfigure(replace(bench.settings, targets={KEY: target}, windows=(window,)))
    assert await reasons(bench, (bench.renewed,)) == ["opened!"]
    bench.clock.advance(HOUR)
    bench.cycle.review()
    assert bench.watcher.steps == ["pin_mismatch.silenced"]
    (quiet,) = bench.cycle.quiet(bench.cycle.open_incidents).values()
    assert (quiet.id, quiet.reason, quiet.until) == ("maintenance-1", "patches", start + HOUR)
    bench.clock.advance(HOUR)
    bench.cycle.review()
    assert bench.asked == [KEY]
    assert await reasons(bench, (bench.renewed,)) == ["unsilenced"]


async def test_a_silence_says_nothing_less_to_metrics(bench: Bench) -> None:
    """The state is the same with it and without: open, critical, and what the verdicts are."""
    await quieten(bench)
    await bench.steps((bench.renewed,))
    (incident,) = bench.cycle.open_incidents
    assert (incident.key.kind, incident.severity) == (IncidentKind.PIN_MISMATCH, Severity.CRITICAL)


async def test_incidents_of_an_endpoint_that_is_gone_end_in_a_silence_too(bench: Bench) -> None:
    """Whoever knows of them hears that they are over."""
    await bench.steps((bench.renewed,))
    await quieten(bench)
    await bench.cycle.reconfigure(replace(bench.settings, targets={}))
    assert await bench.outbox() == sorted(FIRING + RESOLVED)


async def test_who_takes_a_receiver_out_hears_no_more_of_it(bench: Bench) -> None:
    """Receivers are those of the configuration in force."""
    await bench.cycle.reconfigure(replace(bench.settings, receivers=(Receiver("mail", MAIL),)))
    await bench.steps((bench.renewed,))
    assert await bench.outbox() == [("mail", "pin_mismatch.firing")]
