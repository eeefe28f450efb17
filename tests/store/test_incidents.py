from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from monitord.pinning.decide import acknowledge
from monitord.pinning.incident import Acknowledgement, Handling, IncidentKind
from monitord.pinning.quiet import Scope, Silence
from monitord.store.store import Store
from tests.store.samples import HOST, PORT, at, cleared, clock, opened, outcome, repeated

if TYPE_CHECKING:
    from pathlib import Path

    from monitord.pinning.incident import Transition

SILENCE = Silence(
    "s1",
    Scope(("*.example.test",), {"team": "payments"}, frozenset({IncidentKind.UNREACHABLE})),
    at(0),
    at(60),
    "a move\nof data\ud800",
    "ann",
)


def handled(step: Transition, **how: object) -> Transition:
    """The step with this handling of its incident."""
    return replace(step, incident=replace(step.incident, handling=Handling(**how)))  # type: ignore[arg-type]


async def reopened(store: Store, url: str) -> Store:
    """The store after a restart."""
    await store.close()
    return await Store.open(url, now=clock)


async def test_how_an_incident_is_handled_outlives_a_restart(store: Store, url: str) -> None:
    """Acknowledged, silenced, owed, flapping: all of it is as it was; an ordinary incident is ordinary again."""
    plain = opened("plain", host="plain.example.test")
    flapping = handled(
        opened("flapping"), owed=True, silenced_by="s1", flapping_since=at(1), turned_at=at(2), holds=False
    )
    other = opened("seen", host="other.example.test")
    seen = acknowledge(other.incident, Acknowledgement(at(3), "ann", "on it"), at(3))
    await store.record([outcome(transitions=[plain, flapping, other, seen])], [])
    again = await reopened(store, url)
    try:
        expected = [plain.incident, flapping.incident, seen.incident]
        assert await again.load_incidents() == {incident.key: incident for incident in expected}
    finally:
        await again.close()


async def test_handling_that_is_over_is_over_after_a_restart(store: Store, url: str) -> None:
    """What was silenced and is loud again, or was acknowledged and escalated, is not found silent or acknowledged."""
    quiet = handled(opened(), silenced_by="s1", owed=True)
    loud = handled(repeated(quiet, minute=5))
    await store.record([outcome(transitions=[quiet])], [])
    await store.record([outcome(transitions=[loud], minute=5)], [])
    again = await reopened(store, url)
    try:
        assert await again.load_incidents() == {loud.incident.key: loud.incident}
    finally:
        await again.close()


async def test_an_incident_that_somebody_handled_is_forgotten_like_any_other(store: Store) -> None:
    """Some 400 days after its end, with what was done about it."""
    step = opened()
    await store.record([outcome(transitions=[handled(step, silenced_by="s1")])], [])
    await store.record([outcome(transitions=[cleared(step, minute=5)])], [])
    assert await store.prune_alerts(at(500 * 24 * 60)) == 1
    assert await store.transitions_of(HOST, None, at(-1)) == []


async def test_a_step_that_is_recorded_again_does_not_set_the_handling_back(store: Store) -> None:
    """The backlog may write what was written already, after newer steps."""
    first = handled(opened(), silenced_by="s1")
    second = handled(repeated(first, minute=5))
    await store.record([outcome(transitions=[first, second])], [])
    await store.record([outcome(transitions=[first])], [])
    (incident,) = (await store.load_incidents()).values()
    assert incident.handling == Handling()


async def test_openings_are_those_of_incidents_that_are_over(store: Store) -> None:
    """Open ones are known as such, and what began before the time asked for does not matter."""
    steps = []
    for name, minute in (("a", 0), ("b", 20), ("c", 40)):
        step = opened(name, minute=minute)
        steps += [step, cleared(step, minute=minute + 10)]
    steps.append(opened("d", minute=60))
    await store.record([outcome(transitions=steps)], [])
    key = steps[0].incident.key
    assert await store.load_openings(at(10)) == {key: (at(20), at(40))}
    assert await store.load_openings(at(41)) == {}


async def test_the_log_of_a_host_has_every_step_in_order(store: Store) -> None:
    """What people were told, and what was only noted, of one port or of all, from a time on."""
    step = opened()
    seen = acknowledge(step.incident, Acknowledgement(at(3), "ann", "on it"), at(3))
    over = cleared(seen, minute=9)
    await store.record([outcome(transitions=[step, seen, over, opened("b1", host="other.example.test")])], [])
    log = await store.transitions_of(HOST, None, at(0))
    assert [(one.number, one.reason, one.notify) for one in log] == [
        (1, "opened", True),
        (2, "acknowledged", False),
        (3, "cleared", True),
    ]
    assert [one.incident.state for one in log] == ["firing", "firing", "resolved"]
    assert log[1].remark == {"by": "ann", "reason": "on it"}
    assert log[0].remark == step.incident.facts
    assert len(await store.transitions_of(HOST, PORT, at(3))) == 2
    assert await store.transitions_of(HOST, PORT + 1, at(0)) == []


async def test_silences_outlive_a_restart(store: Store, url: str) -> None:
    """Who, why, what and until when; one that is ended early is over, and is still known."""
    other = replace(SILENCE, id="s2", scope=Scope(("*",)), reason="tests", ends_at=at(30))
    await store.save_silence(SILENCE)
    await store.save_silence(other)
    again = await reopened(store, url)
    try:
        kept = replace(SILENCE, reason="a move\nof data\\ud800")  # what no database takes is kept as an escape
        assert await again.load_silences(at(10)) == [other, kept]
        assert await again.load_silences(at(30)) == [kept]
        await again.save_silence(replace(kept, ends_at=at(20)))
        assert await again.load_silences(at(20)) == [other]
        assert len(await again.load_silences()) == 2
    finally:
        await again.close()


async def test_a_host_is_not_made_known_by_its_incidents(store: Store, path: Path) -> None:
    """Incidents of monitord itself belong to no endpoint, and none is made for them."""
    await store.record([outcome(transitions=[opened(host="")], host="", verdict=None)], [])
    assert await store.load_streaks() == {}
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM incident").fetchone() == (1,)
