"""When an endpoint is looked at more closely: open windows, roll-outs, suspicions, and what does not count as one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.pinning.history import History
from monitord.pinning.incident import Severity
from monitord.pinning.pace import hurried
from monitord.pinning.prediction import Cause, Prediction
from monitord.pinning.verdict import Verdict
from tests.pinning.conftest import HOST, NOW

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.observation import Observation
    from monitord.pki import Issued
    from tests.pinning.conftest import World

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def leaf(world: World, *, issued_at: datetime = NOW - 30 * DAY, kind: pki.KeyKind = "ecdsa") -> Issued:
    """A certificate for the host with a key of its own."""
    key = pki.new_key(kind)
    return pki.issue(HOST, issuer=world.intermediate, names=[HOST], not_before=issued_at, key=key)


class Watch:
    """An endpoint over time, one or more leaves at each address."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.history = History()
        self.seen: tuple[Observation, ...] = ()

    def round(self, at: datetime, *addresses: tuple[Issued, ...]) -> bool:
        """A round in which each address shows these leaves; whether to hurry after it."""
        seen = tuple(
            self.world.observe(one, self.world.intermediate, address=f"192.0.2.{number}", at=at)
            for number, leaves in enumerate(addresses)
            for one in leaves
        )
        self.history = self.history.after(at, seen, self.seen)
        self.seen = seen
        return hurried(seen, (), self.history, at)


@pytest.fixture
def watch(world: World) -> Watch:
    """An endpoint that nothing is known of."""
    return Watch(world)


def prediction(
    begin: datetime, end: datetime, cause: Cause = Cause.LEAF_RENEWAL, confidence: float = 0.9
) -> Prediction:
    """A failure between two times."""
    return Prediction(
        "app",
        cause,
        begin,
        end,
        confidence,
        Severity.CRITICAL,
        Verdict.PIN_MISMATCH,
        "The leaf is due for renewal.",
        "Pin the next key.",
        begin - 14 * DAY,
    )


def test_an_endpoint_at_rest_is_not_hurried(watch: Watch, world: World) -> None:
    """One leaf everywhere, nothing predicted."""
    old = leaf(world)
    assert not watch.round(NOW, (old,), (old,))
    assert not watch.round(NOW + HOUR, (old,), (old,))


@pytest.mark.parametrize(("hours", "expected"), [(-1, False), (0, True), (12, True), (24, True), (25, False)])
def test_an_open_window_hurries(world: World, hours: int, expected: bool) -> None:
    """From its first moment to its last, neither before nor after."""
    seen = [world.observe(world.leaf, world.intermediate)]
    history = History().after(NOW - 30 * DAY, seen)
    due = prediction(NOW, NOW + DAY)
    assert hurried(seen, [due], history, NOW + hours * HOUR) is expected


@pytest.mark.parametrize(("hours", "expected"), [(1, True), (24, True), (25, False), (24 * 20, False)])
def test_of_a_window_that_is_open_for_a_month_only_the_first_day_hurries(
    world: World, hours: int, expected: bool
) -> None:
    """The renewal is expected now, and may come up to the end of the certificate."""
    due = prediction(NOW, NOW + 30 * DAY)
    seen = (world.observe(world.leaf, world.intermediate),)
    assert hurried(seen, (due,), History(), NOW + hours * HOUR) is expected


@pytest.mark.parametrize(
    "harmless",
    [
        prediction(NOW - HOUR, NOW + DAY, confidence=0.49),
        prediction(NOW - HOUR, NOW + DAY, Cause.PINS_EXPIRE),
        prediction(NOW - HOUR, NOW + DAY, Cause.NO_LIVE_BACKUP),
    ],
    ids=["unlikely", "pins_expire", "no_live_backup"],
)
def test_a_window_in_which_a_probe_tells_nothing_does_not(world: World, harmless: Prediction) -> None:
    """What is merely listed, and what the configuration alone says."""
    seen = [world.observe(world.leaf, world.intermediate)]
    assert not hurried(seen, [harmless], History().after(NOW - 30 * DAY, seen), NOW)


def test_a_suspicion_hurries(world: World) -> None:
    """Until it is confirmed or contradicted."""
    seen = [world.observe(world.leaf, world.intermediate)]
    assert hurried(seen, (), History().after(NOW - 30 * DAY, seen), NOW, suspected=True)


def test_a_roll_out_hurries_until_it_is_complete(watch: Watch, world: World) -> None:
    """One address has the new leaf, then all have."""
    old, new = leaf(world), leaf(world)
    watch.round(NOW - DAY, (old,), (old,), (old,))
    assert watch.round(NOW, (new,), (old,), (old,))
    assert watch.round(NOW + HOUR, (new,), (new,), (old,))
    assert not watch.round(NOW + 2 * HOUR, (new,), (new,), (new,))


def test_a_permanent_disagreement_is_given_up_after_a_day(watch: Watch, world: World) -> None:
    """Trap: two data centres with a certificate each would otherwise be probed each minute for ever."""
    old, new = leaf(world), leaf(world)
    watch.round(NOW - DAY, (old,), (old,))
    assert watch.round(NOW, (new,), (old,))
    assert watch.round(NOW + 23 * HOUR, (new,), (old,))
    assert not watch.round(NOW + 24 * HOUR, (new,), (old,))


def test_a_disagreement_from_before_the_watch_is_no_roll_out(watch: Watch, world: World) -> None:
    """Trap: after a start all is new to monitord; the dates of the certificates say that it is not."""
    assert not watch.round(NOW, (leaf(world),), (leaf(world),))


def test_a_roll_out_that_was_under_way_when_the_watch_began_hurries(watch: Watch, world: World) -> None:
    """One of the certificates was issued today."""
    old, new = leaf(world), leaf(world, issued_at=NOW - HOUR)
    assert watch.round(NOW, (new,), (old,))
    assert not watch.round(NOW + DAY, (new,), (old,))


def test_a_leaf_that_comes_and_goes_at_one_address_hurries(watch: Watch, world: World) -> None:
    """Trap: behind one address several servers may answer in turn, some with the new certificate."""
    old, new = leaf(world), leaf(world)
    watch.round(NOW - DAY, (old,))
    assert not watch.round(NOW, (new,))
    assert watch.round(NOW + HOUR, (old,))
    assert not watch.round(NOW + 2 * HOUR, (new,))


def test_a_second_renewal_on_one_day_is_no_roll_out(watch: Watch, world: World) -> None:
    """Only the newest leaf counts: the one between is gone for good."""
    first, second, third = leaf(world), leaf(world), leaf(world)
    watch.round(NOW - DAY, (first,))
    watch.round(NOW, (second,))
    assert not watch.round(NOW + HOUR, (third,))


def test_two_types_of_key_do_not_disagree(watch: Watch, world: World) -> None:
    """Trap: a server with an RSA and an ECDSA certificate shows two leaves at every address, also after a renewal."""
    ecdsa, rsa, renewed = leaf(world), leaf(world, kind="rsa"), leaf(world, kind="rsa")
    watch.round(NOW - DAY, (ecdsa, rsa), (ecdsa, rsa))
    assert not watch.round(NOW, (ecdsa, renewed), (ecdsa, renewed))
    assert watch.round(NOW + HOUR, (ecdsa, renewed), (ecdsa, rsa))


def test_an_address_that_does_not_answer_does_not_disagree(watch: Watch, world: World) -> None:
    """Unknown is not different."""
    old = leaf(world)
    watch.round(NOW - DAY, (old,), (old,))
    seen = (world.observe(old, world.intermediate), world.silence())
    assert not hurried(seen, (), watch.history, NOW)
