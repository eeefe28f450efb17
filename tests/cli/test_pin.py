from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization

from monitord import pki
from monitord.pinning.pins import parse_pin
from tests.cli.conftest import HOST
from tests.support.tlsserver import TlsServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result, World

    Monitord = Callable[..., Result]
    Register = Callable[..., None]


def test_a_live_endpoint_shows_its_path(world: World, register: Register, monitord: Monitord) -> None:
    """What it serves, and the root that it does not serve."""
    with world.serve() as server:
        register(server.port, world.leaf.certificate.pin)
        result = monitord("pin", HOST, "--json")
        text = monitord("pin", HOST)
    assert result.code == 0
    assert [(one["role"], one["spki"], one["presented"]) for one in result.records] == [
        ("leaf", str(world.leaf.certificate.pin), True),
        ("intermediate", str(world.intermediate.certificate.pin), True),
        ("root", str(world.root.certificate.pin), False),
    ]
    assert result.records[0]["source"] == f"{HOST}:443"
    assert f"leaf          {world.leaf.certificate.pin}  CN={HOST}" in text.out
    assert "not sent by the server" in text.out


def test_a_chain_that_is_not_trusted_is_shown_with_a_note(world: World, monitord: Monitord) -> None:
    """The pins are facts nevertheless."""
    with TlsServer(world.leaf, addresses=("127.0.0.1",)) as server:
        result = monitord("pin", f"127.0.0.1:{server.port}", "--json")
    assert result.code == 0
    assert result.record["spki"] == str(world.leaf.certificate.pin)
    assert f"127.0.0.1:{server.port}: untrusted: " in result.err


def test_a_silent_endpoint_is_unknown(monitord: Monitord) -> None:
    """With the reason on standard error."""
    result = monitord("pin", "127.0.0.1:1")
    assert (result.code, result.out) == (3, "")
    assert "undetermined: no chain was seen (refused: " in result.err


def test_addresses_that_differ_are_both_shown(world: World, register: Register, monitord: Monitord) -> None:
    """And it is said."""
    with world.serve() as old, world.serve(world.renewed, addresses=("127.0.0.2",), port=old.port):
        register(old.port, world.leaf.certificate.pin, addresses=("127.0.0.1", "127.0.0.2"))
        result = monitord("pin", HOST, "--json")
    leaves = {one["spki"] for one in result.records if one["role"] == "leaf"}
    assert leaves == {str(world.leaf.certificate.pin), str(world.renewed.certificate.pin)}
    assert "its addresses serve 2 different certificates" in result.err


def test_files_of_all_kinds(home: Path, world: World, monitord: Monitord) -> None:
    """A chain, and a bare key; each key is shown under its file."""
    (home / "chain.pem").write_bytes(world.leaf.pem + world.intermediate.pem + world.root.pem)
    (home / "key.pem").write_bytes(world.renewed.key_pem)
    result = monitord("pin", home / "chain.pem", home / "key.pem", "--json")
    assert [(one["holder"], one["role"], one["spki"]) for one in result.records] == [
        ("certificate", "leaf", str(world.leaf.certificate.pin)),
        ("certificate", "intermediate", str(world.intermediate.certificate.pin)),
        ("certificate", "root", str(world.root.certificate.pin)),
        ("private_key", None, str(world.renewed.certificate.pin)),
    ]
    text = monitord("pin", home / "key.pem").out
    assert text == f"{home}/key.pem\n  private key   {world.renewed.certificate.pin}\n"


