from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord import pki
from monitord.pinning.hostname import names_host
from monitord.pinning.target import Target
from monitord.signals.ct.watched import Watched, Watching
from monitord.signals.source import Subject
from tests.signals.ct.conftest import ISSUER, issued, watching

KEY = pki.new_key()
ADDRESSES = st.sampled_from(["192.0.2.1", "2001:db8::1"])
NAMES = st.lists(st.sampled_from(["a", "B", "api", "xn--bcher-kva"]), min_size=1, max_size=4).map(".".join)
ODD = st.sampled_from(["*", "*.", "a.*.b", "b.a.", ".a"])


@given(
    st.lists(NAMES | ADDRESSES | st.just("a.b."), max_size=4),
    st.lists(NAMES | NAMES.map("*.{}".format) | ADDRESSES | ODD, min_size=1, max_size=4),
)
def test_hosts_are_those_that_the_certificate_names(hosts: list[str], names: list[str]) -> None:
    """The fast way agrees with the rule that clients have."""
    certificate = pki.issue("x", issuer=ISSUER, key=KEY, names=names, ca=False).certificate
    watched = Watched(watching(*hosts) if hosts else [])
    expected = tuple(sorted({host for host in hosts if names_host(certificate, host)}))
    assert watched.hosts(certificate) == expected
    if expected:
        assert watched.may_name(certificate.der)
        assert watched.may_name(certificate.tbs)


@pytest.mark.parametrize("junk", [b"", b"\x30", b"\x30\x80", b"junk", b"\x30\x03\xa3\x01\x30", bytes(100)])
def test_what_is_no_certificate_names_nobody(junk: bytes) -> None:
    """It passes by."""
    assert not Watched(watching()).may_name(junk)


@given(st.integers(min_value=0), st.binary(max_size=3))
def test_a_broken_certificate_ends_nothing(at: int, junk: bytes) -> None:
    """Bytes changed anywhere in it: named or not, but no error."""
    assert Watched(watching()).may_name(BROKEN[: at % len(BROKEN)] + junk + BROKEN[at % len(BROKEN) + 1 :]) in (
        True,
        False,
    )


BROKEN = issued().certificate.der


def test_names_are_those_that_certificates_must_carry() -> None:
    """Each once; addresses are not asked for by name."""
    watched = Watched(
        [
            Subject(Target("b.example.test")),
            Subject(Target("b.example.test", 8443)),
            Subject(Target("a.example.test", server_name="c.example.test")),
            Subject(Target("192.0.2.1")),
            Subject(Target("2001:db8::1")),
        ]
    )
    assert watched.dns_names == ("b.example.test", "c.example.test")
    assert watched
    assert not Watched([])


async def test_names_are_worked_out_when_the_endpoints_change() -> None:
    """Not at each poll: there may be a great many."""
    names, subjects = Watching(), watching("a.example.test")
    first = await names(subjects)
    assert await names(subjects) is first
    assert (await names(watching("b.example.test"))).dns_names == ("b.example.test",)
    assert (await names(subjects)).dns_names == ("a.example.test",)
