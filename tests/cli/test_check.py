from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitord import pki
from tests.cli.conftest import HOST, SPARE
from tests.support.tlsserver import TlsServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result, World

    Monitord = Callable[..., Result]
    Register = Callable[..., None]

UNKNOWN_PIN = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


@pytest.mark.parametrize("part", ["leaf", "intermediate", "root"])
def test_a_pin_of_any_part_of_the_path_is_ok(world: World, register: Register, monitord: Monitord, part: str) -> None:
    """The root too, which no server presents."""
    pin = getattr(world, part).certificate.pin
    with world.serve() as server:
        register(server.port, pin)
        result = monitord("check", "--json")
    assert result.code == 0, result
    assert result.record["verdict"] == "ok"
    assert result.record["matched"] == [str(pin)]
    assert result.err == ""


def test_json_has_the_documented_shape(world: World, register: Register, monitord: Monitord) -> None:
    """One object for each pin set, every key there."""
    with world.serve() as server:
        register(server.port, world.leaf.certificate.pin)
        record = monitord("check", HOST, "--json").record
    (observation,) = record.pop("observations")
    (prediction,) = record.pop("predictions")
    leaf = {
        "role": "leaf",
        "subject": f"CN={HOST}",
        "spki": str(world.leaf.certificate.pin),
        "certificate_sha256": world.leaf.certificate.sha256.hex(),
        "not_after": f"{world.leaf.certificate.not_after:%Y-%m-%dT%H:%M:%SZ}",
    }
    assert record == {
        "host": HOST,
        "port": 443,
        "pinset": "default",
        "client": "generic",
        "trust": "own",
        "verdict": "ok",
        "reason": "a pin matches the leaf",
        "matched": [leaf["spki"]],
        "pins": [{"pin": leaf["spki"], "standing": "live"}, {"pin": SPARE, "standing": "never_seen"}],
    }
    assert {key: prediction[key] for key in ("cause", "severity", "expected")} == {
        "cause": "leaf_renewal",
        "severity": "info",
        "expected": "pin_mismatch",
    }
    assert observation["chain"][0] == observation["path"][0] == leaf
    assert [one["role"] for one in observation["chain"]] == ["leaf", "intermediate"]
    assert [one["role"] for one in observation["path"]] == ["leaf", "intermediate", "root"]
    assert {key: observation[key] for key in ("address", "key_type", "verdict", "tls_version", "failure")} == {
        "address": "127.0.0.1",
        "key_type": "ecdsa",
        "verdict": "ok",
        "tls_version": "TLSv1.3",
        "failure": None,
    }


def test_an_unpinned_key_is_a_mismatch(world: World, register: Register, monitord: Monitord) -> None:
    """The apps fail: critical, and the block says what to do."""
    with world.serve(world.renewed) as server:
        register(server.port, world.leaf.certificate.pin)
        result = monitord("check")
    assert result.code == 2
    first, *rest = result.out.splitlines()
    assert first == f"MONITORD CRITICAL - 1 of 1 pin sets fail: {HOST}:443 default pin_mismatch"
    text = "\n".join(rest)
    assert f"PIN_MISMATCH  {HOST}:443  pin set default, client generic, trust own" in text
    assert f"{world.leaf.certificate.pin}  no known certificate has it" in text
    assert "What to do: Serve a chain that holds a pinned key again" in text
    assert result.err == ""


@pytest.mark.parametrize(("which", "reason"), [("expired", "expired"), ("misnamed", "other.example.test")])
def test_a_chain_that_clients_refuse_is_untrusted(
    world: World, register: Register, monitord: Monitord, which: str, reason: str
) -> None:
    """Trust comes first: the pin matches and does not help."""
    leaf = getattr(world, which)
    with world.serve(leaf) as server:
        register(server.port, leaf.certificate.pin)
        result = monitord("check", "--json")
    assert result.code == 2
    assert result.record["verdict"] == "untrusted"
    assert reason in result.record["reason"]


def test_a_missing_intermediate_is_undetermined(world: World, register: Register, monitord: Monitord) -> None:
    """A device may have it cached, so nothing may be said."""
    with TlsServer(world.leaf, addresses=("127.0.0.1",)) as server:
        register(server.port, world.leaf.certificate.pin)
        result = monitord("check")
    assert result.code == 3
    assert result.out.startswith("MONITORD UNKNOWN - 1 of 1 pin sets could not be judged: ")
    assert "Serve the missing intermediates after the leaf." in result.out


def test_an_endpoint_that_refuses_connections_is_undetermined(register: Register, monitord: Monitord) -> None:
    """With the reason from the closed list."""
    register(1, UNKNOWN_PIN)
    result = monitord("check", "--json")
    assert result.code == 3
    assert result.record["verdict"] == "undetermined"
    assert result.record["observations"][0]["failure"]["reason"] == "refused"
    assert "Check that it is up" in monitord("check").out


