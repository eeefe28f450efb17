"""The verdicts of each client library, and the traps in which they differ."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord import pki
from monitord.pinning.judge import judge
from monitord.pinning.patterns import PinEntry, okhttp_pattern_matches, select
from monitord.pinning.pins import Client, PinSet
from monitord.pinning.standing import Standing
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.pinning.verdict import Verdict
from tests.pinning.conftest import HOST, NOW, Case, leaf_of, pin_of, unknown_pin

if TYPE_CHECKING:
    from monitord.pki import Issued
    from tests.pinning.conftest import World

BUILDERS = [Client.OKHTTP, Client.ANDROID, Client.CRONET, Client.TRUSTKIT_ANDROID, Client.TRUSTKIT_IOS, Client.APPLE]


@pytest.fixture
def plain(world: World) -> Case:
    """Leaf and intermediate presented, the root trusted."""
    return Case(world, (world.leaf, world.intermediate), (world.root,))


@pytest.mark.parametrize("client", [*BUILDERS, Client.GENERIC])
@pytest.mark.parametrize("role", ["leaf", "intermediate", "root"])
def test_clients_that_build_a_path_take_a_pin_anywhere_on_it(plain: Case, client: Client, role: str) -> None:
    """Leaf, intermediate or root: all count, with a spare as TrustKit wants."""
    verdict = plain.judge(client, pin_of(getattr(plain.world, role)), unknown_pin())
    assert verdict.verdict is Verdict.OK
    assert f"a pin matches the {role}" in verdict.reason


@pytest.mark.parametrize("client", list(Client))
def test_every_client_fails_without_a_matching_pin_and_without_trust(plain: Case, client: Client) -> None:
    """No client connects over an unknown key, none over an unknown root, and a missing issuer is no verdict."""
    assert plain.judge(client, unknown_pin(1), unknown_pin(2)).verdict is Verdict.PIN_MISMATCH
    distrusted = replace(plain, chain=(*plain.chain, plain.world.root), anchors=(plain.world.other_root,))
    assert distrusted.judge(client, pin_of(plain.world.leaf), unknown_pin()).verdict is Verdict.UNTRUSTED
    incomplete = replace(plain, chain=plain.chain[:1])
    assert incomplete.judge(client, pin_of(plain.world.leaf), unknown_pin()).verdict is Verdict.UNDETERMINED
    misnamed = plain.judge(client, pin_of(plain.world.leaf), unknown_pin(), host="other.example.com")
    assert misnamed.verdict is Verdict.UNTRUSTED


def test_trap_06_an_intermediate_pin_is_ok_for_okhttp_and_a_mismatch_for_curl(plain: Case) -> None:
    """Curl compares the leaf's key and nothing else."""
    pin = pin_of(plain.world.intermediate)
    assert plain.judge(Client.OKHTTP, pin).verdict is Verdict.OK
    verdict = plain.judge(Client.CURL, pin)
    assert verdict.verdict is Verdict.PIN_MISMATCH
    assert verdict.reason.startswith("no pin matches the leaf of the path")
    assert plain.judge(Client.CURL, pin_of(plain.world.leaf)).verdict is Verdict.OK


def test_trap_07_a_leaf_hash_in_apples_ca_list_never_matches(plain: Case) -> None:
    """CA identities begin above the leaf."""
    leaf = (pin_of(plain.world.leaf),)
    assert plain.judge(Client.APPLE, ca_pins=leaf).verdict is Verdict.PIN_MISMATCH
    assert plain.judge(Client.APPLE, leaf_pins=leaf).verdict is Verdict.OK
    assert plain.judge(Client.APPLE, ca_pins=(pin_of(plain.world.root),)).verdict is Verdict.OK


def test_trap_08_apple_with_both_lists_fails_when_the_leaf_rotates(plain: Case) -> None:
    """Both keys present: both must match, so a matching CA does not help."""
    lists: dict[str, Any] = {"leaf_pins": (pin_of(plain.world.leaf),), "ca_pins": (pin_of(plain.world.intermediate),)}
    assert plain.judge(Client.APPLE, **lists).verdict is Verdict.OK
    rotated = replace(plain, chain=(leaf_of(plain.world.intermediate), plain.world.intermediate))
    assert rotated.judge(Client.APPLE, **lists).verdict is Verdict.PIN_MISMATCH


