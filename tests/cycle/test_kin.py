"""Whom a failure may have hit as well: those that share its place or its issuer, a bounded number, none too often."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitord.cycle.kin import LIMIT, SECONDS, Kin
from monitord.pinning.incident import (
    Incident,
    IncidentKey,
    IncidentKind,
    IncidentState,
    Severity,
    Transition,
    TransitionReason,
)
from monitord.pinning.observation import Failure, FailureReason, Observation

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HERE = ("api.example.com", 443)


def step(
    kind: IncidentKind = IncidentKind.UNREACHABLE, reason: TransitionReason = TransitionReason.OPENED
) -> Transition:
    """A transition of the endpoint's incident of this kind."""
    incident = Incident("i", IncidentKey(*HERE, "", kind), IncidentState.FIRING, Severity.CRITICAL, NOW, NOW)
    return Transition(incident, 1, NOW, reason)


def seen(address: str) -> tuple[Observation, ...]:
    """What an endpoint showed at an address."""
    return (Observation(NOW, address, 443, failure=Failure(FailureReason.TIMEOUT, "no answer")),)


def others(number: int, at: float = 0.0) -> dict[tuple[str, int], tuple[float, tuple[Observation, ...]]]:
    """So many endpoints at the same address, all looked at then."""
    return {(f"h{count:04}.example", 443): (at, seen("192.0.2.1")) for count in range(number)}


def test_those_at_the_same_address_are_looked_at_once() -> None:
    """Others that fail a moment later ask for nobody again; a minute later they do."""
    kin = Kin()
    all_of_them = {**others(3), ("far.example", 443): (0.0, seen("198.51.100.1"))}
    expected = (("h0000.example", 443), ("h0001.example", 443), ("h0002.example", 443))
    assert kin.of(HERE, [step()], seen("192.0.2.1"), all_of_them, 1000.0) == expected
    assert kin.of(expected[0], [step()], seen("192.0.2.1"), all_of_them, 1001.0) == ()
    assert kin.of(HERE, [step()], seen("192.0.2.1"), all_of_them, 1001.0 + SECONDS) == expected


def test_who_was_just_looked_at_is_left_alone() -> None:
    """Its own round has shown how it is."""
    assert Kin().of(HERE, [step()], seen("192.0.2.1"), others(3, at=990.0), 1000.0) == ()


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (step(IncidentKind.PIN_MISMATCH), True),
        (step(IncidentKind.UNTRUSTED, TransitionReason.FLAPPING), True),
        (step(IncidentKind.PINS_EXPIRING), False),
        (step(IncidentKind.PIN_MISMATCH_PREDICTED), False),
        (step(reason=TransitionReason.REPEATED), False),
        (replace(step(), reason=TransitionReason.CLEARED), False),
    ],
)
def test_only_a_failure_that_has_just_begun_asks(one: Transition, wanted: bool) -> None:
    """A reminder, an end, and what no look would show earlier ask for nobody."""
    assert bool(Kin().of(HERE, [one], seen("192.0.2.1"), others(1), 1000.0)) is wanted


def test_thousands_of_siblings_are_not_all_looked_at_at_once() -> None:
    """Neither by one failure nor by many in the same minute."""
    kin = Kin()
    many = others(5000)
    chosen = list(kin.of(HERE, [step()], seen("192.0.2.1"), many, 1000.0))
    assert len(chosen) == LIMIT
    for number in range(500):
        chosen += kin.of((f"h{number:04}.example", 443), [step()], seen("192.0.2.1"), many, 1000.0 + number / 100)
    assert len(set(chosen)) == len(chosen) == LIMIT


def test_many_failures_without_siblings_are_bounded_too() -> None:
    """Each search costs something, so after a hundred in a minute nobody is searched for."""
    kin = Kin()
    for number in range(LIMIT):
        assert kin.of((f"x{number}.example", 443), [step()], seen("203.0.113.1"), others(1), 1000.0) == ()
    assert kin.of(HERE, [step()], seen("192.0.2.1"), others(1), 1000.0) == ()
