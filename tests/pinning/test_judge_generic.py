"""The verdicts of client ``generic``: what holds whichever client the apps use."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord import pki
from monitord.pinning.verdict import Verdict
from tests.pinning.conftest import NOW, leaf_of, pin_of, unknown_pin

if TYPE_CHECKING:
    from tests.pinning.conftest import World


@pytest.mark.parametrize("role", ["leaf", "intermediate", "root"])
def test_a_pin_matches_any_certificate_of_the_path(world: World, role: str) -> None:
    """A pin of the leaf, the intermediate or the root is enough, and the sentence says which it was."""
    pin = pin_of(getattr(world, role))
    verdict = world.judge(world.observe(world.leaf, world.intermediate), pins=(unknown_pin(), pin))
    assert (verdict.verdict, verdict.matched) == (Verdict.OK, (pin,))
    assert verdict.reason == f"a pin matches the {role}"


def test_trap_01_a_pinned_root_that_is_never_presented_is_ok(world: World) -> None:
    """The root comes from the trust store; that no server presents it makes no difference."""
    verdict = world.judge(world.observe(world.leaf, world.intermediate), pins=(pin_of(world.root),))
    assert verdict.verdict is Verdict.OK
    assert [certificate.pin for certificate in verdict.judgements[0].path][-1] == pin_of(world.root)


def test_trap_02_a_presented_cross_sign_does_not_hide_the_path_that_clients_choose(world: World) -> None:
    """Both the root and the root above its cross-sign are trusted, so a pin of the upper one is not enough."""
    observation = world.observe(world.leaf, world.intermediate, world.cross)
    anchors = (world.root, world.other_root)
    verdict = world.judge(observation, pins=(pin_of(world.other_root),), anchors=anchors)
    assert verdict.verdict is Verdict.PIN_MISMATCH
    assert "it depends on the device or the run (1 of 2 paths)" in verdict.reason
    assert verdict.reason.endswith("of the client libraries these would fail: okhttp, android")


def test_trap_03_the_trust_store_moved_and_the_server_did_not(world: World) -> None:
    """A new root in the store shortens the path; the old pin no longer holds on every path."""
    observation = world.observe(world.leaf, world.intermediate, world.cross)
    pins = (pin_of(world.other_root),)
    assert world.judge(observation, pins=pins, anchors=(world.other_root,)).verdict is Verdict.OK
    moved = world.judge(observation, pins=pins, anchors=(world.other_root, world.root))
    assert moved.verdict is Verdict.PIN_MISMATCH


def test_trap_04_a_stale_intermediate_that_is_appended_does_not_count(world: World) -> None:
    """A presented certificate outside the path is not looked at, though it is pinned."""
    stale = pki.issue("Old Intermediate", issuer=world.root)
    observation = world.observe(world.leaf, world.intermediate, stale)
    verdict = world.judge(observation, pins=(pin_of(stale),))
    assert verdict.verdict is Verdict.PIN_MISMATCH
    assert verdict.matched == ()


def test_trap_05_an_extra_root_is_presented_and_another_anchors_the_path(world: World) -> None:
    """A presented root that anchors nothing does not count."""
    observation = world.observe(world.leaf, world.intermediate, world.other_root)
    assert world.judge(observation, pins=(pin_of(world.other_root),)).verdict is Verdict.PIN_MISMATCH


def test_trap_13_an_expired_pin_set_fails_open(world: World) -> None:
    """From the instant of expiry the pins are not enforced, whether they match or not."""
    observation = world.observe(world.leaf, world.intermediate)
    before = world.judge(observation, pins=(unknown_pin(),), expires=NOW + timedelta(seconds=1))
    at_expiry = world.judge(observation, pins=(unknown_pin(),), expires=NOW)
    assert (before.verdict, at_expiry.verdict) == (Verdict.PIN_MISMATCH, Verdict.PINS_EXPIRED)


def test_trap_14_an_empty_set_is_not_pinned(world: World) -> None:
    """No pins: trust alone decides."""
    assert world.judge(world.observe(world.leaf, world.intermediate)).verdict is Verdict.NOT_PINNED


def test_trap_18_a_missing_intermediate_is_undetermined(world: World) -> None:
    """A device may have the intermediate cached or fetch it, so neither ok nor a mismatch may be said."""
    verdict = world.judge(world.observe(world.leaf), pins=(pin_of(world.leaf),))
    assert verdict.verdict is Verdict.UNDETERMINED
    assert verdict.reason == (
        "the chain could not be completed: CN=Intermediate is neither presented nor in the trust store test"
    )


def test_trap_19_one_of_several_addresses_has_the_new_key(world: World) -> None:
    """The worst address decides, and the sentence names it."""
    renewed = leaf_of(world.intermediate)
    verdict = world.judge(
        world.observe(world.leaf, world.intermediate, address="192.0.2.1"),
        world.observe(renewed, world.intermediate, address="192.0.2.2"),
        pins=(pin_of(world.leaf),),
    )
    assert verdict.verdict is Verdict.PIN_MISMATCH
    assert verdict.reason.startswith("at 192.0.2.2 (1 of 2): no pin matches")
    assert verdict.matched == (pin_of(world.leaf),)


def test_trap_20_rsa_and_ecdsa_leaves_differ(world: World) -> None:
    """The key type that fails is named beside the address."""
    rsa = leaf_of(world.intermediate, key=pki.new_key("rsa"))
    verdict = world.judge(
        world.observe(world.leaf, world.intermediate),
        world.observe(rsa, world.intermediate),
        pins=(pin_of(world.leaf),),
    )
    assert verdict.reason.startswith("at 192.0.2.1 rsa (1 of 2): no pin matches")


def test_trap_21_the_default_certificate_of_another_name_is_untrusted(world: World) -> None:
    """What a server shows without the right SNI is for another name, and the names are shown."""
    default = pki.issue("default", issuer=world.intermediate, names=["default.example.net", "192.0.2.1"])
    verdict = world.judge(world.observe(default, world.intermediate), pins=(pin_of(default),))
    assert verdict.verdict is Verdict.UNTRUSTED
    assert verdict.reason == "the certificate is for default.example.net, 192.0.2.1, not for api.example.com"


def test_trap_26_two_paths_of_which_one_matches_is_a_mismatch(world: World) -> None:
    """Which path a client takes is unknown, so one without a pin is a failure for somebody."""
    observation = world.observe(world.leaf, world.intermediate, world.cross)
    verdict = world.judge(observation, pins=(pin_of(world.other_root),), anchors=(world.root, world.other_root))
    assert verdict.verdict is Verdict.PIN_MISMATCH
    both = world.judge(
        observation, pins=(pin_of(world.other_root), pin_of(world.root)), anchors=(world.root, world.other_root)
    )
    assert both.verdict is Verdict.OK


def test_a_root_unknown_to_the_store_is_untrusted(world: World) -> None:
    """A path to a presented self-signed root exists and is refused."""
    observation = world.observe(world.leaf, world.intermediate, world.root)
    verdict = world.judge(observation, pins=(pin_of(world.leaf),), anchors=(world.other_root,))
    assert (verdict.verdict, verdict.reason) == (Verdict.UNTRUSTED, "the root CN=Root is not in the trust store")


def test_an_issuer_known_only_with_another_key_is_undetermined(world: World) -> None:
    """The name is in the store, the key is not the one that signed: no path exists."""
    impostor = pki.issue("Root")
    verdict = world.judge(world.observe(world.leaf, world.intermediate), anchors=(impostor,))
    assert verdict.verdict is Verdict.UNDETERMINED
    assert "is known only with another key" in verdict.reason


def test_an_expired_leaf_is_untrusted_even_where_the_chain_is_incomplete(world: World) -> None:
    """No issuer that a device may hold can mend an expired leaf."""
    expired = leaf_of(world.intermediate, not_after=NOW - timedelta(seconds=1))
    for chain in ((expired, world.intermediate), (expired,)):
        verdict = world.judge(world.observe(*chain), pins=(pin_of(expired),))
        assert (verdict.verdict, verdict.reason) == (
            Verdict.UNTRUSTED,
            "the certificate expired at 2026-03-01T11:59:59Z",
        )


def test_validity_includes_both_ends_to_the_second(world: World) -> None:
    """The last second of notAfter is valid to its end, the next is not."""
    leaf = leaf_of(world.intermediate, not_before=NOW, not_after=NOW)
    observation = world.observe(leaf, world.intermediate)
    for moment, verdict in (
        (NOW - timedelta(microseconds=1), Verdict.UNTRUSTED),
        (NOW, Verdict.OK),
        (NOW + timedelta(microseconds=999_999), Verdict.OK),
        (NOW + timedelta(seconds=1), Verdict.UNTRUSTED),
    ):
        assert world.judge(observation, pins=(pin_of(leaf),), now=moment).verdict is verdict


def test_an_expired_anchor_is_refused(world: World) -> None:
    """Trap 17: some clients accept it, but ``generic`` is ok only where all do."""
    root = pki.issue("Root", not_after=NOW - timedelta(days=1))
    leaf = leaf_of(root)
    verdict = world.judge(world.observe(leaf), pins=(pin_of(leaf),), anchors=(root,))
    assert verdict.verdict is Verdict.UNTRUSTED
    assert verdict.reason == "the issuer CN=Root expired at 2026-02-28T12:00:00Z"


def test_trust_wins_over_an_expired_pin_set(world: World) -> None:
    """An untrusted chain fails whatever has become of the pins."""
    verdict = world.judge(
        world.observe(world.leaf, world.intermediate), anchors=(world.other_root,), expires=NOW, pins=(unknown_pin(),)
    )
    assert verdict.verdict is Verdict.UNDETERMINED


def test_an_address_that_does_not_answer_makes_the_pin_set_undetermined(world: World) -> None:
    """Unknown is not ok: what one address would present nobody knows."""
    verdict = world.judge(world.observe(world.leaf, world.intermediate), world.silence(), pins=(pin_of(world.leaf),))
    assert verdict.verdict is Verdict.UNDETERMINED
    assert verdict.reason == "at 192.0.2.9 (1 of 2): no chain was seen (timeout: no answer)"


def test_nothing_observed_is_undetermined(world: World) -> None:
    """No observation at all says nothing."""
    assert world.judge(pins=(pin_of(world.leaf),)).verdict is Verdict.UNDETERMINED


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_adding_a_pin_never_turns_ok_into_a_mismatch(world: World, data: st.DataObject) -> None:
    """More pins can only help."""
    everything = [world.leaf, world.intermediate, world.root, world.other_root, world.cross]
    known = [pin_of(issued) for issued in everything] + [unknown_pin(1), unknown_pin(2)]
    pins = tuple(data.draw(st.lists(st.sampled_from(known), unique=True)))
    more = tuple(data.draw(st.lists(st.sampled_from(known), unique=True)))
    presented = data.draw(st.lists(st.sampled_from(everything[1:]), unique_by=id))
    anchors = tuple(data.draw(st.lists(st.sampled_from([world.root, world.other_root]), min_size=1, unique_by=id)))
    observation = world.observe(world.leaf, *presented)
    if world.judge(observation, pins=pins, anchors=anchors).verdict is Verdict.OK:
        assert world.judge(observation, pins=pins + more, anchors=anchors).verdict is Verdict.OK


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_order_of_presented_certificates_decides_nothing(world: World, data: st.DataObject) -> None:
    """Every order of the issuers gives the same verdict and the same live pins."""
    others = data.draw(st.permutations([world.intermediate, world.cross, world.other_root]))
    anchors = tuple(data.draw(st.lists(st.sampled_from([world.root, world.other_root]), min_size=1, unique_by=id)))
    pins = (pin_of(world.other_root),)
    shuffled = world.judge(world.observe(world.leaf, *others), pins=pins, anchors=anchors)
    straight = world.judge(
        world.observe(world.leaf, world.intermediate, world.cross, world.other_root), pins=pins, anchors=anchors
    )
    assert (shuffled.verdict, shuffled.matched) == (straight.verdict, straight.matched)
