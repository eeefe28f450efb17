from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from monitord import pki
from tests.cli.conftest import HOST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitord.pki import Issued
    from tests.cli.conftest import Result, World

    Monitord = Callable[..., Result]
    Register = Callable[..., None]


@pytest.fixture(scope="session")
def retired() -> Issued:
    """A root that has expired."""
    return pki.issue("Retired Root", not_after=datetime(2024, 1, 1, tzinfo=UTC))


@pytest.fixture
def stores(home: Path, world: World, retired: Issued) -> Path:
    """Stores beside ``own``: ``wider`` has one root more, ``other`` has only that one."""
    (home / "wider.pem").write_bytes(world.root.pem + retired.pem)
    (home / "other.pem").write_bytes(retired.pem)
    main = home / "monitord.yaml"
    main.write_text(
        main.read_text().replace("  own: root.pem\n", "  own: root.pem\n  wider: wider.pem\n  other: other.pem\n")
    )
    return home


def _verdicts(result: Result) -> list[tuple[Any, ...]]:
    return [
        (one["pinset"], one["before"]["verdict"], one["after"]["verdict"], one["starts_to_fail"])
        for one in result.records
        if one["type"] == "verdict"
    ]


def test_the_stores_are_listed(stores: Path, register: Register, world: World, monitord: Monitord) -> None:
    """Those of the configuration and the built-in ones, with what they hold and who uses them."""
    register(1, world.leaf.certificate.pin)
    result = monitord("trust", "list", "--json")
    assert result.code == 0
    found = {one["store"]: one for one in result.records}
    assert set(found) == {"mozilla", "system", "own", "wider", "other"}
    own = found["own"]
    assert (own["anchors"], own["pinsets"], own["default"]) == (1, 1, True)
    assert own["file"] == str(stores / "root.pem")
    assert (found["wider"]["anchors"], found["wider"]["pinsets"], found["wider"]["default"]) == (2, 0, False)
    assert found["mozilla"]["anchors"] > 50
    assert found["mozilla"]["file"] is None
    text = monitord("trust", "list").out
    assert (
        f"own  the default\n  1 anchor, sha256 {own['sha256']}\n  {stores}/root.pem, used by 1 registered pin" in text
    )


def test_a_store_that_cannot_be_read_is_unknown(stores: Path, monitord: Monitord) -> None:
    """The others are listed all the same."""
    (stores / "other.pem").write_text("nothing")
    result = monitord("trust", "list", "--json")
    assert result.code == 3
    found = {one["store"]: one for one in result.records}
    assert found["other"]["anchors"] is None
    assert "there is no readable certificate in" in found["other"]["error"]
    assert found["wider"]["anchors"] == 2


def test_the_anchors_of_a_store_are_shown(stores: Path, world: World, retired: Issued, monitord: Monitord) -> None:
    """By name or by file; those that have expired are marked."""
    result = monitord("trust", "show", "wider", "--json")
    assert result.code == 0
    assert [(one["subject"], one["expired"]) for one in result.records] == [
        ("CN=Root", False),
        ("CN=Retired Root", True),
    ]
    assert result.records[0]["spki"] == str(world.root.certificate.pin)
    assert result.records[1]["not_after"] == "2024-01-01T00:00:00Z"
    text = monitord("trust", "show", stores / "wider.pem").out
    assert f"  {retired.certificate.pin}  2024-01-01 expired  CN=Retired Root\n" in text
    assert f"  {world.root.certificate.pin}  2045-01-01          CN=Root\n" in text


def test_a_name_that_is_no_store_is_refused(monitord: Monitord) -> None:
    """With the names that there are."""
    result = monitord("trust", "show", "nowhere")
    assert (result.code, result.out) == (3, "")
    assert "nowhere is neither a trust store of the configuration (mozilla, system, own) nor a file" in result.err


