"""When a quiet round stops to stand for others: at every moment at which time alone may change what it means."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitord import pki
from monitord.pinning.incident import Severity
from monitord.pinning.judge import judge
from monitord.pinning.outcome import Outcome, Streaks
from monitord.pinning.pins import Client, PinSet
from monitord.pinning.prediction import Cause, Prediction
from monitord.pinning.steady import LONGEST, Steady, repeated, steady
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.pinning.verdict import Verdict
from tests.pinning.conftest import HOST, NOW, leaf_of, pin_of, unknown_pin

if TYPE_CHECKING:
    from monitord.pinning.observation import Observation
    from monitord.pki import Issued
    from tests.pinning.conftest import World

SECOND, MONTH = timedelta(seconds=1), timedelta(days=30)
BASIS = (object(),)


def quiet(
    world: World, *chain: Issued, client: Client = Client.GENERIC, expires: datetime | None = None
) -> tuple[Steady, Target, TrustStore]:
    """A quiet round at NOW in which the root is pinned, its target, and the store that it is judged by."""
    store = TrustStore("test", [world.root.certificate])
    pins = (pin_of(world.root), unknown_pin())
    target = Target(HOST, pinsets=(PinSet("app", client, pins, trust=("test",), expires=expires),))
    observations = (world.observe(*chain),)
    verdicts = judge(target, observations, {"test": store}, NOW)
    found = steady(Outcome(target, NOW, observations, verdicts, (), Streaks()), {"test": store}, MONTH, BASIS)
    assert found is not None
    return found, target, store


def stands(one: Steady, at: datetime, *seen: Observation) -> bool:
    """Whether it stands for a round at this time that saw this, the same as it unless given."""
    return one.again(seen or one.outcome.observations, BASIS, at)


def test_it_stands_for_an_hour(world: World) -> None:
    """From its own time on, and not before."""
    one, _, _ = quiet(world, world.leaf, world.intermediate)
    assert one.until == NOW + LONGEST
    assert [stands(one, NOW + after) for after in (-SECOND, 0 * SECOND, LONGEST - SECOND, LONGEST)] == [
        False,
        True,
        True,
        False,
    ]
    later = repeated(one, NOW + SECOND, 0.5)
    assert (later.at, later.duration, later.verdicts) == (NOW + SECOND, 0.5, one.outcome.verdicts)


def test_what_differs_is_judged(world: World) -> None:
    """Another chain, address, number of addresses, version of TLS, or basis; not another time or duration."""
    one, _, _ = quiet(world, world.leaf, world.intermediate)
    (seen,) = one.outcome.observations
    assert stands(one, NOW, replace(seen, at=NOW + SECOND, duration=9.0))
    for other in (
        world.observe(world.leaf, world.intermediate, world.root),
        replace(seen, address="192.0.2.2"),
        replace(seen, port=8443),
        replace(seen, tls_version="TLSv1.2"),
        replace(world.silence(seen.address), chain=seen.chain, key_type=seen.key_type, tls_version=seen.tls_version),
    ):
        assert not stands(one, NOW, other)
    assert not stands(one, NOW, seen, seen)
    assert not one.again((seen,), (object(),), NOW)


@pytest.mark.parametrize("client", [Client.GENERIC, Client.CRONET])
def test_the_end_of_the_pin_set_is_a_turn(world: World, client: Client) -> None:
    """For clients that stop to enforce it at that instant."""
    one, _, _ = quiet(world, world.leaf, world.intermediate, client=client, expires=NOW + timedelta(minutes=20))
    assert one.until <= NOW + timedelta(minutes=20)


def test_what_is_foreseen_is_a_turn_each_time_that_it_comes_nearer(world: World) -> None:
    """When it is told, when a release is too late, when it may come, and when it should have come."""
    one, _, store = quiet(world, world.leaf, world.intermediate)
    hour = timedelta(hours=1)
    for turn in range(4):
        moments = [NOW + (place - turn) * 100 * LONGEST + hour for place in range(4)]
        told, act_by, at, until = moments
        foreseen = Prediction(
            pinset="app",
            cause=Cause.LEAF_RENEWAL,
            at=at,
            until=until,
            confidence=0.9,
            severity=Severity.WARNING,
            expected=Verdict.PIN_MISMATCH,
            evidence="",
            advice="",
            act_by=act_by,
        )
        outcome = replace(one.outcome, predictions=(foreseen,))
        found = steady(outcome, {"test": store}, at - told, BASIS)
        assert found is not None
        assert found.until == NOW + hour


def test_what_fails_or_is_unknown_is_not_quiet(world: World) -> None:
    """Nor what hurries, or what changed something."""
    one, target, store = quiet(world, world.leaf, world.intermediate)
    trust = {"test": store}
    for observations in ((world.silence(),), (*one.outcome.observations, world.silence()), ()):
        verdicts = judge(target, observations, trust, NOW)
        assert steady(replace(one.outcome, observations=observations, verdicts=verdicts), trust, MONTH, BASIS) is None
    bare = (world.observe(world.leaf),)
    incomplete = replace(one.outcome, observations=bare, verdicts=judge(target, bare, trust, NOW))
    assert steady(incomplete, trust, MONTH, BASIS) is None
    assert steady(replace(one.outcome, hurried=True), trust, MONTH, BASIS) is None
    assert steady(replace(one.outcome, streaks=Streaks(1)), trust, MONTH, BASIS) is None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    leaf=st.integers(-3600, 7200),
    intermediate=st.integers(-3600, 7200),
    begins=st.integers(-3600, 7200),
    after=st.integers(0, 4000),
    client=st.sampled_from([Client.GENERIC, Client.OKHTTP, Client.ANDROID, Client.APPLE]),
)
def test_while_it_stands_the_rules_say_the_same(
    world: World, leaf: int, intermediate: int, begins: int, after: int, client: Client
) -> None:
    """Whenever a certificate begins or ends to be valid: a round that it stands for would be judged as it was."""
    issuer = pki.issue(
        "Intermediate", issuer=world.root, key=world.intermediate.key, not_after=NOW + timedelta(seconds=intermediate)
    )
    also = pki.issue(
        "Intermediate", issuer=world.root, key=world.intermediate.key, not_before=NOW + timedelta(seconds=begins)
    )
    shown = leaf_of(issuer, not_after=NOW + timedelta(seconds=leaf))
    store = TrustStore("test", [world.root.certificate])
    pins = (pin_of(issuer), unknown_pin())
    lists = {"ca_pins": pins} if client is Client.APPLE else {"pins": pins}
    target = Target(HOST, pinsets=(PinSet("app", client, trust=("test",), **lists),))  # type: ignore[arg-type]
    observations = (world.observe(shown, issuer, also),)
    trust = {"test": store}
    verdicts = judge(target, observations, trust, NOW)
    one = steady(Outcome(target, NOW, observations, verdicts, (), Streaks()), trust, MONTH, BASIS)
    at = NOW + timedelta(seconds=after)
    if one is not None and stands(one, at):
        (was,), (would_be,) = verdicts, judge(target, observations, trust, at)
        assert (would_be.verdict, would_be.reason, would_be.matched) == (was.verdict, was.reason, was.matched)
