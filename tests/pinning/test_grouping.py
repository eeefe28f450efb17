"""What incidents have in common: one cause is one group, two causes are two; and where else to look."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitord import pki
from monitord.pinning.conditions import Condition
from monitord.pinning.grouping import group_of, network_of, siblings
from monitord.pinning.incident import IncidentKey, IncidentKind, Severity
from monitord.pinning.judge import judge
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.pins import PinSet
from monitord.pinning.prediction import Cause, Prediction
from monitord.pinning.target import Target
from monitord.pinning.trouble import Trouble, TroubleKind
from monitord.pinning.trust import TrustStore
from monitord.pinning.verdict import Verdict
from tests.pinning.conftest import NOW, unknown_pin

if TYPE_CHECKING:
    from monitord.pki import Issued

MISMATCH, UNTRUSTED, UNREACHABLE = IncidentKind.PIN_MISMATCH, IncidentKind.UNTRUSTED, IncidentKind.UNREACHABLE
PREDICTED = IncidentKind.PIN_MISMATCH_PREDICTED


@dataclass(frozen=True)
class Authority:
    """A root with two intermediates, and a root that nobody trusts with one."""

    root: Issued
    first: Issued
    second: Issued
    foreign: Issued


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Made once."""
    root = pki.issue("Root")
    foreign = pki.issue("Foreign Root")
    return Authority(
        root,
        pki.issue("First", issuer=root),
        pki.issue("Second", issuer=root),
        pki.issue("Foreign", issuer=foreign),
    )


def condition(
    kind: IncidentKind,
    authority: Authority,
    *observations: Observation,
    host: str = "a.example",
    pinset: str = "app",
    **more: Any,
) -> Condition:
    """A condition of this kind at a host that shows this."""
    expires = more.pop("expires", None)
    target = Target(host, pinsets=(PinSet(pinset, pins=(unknown_pin(),), trust=("store",), expires=expires),))
    store = TrustStore("store", [authority.root.certificate])
    (verdict,) = judge(target, observations, {"store": store}, NOW)
    key = IncidentKey(host, 443, "" if kind is UNREACHABLE else pinset, kind)
    return Condition(key, holds=True, severity=Severity.CRITICAL, verdict=verdict, **more)


def shown(host: str, issuer: Issued, address: str = "192.0.2.1", **options: Any) -> Observation:
    """A host that presents a leaf of its own with this issuer."""
    settings = {"names": [host], "not_before": NOW - timedelta(days=30), "not_after": NOW + timedelta(days=60)}
    leaf = pki.issue(host, issuer=issuer, **{**settings, **options})
    chain = (leaf.certificate, issuer.certificate)
    return Observation(NOW, address, 443, chain, key_type=chain[0].key_type)


def silent(reason: FailureReason, address: str) -> Observation:
    """An address that fails for this reason."""
    return Observation(NOW, address, 443, failure=Failure(reason, "it fails"))


def test_one_new_intermediate_at_forty_endpoints_is_one_group(authority: Authority) -> None:
    """Each has a leaf, addresses and pin sets of its own; another intermediate is another cause."""
    conditions = [
        condition(
            MISMATCH,
            authority,
            shown(f"h{number}.example", authority.first, f"198.51.100.{number}"),
            host=f"h{number}.example",
            pinset=f"app-{number % 3}",
        )
        for number in range(40)
    ]
    assert {group_of(one) for one in conditions} == {f"pin_mismatch issuer {authority.first.certificate.pin}"}
    other = condition(MISMATCH, authority, shown("a.example", authority.second))
    assert group_of(other) == f"pin_mismatch issuer {authority.second.certificate.pin}"


def test_the_worst_address_names_the_cause(authority: Authority) -> None:
    """The issuer is that of the chain that fails, not of the one that is seen first."""
    bad = shown("a.example", authority.foreign, "192.0.2.9")
    held = condition(UNTRUSTED, authority, replace(bad, address="192.0.2.1"), bad)
    assert group_of(held) == f"untrusted issuer {authority.foreign.certificate.pin} store"


@pytest.mark.parametrize("fault", [{"not_after": NOW - timedelta(days=1)}, {"names": ["other.example"]}])
def test_what_is_wrong_with_a_leaf_is_shared_with_nobody(authority: Authority, fault: dict[str, Any]) -> None:
    """A certificate that has run out, or is for another name, has nothing to do with another endpoint's."""
    first = condition(UNTRUSTED, authority, shown("a.example", authority.first, **fault))
    second = condition(UNTRUSTED, authority, shown("b.example", authority.first, **fault), host="b.example")
    assert group_of(first) == "untrusted a.example 443 app"
    assert group_of(second) == "untrusted b.example 443 app"


@pytest.mark.parametrize(
    ("reason", "address", "group"),
    [
        (FailureReason.TIMEOUT, "192.0.2.7", "unreachable timeout 192.0.2.0/24"),
        (FailureReason.TIMEOUT, "192.0.2.200", "unreachable timeout 192.0.2.0/24"),
        (FailureReason.REFUSED, "192.0.2.7", "unreachable refused 192.0.2.0/24"),
        (FailureReason.UNREACHABLE, "2001:db8:1:2::9", "unreachable unreachable 2001:db8:1::/48"),
        (FailureReason.DNS, "", "unreachable dns"),
    ],
)
def test_silent_endpoints_of_one_network_are_one_group(
    authority: Authority, reason: FailureReason, address: str, group: str
) -> None:
    """The reason and the network count, the host does not."""
    assert group_of(condition(UNREACHABLE, authority, silent(reason, address))) == group
    assert group_of(condition(UNREACHABLE, authority, silent(reason, address), host="b.example")) == group


