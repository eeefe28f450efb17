"""curl with OpenSSL where it decides otherwise than RFC 5280: each was seen with the real one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from monitord import pki
from monitord.pinning.pins import Client
from monitord.pinning.verdict import Verdict
from tests.pinning.conftest import HOST, NOW, Case, leaf_of, pin_of
from tests.pinning.odd import key_usage, naming_serial, purposes
from tests.system.differential.rewrite import as_version_1, with_sha1

if TYPE_CHECKING:
    from monitord.pki import Issued
    from tests.pinning.conftest import World

EXPIRED = NOW - timedelta(days=1)
KEY_IDENTIFIERS = (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier)


def said(
    world: World, chain: list[Issued], anchors: list[Issued], *, client: Client = Client.CURL, **options: object
) -> Verdict:
    """The verdict with a pin on the leaf, so that only trust decides."""
    case = Case(world, tuple(chain), tuple(anchors))
    return case.judge(client, pin_of(chain[0]), **options).verdict  # type: ignore[arg-type]


def test_the_path_ends_at_the_first_certificate_of_the_store(world: World) -> None:
    """What is above it does not matter, though it is in the store as well and has expired."""
    root = pki.issue("Old Root", not_after=EXPIRED)
    intermediate = pki.issue("Lower", issuer=root)
    leaf = leaf_of(intermediate)
    assert said(world, [leaf, intermediate], [intermediate, root]) is Verdict.OK
    assert said(world, [leaf, intermediate], [root]) is Verdict.UNTRUSTED


def test_a_trusted_leaf_is_a_last_resort(world: World) -> None:
    """Only if no trusted issuer turned up, and what was collected on the way is checked."""
    expired = pki.issue("Lower", issuer=world.root, not_after=EXPIRED)
    leaf = leaf_of(expired)
    assert said(world, [leaf], [leaf]) is Verdict.OK
    assert said(world, [leaf], [leaf, expired]) is Verdict.UNTRUSTED
    assert said(world, [leaf, expired], [leaf]) is Verdict.UNTRUSTED


@pytest.mark.parametrize(("off_by", "verdict"), [(0, Verdict.OK), (1, Verdict.UNTRUSTED)])
def test_an_issuer_must_have_the_serial_number_that_is_asked_for(world: World, off_by: int, verdict: Verdict) -> None:
    """And the issuer that is asked for; the strictest reading leaves that to each client's way to a path."""
    intermediate = pki.issue("Lower", issuer=world.root, extra=[naming_serial(world.root, off_by=off_by)])
    leaf = leaf_of(intermediate)
    assert said(world, [leaf, intermediate], [world.root]) is verdict


def test_an_issuer_is_taken_whether_it_may_sign_or_not(world: World) -> None:
    """The first of two certificates of one key is taken, and then fails."""
    bad = pki.issue("Intermediate", issuer=world.root, key=world.intermediate.key, extra=[key_usage()])
    assert said(world, [world.leaf, bad, world.intermediate], [world.root]) is Verdict.UNTRUSTED
    assert said(world, [world.leaf, world.intermediate, bad], [world.root]) is Verdict.OK


def test_an_issuer_must_have_the_kind_of_key_that_signed(world: World) -> None:
    """An RSA key cannot have made an ECDSA signature, so another of the name is taken."""
    issuer = pki.issue("Lower", issuer=world.root, without=KEY_IDENTIFIERS)
    other = pki.issue("Lower", issuer=world.root, key=pki.new_key("rsa"), without=KEY_IDENTIFIERS)
    another = pki.issue("Lower", issuer=world.root, without=KEY_IDENTIFIERS)
    leaf = leaf_of(issuer, without=KEY_IDENTIFIERS)
    assert said(world, [leaf, other, issuer], [world.root]) is Verdict.OK
    assert said(world, [leaf, another, issuer], [world.root]) is Verdict.UNTRUSTED


def test_self_signed_is_said_without_trying_the_signature(world: World) -> None:
    """A root's next key, signed by the last: without key identifiers it looks like an untrusted root."""
    clear = pki.issue("Root", issuer=world.root)
    assert said(world, [leaf_of(clear), clear], [world.root]) is Verdict.OK
    unclear = pki.issue("Root", issuer=world.root, without=KEY_IDENTIFIERS)
    assert said(world, [leaf_of(unclear), unclear], [world.root]) is Verdict.UNTRUSTED


def test_an_anchor_without_basic_constraints_may_be_one_by_its_key_usage_or_its_age(world: World) -> None:
    """Below the anchor there is no such mercy; the JDK and the strictest reading know the old root only."""
    bare = (x509.BasicConstraints,)
    signs = pki.issue("A", without=bare)
    silent = pki.issue("A", without=(*bare, x509.KeyUsage))
    old = as_version_1(pki.issue("A"), silent.key)
    oldest = pki.issue("A")
    oldest = as_version_1(oldest, oldest.key)
    assert old.certificate.version == 1
    verdicts = {
        client: [said(world, [leaf_of(root)], [root], client=client) for root in (signs, silent, oldest)]
        for client in (Client.CURL, Client.OKHTTP, Client.GENERIC)
    }
    assert verdicts[Client.CURL] == [Verdict.OK, Verdict.UNTRUSTED, Verdict.OK]
    assert verdicts[Client.OKHTTP] == verdicts[Client.GENERIC] == [Verdict.UNTRUSTED, Verdict.UNTRUSTED, Verdict.OK]
    intermediate = pki.issue("B", issuer=world.root, without=bare)
    assert said(world, [leaf_of(intermediate), intermediate], [world.root]) is Verdict.UNTRUSTED


