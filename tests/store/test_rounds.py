from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.certificate import KeyType
from monitord.pinning.incident import IncidentState
from monitord.pinning.observation import FailureReason
from monitord.pinning.outcome import Streaks
from monitord.pinning.verdict import Verdict
from monitord.store.faults import StoreError
from monitord.store.store import Store
from tests.store.samples import (
    HOST,
    NOON,
    PORT,
    Chains,
    at,
    cleared,
    clock,
    message,
    opened,
    outcome,
    repeated,
    shown,
    silent,
)

if TYPE_CHECKING:
    from pathlib import Path

    from monitord.pinning.history import ChangePoint
    from monitord.pinning.observation import Observation


def told(points: list[ChangePoint]) -> list[tuple[float, str, list[object]]]:
    """Change points as minutes after noon, address, and what is seen there: leaf or failure reason."""
    return [
        (
            (point.since - NOON).total_seconds() / 60,
            point.address,
            [seen.failure.reason if seen.failure else seen.chain[0] for seen in point.seen],
        )
        for point in points
    ]


def contents(path: Path) -> dict[str, bytes]:
    """Everything on the disk that a store consists of; the -shm file is shared memory."""
    return {
        file.name: file.read_bytes()
        for file in path.parent.iterdir()
        if file.name.startswith(path.name) and not file.name.endswith("-shm")
    }


async def test_restart_loads_what_was_recorded(store: Store, url: str, chains: Chains) -> None:
    """Incidents, streaks, history and pending messages are the same after closing and opening."""
    step = opened(facts={"summary": "It fails.", "share": 0.62, "chain": [{"subject": "CN=é\ud800"}], "url": None})
    streaks = Streaks(2, {"192.0.2.9": 7})
    await store.record([outcome(shown(chains.first), transitions=[step], streaks=streaks)], [message(step)])
    history = await store.change_points(HOST, PORT)
    await store.close()

    again = await Store.open(url, now=clock)
    try:
        assert await again.load_incidents() == {step.incident.key: step.incident}
        assert await again.load_streaks() == {(HOST, PORT): streaks}
        assert await again.change_points(HOST, PORT) == history
        assert await again.outbox_summary() == (1, NOON)
        assert again.opened_notes == ()
    finally:
        await again.close()


async def test_restart_repeats_nothing(store: Store, url: str, path: Path, chains: Chains) -> None:
    """The first unchanged round after a restart is known to be unchanged: several chains and addresses included."""
    seen = (
        shown(chains.first, key_type=KeyType.ECDSA),
        shown(chains.rsa, key_type=KeyType.RSA),
        silent(address="2001:db8::1"),
    )
    await store.record([outcome(*seen, streaks=Streaks(0, {"2001:db8::1": 3}))], [])
    await store.close()
    before = contents(path)

    again = await Store.open(url, now=clock)
    try:
        await again.record([outcome(*reversed(seen), minute=15, streaks=Streaks(0, {"2001:db8::1": 3}))], [])
        assert len(await again.change_points(HOST, PORT)) == 2
        assert contents(path)[f"{path.name}-wal"] == b""
    finally:
        await again.close()
    assert contents(path) == before


async def test_unchanged_rounds_write_nothing(store: Store, path: Path, chains: Chains) -> None:
    """A hundred rounds that see the same, at other times and in other words, leave every file as it is."""
    await store.record([outcome(shown(chains.first), silent(address="192.0.2.2"))], [])
    before = contents(path)
    for minute in range(1, 100):
        seen = replace(shown(chains.first), at=at(minute), duration=minute / 100)
        other = silent(address="192.0.2.2", detail=f"no answer in {minute} s")
        await store.record([outcome(seen, other, minute=minute, reason=f"other words {minute}")], [])
    assert contents(path) == before


async def test_record_says_whether_it_wrote(store: Store, chains: Chains) -> None:
    """Only what went to the disk shows that the disk takes it."""
    step = opened()
    assert await store.record([outcome(shown(chains.first))], [])
    assert not await store.record([outcome(shown(chains.first), minute=1)], [])
    assert not await store.record([], [])
    assert await store.record([outcome(shown(chains.first), minute=2, transitions=[step])], [])
    assert await store.record([], [message(step)])


