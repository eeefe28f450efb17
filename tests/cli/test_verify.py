from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from monitord import pki
from tests.cli.conftest import HOST

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result, World

    Monitord = Callable[..., Result]
    Register = Callable[..., None]

UNKNOWN_PIN = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
LIMBO = Path(__file__).parent.parent / "data" / "x509-limbo.json"


@pytest.fixture
def chain(home: Path, world: World) -> Path:
    """A chain that may be deployed."""
    path = home / "chain.pem"
    path.write_bytes(world.leaf.pem + world.intermediate.pem)
    return path


@pytest.mark.parametrize("part", ["leaf", "intermediate", "root"])
def test_a_chain_that_the_pins_allow_passes(
    chain: Path, world: World, register: Register, monitord: Monitord, part: str
) -> None:
    """For a registered host its pin sets decide; nothing is probed."""
    register(1, getattr(world, part).certificate.pin)
    result = monitord("verify", HOST, "--chain", chain, "--json")
    assert (result.code, result.record["verdict"], result.err) == (0, "ok", "")
    (observation,) = result.record["observations"]
    assert (observation["address"], observation["failure"], observation["tls_version"]) == ("", None, None)


def test_a_chain_that_no_pin_allows_is_held_back(chain: Path, register: Register, monitord: Monitord) -> None:
    """The gate says not to deploy it."""
    register(1, UNKNOWN_PIN)
    result = monitord("verify", f"{HOST}:443", "--chain", chain)
    assert result.code == 2
    assert result.out.startswith("MONITORD CRITICAL - ")
    assert "What to do: Do not deploy this chain: the installed apps would refuse it." in result.out


def test_any_other_host_is_judged_on_trust_alone(chain: Path, monitord: Monitord) -> None:
    """not_pinned passes, a wrong name does not."""
    good = monitord("verify", HOST, "--chain", chain, "--json")
    bad = monitord("verify", "www.example.test", "--chain", chain, "--json")
    assert (good.code, good.record["verdict"]) == (0, "not_pinned")
    assert (bad.code, bad.record["verdict"]) == (2, "untrusted")


def test_another_time_is_another_answer(chain: Path, world: World, monitord: Monitord) -> None:
    """The validity includes both ends, fractions of a second do not count, and dates are at midnight."""
    end = world.leaf.certificate.not_after

    def code(at: str) -> int:
        return monitord("verify", HOST, "--chain", chain, "--at", at).code

    assert code(f"{end:%Y-%m-%dT%H:%M:%SZ}") == 0
    assert code(f"{end:%Y-%m-%dT%H:%M:%S}.999999999Z") == 0
    assert code(f"{end + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}+00:00") == 2
    assert code(f"{end + timedelta(days=1):%Y-%m-%d}") == 2
    assert code("2020-06-01") == 2


def test_other_roots_replace_the_stores(chain: Path, home: Path, register: Register, monitord: Monitord) -> None:
    """Those of the target and of its pin sets; the file is named as the store."""
    register(1, UNKNOWN_PIN)
    other = home / "other.pem"
    other.write_bytes(pki.issue("Other Root").pem)
    result = monitord("verify", HOST, "--chain", chain, "--trust", other, "--json")
    assert (result.code, result.record["verdict"], result.record["trust"]) == (3, "undetermined", str(other))


def test_a_missing_intermediate_is_unknown(home: Path, world: World, monitord: Monitord) -> None:
    """As the exit code says."""
    (home / "leaf.pem").write_bytes(world.leaf.pem)
    result = monitord("verify", HOST, "--chain", home / "leaf.pem")
    assert result.code == 3
    assert "Put the missing intermediates into the chain" in result.out


def test_der_and_addresses_are_taken(home: Path, world: World, monitord: Monitord) -> None:
    """A certificate in DER; a host may be an IP address, of version 6 in brackets or not."""
    leaf = pki.issue("::1", issuer=world.root, names=["::1", "127.0.0.1"])
    (home / "leaf.der").write_bytes(leaf.certificate.der)
    for host in ("::1", "[::1]", "[::1]:8443", "127.0.0.1"):
        assert monitord("verify", host, "--chain", home / "leaf.der").code == 0


