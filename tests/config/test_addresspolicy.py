from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.config.addresspolicy import AddressPolicy

EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))
USUAL, PUBLIC = AddressPolicy(), AddressPolicy(private=False)
CREDENTIALS, PRIVATE, NO_HOST = "clouds hand out credentials", "is private", "is not the address of a host"


@pytest.mark.parametrize(
    ("address", "usual", "public"),
    [
        ("8.8.8.8", None, None),
        ("2606:4700::1111", None, None),
        ("127.0.0.1", None, PRIVATE),
        ("::1", None, PRIVATE),
        ("10.1.2.3", None, PRIVATE),
        ("100.64.0.1", None, PRIVATE),
        ("fd12:3456::1", None, PRIVATE),
        ("169.254.169.254", CREDENTIALS, CREDENTIALS),
        ("169.254.170.2", CREDENTIALS, CREDENTIALS),
        ("fe80::1%eth0", CREDENTIALS, CREDENTIALS),
        ("fd00:ec2::254", CREDENTIALS, CREDENTIALS),
        ("100.100.100.200", CREDENTIALS, CREDENTIALS),
        ("0.0.0.0", NO_HOST, NO_HOST),  # noqa: S104 - refused here
        ("0.1.2.3", NO_HOST, NO_HOST),
        ("::", NO_HOST, NO_HOST),
        ("224.0.0.1", NO_HOST, NO_HOST),
        ("ff02::1", NO_HOST, NO_HOST),
        ("255.255.255.255", NO_HOST, NO_HOST),
    ],
)
def test_what_may_be_called(address: str, usual: str | None, public: str | None) -> None:
    """Private addresses unless that is forbidden; never those of metadata services, nor what is no host."""
    for policy, expected in ((USUAL, usual), (PUBLIC, public)):
        objection = policy.objection(address)
        assert (objection is None) == (expected is None)
        assert (expected or "") in (objection or "")


@pytest.mark.parametrize("wrapped", ["::ffff:{}", "64:ff9b::{}", "::{}"])
@pytest.mark.parametrize("address", ["169.254.169.254", "0.0.0.1", "224.0.0.1"])
def test_an_address_in_disguise_is_judged_by_what_it_stands_for(address: str, wrapped: str) -> None:
    """An IPv6 spelling opens no way to what is refused in IPv4."""
    if wrapped.format(address) != "::0.0.0.1":  # which is the loopback
        assert USUAL.objection(wrapped.format(address)) == USUAL.objection(address)


def test_a_network_that_is_listed_is_allowed() -> None:
    """Also one that is refused otherwise, in either spelling; others stay refused."""
    policy = AddressPolicy(private=False, networks=(ip_network("169.254.7.0/24"), ip_network("10.0.0.0/8")))
    assert policy.objection("169.254.7.9") is None
    assert policy.objection("::ffff:10.0.0.1") is None
    assert CREDENTIALS in str(policy.objection("169.254.169.254"))
    assert PRIVATE in str(policy.objection("192.168.0.1"))


addresses = st.ip_addresses().map(str)


@given(addresses)
def test_a_stricter_policy_allows_nothing_more(address: str) -> None:
    """What is allowed to the public policy is allowed to the usual one, and listing everything allows everything."""
    assert USUAL.objection(address) is None or PUBLIC.objection(address) is not None
    assert AddressPolicy(private=False, networks=EVERYTHING).objection(address) is None
    if ip_address(address).is_global and PUBLIC.objection(address) is None:
        assert USUAL.objection(address) is None


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_itself(address: object) -> None:
    """``::ffff:a.b.c.d`` is a.b.c.d."""
    mapped = IPv6Address(f"::ffff:{address}")
    for policy in (USUAL, PUBLIC):
        assert policy.objection(str(mapped)) == policy.objection(str(address))