async def test_change_points_tell_what_happened(store: Store, chains: Chains) -> None:
    """A new chain, an outage with its detail, the return and a vanished address are one change point each."""
    rounds = [
        (shown(chains.first), shown(chains.first, "192.0.2.2")),
        (shown(chains.second), shown(chains.first, "192.0.2.2")),
        (shown(chains.second), silent(address="192.0.2.2", detail="slow \0 and \ud800 odd")),
        (shown(chains.second),),
        (shown(chains.second), shown(chains.second, "192.0.2.2")),
    ]
    for minute, seen in enumerate(rounds):
        await store.record([outcome(*seen, minute=minute)], [])
    first, second = chains.first[0], chains.second[0]
    points = await store.change_points(HOST, PORT)
    assert told(points) == [
        (0, "192.0.2.1", [first]),
        (0, "192.0.2.2", [first]),
        (1, "192.0.2.1", [second]),
        (2, "192.0.2.2", [FailureReason.TIMEOUT]),
        (3, "192.0.2.2", []),
        (4, "192.0.2.2", [second]),
    ]
    failure = points[3].seen[0].failure
    assert failure is not None
    assert failure.detail == "slow \\x00 and \\ud800 odd"
    assert points[0].seen[0].chain == chains.first
    assert points[0].seen[0].tls_version == "TLSv1.3"


async def test_key_type_is_part_of_what_an_address_shows(store: Store, chains: Chains) -> None:
    """Two chains of one address are one change point, and one of them changing or going is another."""
    await store.record(
        [outcome(shown(chains.first, key_type=KeyType.ECDSA), shown(chains.rsa, key_type=KeyType.RSA))], []
    )
    await store.record(
        [outcome(shown(chains.second, key_type=KeyType.ECDSA), shown(chains.rsa, key_type=KeyType.RSA), minute=1)], []
    )
    await store.record([outcome(shown(chains.rsa, key_type=KeyType.RSA), minute=2)], [])
    points = await store.change_points(HOST, PORT)
    assert [{seen.key_type: seen.chain for seen in point.seen} for point in points] == [
        {KeyType.ECDSA: chains.first, KeyType.RSA: chains.rsa},
        {KeyType.ECDSA: chains.second, KeyType.RSA: chains.rsa},
        {KeyType.RSA: chains.rsa},
    ]


async def test_same_address_on_two_ports(store: Store, chains: Chains) -> None:
    """Addresses that differ in the port alone have a history each."""
    await store.record([outcome(shown(chains.first), shown(chains.second, port=8443))], [])
    await store.record([outcome(shown(chains.first), minute=1)], [])
    points = await store.change_points(HOST, PORT)
    assert [(point.port, len(point.seen)) for point in points] == [(443, 1), (8443, 1), (8443, 0)]


@pytest.mark.parametrize(
    "blind",
    [
        (silent(FailureReason.DNS, address=""),),
        (silent(FailureReason.PROXY, address=""),),
        (),
    ],
    ids=["dns", "proxy", "nothing observed"],
)
async def test_unknown_addresses_are_not_gone(store: Store, chains: Chains, blind: tuple[Observation, ...]) -> None:
    """A round that could not find the addresses out does not say that they went."""
    await store.record([outcome(shown(chains.first))], [])
    await store.record([replace(outcome(minute=1), observations=blind)], [])
    await store.record([outcome(shown(chains.first), minute=2)], [])
    points = await store.change_points(HOST, PORT)
    assert [point.address for point in points if point.address] == ["192.0.2.1"]


async def test_end_of_a_dns_failure_is_a_change_point(store: Store, chains: Chains) -> None:
    """History tells from when to when the name could not be resolved."""
    await store.record([outcome(silent(FailureReason.DNS, address=""))], [])
    await store.record([outcome(shown(chains.first), minute=5)], [])
    points = await store.change_points(HOST, PORT)
    assert [(point.address, point.since) for point in points] == [("", at(0)), ("", at(5)), ("192.0.2.1", at(5))]


async def test_verdict_changes(store: Store, chains: Chains) -> None:
    """Each change of the verdict is kept with its reason, and so is the end of judging."""
    seen = shown(chains.first)
    await store.record([outcome(seen)], [])
    await store.record([outcome(seen, minute=1, verdict=Verdict.PIN_MISMATCH, reason="no pin\0 matches")], [])
    await store.record([outcome(seen, minute=2, verdict=Verdict.PIN_MISMATCH)], [])
    await store.record([outcome(seen, minute=3, verdict=None)], [])
    await store.record([outcome(seen, minute=4)], [])
    changes = await store.verdict_changes(HOST, PORT)
    assert [(change.since, change.verdict, change.reason) for change in changes] == [
        (at(0), Verdict.OK, "because"),
        (at(1), Verdict.PIN_MISMATCH, "no pin\\x00 matches"),
        (at(3), None, None),
        (at(4), Verdict.OK, "because"),
    ]


