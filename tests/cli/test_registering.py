from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.config.load import load
from monitord.config.starter import starter
from monitord.pinning.target import ConnectAddress
from tests.cli.conftest import HOST
from tests.support.daemon import Daemon
from tests.support.tlsserver import Site, TlsServer

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from monitord.pki import Issued
    from tests.cli.conftest import Result, World

    Monitord = Callable[..., Result]

UNKNOWN_PIN = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


class Alternating(TlsServer):
    """Presents the second certificate from the second connection on."""

    def __init__(self, first: Issued, second: Issued) -> None:
        """A server on 127.0.0.1."""
        super().__init__(first, addresses=("127.0.0.1",))
        self._second = second

    def _talk(self, sock: socket.socket, stopping: threading.Event) -> None:
        if self.connections > 1:
            self.present(self._second)
        super()._talk(sock, stopping)


def registered_pins(home: Path) -> list[str]:
    """The pins of the only endpoint that is registered."""
    (target,) = load(home / "monitord.yaml", environment={}).targets
    return [str(pin) for pinset in target.pinsets for pin in pinset.all_pins]


def test_an_endpoint_is_added_listed_checked_and_removed(world: World, home: Path, monitord: Monitord) -> None:
    """The whole way round, with the leaf's pin."""
    pin = str(world.local.certificate.pin)
    with world.serve(world.local) as server:
        place = f"localhost:{server.port}"
        added = monitord("add", place, "--json")
        file = home / "domains.d" / "localhost.yaml"
        assert added.code == 0
        assert added.record == {
            "host": "localhost",
            "port": server.port,
            "file": str(file),
            "pins": [{"pin": pin, "note": "leaf, CN=localhost", "new": True}],
            "daemon": "not_running",
        }
        assert "warning: this is the only pin: make a spare key now" in added.err
        checked = monitord("check", place)
        assert (checked.code, "need attention" in checked.out, "No backup pin." in checked.out) == (1, True, True)
        listed = monitord("domains", "--json").record
        assert (listed["host"], listed["port"], listed["file"]) == ("localhost", server.port, str(file))
        assert [one["pins"] for one in listed["pinsets"]] == [[pin]]
        assert f"{place}  every 15m  {file}:" in monitord("domains").out
    removed = monitord("remove", "localhost")
    assert removed.code == 0
    assert f"{place} is removed, and {file} with it" in removed.out
    assert not file.exists()
    assert monitord("domains").out == "nothing is registered\n"


@pytest.mark.parametrize("role", ["leaf", "intermediate", "root"])
def test_any_part_of_the_path_can_be_pinned(world: World, home: Path, monitord: Monitord, role: str) -> None:
    """The root is found though it is not served."""
    with world.serve(world.local) as server:
        result = monitord("add", f"localhost:{server.port}", "--pin", role)
    certificate = {"leaf": world.local, "intermediate": world.intermediate, "root": world.root}[role].certificate
    assert result.code == 0
    assert f"{certificate.pin}  {role}, {certificate.display_subject}" in result.out
    assert registered_pins(home) == [str(certificate.pin)]


def test_a_spare_pin_is_kept_as_given(world: World, home: Path, monitord: Monitord) -> None:
    """Beside the live one; then nothing is warned of, if there is somebody to tell."""
    with (home / "monitord.yaml").open("a") as file:
        file.write("receivers: [{name: ops, webhook: {url: 'http://127.0.0.1:1/'}}]\n")
    with world.serve(world.local) as server:
        result = monitord("add", f"localhost:{server.port}", "--pin", "leaf", "--pin", UNKNOWN_PIN)
    assert (result.code, result.err) == (0, "")
    assert registered_pins(home) == [str(world.local.certificate.pin), UNKNOWN_PIN]


def test_the_first_endpoint_needs_no_configuration(world: World, tmp_path: Path, monitord: Monitord) -> None:
    """One to begin with is written, which includes the new file; what is left to be done is said, with its command."""
    config = tmp_path / "empty" / "monitord.yaml"
    root = tmp_path / "root.pem"
    pin = str(world.local.certificate.pin)
    with world.serve(world.local) as server:
        place = f"localhost:{server.port}"
        refused = monitord("-c", config, "add", place)
        assert refused.code == 3
        assert refused.err.startswith("monitord: nothing was registered: ")
        assert not config.parent.exists()
        result = monitord("-c", config, "add", place, "--pin", pin, "--force")
    assert result.code == 0
    assert result.err.splitlines()[-1] == (
        f"monitord: warning: nobody is told of a failure yet: name receivers in {config}, "
        "then try them: monitord test-alert"
    )
    assert result.out.splitlines()[-1] == "no daemon is running; to start one: systemctl enable --now monitord"
    assert monitord("-c", config, "domains", "--json").record["pinsets"][0]["pins"] == [pin]
    config.write_text(f"{config.read_text()}trust: {{default: own, own: {root}}}\n")
    assert monitord("-c", config, "check-config").code == 0