def test_a_registered_host_is_warned_of_what_no_authority_may_issue(
    home: Path, world: World, register: Register, monitord: Monitord
) -> None:
    """The apps do not mind, so it is no failure."""
    odd = pki.issue(HOST, issuer=world.root, names=[HOST], without=[x509.AuthorityKeyIdentifier])
    (home / "odd.pem").write_bytes(odd.pem)
    register(1, odd.certificate.pin)
    result = monitord("verify", HOST, "--chain", home / "odd.pem", "--json")
    assert (result.code, result.record["verdict"]) == (0, "ok")
    assert result.err.startswith("monitord: warning: public authorities may not issue this: the certificate has no")
    (home / "domains.d" / f"{HOST}.yaml").unlink()
    assert monitord("verify", HOST, "--chain", home / "odd.pem").code == 2


def _garbage(home: Path, name: str, data: bytes) -> Path:
    path = home / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "no PEM or DER certificate in {}; give the chain as PEM, the server's certificate first"),
        (b"not a certificate", "no PEM or DER certificate in {}; "),
        (b"0 is how DER begins too", "no PEM or DER certificate in {}; "),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no PEM or DER certificate in {}; "),
        (b"\x30\x82\xff\xff", "{}: not a readable certificate: "),
        (b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "{}: PEM block 1 is not valid base64"),
    ],
)
def test_a_chain_that_cannot_be_read_is_one_sentence(
    home: Path, monitord: Monitord, data: bytes, complaint: str
) -> None:
    """On standard error, with exit code 3, and on standard output for monitoring systems; but not as JSON."""
    path = _garbage(home, "bad.pem", data)
    result = monitord("verify", HOST, "--chain", path)
    assert result.code == 3
    assert result.err.startswith(f"monitord: {complaint.format(path)}")
    assert result.err.count("\n") == 1
    assert result.out == result.err.replace("monitord: ", "MONITORD UNKNOWN - ", 1)
    assert monitord("verify", HOST, "--chain", path, "--json").out == ""


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--trust", "nowhere.pem"], "nowhere.pem"),
        (["--trust", "monitord.yaml"], "there is no readable certificate"),
        (["--at", "yesterday"], "'yesterday' is not a date"),
        (["--at", "2026-01-01T00:00:00"], "has no time zone; add Z for UTC"),
        (["--chain", "nowhere.pem"], "nowhere.pem cannot be read: No such file or directory"),
    ],
)
def test_other_bad_input_is_one_sentence(
    chain: Path, home: Path, monitord: Monitord, options: list[str], complaint: str
) -> None:
    """Whatever it is that cannot be used."""
    words = [str(home / word) if word.endswith((".pem", ".yaml")) else word for word in options]
    result = monitord("verify", HOST, "--chain", chain, "--json", *words)
    assert (result.code, result.out) == (3, "")
    assert complaint in result.err
    assert result.err.count("\n") == 1


def test_a_configuration_that_was_named_must_be_there(chain: Path, home: Path, monitord: Monitord) -> None:
    """Only the usual place may be empty."""
    result = monitord("-c", home / "nowhere.yaml", "verify", HOST, "--chain", chain)
    assert result.code == 3
    assert result.out.startswith("MONITORD UNKNOWN - there is no configuration file ")
    assert "nowhere.yaml: to make one" in result.err


def test_agrees_with_limbo_as_the_rules_do(home: Path, monitord: Monitord) -> None:
    """Some cases of x509-limbo through the command line: hosts, times and files are understood as meant."""
    wanted = {
        "rfc5280::nc::permitted-dns-match": 0,
        "rfc5280::validity::expired-leaf": 2,
        "webpki::san::exact-localhost-ip-san": 0,
        "webpki::san::mismatch-domain-san": 2,
        "pathological::nc-dos-1": 2,
    }
    cases: dict[str, dict[str, Any]] = {case["id"]: case for case in json.loads(LIMBO.read_text())["testcases"]}
    for name, code in wanted.items():
        case = cases[name]
        (home / "chain").write_text("".join([case["peer_certificate"], *case["untrusted_intermediates"]]))
        (home / "trust").write_text("".join(case["trusted_certs"]))
        at = ["--at", case["validation_time"]] if case["validation_time"] else []
        result = monitord("verify", case["peer_name"], "--chain", home / "chain", "--trust", home / "trust", *at)
        assert (name, result.code) == (name, code), result