def test_an_encrypted_key_needs_a_password_file(home: Path, world: World, monitord: Monitord) -> None:
    """Where nobody can be asked; a wrong password is said too."""
    key = world.leaf.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    (home / "key.pem").write_bytes(key)
    (home / "password").write_text("secret\n")
    (home / "wrong").write_text("guess")
    good = monitord("pin", home / "key.pem", "--password-file", home / "password", "--json")
    assert good.record["spki"] == str(world.leaf.certificate.pin)
    assert monitord("pin", home / "key.pem").err.endswith(
        "key.pem: the private key is encrypted; give its password with --password-file\n"
    )
    assert "the password is wrong" in monitord("pin", home / "key.pem", "--password-file", home / "wrong").err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["./nowhere.pem"], "./nowhere.pem: there is no such file"),
        (["monitord.yaml"], "it is no certificate, request, key or PKCS#12 file"),
        (["a b"], "has blanks in it"),
        (["x", "--format", "curl", "--json"], "--format and --json exclude each other."),
        (["x", "--role", "root"], "--role and --host are for --format."),
        (["x", "--format", "nosuch"], "'nosuch' is not one of"),
    ],
)
def test_bad_input_is_explained(home: Path, monitord: Monitord, arguments: list[str], complaint: str) -> None:
    """With exit code 3 and nothing on standard output."""
    words = [str(home / word) if word.endswith(".yaml") else word for word in arguments]
    result = monitord("pin", *words)
    assert (result.code, result.out) == (3, "")
    assert complaint in result.err


def test_a_snippet_of_an_endpoint_has_the_spare_keys_of_files(
    home: Path, world: World, register: Register, monitord: Monitord
) -> None:
    """The leaf's pin and that of the file."""
    (home / "spare.pem").write_bytes(world.renewed.key_pem)
    with world.serve() as server:
        register(server.port, world.leaf.certificate.pin)
        result = monitord("pin", HOST, home / "spare.pem", "--format", "okhttp")
    assert result.code == 0
    assert result.out == (
        "val certificatePinner = CertificatePinner.Builder()\n"
        f'    .add("{HOST}", "{world.leaf.certificate.pin}")  // leaf, CN={HOST}\n'
        f'    .add("{HOST}", "{world.renewed.certificate.pin}")  // private_key\n'
        "    .build()\n"
    )


def test_a_snippet_of_files_is_for_the_host_that_the_certificate_names(
    home: Path, world: World, monitord: Monitord
) -> None:
    """Or for the one that was said, which a bare key needs."""
    (home / "chain.pem").write_bytes(world.leaf.pem + world.intermediate.pem)
    (home / "key.pem").write_bytes(world.renewed.key_pem)
    assert f'- host: "{HOST}"' in monitord("pin", home / "chain.pem", "--format", "monitord").out
    named = monitord("pin", home / "key.pem", "--format", "monitord", "--host", "www.example.test")
    assert '- host: "www.example.test"' in named.out
    assert "say for which host the pins are: --host" in monitord("pin", home / "key.pem", "--format", "monitord").err


def test_roles_choose_what_is_pinned(home: Path, world: World, monitord: Monitord) -> None:
    """And a client that would not do what is meant is refused."""
    (home / "chain.pem").write_bytes(world.leaf.pem + world.intermediate.pem)
    chosen = monitord("pin", home / "chain.pem", "--format", "hpkp", "--role", "intermediate", "--host", HOST)
    assert world.intermediate.certificate.pin in _pins(chosen.out)
    refused = monitord("pin", home / "chain.pem", "--format", "curl", "--role", "intermediate", "--host", HOST)
    assert (refused.code, refused.out) == (3, "")
    assert "an authority's pin for api.example.test never matches" in refused.err
    nothing = monitord("pin", home / "chain.pem", "--format", "curl", "--role", "root")
    assert "there is nothing to pin: no root was found" in nothing.err


def _pins(text: str) -> list[object]:
    return [parse_pin("sha256/" + part[:44]) for part in text.split('pin-sha256="')[1:]]


def test_a_hostile_subject_stays_in_its_comment(home: Path, world: World, monitord: Monitord) -> None:
    """A line end in a subject cannot add a line to a snippet."""
    hostile = pki.issue('x\n- host: "evil', issuer=world.root, names=[HOST])
    (home / "leaf.pem").write_bytes(hostile.pem)
    text = monitord("pin", home / "leaf.pem", "--format", "monitord").out
    assert text.count("\n") == 3