@pytest.mark.usefixtures("stores")
def test_a_store_without_the_root_breaks_the_pin_set(world: World, register: Register, monitord: Monitord) -> None:
    """No server sends the root, but it is known which one was taken out: untrusted, not undetermined."""
    with world.serve() as server:
        register(server.port, world.leaf.certificate.pin)
        result = monitord("trust", "diff", "own", "other", "--json")
        text = monitord("trust", "diff", "own", "other")
    assert (result.code, text.code) == (2, 2)
    assert _verdicts(result) == [("default", "ok", "untrusted", True)]
    assert [(one["change"], one["subject"]) for one in result.records if one["type"] == "anchor"] == [
        ("removed", "CN=Root"),
        ("added", "CN=Retired Root"),
    ]
    assert f"- {world.root.certificate.pin}  2045-01-01" in text.out
    assert f"  ok → untrusted  {HOST}:443  pin set default, client generic\n" in text.out
    assert "1 of 1 registered pin sets change their verdict\n" in text.out


def test_a_store_with_more_changes_nothing(stores: Path, world: World, register: Register, monitord: Monitord) -> None:
    """The verdict on each pin set that uses it is told to programs all the same."""
    with world.serve() as server:
        register(server.port, world.leaf.certificate.pin)
        result = monitord("trust", "diff", "own", stores / "wider.pem", "--json")
        back = monitord("trust", "diff", stores / "root.pem", "wider")
    assert (result.code, _verdicts(result)) == (0, [("default", "ok", "ok", False)])
    assert back.code == 0
    assert "0 anchors removed, 1 added\n" in back.out
    assert "0 of 1 registered pin sets change their verdict\n" in back.out


@pytest.mark.usefixtures("stores")
def test_a_pin_set_that_fails_already_does_not_start_to(world: World, register: Register, monitord: Monitord) -> None:
    """The other way round it gets better."""
    with world.serve() as server:
        register(
            server.port,
            more=f"  pinsets:\n    - {{name: app, trust: [other, own], pins: [{world.renewed.certificate.pin}]}}\n",
        )
        assert monitord("trust", "diff", "own", "other").code == 0


@pytest.mark.usefixtures("stores")
def test_only_the_pin_sets_that_use_the_store_count(world: World, register: Register, monitord: Monitord) -> None:
    """Unless all are asked for, as if each used it."""
    pin = world.leaf.certificate.pin
    with world.serve() as server:
        entries = [
            f"    - {{name: {name}, trust: {store}, pins: [{pin}]}}\n" for name, store in (("a", "own"), ("b", "wider"))
        ]
        register(server.port, more="  pinsets:\n" + "".join(entries))
        some = monitord("trust", "diff", "wider", "other", "--json")
        every = monitord("trust", "diff", "wider", "other", "--all", "--json")
        none = monitord("trust", "diff", "mozilla", "other")
    assert _verdicts(some) == [("b", "ok", "untrusted", True)]
    assert _verdicts(every) == [("a", "ok", "untrusted", True), ("b", "ok", "untrusted", True)]
    assert (some.code, every.code, none.code) == (2, 2, 0)
    assert "no registered pin set uses mozilla; to judge all as if they did: --all\n" in none.out


@pytest.mark.usefixtures("stores")
def test_an_endpoint_that_is_silent_is_unknown(world: World, register: Register, monitord: Monitord) -> None:
    """Nothing may be said of it, so it is no success."""
    register(1, world.leaf.certificate.pin)
    result = monitord("trust", "diff", "own", "other")
    assert result.code == 3
    assert f"  undetermined  {HOST}:443  pin set default, client generic\n" in result.out


def test_the_same_anchors_need_no_probe(stores: Path, register: Register, world: World, monitord: Monitord) -> None:
    """Whatever the names."""
    register(1, world.leaf.certificate.pin)
    result = monitord("trust", "diff", "own", stores / "root.pem")
    assert (result.code, result.out) == (0, "the anchors are the same\n")