def test_the_address_with_the_new_key_is_named(world: World, register: Register, monitord: Monitord) -> None:
    """One of two addresses serves the new chain already: a mismatch there."""
    with (
        world.serve() as old,
        world.serve(world.renewed, addresses=("127.0.0.2",), port=old.port),
    ):
        register(old.port, world.leaf.certificate.pin, addresses=("127.0.0.1", "127.0.0.2"))
        record = monitord("check", "--json").record
        result = monitord("check")
    assert record["verdict"] == "pin_mismatch"
    assert record["reason"].startswith("at 127.0.0.2 (1 of 2): ")
    assert [(one["address"], one["verdict"]) for one in record["observations"]] == [
        ("127.0.0.1", "ok"),
        ("127.0.0.2", "pin_mismatch"),
    ]
    assert result.code == 2
    assert f"at 127.0.0.1:{old.port}  TLSv1.3  ecdsa key: ok, a pin matches the leaf" in result.out
    assert f"at 127.0.0.2:{old.port}  TLSv1.3  ecdsa key: pin_mismatch, no pin matches" in result.out


def test_addresses_that_agree_are_shown_together(world: World, register: Register, monitord: Monitord) -> None:
    """One table for both."""
    with world.serve(addresses=("127.0.0.1", "127.0.0.2")) as server:
        register(server.port, world.leaf.certificate.pin, addresses=server.addresses)
        result = monitord("check")
    assert f"at 127.0.0.1:{server.port}, 127.0.0.2:{server.port}  TLSv1.3  ecdsa key\n" in result.out
    assert result.out.count("subject") == 1


def test_the_path_is_shown_beside_the_presented_chain(world: World, register: Register, monitord: Monitord) -> None:
    """A pinned certificate that is sent but not on the path does not count, and is marked so."""
    stray = world.misnamed.certificate
    with TlsServer(world.leaf, world.intermediate.certificate, stray, addresses=("127.0.0.1",)) as server:
        register(server.port, stray.pin, world.root.certificate.pin)
        result = monitord("check")
    assert result.code == 0
    rows = [line.split()[:4] for line in result.out.splitlines() if " sha256/" in line and "pins" not in line]
    assert [row for row in rows if row[0] in "-123"] == [
        ["1", "1", "leaf", str(world.leaf.certificate.pin)],
        ["2", "2", "intermediate", str(world.intermediate.certificate.pin)],
        ["-", "3", "*", "root"],
        ["3", "-", "!", "intermediate"],
    ]
    assert "* is pinned" in result.out
    assert "! is pinned, but not where the client looks for that pin" in result.out


@pytest.mark.parametrize(("client", "code", "mark"), [("okhttp", 0, "*"), ("curl", 2, "!")])
def test_a_mark_says_whether_the_client_counts_a_pin(
    world: World, register: Register, monitord: Monitord, client: str, code: int, mark: str
) -> None:
    """OkHttp looks at the whole path, curl at the leaf only."""
    pin = world.intermediate.certificate.pin
    with world.serve() as server:
        register(server.port, more=f"  pinsets:\n    - {{name: app, client: {client}, pins: [{pin}, {SPARE}]}}\n")
        result = monitord("check")
    assert result.code == code
    assert f"{mark} intermediate {pin}" in result.out


def test_a_whole_certificate_is_pinned_by_its_own_digest(world: World, register: Register, monitord: Monitord) -> None:
    """Client certificate; the mark and the pin added later go by that too."""
    pin = world.leaf.certificate.certificate_pin
    with world.serve() as server:
        pins = f"        - {pin}\n        - {SPARE}\n"
        register(server.port, more=f"  pinsets:\n    - name: app\n      client: certificate\n      pins:\n{pins}")
        result = monitord("check")
        server.present(world.renewed, world.intermediate.certificate)
        updated = monitord("add", HOST, "--update")
        assert monitord("check").code == 0
    assert result.code == 0
    assert f"* leaf         {world.leaf.certificate.pin}" in result.out
    assert updated.code == 0, updated
    assert str(world.renewed.certificate.certificate_pin) in updated.out


def test_a_pin_on_an_untrusted_chain_does_not_count_for_that_reason(
    world: World, register: Register, monitord: Monitord
) -> None:
    """The client does look at the leaf; it does not come to that."""
    with world.serve() as server:
        register(server.port, world.leaf.certificate.pin, host="other.example.test")
        text = monitord("check").out
    assert "! is pinned, but the chain is not trusted, so no pin counts" in text