def test_every_certificate_that_limits_its_purposes_must_name_servers(world: World) -> None:
    """Any purpose is not enough, and the anchor is asked as well; so for the strictest reading."""
    anything = purposes(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    leaf = leaf_of(world.intermediate, extra=[anything])
    root = pki.issue("A", extra=[purposes(ExtendedKeyUsageOID.CLIENT_AUTH)])
    fine = pki.issue("A", extra=[purposes(ExtendedKeyUsageOID.SERVER_AUTH)])
    for client in (Client.CURL, Client.GENERIC):
        assert said(world, [leaf, world.intermediate], [world.root], client=client) is Verdict.UNTRUSTED
        assert said(world, [leaf_of(root)], [root], client=client) is Verdict.UNTRUSTED
        assert said(world, [leaf_of(fine)], [fine], client=client) is Verdict.OK
    assert said(world, [leaf_of(root)], [root], client=Client.OKHTTP) is Verdict.OK


def test_a_leaf_may_be_for_any_way_to_agree_on_a_key(world: World) -> None:
    """Key encipherment is enough; data encipherment is not."""
    fit = leaf_of(world.intermediate, extra=[key_usage(key_encipherment=True)])
    unfit = leaf_of(world.intermediate, extra=[key_usage()])
    assert said(world, [fit, world.intermediate], [world.root]) is Verdict.OK
    assert said(world, [unfit, world.intermediate], [world.root]) is Verdict.UNTRUSTED


def test_short_rsa_keys_are_refused_everywhere(world: World) -> None:
    """Debian's OpenSSL wants 2048 bits, the JDK 1024."""
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - old ones are about
    leaf, root = leaf_of(world.intermediate, key=short), pki.issue("A", key=short)
    for chain, anchor in (([leaf, world.intermediate], world.root), ([leaf_of(root)], root)):
        assert said(world, chain, [anchor]) is Verdict.UNTRUSTED
        assert said(world, chain, [anchor], client=Client.OKHTTP) is Verdict.OK


def test_sha1_is_refused_below_the_end_of_the_path(world: World) -> None:
    """On the last certificate nobody looks at the signature; the JDK takes SHA-1 below private roots."""
    weak = with_sha1(world.intermediate, world.root.key)
    assert said(world, [world.leaf, weak], [world.root]) is Verdict.UNTRUSTED
    assert said(world, [world.leaf, weak], [world.root], client=Client.OKHTTP) is Verdict.OK
    root = with_sha1(world.root, world.root.key)
    assert said(world, [world.leaf, world.intermediate], [root]) is Verdict.OK


def test_the_common_name_counts_for_addresses_too(world: World) -> None:
    """Where there is no alternative name; it must be the address as it is written."""
    leaf = pki.issue("192.0.2.7", issuer=world.intermediate, ca=False)
    chain = [leaf, world.intermediate]
    assert said(world, chain, [world.root], host="192.0.2.7") is Verdict.OK
    assert said(world, chain, [world.root], host="192.0.2.8") is Verdict.UNTRUSTED
    assert said(world, chain, [world.root], host="192.0.2.7", client=Client.GENERIC) is Verdict.UNTRUSTED


def test_a_leaf_without_a_subject_needs_no_critical_names(world: World) -> None:
    """The JDK does not parse it."""
    leaf = pki.issue("", issuer=world.intermediate, names=[HOST])
    chain = [leaf, world.intermediate]
    assert said(world, chain, [world.root]) is Verdict.OK
    for client in (Client.OKHTTP, Client.GENERIC):
        assert said(world, chain, [world.root], client=client) is Verdict.UNTRUSTED


@pytest.mark.parametrize(
    ("leaf_name", "issuer_name", "verdict"),
    [
        ("elsewhere", "Lower", Verdict.OK),  # one label is no host name
        ("elsewhere.test", "Lower", Verdict.UNTRUSTED),
        ("api.example.com", "lower.elsewhere.test", Verdict.OK),
        ("no host.name", "Lower", Verdict.OK),
    ],
)
def test_the_leafs_common_name_is_held_against_constraints(
    world: World, leaf_name: str, issuer_name: str, verdict: Verdict
) -> None:
    """If it has no DNS name and the common name has two labels; those of intermediates are not."""
    constraint = x509.NameConstraints([x509.DNSName("example.com")], None)
    constrained = pki.issue("Upper", issuer=world.root, extra=[(constraint, True)])
    issuer = pki.issue(issuer_name, issuer=constrained)
    leaf = pki.issue(leaf_name, issuer=issuer, names=["192.0.2.7"])
    assert said(world, [leaf, issuer, constrained], [world.root], host="192.0.2.7") is verdict


def test_a_wildcard_may_stand_above_an_excluded_name(world: World) -> None:
    """Newer JDKs refuse it, and so does the strictest reading."""
    constraint = x509.NameConstraints(None, [x509.DNSName("secret.example.com")])
    issuer = pki.issue("Lower", issuer=world.root, extra=[(constraint, True)])
    leaf = leaf_of(issuer, names=["*.example.com"])
    assert said(world, [leaf, issuer], [world.root]) is Verdict.OK
    for client in (Client.OKHTTP, Client.GENERIC):
        assert said(world, [leaf, issuer], [world.root], client=client) is Verdict.UNTRUSTED
