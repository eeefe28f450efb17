from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import HOST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

    Monitord = Callable[..., Result]
    Register = Callable[..., None]

PINS = ["sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "sha256/BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="]


def test_every_fault_is_told_with_its_line(home: Path, monitord: Monitord) -> None:
    """All at once, on standard error, ready for an editor."""
    (home / "domains.d" / "a.yaml").write_text("- host: bad host\n- host: b.example.test\n  pins: [nonsense]\n")
    result = monitord("check-config")
    assert (result.code, result.out) == (3, "")
    first, second = result.err.splitlines()
    assert first.startswith(f"{home}/domains.d/a.yaml:1: host 'bad host' has blanks in it")
    assert second.startswith(f"{home}/domains.d/a.yaml:3: pin 'nonsense' ")
    lines = monitord("check-config", "--json")
    assert lines.code == 3
    assert [(one["severity"], one["line"]) for one in lines.records] == [("error", 1), ("error", 3)]


def test_a_sound_configuration_is_counted(home: Path, register: Register, monitord: Monitord) -> None:
    """What is merely dubious is a warning and no failure."""
    register(1, *PINS)
    receiver = "receivers: [{name: hook, webhook: {url: 'http://127.0.0.1:1/'}}]\n"
    with (home / "monitord.yaml").open("a") as file:
        file.write(receiver)
    result = monitord("check-config")
    assert (result.code, result.out) == (0, "1 domain, 1 pin set, 1 receiver: ok\n")
    register(1, PINS[0], lone=True)
    warned = monitord("check-config")
    assert (warned.code, warned.out) == (0, "1 domain, 1 pin set, 1 receiver: ok\n")
    assert f"{home}/domains.d/{HOST}.yaml:3: warning: there is only one pin" in warned.err
    assert {one["severity"] for one in monitord("check-config", "--json").records} == {"warning"}


def test_other_commands_tell_all_faults_too(home: Path, monitord: Monitord) -> None:
    """Under a sentence that says what they are."""
    (home / "domains.d" / "a.yaml").write_text("- hots: a.example.test\n")
    for command in ("check", "domains", "add", "remove"):
        result = monitord(command, *([] if command in ("check", "domains") else [HOST]))
        fault = f"the configuration cannot be used: {home}/domains.d/a.yaml:1: "
        assert result.code == 3
        assert result.out.startswith(f"MONITORD UNKNOWN - {fault}" if command == "check" else "")
        assert result.out.count("\n") == (command == "check")
        assert result.err.startswith(f"monitord: the configuration cannot be used:\n{home}/domains.d/a.yaml:1: ")


@pytest.mark.parametrize(
    "words", [["check"], ["check", HOST], ["domains"], ["remove", HOST], ["trust", "show", "mozilla"]]
)
def test_a_configuration_that_is_not_there_says_how_to_begin(home: Path, monitord: Monitord, words: list[str]) -> None:
    """Whoever has just installed it is told what to write and what to call next."""
    result = monitord("-c", home / "nowhere.yaml", *words)
    assert result.code == 3
    assert result.err == (
        f"monitord: there is no configuration file {home}/nowhere.yaml: to make one and register an endpoint, call "
        f"monitord -c {home}/nowhere.yaml add HOST\n"
    )


def test_check_config_names_the_file_that_is_not_there(home: Path, monitord: Monitord) -> None:
    """As a fault like others, for programs too."""
    lines = monitord("-c", home / "nowhere.yaml", "check-config", "--json")
    assert lines.code == 3
    assert lines.record["message"].startswith("the file cannot be read: ")
