from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from monitord.cli import main
from tests.cli.conftest import HOST
from tests.support.tlsserver import LocalServer, say_nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.cli.conftest import Result, World

    Monitord = Callable[..., Result]
    Register = Callable[..., None]

GOLDEN = Path(__file__).parent / "golden"
PROGRAM = [sys.executable, "-m", "monitord"]
COMMANDS = list(main.command_line.list_commands(click.Context(main.command_line)))
SUBCOMMANDS = ["trust list", "trust show", "trust diff", "outbox resend", "outbox drop"]
_PATIENCE = 60.0


def start(*arguments: object, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program itself to its end."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
        env={**os.environ, **(environment or {})},
    )


def on_a_terminal(arguments: Sequence[object], environment: Mapping[str, str]) -> str:
    """What the program writes to a terminal."""
    leader, follower = pty.openpty()
    try:
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)], stdout=follower, stderr=follower, env={**os.environ, **environment}
        )
        os.close(follower)
        written = bytearray()
        try:
            while piece := os.read(leader, 65536):
                written += piece
        except OSError:  # how Linux tells that the other end is closed
            pass
        process.wait(_PATIENCE)
    finally:
        os.close(leader)
    return written.decode()


@pytest.mark.parametrize("command", ["", *COMMANDS, *SUBCOMMANDS])
def test_help_is_as_documented(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Word for word; the documentation quotes these files."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main.run([*command.split(), "--help"]) == 0
    golden = GOLDEN / f"help-{command.replace(' ', '-') or 'monitord'}.txt"
    assert capsys.readouterr().out == golden.read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_agrees_with_the_commands(command: str) -> None:
    """The list is kept beside them, so that showing it need not load them."""
    loaded = main.command_line.get_command(click.Context(main.command_line), command)
    assert loaded is not None
    assert loaded.name == command
    assert loaded.get_short_help_str(100) in (GOLDEN / "help-monitord.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["chekc"], "monitord: No such command 'chekc'"),
        (["domains", "--nosuch"], "monitord: No such option"),
        (["trust", "shwo"], "monitord: No such command 'shwo'"),
        (["trust", "diff", "mozilla"], "monitord: Missing argument 'B'"),
        (["check", "--json", "--nosuch"], "monitord: No such option"),
        (["verify", "--json"], "monitord: Missing argument 'HOST[:PORT]'"),
        (["verify", "host", "--json"], "monitord: Give one of --chain, --csr and --key."),
        (["verify", "host", "--csr", "a", "--key", "b", "--json"], "monitord: Give one of --chain, --csr and --key."),
        (["verify", "host", "--chain", "a", "--offline", "--json"], "monitord: --offline and --password-file are for"),
        (["-c"], "monitord: Option '-c' requires an argument"),
    ],
)
def test_bad_usage_is_unknown(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, because 2 would tell a monitoring system that apps fail."""
    assert main.run(arguments) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(complaint)
    assert "--help" in err


@pytest.mark.parametrize("arguments", [["check", "--nosuch"], ["verify"], ["verify", "host"]])
def test_bad_usage_of_a_plugin_is_told_to_the_monitoring_system(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the one line of standard output that it shows, beside what a person reads."""
    assert main.run(arguments) == 3
    out, err = capsys.readouterr()
    first, *rest = out.splitlines()
    assert first == f"MONITORD UNKNOWN - {err.splitlines()[0].removeprefix('monitord: ')}"
    assert rest == []


def test_no_command_is_bad_usage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the help, on standard error."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main.run([]) == 3
    out, err = capsys.readouterr()
    assert (out, err) == ("", (GOLDEN / "help-monitord.txt").read_text())


def test_the_program_itself(world: World, home: Path, register: Register) -> None:
    """From its arguments to its exit code, with the configuration named by the environment."""
    environment = {"MONITORD_CONFIG": str(home / "monitord.yaml")}
    with world.serve(world.renewed) as server:
        register(server.port, world.leaf.certificate.pin)
        failing = start("check", HOST, environment=environment)
    assert failing.returncode == 2
    assert failing.stdout.startswith("MONITORD CRITICAL - ")
    assert failing.stderr == ""
    missing = start("check", environment={"MONITORD_CONFIG": str(home / "nowhere.yaml")})
    assert missing.returncode == 3
    assert missing.stdout.startswith("MONITORD UNKNOWN - there is no configuration file ")
    assert missing.stderr.startswith("monitord: there is no configuration file ")
    assert start("--version").stdout.startswith("monitord ")


def test_colour_is_for_terminals(world: World, home: Path, register: Register) -> None:
    """Not for pipes, whatever FORCE_COLOR says, and not where NO_COLOR is set."""
    arguments = ["-c", home / "monitord.yaml", "check"]
    terminal = {"TERM": "xterm-256color", "NO_COLOR": ""}
    with world.serve() as server:
        register(server.port, world.leaf.certificate.pin)
        assert "\x1b[" in on_a_terminal(arguments, terminal)
        plain = on_a_terminal(arguments, {**terminal, "NO_COLOR": "1"})
        piped = start(*arguments, environment={**terminal, "FORCE_COLOR": "1"})
    assert piped.returncode == 0
    assert "\x1b" not in piped.stdout + piped.stderr
    lines = [line.rstrip("\r") for line in plain.split("\n") if "MONITORD" in line]
    assert lines[0].endswith(piped.stdout.splitlines()[0])
    assert "\x1b[3" not in plain


def test_a_reader_that_goes_away_is_no_fault(home: Path) -> None:
    """As with any program in a pipeline: quiet."""
    (home / "domains.d" / "many.yaml").write_text("".join(f"- host: h{n}.example.test\n" for n in range(5000)))
    with subprocess.Popen(
        [*PROGRAM, "-c", str(home / "monitord.yaml"), "domains"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(_PATIENCE) == 141


def test_output_that_cannot_be_written_is_a_sentence() -> None:
    """A full disk, say."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=_PATIENCE
        )
    assert (done.returncode, done.stderr) == (3, "monitord: the system refuses to go on: No space left on device\n")


def test_an_interrupt_is_quiet(home: Path, register: Register) -> None:
    """Ctrl-C while probing: 130 and no traceback. What runs the tests in the background may ignore the signal."""
    with LocalServer(say_nothing, addresses=("127.0.0.1",)) as server:
        register(server.port)
        with subprocess.Popen(
            ["/usr/bin/env", "--default-signal=INT", *PROGRAM, "-c", str(home / "monitord.yaml"), "check"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            server.wait_for_connections(1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=_PATIENCE)
    assert (process.returncode, out, err.strip()) == (130, b"", b"")


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], ["aiohttp", "sqlalchemy", "apscheduler", "OpenSSL", "rich", "yaml", "cryptography", "asyncio"]),
        (["verify", "host"], ["aiohttp", "sqlalchemy", "apscheduler"]),
        (["check", "--help"], ["aiohttp", "sqlalchemy", "apscheduler"]),
        (["domains", "--help"], ["aiohttp", "sqlalchemy", "apscheduler", "OpenSSL"]),
        (["ct-hook"], ["aiohttp", "sqlalchemy", "apscheduler", "OpenSSL", "cryptography", "pydantic", "asyncio"]),
    ],
)
def test_a_command_loads_only_what_it_needs(arguments: list[str], absent: list[str]) -> None:
    """What starts often must start fast."""
    code = "import sys; from monitord.cli.main import run; run(sys.argv[1:]); sys.stderr.write(','.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, timeout=_PATIENCE
    )
    assert set(absent).isdisjoint(done.stderr.split(","))


@click.command()
def broken() -> None:
    """A command with a fault."""
    raise ZeroDivisionError("something\x1b[2J")


def test_a_fault_of_monitord_is_a_sentence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only MONITORD_DEBUG shows where it is."""
    monkeypatch.delenv("MONITORD_DEBUG", raising=False)
    assert main.run([], broken) == 3
    quiet = capsys.readouterr()
    assert quiet.out == ""
    assert quiet.err.startswith("monitord: this is a fault of monitord: ZeroDivisionError: something\\x1b[2J\n")
    assert "Traceback" not in quiet.err
    monkeypatch.setenv("MONITORD_DEBUG", "1")
    assert main.run([], broken) == 3
    assert "Traceback" in capsys.readouterr().err


def test_reading_very_many_files_shows_on_a_terminal_how_far_it_is(tmp_path: Path) -> None:
    """Nothing of it is left there afterwards, and nothing is shown for a single file."""
    (tmp_path / "domains.d").mkdir()
    for number in range(3):
        (tmp_path / "domains.d" / f"{number}.yaml").write_text(f"- host: h{number}.example.com\n")
    config = tmp_path / "monitord.yaml"
    config.write_text("include: [domains.d/*.yaml]\n")
    shown = on_a_terminal(["-c", config, "check-config"], {"TERM": "xterm"})
    assert "reading files" in shown
    assert "3/3" in shown
    config.write_text("include: [domains.d/1.yaml]\n")
    assert "reading files" not in on_a_terminal(["-c", config, "check-config"], {"TERM": "xterm"})