def test_trap_09_subdomains_are_one_label_deep_for_apple_and_any_depth_elsewhere(plain: Case) -> None:
    """example.com with subdomains: a.b.example.com is not pinned on Apple and is pinned by the others."""
    entry = PinEntry("Example.com.", pins=(pin_of(plain.world.root),), include_subdomains=True)
    apple = PinEntry("example.com", ca_pins=(pin_of(plain.world.root),), include_subdomains=True)
    assert select(Client.APPLE, [apple], "a.b.example.com") is None
    assert select(Client.APPLE, [apple], "b.example.com") is not None
    for client in (Client.ANDROID, Client.TRUSTKIT_IOS, Client.TRUSTKIT_ANDROID, Client.CRONET):
        assert select(client, [entry], "a.b.EXAMPLE.com") is not None


def test_trap_10_okhttp_unites_all_matching_patterns() -> None:
    """Pins of every pattern that covers the host count, not those of the most specific one."""
    entries = [
        PinEntry("*.example.com", pins=(unknown_pin(1),)),
        PinEntry("**.example.com", pins=(unknown_pin(2),)),
        PinEntry("api.example.com", pins=(unknown_pin(3),)),
        PinEntry("example.com", pins=(unknown_pin(4),)),
    ]
    selected = select(Client.OKHTTP, entries, "api.example.com")
    assert selected is not None
    assert selected.pins == (unknown_pin(1), unknown_pin(2), unknown_pin(3))


def test_trap_11_cronet_stops_at_the_most_specific_entry() -> None:
    """An entry that does not include subdomains hides its parent, which does."""
    parent = PinEntry("example.com", pins=(unknown_pin(1),), include_subdomains=True)
    child = PinEntry("b.example.com", pins=(unknown_pin(2),))
    assert select(Client.CRONET, [parent, child], "a.b.example.com") is None
    assert select(Client.CRONET, [parent], "a.b.example.com") is not None
    android = select(Client.ANDROID, [parent, child], "a.b.example.com")
    assert android is not None
    assert android.pins == (unknown_pin(1),)


@pytest.mark.parametrize(
    ("pattern", "covered", "not_covered"),
    [
        ("*.x.com", ["a.x.com"], ["x.com", "a.b.x.com", "ax.com"]),
        ("**.x.com", ["x.com", "a.x.com", "a.b.x.com"], ["ax.com", "x.com.au"]),
        ("x.com", ["x.com", "X.com"], ["a.x.com"]),
    ],
)
def test_trap_12_one_star_is_one_label_and_two_are_any_number(
    pattern: str, covered: list[str], not_covered: list[str]
) -> None:
    """``*.x.com`` does not cover ``x.com``; ``**.x.com`` does."""
    assert all(okhttp_pattern_matches(pattern, host) for host in covered)
    assert not any(okhttp_pattern_matches(pattern, host) for host in not_covered)


@pytest.mark.parametrize(
    ("client", "last_enforced", "first_expired"),
    [
        (Client.GENERIC, "2026-09-30T23:59:59Z", "2026-10-01T00:00:00Z"),
        (Client.TRUSTKIT_IOS, "2026-09-30T23:59:59Z", "2026-10-01T00:00:00Z"),
        (Client.CRONET, "2026-09-30T23:59:59Z", "2026-10-01T00:00:00Z"),
        (Client.ANDROID, "2026-10-01T11:59:59Z", "2026-10-01T12:00:00Z"),
    ],
)
def test_trap_13_a_mismatch_is_one_until_the_last_device_stops_to_enforce(
    world: World, client: Client, last_enforced: str, first_expired: str
) -> None:
    """Android's day begins by the device's own clock, the others' in UTC; after it the set fails open."""
    leaf = leaf_of(world.intermediate, not_after=datetime(2027, 1, 1, tzinfo=UTC))
    case = Case(world, (leaf, world.intermediate), (world.root,))
    expires = datetime(2026, 10, 1, tzinfo=UTC)
    pins = (unknown_pin(1), unknown_pin(2))
    before = case.judge(client, *pins, now=datetime.fromisoformat(last_enforced), expires=expires)
    after = case.judge(client, *pins, now=datetime.fromisoformat(first_expired), expires=expires)
    assert (before.verdict, after.verdict) == (Verdict.PIN_MISMATCH, Verdict.PINS_EXPIRED)


def test_trap_13_android_fails_open_from_the_first_time_zone_on(world: World) -> None:
    """26 hours lie between the first device that no longer enforces a matching set and the last."""
    case = Case(world, (world.leaf, world.intermediate), (world.root,))
    expires = datetime(2026, 3, 2, tzinfo=UTC)
    pins = (pin_of(world.leaf), unknown_pin())
    moments = (expires - timedelta(hours=14, seconds=1), expires - timedelta(hours=14), expires + timedelta(hours=12))
    verdicts = [case.judge(Client.ANDROID, *pins, now=moment, expires=expires).verdict for moment in moments]
    assert verdicts == [Verdict.OK, Verdict.PINS_EXPIRED, Verdict.PINS_EXPIRED]