def test_the_file_to_begin_with_loads_with_its_comment_signs_taken_off(tmp_path: Path, monitord: Monitord) -> None:
    """What it suggests is right."""
    text = re.sub(r"^#(?=\S|  )", "", starter(), flags=re.MULTILINE)
    (tmp_path / "monitord.yaml").write_text(re.sub("^.*config_file:.*$", "", text, flags=re.MULTILINE))
    (tmp_path / "smtp-password").write_text("a password\n")
    result = monitord("-c", tmp_path / "monitord.yaml", "check-config")
    assert result.code == 0
    assert "1 receiver: ok" in result.out


def test_what_is_registered_is_only_added_to(world: World, home: Path, monitord: Monitord) -> None:
    """With --update; without, the error says where it is and how to go on."""
    with world.serve(world.local) as server:
        place = f"localhost:{server.port}"
        monitord("add", place)
        again = monitord("add", place)
        assert again.code == 3
        file = home / "domains.d" / "localhost.yaml"
        assert f"{place} is registered already, at {file}:" in again.err
        assert f"monitord add {place} --update" in again.err
        updated = monitord("add", "localhost", "--update", "--pin", "leaf", "--pin", "root")
    assert updated.code == 0
    assert "(already registered)" in updated.out
    assert registered_pins(home) == [str(one.certificate.pin) for one in (world.local, world.root)]
    assert monitord("add", "other.example.test", "--update").err == (
        "monitord: other.example.test:443 is not registered; leave out --update to register it\n"
    )


@pytest.mark.parametrize("which", ["expired", "misnamed", "incomplete", "silent"])
def test_what_is_not_trusted_is_not_registered(world: World, home: Path, monitord: Monitord, which: str) -> None:
    """Nothing is written; given pins alone can be forced."""
    leaf = {"expired": world.expired, "misnamed": world.misnamed}.get(which, world.local)
    extra = () if which == "incomplete" else (world.intermediate.certificate,)
    with TlsServer(leaf, *extra, addresses=("127.0.0.1",)) as server:
        place = f"localhost:{1 if which == 'silent' else server.port}"
        result = monitord("add", place)
        assert (result.code, result.out) == (3, "")
        assert result.err.startswith("monitord: nothing was registered: ")
        assert not list((home / "domains.d").iterdir())
        forced = monitord("add", place, "--force", "--pin", UNKNOWN_PIN)
    assert forced.code == 0
    assert registered_pins(home) == [UNKNOWN_PIN]
    (written,) = (home / "domains.d").iterdir()
    assert "given by hand, what was served could not be compared" in written.read_text("utf-8")


def test_force_needs_given_pins(monitord: Monitord) -> None:
    """Nothing that was seen at an endpoint that is not trusted may become a pin."""
    result = monitord("add", "localhost", "--force")
    assert (result.code, result.out) == (3, "")
    assert "--force needs every pin given as --pin sha256/..." in result.err


def test_the_pins_of_both_types_of_key_are_registered(world: World, home: Path, monitord: Monitord) -> None:
    """A server with an RSA and an ECDSA certificate may show the apps either."""
    rsa = pki.issue("localhost", issuer=world.intermediate, names=["localhost"], key=pki.new_key("rsa"))
    other = Site(rsa, [world.intermediate.certificate])
    with TlsServer(world.local, world.intermediate.certificate, other=other, addresses=["127.0.0.1"]) as server:
        assert monitord("add", f"localhost:{server.port}").code == 0
        assert monitord("check", "localhost", "--json").record["verdict"] == "ok"
    assert set(registered_pins(home)) == {str(leaf.certificate.pin) for leaf in (world.local, rsa)}


def test_two_probes_that_disagree_register_nothing(world: World, home: Path, monitord: Monitord) -> None:
    """A server behind a balancer, or somebody in between: the second look shows another key."""
    first, second = (pki.issue("localhost", issuer=world.root, names=["localhost"]) for _ in range(2))
    with Alternating(first, second) as server:
        result = monitord("add", f"localhost:{server.port}")
    assert result.code == 3
    assert "disagree about the leaf" in result.err
    assert not list((home / "domains.d").iterdir())


def test_a_pin_that_is_misspelt_is_corrected(monitord: Monitord) -> None:
    """As everywhere."""
    result = monitord("add", "localhost", "--pin", UNKNOWN_PIN.removesuffix("="))
    assert result.code == 3
    assert f"lacks the final =; write {UNKNOWN_PIN}" in result.err


