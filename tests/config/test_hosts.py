"""Hosts, endpoints and addresses in every spelling that people use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.config.faults import UnfitError
from monitord.config.hosts import parse_connect_address, parse_endpoint, parse_host, parse_listen
from monitord.pinning.target import ConnectAddress

if TYPE_CHECKING:
    import ipaddress


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("api.example.com", "api.example.com"),
        ("API.Example.COM.", "api.example.com"),
        ("localhost", "localhost"),
        ("_dmarc.my_host.example", "_dmarc.my_host.example"),
        ("3com.example", "3com.example"),
        ("r3---sn-x.example", "r3---sn-x.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example.", "xn--bcher-kva.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_a_host_has_one_form(written: str, host: str) -> None:
    """Lower-case ASCII without trailing dot, or an IP literal without brackets."""
    assert parse_host(written) == host


@given(st.text(max_size=40) | st.text(alphabet="a.-_:[]%/ 1ü", max_size=20))
def test_any_text_is_a_host_or_unfit(text: str) -> None:
    """What is accepted stays itself when it is read again, and is safe as the name of a file."""
    try:
        host = parse_host(text)
    except UnfitError:
        return
    assert parse_host(host) == host
    assert host.isascii()
    assert "/" not in host
    assert not host.startswith(".")


@pytest.mark.parametrize(
    ("written", "endpoint"),
    [
        ("api.example.com", ("api.example.com", 443)),
        ("api.example.com:8443", ("api.example.com", 8443)),
        ("192.0.2.1:8443", ("192.0.2.1", 8443)),
        ("2001:db8::1", ("2001:db8::1", 443)),
        ("[2001:db8::1]", ("2001:db8::1", 443)),
        ("[2001:db8::1]:8443", ("2001:db8::1", 8443)),
    ],
)
def test_an_endpoint_is_a_host_with_or_without_port(written: str, endpoint: tuple[str, int]) -> None:
    """As on the command line."""
    assert parse_endpoint(written) == endpoint


@pytest.mark.parametrize(
    "written", ["", ":443", "a:", "a:b", "a:65536", "a:0", "[::1", "[a]:443", "https://a", "a/b:1"]
)
def test_other_things_are_no_endpoint(written: str) -> None:
    """The text of the error begins with what was given."""
    with pytest.raises(UnfitError, match=r"^'"):
        parse_endpoint(written)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.10", ConnectAddress("192.0.2.10")),
        ("192.0.2.10:8443", ConnectAddress("192.0.2.10", 8443)),
        ("2001:db8::1", ConnectAddress("2001:db8::1")),
        ("[2001:db8::1]", ConnectAddress("2001:db8::1")),
        ("[2001:db8::1]:8443", ConnectAddress("2001:db8::1", 8443)),
    ],
)
def test_an_address_to_connect_to(written: str, address: ConnectAddress) -> None:
    """An IP address, with or without port."""
    assert parse_connect_address(written) == address


@given(st.ip_addresses(), st.integers(1, 65535))
def test_every_ip_address_with_a_port_is_read(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    """Whatever the address, its usual spelling is understood."""
    shown = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    assert parse_connect_address(shown) == ConnectAddress(str(address), port)


@pytest.mark.parametrize(
    ("written", "listen"),
    [
        ("127.0.0.1:9843", ("127.0.0.1", 9843)),
        ("[::1]:9843", ("::1", 9843)),
        (":9843", ("", 9843)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_where_to_listen(written: str, listen: tuple[str, int]) -> None:
    """Host and port; no host is every interface, port 0 any free one."""
    assert parse_listen(written) == listen