@pytest.mark.parametrize("client", [Client.OKHTTP, Client.APPLE, Client.CURL])
def test_clients_without_expiry_ignore_it(plain: Case, client: Client) -> None:
    """They go on to enforce, so a mismatch stays one."""
    assert plain.judge(client, unknown_pin(), expires=NOW - timedelta(days=9)).verdict is Verdict.PIN_MISMATCH


def test_expired_certificate_pins_block(plain: Case) -> None:
    """Wultra drops expired fingerprints, and then nothing matches."""
    pin = plain.world.leaf.certificate.certificate_pin
    assert plain.judge(Client.CERTIFICATE, pin, expires=NOW + timedelta(seconds=1)).verdict is Verdict.OK
    assert plain.judge(Client.CERTIFICATE, pin, expires=NOW).verdict is Verdict.PIN_MISMATCH


def test_trap_14_an_empty_list_blocks_on_apple_and_pins_nothing_elsewhere(plain: Case) -> None:
    """An empty array for an identity key matches no certificate; no key at all is no pinning."""
    assert plain.judge(Client.APPLE, leaf_pins=()).verdict is Verdict.PIN_MISMATCH
    for client in (Client.APPLE, Client.OKHTTP, Client.ANDROID, Client.CRONET):
        assert plain.judge(client).verdict is Verdict.NOT_PINNED


@pytest.mark.parametrize(
    ("client", "verdict"),
    [
        (Client.OKHTTP, Verdict.OK),
        (Client.ANDROID, Verdict.OK),
        (Client.CRONET, Verdict.OK),
        (Client.CURL, Verdict.UNTRUSTED),
        (Client.APPLE, Verdict.UNTRUSTED),
        (Client.TRUSTKIT_IOS, Verdict.UNTRUSTED),
        (Client.GENERIC, Verdict.UNTRUSTED),
    ],
)
def test_trap_17_an_expired_anchor_is_accepted_by_android_and_the_jdk_only(
    world: World, client: Client, verdict: Verdict
) -> None:
    """Curl and the strict verifiers look at the anchor's dates."""
    root = pki.issue("Old Root", not_after=NOW - timedelta(days=1))
    leaf = leaf_of(root)
    case = Case(world, (leaf,), (root,))
    assert case.judge(client, pin_of(leaf), unknown_pin()).verdict is verdict


def test_trap_22_a_whole_certificate_pin_breaks_though_the_key_was_reused(world: World) -> None:
    """The same key in a renewed certificate is another certificate."""
    renewed = leaf_of(world.intermediate, key=world.leaf.key)
    case = Case(world, (renewed, world.intermediate), (world.root,))
    assert case.judge(Client.CERTIFICATE, world.leaf.certificate.certificate_pin).verdict is Verdict.PIN_MISMATCH
    assert case.judge(Client.CERTIFICATE, renewed.certificate.certificate_pin).verdict is Verdict.OK
    assert case.judge(Client.OKHTTP, pin_of(world.leaf)).verdict is Verdict.OK


def test_trap_23_a_report_only_set_enforces_nothing(plain: Case) -> None:
    """Apps connect, and the sentence says what they would report; trust is enforced all the same."""
    verdict = plain.judge(Client.TRUSTKIT_ANDROID, unknown_pin(1), unknown_pin(2), enforced=False)
    assert verdict.verdict is Verdict.NOT_PINNED
    assert verdict.reason.startswith("report only: apps connect, and report that no pin matches")
    distrusted = replace(plain, chain=(*plain.chain, plain.world.root), anchors=(plain.world.other_root,))
    assert distrusted.judge(Client.TRUSTKIT_IOS, unknown_pin(), enforced=False).verdict is Verdict.UNTRUSTED


def test_trap_25_a_dead_backup_pin_is_told_from_a_live_and_a_plausible_one(world: World) -> None:
    """Live: on the path. Plausible: a known certificate in date has it. Never seen: anything else."""
    retired = pki.issue("Retired Intermediate", issuer=world.root, not_after=NOW - timedelta(days=1))
    case = Case(world, (world.leaf, world.intermediate, retired), (world.root, world.other_root))
    pins = (pin_of(world.leaf), pin_of(world.other_root), pin_of(retired), unknown_pin())
    assert list(case.judge(Client.GENERIC, *pins).standings.values()) == [
        Standing.LIVE,
        Standing.PLAUSIBLE,
        Standing.NEVER_SEEN,
        Standing.NEVER_SEEN,
    ]


