from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitord.pinning.incident import IncidentKind, IncidentState, Transition, TransitionReason
from monitord.pinning.observation import Observation
from monitord.pinning.pins import Client, Pin
from monitord.web.fleet import HOURS, Entry, Fleet, Hour, State
from tests.web.fleets import DAY, NOW, POLICY, SPARE, Watched, incident, pinset, prediction

OTHER = Pin(b"\x01" * 32)


def fleet_of(*watched: Watched) -> Fleet:
    """A fleet of these endpoints."""
    fleet = Fleet(lambda: POLICY.horizon)
    fleet.set_targets([one.target for one in watched])
    return fleet


def only(fleet: Fleet) -> Entry:
    """The one endpoint of a fleet."""
    (entry,) = fleet.snapshot().entries
    return entry


def watched(*pins: Pin) -> Watched:
    """An endpoint with one pin set of the root's pin, or of these, and a spare one."""
    one = Watched("api.example.com", 100)
    return one.pinned(pinset("app", *(pins or (one.root.certificate.pin,)), SPARE))


@pytest.mark.parametrize(
    ("pins", "days", "state", "why"),
    [
        ((), None, State.OK, "ok"),
        ((OTHER,), None, State.FAILING, "pin_mismatch"),
        ((), 6, State.SOON, "ct_issued expected on 2026-03-07"),
        ((), 20, State.ATTENTION, "ct_issued expected on 2026-03-21"),
        ((), 60, State.OK, "ok"),
    ],
)
def test_the_state_says_what_needs_somebody(pins: tuple[Pin, ...], days: int | None, state: State, why: str) -> None:
    """What fails now, what will soon or later, and what is fine; what comes first is known either way."""
    one = watched(*pins)
    fleet = fleet_of(one)
    foreseen = () if days is None else (prediction(days, "app"),)
    fleet.record(replace(one.seen(), predictions=foreseen))
    entry = only(fleet)
    assert (entry.state, entry.why) == (state, why)
    assert entry.first == (foreseen[0] if foreseen else None)


def test_a_set_without_a_spare_and_one_that_expires_need_attention() -> None:
    """The worst of several pin sets is the state of the endpoint."""
    one = Watched("api.example.com", 100)
    root = one.root.certificate.pin
    ending = replace(pinset("ending", root, SPARE), client=Client.ANDROID, expires=NOW + 20 * DAY)
    fleet = fleet_of(one.pinned(pinset("fine", root, SPARE), pinset("lone", root)))
    fleet.record(one.seen())
    assert (only(fleet).state, only(fleet).why) == (State.ATTENTION, "no backup pin")
    fleet = fleet_of(one.pinned(ending))
    fleet.record(one.seen())
    assert (only(fleet).state, only(fleet).why) == (State.ATTENTION, "pins expire on 2026-03-20")


def test_what_nobody_has_looked_at_is_waiting_and_what_does_not_answer_unknown() -> None:
    """Neither is fine, nor failing; a round without observations says nothing."""
    one = watched()
    fleet = fleet_of(one)
    fleet.record(replace(one.seen(), observations=()))
    assert only(fleet).state is State.WAITING
    fleet.record(one.seen(one.down()))
    assert only(fleet).state is State.UNKNOWN


def test_other_pins_make_it_wait_for_another_look() -> None:
    """What was judged by the old ones is not shown as if it were by the new; the last day stays."""
    one = watched()
    fleet = fleet_of(one)
    late = one.seen()
    fleet.record(late)
    fleet.set_targets([replace(one.target, labels={"team": "a"})])
    assert (only(fleet).state, only(fleet).text) == (State.OK, "api.example.com:443\napp\nteam=a")
    fleet.set_targets([watched(OTHER).target])
    fleet.record(late)
    assert (only(fleet).state, only(fleet).outcome) == (State.WAITING, None)
    assert [hour.state for hour in only(fleet).hours] == [State.OK]


def test_an_endpoint_that_is_gone_is_gone() -> None:
    """Also when a round of it ends afterwards."""
    one, other = watched(), Watched("other.example.com", 101)
    fleet = fleet_of(one, other)
    fleet.set_targets([other.target])
    fleet.record(one.seen())
    assert [entry.target.host for entry in fleet.snapshot().entries] == ["other.example.com"]


def test_the_last_day_is_the_worst_of_each_hour() -> None:
    """Older hours are forgotten; a snapshot does not change any more."""
    one = watched()
    fleet = fleet_of(one)
    for hours in range(30, -1, -1):
        fleet.record(one.seen(ago=timedelta(hours=hours, minutes=10)))
    before = fleet.snapshot()
    fleet.record(one.seen(one.down(), ago=timedelta(minutes=8)))
    fleet.record(one.seen(ago=timedelta(minutes=6)))
    number = int(NOW.timestamp()) // 3600 - 1
    assert len(only(fleet).hours) == HOURS
    assert only(fleet).hours[-1] == Hour(number, State.UNKNOWN)
    assert before.entries[0].hours[-1] == Hour(number, State.OK)


def test_open_incidents_follow_the_steps() -> None:
    """One opens, is replaced by how it stands now, and is gone when it is over."""
    one = watched()
    fleet = fleet_of(one)
    first = incident(one.target, IncidentKind.PIN_MISMATCH, "app", number=1)
    second = incident(one.target, IncidentKind.NO_BACKUP_PIN, "app", number=2)
    fleet.set_incidents([first])
    before = fleet.snapshot()
    fleet.changed([Transition(second, 1, NOW, TransitionReason.OPENED)])
    assert fleet.snapshot().incidents == {("api.example.com", 443): (first, second)}
    louder = replace(first, transitions=2)
    fleet.changed([Transition(louder, 2, NOW, TransitionReason.REPEATED)])
    assert fleet.snapshot().incidents == {("api.example.com", 443): (second, louder)}
    for gone in (louder, second):
        over = replace(gone, state=IncidentState.RESOLVED)
        fleet.changed([Transition(over, 3, NOW, TransitionReason.CLEARED)])
    assert fleet.snapshot().incidents == {}
    assert before.incidents == {("api.example.com", 443): (first,)}


def test_endpoints_are_found_by_host_and_port() -> None:
    """All of a host, or the one at a port."""
    fleet = fleet_of(Watched("a.example", 1), Watched("a.example", 2, 8443), Watched("b.example", 3))
    snapshot = fleet.snapshot()
    assert [entry.target.port for entry in snapshot.at("a.example", None)] == [443, 8443]
    assert [entry.target.port for entry in snapshot.at("a.example", 8443)] == [8443]
    assert snapshot.at("c.example", None) == []


def test_a_failure_of_trust_counts_as_one_of_pins_does() -> None:
    """The apps cannot connect either way."""
    one = watched()
    fleet = fleet_of(one)
    foreign = Watched("evil.example.com", 102)
    fleet.record(one.seen(Observation(NOW, "192.0.2.1", 443, foreign.chain)))
    assert (only(fleet).state, only(fleet).why) == (State.FAILING, "untrusted")