def test_without_host_everything_registered_is_checked(world: World, register: Register, monitord: Monitord) -> None:
    """And the summary counts over all."""
    with world.serve() as server:
        register(server.port, world.leaf.certificate.pin)
        register(server.port, UNKNOWN_PIN, host="other.example.test")
        register(1, UNKNOWN_PIN, host="down.example.test")
        result = monitord("check", "--json")
        text = monitord("check").out
    assert {one["host"]: one["verdict"] for one in result.records} == {
        "api.example.test": "ok",
        "other.example.test": "untrusted",
        "down.example.test": "undetermined",
    }
    assert result.code == 2
    assert text.startswith("MONITORD CRITICAL - 1 of 3 pin sets fail: other.example.test:443 default untrusted\n")


def test_a_host_without_port_means_all_its_registered_ports(world: World, home: Path, monitord: Monitord) -> None:
    """Of a registered host; with a port, only that one."""
    with world.serve() as server:
        entry = f"- host: {HOST}\n  connect_to: ['127.0.0.1:{server.port}']\n  pins: [{world.leaf.certificate.pin}]\n"
        (home / "domains.d" / "a.yaml").write_text(entry + entry.replace("  connect", "  port: 8443\n  connect"))
        assert [one["port"] for one in monitord("check", HOST, "--json").records] == [443, 8443]
        assert [one["port"] for one in monitord("check", f"{HOST}:8443", HOST.upper() + ".", "--json").records] == [
            8443,
            443,
        ]


def test_an_unregistered_host_is_judged_on_trust_alone(world: World, monitord: Monitord) -> None:
    """By the default store; a trusted one is ok, though not pinned."""
    with world.serve(world.local) as server:
        trusted = monitord("check", f"127.0.0.1:{server.port}", "--json")
        text = monitord("check", f"localhost:{server.port}")
        server.present(world.misnamed, world.intermediate.certificate)
        refused = monitord("check", f"127.0.0.1:{server.port}", "--json")
    assert (trusted.code, trusted.record["verdict"], trusted.record["pinset"]) == (0, "not_pinned", "default")
    assert text.out.startswith("MONITORD OK - 1 chain trusted, without pins\n")
    assert (refused.code, refused.record["verdict"]) == (2, "untrusted")


def test_a_registered_endpoint_without_pins_is_a_warning(world: World, register: Register, monitord: Monitord) -> None:
    """It is watched for the pins, and there are none."""
    with world.serve() as server:
        register(server.port)
        result = monitord("check")
    assert result.code == 1
    assert result.out.startswith(f"MONITORD WARNING - 1 of 1 pin sets need attention: {HOST}:443 default no pins are")
    assert f"monitord pin {HOST}:443" in result.out


@pytest.mark.parametrize(("days", "verdict"), [(-1, "pins_expired"), (5, "ok")])
def test_pins_that_expire_are_a_warning(
    world: World, register: Register, monitord: Monitord, days: int, verdict: str
) -> None:
    """Whether they have expired or will within the horizon."""
    when = datetime.now(UTC) + timedelta(days=days)
    pinset = f"  pinsets:\n    - {{name: app, expires: {when:%Y-%m-%d}, pins: [{world.leaf.certificate.pin}]}}\n"
    with world.serve() as server:
        register(server.port, more=pinset)
        result = monitord("check", "--json")
        text = monitord("check")
    assert (result.code, result.record["verdict"]) == (1, verdict)
    assert text.code == 1
    assert "Ship an app release with a later expiry date" in text.out


def test_what_a_server_wrote_cannot_control_the_terminal(world: World, register: Register, monitord: Monitord) -> None:
    """A subject with escape sequences and line ends is shown as text."""
    hostile = pki.issue("evil\x1b[2J\nOK\u202e", issuer=world.intermediate, names=[HOST])
    with world.serve(hostile) as server:
        register(server.port, UNKNOWN_PIN)
        text, lines = monitord("check"), monitord("check", "--json")
    for output in (text.out, lines.out):
        assert all(character.isprintable() or character == "\n" for character in output)
    subject: Any = lines.record["observations"][0]["chain"][0]["subject"]
    assert all(character.isprintable() for character in subject)


def test_nothing_registered_is_no_success(monitord: Monitord) -> None:
    """A monitoring system must not take an empty list for ok."""
    result = monitord("check")
    assert result.code == 3
    assert result.out.startswith("MONITORD UNKNOWN - nothing is registered in ")
    assert "nothing is registered" in result.err
    assert monitord("check", "--json").out == ""


def test_a_host_that_is_none_is_refused(monitord: Monitord) -> None:
    """With the spelling to use."""
    result = monitord("check", "https://api.example.test/")
    complaint = "'https://api.example.test/' is a URL; write only the host name\n"
    assert (result.code, result.out) == (3, f"MONITORD UNKNOWN - {complaint}")
    assert result.err == f"monitord: {complaint}"