async def test_clock_set_back(store: Store, url: str, chains: Chains) -> None:
    """The last round recorded is the truth, though an earlier one bears a later time."""
    await store.record([outcome(shown(chains.first), minute=1000)], [])
    await store.record([outcome(shown(chains.second), minute=1, verdict=Verdict.PIN_MISMATCH)], [])
    await store.close()
    again = await Store.open(url, now=clock)
    try:
        await again.record([outcome(shown(chains.second), minute=2, verdict=Verdict.PIN_MISMATCH)], [])
        assert len(await again.change_points(HOST, PORT)) == 2
        assert len(await again.verdict_changes(HOST, PORT)) == 2
    finally:
        await again.close()


async def test_recording_twice_changes_nothing(store: Store, url: str, chains: Chains) -> None:
    """The same outcomes and messages again, even after a restart, neither add rows nor reopen what was closed."""
    first = opened()
    last = cleared(first, minute=30)
    rounds = [
        outcome(shown(chains.first), transitions=[first], verdict=Verdict.PIN_MISMATCH),
        outcome(shown(chains.second), transitions=[last], minute=30),
    ]
    messages = [message(first), message(last)]
    await store.record(rounds, messages)
    history = await store.change_points(HOST, PORT)
    for _ in range(2):
        await store.record(rounds[1:], messages)
    await store.record([outcome(transitions=[first])], messages[:1])
    await store.close()

    again = await Store.open(url, now=clock)
    try:
        await again.record(rounds[1:], messages)
        assert await again.change_points(HOST, PORT) == history
        assert await again.load_incidents() == {}
        assert await again.outbox_summary() == (2, NOON)
    finally:
        await again.close()


async def test_incident_stands_as_after_its_last_transition(store: Store) -> None:
    """A reminder moves the open incident on; the end takes it off the open ones."""
    first = opened()
    second = repeated(first, minute=240)
    await store.record([outcome(transitions=[first]), outcome(transitions=[second], minute=240)], [])
    assert await store.load_incidents() == {second.incident.key: second.incident}
    await store.record([outcome(transitions=[cleared(second, minute=300)], minute=300)], [])
    assert await store.load_incidents() == {}


async def test_one_open_incident_a_key(store: Store, chains: Chains) -> None:
    """A second open incident for a key is refused with all that came with it, until the first has ended."""
    first, second = opened("a1"), opened("b2", minute=10)
    await store.record([outcome(shown(chains.first), transitions=[first])], [])
    with pytest.raises(StoreError, match="contradicts what is stored") as caught:
        await store.record([outcome(shown(chains.second), transitions=[second], minute=10)], [message(second)])
    assert not caught.value.systemic, "other outcomes could be written"
    assert len(await store.change_points(HOST, PORT)) == 1
    assert await store.outbox_summary() == (0, None)

    await store.record(
        [
            outcome(transitions=[cleared(first, minute=9)], minute=9),
            outcome(shown(chains.second), transitions=[second], minute=10),
        ],
        [],
    )
    assert [incident.id for incident in (await store.load_incidents()).values()] == ["b2"]
    assert {incident.state for incident in (await store.load_incidents()).values()} == {IncidentState.FIRING}
    assert len(await store.change_points(HOST, PORT)) == 2


async def test_many_rounds_at_once_count_in_their_order(store: Store, chains: Chains) -> None:
    """A backlog of several rounds of several endpoints is written as if each had come alone."""
    await store.record(
        [
            outcome(shown(chains.first)),
            outcome(shown(chains.rsa), host="other.example.test"),
            outcome(shown(chains.second), minute=1),
            outcome(shown(chains.second), minute=2),
            outcome(shown(chains.first), minute=3),
        ],
        [],
    )
    points = await store.change_points(HOST, PORT)
    assert [point.since for point in points] == [at(0), at(1), at(3)]
    assert len(await store.change_points("other.example.test", PORT)) == 1
    assert await store.change_points("nobody.example.test", PORT) == []


async def test_values_that_no_database_holds(store: Store, chains: Chains) -> None:
    """A value that cannot be written is a StoreError, and the store goes on."""
    step = opened(facts={"summary": object()})
    with pytest.raises(StoreError) as caught:
        await store.record([outcome(shown(chains.first), transitions=[step])], [])
    assert not caught.value.systemic, "other outcomes could be written"
    await store.record([outcome(shown(chains.first))], [])
    assert len(await store.change_points(HOST, PORT)) == 1


async def test_closed_store_says_so(store: Store) -> None:
    """Using a store after closing it is one clear sentence; closing it again is harmless."""
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="it is closed"):
        await store.record([outcome()], [])
