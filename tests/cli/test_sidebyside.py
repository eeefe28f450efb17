from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from monitord.pinning.pins import Client
from tests.cli.conftest import HOST, SPARE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result, World

    Monitord = Callable[..., Result]
    Register = Callable[..., None]

UNKNOWN_PIN = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def _verdicts(result: Result, pinset: str = "app") -> dict[str, str]:
    return {one["client"]: one["verdict"] for one in result.records if one["pinset"] == pinset}


def _rows(text: str) -> dict[str, str]:
    """Client and verdict of the only table; the registered client has a star."""
    words = [line.split() for line in text.splitlines()]
    rows = {}
    for line in words:
        marked = line[1:] if line[:1] == ["*"] else line
        if len(marked) > 2 and marked[0] in list(Client) and marked != line:
            rows["*"] = marked[0]
        if len(marked) > 2 and marked[0] in list(Client):
            rows[marked[0]] = marked[1]
    return rows


def test_every_client_judges_the_same_pins(world: World, register: Register, monitord: Monitord) -> None:
    """An intermediate is pinned: fine for whoever looks at the path, not for curl and whole certificates."""
    pin = world.intermediate.certificate.pin
    failing = {Client.CURL, Client.CERTIFICATE}
    with world.serve() as server:
        register(server.port, more=f"  pinsets:\n    - {{name: app, client: okhttp, pins: [{pin}, {SPARE}]}}\n")
        lines = monitord("check", "--all-clients", "--json")
        text = monitord("check", "--all-clients")
    assert (lines.code, text.code) == (0, 0)
    expected = {client.value: "pin_mismatch" if client in failing else "ok" for client in Client}
    assert _verdicts(lines) == expected
    assert _rows(text.out) == {**expected, "*": "okhttp"}
    assert text.out.startswith("MONITORD OK - 1 pin set ok\n")
    assert [one["client"] for one in lines.records if one["registered"]] == ["okhttp"]
    notes = {one["client"]: one["note"] for one in lines.records if one["note"]}
    assert list(notes) == ["certificate"]
    assert notes["certificate"].endswith("so they can never match")
    assert notes["certificate"] in text.out


def test_the_exit_code_goes_by_the_registered_client(world: World, register: Register, monitord: Monitord) -> None:
    """The apps that use curl fail, however many others would not."""
    pin = world.intermediate.certificate.pin
    with world.serve() as server:
        register(server.port, more=f"  pinsets:\n    - {{name: app, client: curl, pins: [{pin}]}}\n")
        result = monitord("check", "--all-clients")
    assert result.code == 2
    assert result.out.startswith(f"MONITORD CRITICAL - 1 of 1 pin sets fail: {HOST}:443 app pin_mismatch\n")


def test_pins_of_whole_certificates_are_nothing_to_others(world: World, register: Register, monitord: Monitord) -> None:
    """And that is said, rather than that the keys are wrong."""
    pin = world.leaf.certificate.certificate_pin
    with world.serve() as server:
        register(server.port, more=f"  pinsets:\n    - {{name: app, client: certificate, pins: [{pin}, {SPARE}]}}\n")
        lines = monitord("check", "--all-clients", "--json")
    assert lines.code == 0
    assert {one["client"] for one in lines.records if one["note"]} == set(Client) - {Client.CERTIFICATE}
    assert {one["verdict"] for one in lines.records if one["note"]} == {"pin_mismatch"}


def test_apples_lists_are_one_list_for_others(world: World, register: Register, monitord: Monitord) -> None:
    """The leaf of the wrong list fails on Apple only."""
    leaf, root = world.leaf.certificate.pin, world.root.certificate.pin
    with world.serve() as server:
        lists = f"leaf_pins: [{UNKNOWN_PIN}], ca_pins: [{leaf}, {root}]"
        register(server.port, more=f"  pinsets:\n    - {{name: app, client: apple, {lists}}}\n")
        lines = monitord("check", "--all-clients", "--json")
    assert lines.code == 2
    verdicts = _verdicts(lines)
    assert {client for client, verdict in verdicts.items() if verdict != "ok"} == {"apple", "certificate"}


def test_each_pin_set_has_its_own_table(world: World, register: Register, monitord: Monitord) -> None:
    """One object for each pin set and client."""
    with world.serve() as server:
        register(
            server.port,
            more=f"  pinsets:\n    - {{name: a, pins: [{world.leaf.certificate.pin}]}}\n"
            f"    - {{name: b, client: curl, pins: [{UNKNOWN_PIN}]}}\n",
        )
        lines = monitord("check", "--all-clients", "--json")
    assert [(one["pinset"], one["client"]) for one in lines.records] == [
        (name, client.value) for name in ("a", "b") for client in Client
    ]
    assert _verdicts(lines, "a")["curl"] == "ok"
    assert set(_verdicts(lines, "b").values()) == {"pin_mismatch"}


def test_a_chain_is_verified_for_every_client(home: Path, world: World, register: Register, monitord: Monitord) -> None:
    """The gate has the same table; a host without pins keeps its strictest reading for the exit code."""
    (home / "chain.pem").write_bytes(world.leaf.pem + world.intermediate.pem)
    bare = monitord("verify", HOST, "--chain", home / "chain.pem", "--all-clients", "--json")
    assert bare.code == 0
    assert set(_verdicts(bare, "default").values()) == {"not_pinned"}
    register(1, world.intermediate.certificate.pin)
    result = monitord("verify", HOST, "--chain", home / "chain.pem", "--all-clients")
    assert result.code == 0
    assert _rows(result.out)["curl"] == "pin_mismatch"


@pytest.mark.parametrize("arguments", [[], ["--all-clients"]])
def test_a_pin_set_fails_on_one_of_its_trust_stores(
    home: Path, world: World, register: Register, monitord: Monitord, arguments: list[Any]
) -> None:
    """The sentence says on which, whatever the form."""
    (home / "old.pem").write_bytes(world.misnamed.pem)
    main = home / "monitord.yaml"
    main.write_text(main.read_text().replace("  own: root.pem\n", "  own: root.pem\n  android-10: old.pem\n"))
    chain = [world.root.certificate]
    pin = world.leaf.certificate.pin
    with world.serve() as server:
        server.present(world.leaf, world.intermediate.certificate, *chain)
        register(
            server.port,
            more=f"  pinsets:\n    - {{name: app, trust: [own, android-10], client: apple, pins: [{pin}]}}\n",
        )
        result = monitord("check", *arguments)
    assert result.code == 2
    assert "ails on 1 of 2 trust stores (android-10): " in result.out
