"""OkHttp on the JVM where it decides otherwise than RFC 5280: each was seen with the real one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from monitord import pki
from monitord.pinning.pins import Client
from monitord.pinning.verdict import Verdict
from tests.pinning.conftest import NOW, Case, leaf_of, pin_of, unknown_pin
from tests.pinning.odd import key_usage, naming_serial, purposes
from tests.system.differential.rewrite import with_compressed_point

if TYPE_CHECKING:
    from monitord.pki import Issued
    from tests.pinning.conftest import World

EXPIRED = NOW - timedelta(days=1)


def said(
    world: World, chain: list[Issued], anchors: list[Issued], *, client: Client = Client.OKHTTP, **options: object
) -> Verdict:
    """The verdict with a pin on the leaf, so that only trust and the cleaner decide."""
    case = Case(world, tuple(chain), tuple(anchors))
    return case.judge(client, pin_of(chain[0]), **options).verdict  # type: ignore[arg-type]


def test_a_chain_in_order_is_validated_as_presented_and_nothing_else_is_tried(world: World) -> None:
    """A wrong certificate with the right names: the true issuer is in the store, and is not looked for."""
    impostor = pki.issue("Intermediate", issuer=world.root)
    assert said(world, [world.leaf, impostor], [world.root, world.intermediate]) is Verdict.UNTRUSTED
    assert said(world, [world.leaf], [world.root, world.intermediate]) is Verdict.OK


def test_an_expired_anchor_counts_in_order_and_not_when_it_is_searched_for(world: World) -> None:
    """Dates of anchors are looked at only above the first issuer of a search."""
    root = pki.issue("Old Root", not_after=EXPIRED)
    intermediate = pki.issue("Lower", issuer=root)
    leaf = leaf_of(intermediate)
    assert said(world, [leaf, intermediate], [root]) is Verdict.OK
    assert said(world, [leaf, world.other_root, intermediate], [root]) is Verdict.UNTRUSTED
    direct = leaf_of(root)
    assert said(world, [direct, world.other_root], [root]) is Verdict.OK


def test_a_serial_number_in_the_authority_key_identifier_excludes_anchors_in_order_only(world: World) -> None:
    """The search looks at identifiers only to sort."""
    intermediate = pki.issue("Lower", issuer=world.root, extra=[naming_serial(world.root, off_by=1)])
    leaf = leaf_of(intermediate)
    assert said(world, [leaf, intermediate], [world.root]) is Verdict.UNTRUSTED
    assert said(world, [leaf, world.other_root, intermediate], [world.root]) is Verdict.OK


def test_of_a_good_and_a_bad_anchor_of_one_key_chance_takes_one(world: World) -> None:
    """The worst is told: a refusal for pins that match, a mismatch for pins that do not."""
    bad = pki.issue("Root", key=world.root.key, ca=False)
    case = Case(world, (world.leaf, world.intermediate), (world.root, bad))
    for pin, worst in ((pin_of(world.leaf), Verdict.UNTRUSTED), (unknown_pin(), Verdict.PIN_MISMATCH)):
        verdict = case.judge(Client.OKHTTP, pin)
        assert verdict.verdict is worst
        assert "depends on the run" in verdict.reason
    assert case.judge(Client.OKHTTP).verdict is Verdict.UNTRUSTED


def test_only_the_leafs_purposes_count_and_any_is_enough(world: World) -> None:
    """An intermediate for clients alone issues for servers, as far as the JDK looks."""
    clients_only = pki.issue("Lower", issuer=world.root, extra=[purposes(ExtendedKeyUsageOID.CLIENT_AUTH)])
    leaf = leaf_of(clients_only, extra=[purposes(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)])
    assert said(world, [leaf, clients_only], [world.root]) is Verdict.OK
    for client in (Client.CURL, Client.GENERIC):
        assert said(world, [leaf, clients_only], [world.root], client=client) is Verdict.UNTRUSTED
    unfit = leaf_of(world.intermediate, extra=[purposes(ExtendedKeyUsageOID.CLIENT_AUTH)])
    assert said(world, [unfit, world.intermediate], [world.root]) is Verdict.UNTRUSTED


def test_a_leaf_that_may_not_sign_handshakes_is_refused_unless_it_is_trusted_itself(world: World) -> None:
    """Without digitalSignature; the strictest reading refuses it as well, curl takes keyEncipherment."""
    leaf = leaf_of(world.intermediate, extra=[key_usage(key_encipherment=True)])
    verdicts = {client: said(world, [leaf, world.intermediate], [world.root], client=client) for client in Client}
    assert verdicts[Client.OKHTTP] is verdicts[Client.GENERIC] is Verdict.UNTRUSTED
    assert verdicts[Client.CURL] is Verdict.OK
    trusted = pki.issue("self", names=["api.example.com"], extra=[key_usage(key_encipherment=True)])
    assert said(world, [trusted], [trusted]) is Verdict.OK


def test_an_ipv4_address_may_be_written_as_ipv6(world: World) -> None:
    """Java reads ::ffff:192.0.2.7 as 192.0.2.7."""
    leaf = leaf_of(world.intermediate, names=["::ffff:192.0.2.7"])
    assert said(world, [leaf, world.intermediate], [world.root], host="192.0.2.7") is Verdict.OK
    assert said(world, [leaf, world.intermediate], [world.root], host="192.0.2.7", client=Client.CURL) is (
        Verdict.UNTRUSTED
    )


@pytest.mark.parametrize(
    ("leaf_name", "issuer_name", "verdict"),
    [
        ("api.example.com", "Lower", Verdict.UNTRUSTED),  # a name of one label is a host name too
        ("elsewhere.test", "lower.example.com", Verdict.UNTRUSTED),
        ("api.example.com", "lower.example.com", Verdict.OK),
        ("api.example.com", "lower.elsewhere.test", Verdict.UNTRUSTED),
        ("no host name", "no host name either", Verdict.OK),
    ],
)
def test_common_names_are_held_against_constraints(
    world: World, leaf_name: str, issuer_name: str, verdict: Verdict
) -> None:
    """Where a certificate has no DNS name, and that of an intermediate too, unless they are no DNS names at all."""
    constraint = x509.NameConstraints([x509.DNSName("example.com")], None)
    constrained = pki.issue("Upper", issuer=world.root, extra=[(constraint, True)])
    issuer = pki.issue(issuer_name, issuer=constrained)
    leaf = pki.issue(leaf_name, issuer=issuer, names=["192.0.2.7"])
    assert said(world, [leaf, issuer, constrained], [world.root], host="192.0.2.7") is verdict


def test_the_cleaner_uses_up_presented_certificates_and_so_leaves_a_circle(world: World) -> None:
    """An anchor above which the server closes a circle: the second time round nobody is left, and that ends well."""
    upper_key = pki.new_key()
    upper = pki.issue("Upper", issuer=world.other_root, key=upper_key)
    anchor = pki.issue("Anchor", issuer=upper)
    closing = pki.issue("Upper", issuer=anchor, key=upper_key)
    leaf = leaf_of(anchor)
    assert said(world, [leaf, anchor, closing], [anchor]) is Verdict.OK


def test_a_dead_end_in_one_run_does_not_hide_a_mismatch_in_another(world: World) -> None:
    """A circle of anchors beside a root: some runs never end and are refused, the others miss the pins."""
    back = pki.issue("Other Root", issuer=world.root, key=world.other_root.key)
    case = Case(world, (world.leaf, world.intermediate), (world.root, world.cross, back))
    verdict = case.judge(Client.OKHTTP, unknown_pin())
    assert verdict.verdict is Verdict.PIN_MISMATCH
    assert "depends on the run" in verdict.reason
    assert case.judge(Client.OKHTTP, pin_of(world.leaf)).verdict is Verdict.UNTRUSTED


def test_a_compressed_point_cannot_be_read_by_the_jdk(world: World) -> None:
    """Presented anywhere it is refused, so the strictest reading refuses it too; in a store it is not there."""
    lower = pki.issue("Lower", issuer=world.root)
    compressed = with_compressed_point(lower, world.root.key)
    leaf = leaf_of(lower)
    for client in (Client.OKHTTP, Client.GENERIC):
        assert said(world, [leaf, compressed], [world.root], client=client) is Verdict.UNTRUSTED
    assert said(world, [leaf, compressed], [world.root], client=Client.CURL) is Verdict.OK
    assert said(world, [leaf, lower, compressed], [world.root]) is Verdict.UNTRUSTED
    root = with_compressed_point(world.root, world.root.key)
    assert said(world, [world.leaf, world.intermediate], [root]) is Verdict.UNTRUSTED
    assert said(world, [world.leaf, world.intermediate], [root, world.root]) is Verdict.OK


def test_a_leaf_without_a_subject_needs_critical_names_even_if_it_is_trusted(world: World) -> None:
    """The JDK does not parse it otherwise."""
    leaf = pki.issue("", names=["api.example.com"])
    assert said(world, [leaf], [leaf]) is Verdict.UNTRUSTED


def test_a_search_takes_at_most_five_intermediates(world: World) -> None:
    """In order six pass."""
    line = [world.root]
    for number in range(6):
        line.append(pki.issue(f"Floor {number}", issuer=line[-1]))
    five, six = leaf_of(line[5]), leaf_of(line[6])
    assert said(world, [six, *reversed(line[1:])], [world.root]) is Verdict.OK
    assert said(world, [six, world.other_root, *reversed(line[1:])], [world.root]) is Verdict.UNTRUSTED
    assert said(world, [five, world.other_root, *reversed(line[1:6])], [world.root]) is Verdict.OK


def test_a_search_gives_up_after_two_self_issued_certificates_in_a_row(world: World) -> None:
    """A root that changed its keys twice: in order it passes."""
    second = pki.issue("Root", issuer=world.root)
    third = pki.issue("Root", issuer=second)
    leaf = leaf_of(third)
    assert said(world, [leaf, third, second], [world.root]) is Verdict.OK
    assert said(world, [leaf, world.other_root, third, second], [world.root]) is Verdict.UNTRUSTED


def test_a_search_passes_over_issuers_whose_path_length_is_too_short_or_that_have_expired(world: World) -> None:
    """It goes back to the other certificate of the same key; a chain in order stands or falls as it is."""
    key = pki.new_key()
    good = pki.issue("Upper", issuer=world.root, key=key)
    lower = pki.issue("Lower", issuer=good)
    leaf = leaf_of(lower)
    for bad in (
        pki.issue("Upper", issuer=world.root, key=key, path_length=0),
        pki.issue("Upper", issuer=world.root, key=key, not_after=EXPIRED),
    ):
        assert said(world, [leaf, lower, bad], [world.root]) is Verdict.UNTRUSTED
        assert said(world, [leaf, bad, lower, good], [world.root]) is Verdict.OK


def test_a_graph_made_to_explode_is_judged_all_the_same(world: World) -> None:
    """Ten certificates that all could have issued one another, by name: the search is cut off and refuses."""
    names = ["A", "B"]
    maze = [pki.issue(names[n % 2], issuer=pki.issue(names[1 - n % 2])) for n in range(9)]
    anchors = [pki.issue(name) for name in names * 10]
    leaf = leaf_of(maze[0])
    twisted = [leaf, world.other_root, *maze[1:]]
    assert said(world, twisted, anchors) in (Verdict.UNTRUSTED, Verdict.UNDETERMINED)


def test_what_is_wrong_with_a_chain_in_order_is_final_though_its_signatures_do_not_hold(world: World) -> None:
    """Nobody but the presented issuer is asked, so its date is a refusal, where a sound one leaves it open."""
    sound = pki.issue("Intermediate", issuer=world.root)
    expired = pki.issue("Intermediate", issuer=world.root, not_after=EXPIRED)
    assert said(world, [world.leaf, sound], [world.root]) is Verdict.UNDETERMINED
    assert said(world, [world.leaf, expired], [world.root]) is Verdict.UNTRUSTED