def test_the_order_of_addresses_does_not_matter(authority: Authority) -> None:
    """The group is that of the first address in order that fails; those that answer do not count."""
    ones = [silent(FailureReason.TIMEOUT, address) for address in ("192.0.2.1", "198.51.100.1")]
    good = shown("a.example", authority.first, "1.1.1.1")
    groups = {group_of(condition(UNREACHABLE, authority, *seen)) for seen in ((*ones, good), (good, *reversed(ones)))}
    assert groups == {"unreachable timeout 192.0.2.0/24"}


def test_a_missing_intermediate_is_one_group(authority: Authority) -> None:
    """Two hosts forget to present the same intermediate."""
    groups = set()
    for host in ("a.example", "b.example"):
        seen = shown(host, authority.first)
        groups.add(group_of(condition(UNREACHABLE, authority, replace(seen, chain=seen.chain[:1]), host=host)))
    (group,) = groups
    assert group.startswith("unreachable incomplete ")


@pytest.mark.parametrize(
    ("cause", "shared"),
    [
        (Cause.FORCED_REISSUE, "issuer"),
        (Cause.REVOKED, "issuer"),
        (Cause.INTERMEDIATE_EXPIRY, "issuer"),
        (Cause.ISSUER_ROTATION, "issuer"),
        (Cause.ROOT_EXPIRY, "root"),
        (Cause.CROSS_SIGN_EXPIRY, "root"),
        (Cause.DISTRUST, "root"),
        (Cause.TRUST_STORE_CHANGE, "store"),
        (Cause.LEAF_RENEWAL, None),
        (Cause.LEAF_EXPIRY, None),
        (Cause.CT_ISSUED, None),
        (Cause.ARI_WINDOW, None),
        (Cause.PARTIAL_ROLLOUT, None),
    ],
)
def test_predictions_share_what_they_come_from(authority: Authority, cause: Cause, shared: str | None) -> None:
    """What an authority or a root programme does hits many at once; a renewal is its endpoint's own."""
    prediction = Prediction(
        "app", cause, NOW, NOW, 0.9, Severity.WARNING, Verdict.PIN_MISMATCH, "evidence", "advice", NOW
    )
    groups = [
        group_of(condition(PREDICTED, authority, shown(host, authority.first), host=host, prediction=prediction))
        for host in ("a.example", "b.example")
    ]
    names = {
        "issuer": f"{cause} {authority.first.certificate.pin}",
        "root": f"{cause} {authority.root.certificate.pin} store",
        "store": f"{cause} store",
    }
    if shared is None:
        assert groups == ["pin_mismatch_predicted a.example 443 app", "pin_mismatch_predicted b.example 443 app"]
    else:
        assert groups == [f"pin_mismatch_predicted {names[shared]}"] * 2


def test_a_pin_set_is_one_release_of_an_app(authority: Authority) -> None:
    """It expires at all its endpoints, and lacks a spare at all of them; another date is another release."""
    seen = shown("a.example", authority.first)
    soon, late = NOW + timedelta(days=5), NOW + timedelta(days=6)
    expiring = IncidentKind.PINS_EXPIRING
    assert group_of(condition(expiring, authority, seen, expires=soon)) == "pins_expiring app 2026-03-06"
    assert group_of(condition(expiring, authority, seen, expires=late)) == "pins_expiring app 2026-03-07"
    lone = IncidentKind.NO_BACKUP_PIN
    assert group_of(condition(lone, authority, seen, host="b.example")) == "no_backup_pin app"


def test_what_is_wrong_with_monitord_is_its_own_group() -> None:
    """Two receivers that fail are two troubles."""
    one = Trouble(TroubleKind.RECEIVER, holds=True, name="ops")
    assert group_of(one) == "monitor_degraded receiver:ops"


def test_siblings_share_an_address_or_an_issuer_now_or_before(authority: Authority) -> None:
    """Those with the same address come first; what has nothing in common is left alone."""
    before = (shown("a.example", authority.first, "192.0.2.1"),)
    now = (shown("a.example", authority.second, "192.0.2.1"),)
    others = {
        ("old.example", 443): (shown("old.example", authority.first, "203.0.113.1"),),
        ("new.example", 443): (shown("new.example", authority.second, "203.0.113.2"),),
        ("near.example", 443): (silent(FailureReason.TIMEOUT, "192.0.2.1"),),
        ("far.example", 443): (shown("far.example", authority.foreign, "203.0.113.3"),),
        ("nowhere.example", 443): (silent(FailureReason.DNS, ""),),
    }
    assert siblings((*now, *before), others) == (("near.example", 443), ("new.example", 443), ("old.example", 443))


def test_endpoints_without_an_address_are_no_siblings() -> None:
    """That two names cannot be looked up does not make them one."""
    seen = (silent(FailureReason.DNS, ""),)
    assert siblings(seen, {("b.example", 443): seen}) == ()


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.77", "192.0.2.0/24"), ("fe80::1%eth0", "fe80::/48"), ("", ""), ("proxy.example", "")],
)
def test_networks_of_addresses(address: str, network: str) -> None:
    """What is no address has no network."""
    assert network_of(address) == network