def test_a_pin_that_does_not_match_is_warned_of(world: World, monitord: Monitord) -> None:
    """It is registered: it may well be what the apps have."""
    with world.serve(world.local) as server:
        result = monitord("add", f"localhost:{server.port}", "--pin", UNKNOWN_PIN)
    assert result.code == 0
    assert "warning: apps with these pins fail to connect now: no pin matches" in result.err


def test_a_file_that_is_not_included_is_warned_of(world: World, home: Path, monitord: Monitord) -> None:
    """Then nothing is watched, and that is no success."""
    main = home / "monitord.yaml"
    main.write_text(main.read_text().replace('include: ["domains.d/*.yaml"]\n', ""))
    with world.serve(world.local) as server:
        result = monitord("add", f"localhost:{server.port}")
    assert result.code == 1
    assert 'add the line include: ["domains.d/*.yaml"]' in result.err


def test_what_is_not_registered_cannot_be_removed(monitord: Monitord) -> None:
    """And a host with several ports has to be named with one."""
    result = monitord("remove", "localhost")
    assert (result.code, result.out) == (3, "")
    assert result.err == "monitord: localhost is not registered; to see what is: monitord domains\n"


def test_an_endpoint_among_others_is_removed_by_hand(home: Path, monitord: Monitord) -> None:
    """The error names the line."""
    file = home / "domains.d" / "all.yaml"
    file.write_text("- host: a.example.test\n- host: b.example.test\n")
    result = monitord("remove", "b.example.test")
    assert result.code == 3
    assert f"remove it by hand at {file}:2" in result.err


async def test_a_running_daemon_takes_the_change(world: World, home: Path, monitord: Monitord) -> None:
    """And says so; where it cannot, that is told, and what was written stays."""
    main = home / "monitord.yaml"
    with world.serve(world.local) as server:
        async with Daemon(main):
            added = await asyncio.to_thread(monitord, "add", f"localhost:{server.port}")
            assert added.code == 0
            assert "the daemon says: reloaded: watching 1 domain" in added.out
            removed = await asyncio.to_thread(monitord, "remove", "localhost", "--json")
            assert (removed.code, removed.record["daemon"]) == (0, "reloaded")
            with main.open("a") as file:
                file.write("receivers: [{name: x, webhook: {url: 'http://127.0.0.1:1/', secret_file: nowhere}}]\n")
            refused = await asyncio.to_thread(monitord, "add", f"localhost:{server.port}", "--json")
    assert (refused.code, refused.record["daemon"]) == (1, "refused")
    assert "so the old one stays in force" in refused.err
    assert (home / "domains.d" / "localhost.yaml").exists()


def test_an_entry_says_what_the_options_said(world: World, home: Path, monitord: Monitord) -> None:
    """And the probes went by it: address, name and trust store."""
    main = home / "monitord.yaml"
    main.write_text(main.read_text().replace("default: own", "unused: root.pem"))
    with world.serve() as server:
        options = [
            "--connect-to",
            f"127.0.0.1:{server.port}",
            "--server-name",
            HOST,
            "--trust",
            "own",
            "--name",
            "app 5",
        ]
        options += ["--interval", "5m", "--label", "team=pay$ments", "--label", "tier="]
        result = monitord("add", "shop.example.test:8443", *options)
        assert result.code == 0, result
        assert monitord("check", "--json").record["verdict"] == "ok"
    (target,) = load(main, environment={}).targets
    (pinset,) = target.pinsets
    assert (target.endpoint, target.server_name, target.trust) == ("shop.example.test:8443", HOST, ("own",))
    assert target.connect_to == (ConnectAddress("127.0.0.1", server.port),)
    assert (target.interval, dict(target.labels)) == (timedelta(minutes=5), {"team": "pay$ments", "tier": ""})
    assert (pinset.name, pinset.pins) == ("app 5", (world.leaf.certificate.pin,))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--connect-to", "localhost"], "'localhost' is not an IP address"),
        (["--server-name", "a b"], "'a b' has blanks in it"),
        (["--trust", "nosuch"], "trust store 'nosuch' is not defined; there are: mozilla, own, system"),
        (["--interval", "often"], "'often' is not a duration"),
        (["--label", "team"], "--label is written KEY=VALUE"),
        (["--interval", "1s"], "would be faulty: interval '1s' is shorter than 5s"),
        (["--label", "host=x"], "would be faulty: "),
        (["--update", "--interval", "5m"], "--update only adds pins"),
    ],
)
def test_options_that_no_entry_can_hold_are_refused(
    world: World, home: Path, monitord: Monitord, options: list[str], complaint: str
) -> None:
    """Nothing is written."""
    with world.serve(world.local) as server:
        result = monitord("add", f"localhost:{server.port}", *options)
    assert (result.code, result.out) == (3, "")
    assert complaint in result.err
    assert not list((home / "domains.d").iterdir())