def test_trustkit_is_told_to_crash_with_fewer_than_two_pins(plain: Case) -> None:
    """The pin matches, but an app with this set would not start."""
    assert "crash at launch" in plain.judge(Client.TRUSTKIT_IOS, pin_of(plain.world.leaf)).reason
    assert "crash at launch" not in plain.judge(Client.OKHTTP, pin_of(plain.world.leaf)).reason


def test_okhttps_cleaner_never_goes_back(world: World) -> None:
    """The first presented certificate that signed leads nowhere: the JDK finds the path and OkHttp fails."""
    other = pki.issue("Intermediate", issuer=world.other_root, key=world.intermediate.key)
    lost = pki.issue("Intermediate", issuer=pki.issue("Gone"), key=world.intermediate.key)
    case = Case(world, (world.leaf, lost, other), (world.other_root,))
    verdict = case.judge(Client.OKHTTP, pin_of(world.leaf))
    assert verdict.verdict is Verdict.UNTRUSTED
    assert "never goes back" in verdict.reason
    assert case.judge(Client.ANDROID, pin_of(world.leaf)).verdict is Verdict.OK
    generic = case.judge(Client.GENERIC, pin_of(world.leaf))
    assert generic.verdict is Verdict.OK
    assert generic.reason.endswith("of the client libraries these would fail: okhttp")


def test_okhttp_goes_on_above_an_anchor_that_is_not_self_signed(world: World) -> None:
    """The pin of a presented, untrusted root above it matches; on Android the anchor is the end."""
    case = Case(world, (world.leaf, world.intermediate, world.root), (world.intermediate,))
    assert case.judge(Client.OKHTTP, pin_of(world.root)).verdict is Verdict.OK
    assert case.judge(Client.ANDROID, pin_of(world.root)).verdict is Verdict.PIN_MISMATCH


def test_a_root_and_its_cross_sign_in_one_store_make_okhttp_depend_on_the_run(world: World) -> None:
    """A hash set decides; the worst is judged and the sentence says so."""
    case = Case(world, (world.leaf, world.intermediate), (world.root, world.cross, world.other_root))
    verdict = case.judge(Client.OKHTTP, pin_of(world.other_root))
    assert verdict.verdict is Verdict.PIN_MISMATCH
    assert "it depends on the device or the run" in verdict.reason


def test_the_jdk_reads_at_most_ten_presented_certificates(world: World) -> None:
    """One more and the handshake fails, though nothing is wrong with the path."""
    padding = [pki.issue(f"Extra {number}", issuer=world.root) for number in range(9)]
    ten = Case(world, (world.leaf, world.intermediate, *padding[:8]), (world.root,))
    eleven = Case(world, (world.leaf, world.intermediate, *padding), (world.root,))
    assert ten.judge(Client.OKHTTP, pin_of(world.leaf)).verdict is Verdict.OK
    assert eleven.judge(Client.OKHTTP, pin_of(world.leaf)).verdict is Verdict.UNTRUSTED


def test_curl_takes_the_common_name_where_there_is_no_other(world: World) -> None:
    """OkHttp and all others read alternative names only."""
    leaf = pki.issue(HOST, issuer=world.intermediate, ca=False)
    case = Case(world, (leaf, world.intermediate), (world.root,))
    assert case.judge(Client.CURL, pin_of(leaf)).verdict is Verdict.OK
    assert case.judge(Client.OKHTTP, pin_of(leaf)).verdict is Verdict.UNTRUSTED


def test_the_jdk_ignores_an_anchors_constraints_and_curl_does_not(world: World) -> None:
    """Path length and name constraints of the anchor itself; a CA flag that says no is refused by both."""
    constraint = x509.NameConstraints([x509.DNSName("example.net")], None)
    for anchor in (pki.issue("A", path_length=0), pki.issue("A", extra=[(constraint, True)])):
        intermediate = pki.issue("B", issuer=anchor)
        leaf = leaf_of(intermediate)
        case = Case(world, (leaf, intermediate), (anchor,))
        assert case.judge(Client.OKHTTP, pin_of(leaf)).verdict is Verdict.OK
        assert case.judge(Client.CURL, pin_of(leaf)).verdict is Verdict.UNTRUSTED
    no_authority = pki.issue("A", ca=False)
    leaf = leaf_of(no_authority)
    for client in (Client.OKHTTP, Client.CURL):
        assert Case(world, (leaf,), (no_authority,)).judge(client, pin_of(leaf)).verdict is Verdict.UNTRUSTED


def test_several_stores_are_judged_each_and_the_failing_ones_are_named(world: World) -> None:
    """One device generation trusts the root, the other does not."""
    stores = {
        "android-10": TrustStore("android-10", [world.other_root.certificate]),
        "android-14": TrustStore("android-14", [world.root.certificate]),
    }
    pinset = PinSet("app", client=Client.ANDROID, pins=(pin_of(world.leaf),), trust=("android-10", "android-14"))
    chain = world.observe(world.leaf, world.intermediate, world.root)
    (verdict,) = judge(Target(HOST, pinsets=(pinset,)), [chain], stores, NOW)
    assert verdict.verdict is Verdict.UNTRUSTED
    assert verdict.trust == "android-10"
    assert verdict.reason == ("fails on 1 of 2 trust stores (android-10): the root CN=Root is not in the trust store")


@pytest.fixture(scope="module")
def beside(world: World) -> list[Issued]:
    """Certificates beside the straight path: an expired cross-sign and another generation of the intermediate."""
    return [
        pki.issue("Root", issuer=world.other_root, key=world.root.key, not_after=NOW - timedelta(days=1)),
        pki.issue("Intermediate", issuer=world.other_root, key=world.intermediate.key),
    ]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_generic_is_ok_only_if_every_path_building_client_would_be(
    world: World, beside: list[Issued], data: st.DataObject
) -> None:
    """Or its sentence names the client that finds none of the valid paths."""
    others = [world.intermediate, world.cross, world.root, world.other_root, *beside]
    presented = data.draw(st.lists(st.sampled_from(others), unique_by=id, max_size=5))
    anchors = tuple(
        data.draw(st.lists(st.sampled_from([world.root, world.other_root, world.cross]), min_size=1, unique_by=id))
    )
    pins = tuple(data.draw(st.lists(st.sampled_from([pin_of(one) for one in others]), min_size=1, unique=True)))
    case = Case(world, (world.leaf, *presented), anchors)
    generic = case.judge(Client.GENERIC, *pins)
    if generic.verdict is not Verdict.OK:
        return
    named = generic.reason.partition("these would fail: ")[2].split(", ")
    for client in (Client.OKHTTP, Client.ANDROID, Client.APPLE, Client.TRUSTKIT_IOS, Client.CRONET):
        failing = case.judge(client, *pins).verdict is not Verdict.OK
        assert not failing or client in named or (client is Client.CRONET and Client.ANDROID in named)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_adding_a_pin_never_turns_ok_into_a_mismatch_for_any_client(world: World, data: st.DataObject) -> None:
    """More pins can only help, whichever client."""
    everything = [world.leaf, world.intermediate, world.root, world.other_root]
    known = [pin_of(one) for one in everything] + [unknown_pin(1), world.leaf.certificate.certificate_pin]
    client = data.draw(st.sampled_from(list(Client)))
    pins = data.draw(st.lists(st.sampled_from(known), unique=True, min_size=1))
    more = data.draw(st.lists(st.sampled_from(known), unique=True))
    case = Case(world, (world.leaf, world.intermediate, world.cross), (world.root, world.other_root))
    if case.judge(client, *pins).verdict is Verdict.OK:
        assert case.judge(client, *dict.fromkeys(pins + more)).verdict is Verdict.OK


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_order_of_presented_certificates_decides_only_where_it_has_been_seen_to(
    world: World, beside: list[Issued], data: st.DataObject
) -> None:
    """Apple and TrustKit look at every path. Android goes back, so order never costs it trust, only the path it takes.

    OkHttp on the JDK and curl are the exceptions: they take issuers as they are served (see the differential test).
    """
    straight = [world.intermediate, world.cross, world.other_root, *beside]
    anchors = tuple(data.draw(st.lists(st.sampled_from([world.root, world.other_root]), min_size=1, unique_by=id)))
    pins = (pin_of(world.other_root), pin_of(world.leaf))
    shuffled = data.draw(st.permutations(straight))
    one, other = (Case(world, (world.leaf, *served), anchors) for served in (straight, shuffled))
    for client in (Client.APPLE, Client.TRUSTKIT_IOS, Client.GENERIC):
        assert one.judge(client, *pins).verdict is other.judge(client, *pins).verdict
    for client in (Client.ANDROID, Client.TRUSTKIT_ANDROID, Client.CRONET):
        verdicts = {case.judge(client, pin_of(world.leaf), unknown_pin()).verdict for case in (one, other)}
        assert len(verdicts) == 1
