"""The entry point: finds the command, loads only what it needs, and turns whatever happens into an exit code."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.shell_completion import shell_complete

from monitord.__about__ import __version__
from monitord.cli.exitcode import ExitCode
from monitord.cli.invocation import Invocation
from monitord.errors import MonitordError
from monitord.pinning.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_CONFIG = Path("/etc/monitord/monitord.yaml")
DEBUG_VARIABLE = "MONITORD_DEBUG"
COMPLETION_VARIABLE = "_MONITORD_COMPLETE"
_COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "run": ("run:run", "Run the daemon in the foreground."),
        "check": ("check:check", "Probe now, judge and print; nothing is stored."),
        "forecast": ("forecast:forecast", "When will the pins stop matching, why, and what to do by when?"),
        "verify": ("verify:verify", "Would the apps accept this chain or this key?"),
        "pin": ("pin:pin", "Print the pins of an endpoint or of a file."),
        "add": ("add:add", "Register an endpoint with the pins that it serves now."),
        "remove": ("registered:remove", "Take an endpoint off."),
        "domains": ("registered:domains", "List what is registered."),
        "trust": ("trust:trust", "See trust stores, and what a change of one would do."),
        "replay": ("replay:replay", "Play stories through the rules under a simulated clock."),
        "ct-hook": ("cthook:ct_hook", "What certspotter runs for each certificate that it finds."),
        "incidents": ("incidents:incidents", "What is open now."),
        "history": ("history:history", "What happened at an endpoint."),
        "ack": ("incidents:ack", "Stop the reminders of an incident that somebody has seen."),
        "silence": ("silences:silence", "Keep incidents quiet for a while."),
        "silences": ("silences:silences", "What is silenced, by whom, and until when."),
        "unsilence": ("silences:unsilence", "End a silence before its time."),
        "outbox": ("outbox:outbox", "What is still to be sent, and what was given up."),
        "check-config": ("checkconfig:check_config", "Find every fault of the configuration."),
        "test-alert": ("testalert:test_alert", "Send a real test message to each receiver."),
        "demo": ("demo:demo", "Play a rotation that breaks the apps, on loopback."),
    }
)


class _Commands(click.Group):
    """The commands by name; a command's module is imported when it is called, not to list it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"monitord.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN or bad usage, as of a monitoring plugin.",
)
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    envvar="MONITORD_CONFIG",
    show_envvar=True,
    default=DEFAULT_CONFIG,
    show_default=True,
    metavar="FILE",
    help="The configuration.",
)
@click.version_option(__version__, prog_name="monitord", message="%(prog)s %(version)s")
@click.pass_context
def command_line(ctx: click.Context, config: Path) -> None:
    """Watch TLS endpoints as pinned mobile apps see them, and say when the apps will stop connecting."""
    given = ctx.get_parameter_source("config") is not click.core.ParameterSource.DEFAULT
    ctx.obj = Invocation(config, given, os.environ)


def main() -> NoReturn:
    """Run the command that the arguments name and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if completing := os.environ.get(COMPLETION_VARIABLE):
        sys.exit(shell_complete(command_line, {}, "monitord", COMPLETION_VARIABLE, completing))
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            code = ExitCode.BROKEN_PIPE
        elif code != ExitCode.UNKNOWN:  # else it was said already
            code = _fail(_refusal(error))
        # What is still buffered cannot be written; without this the interpreter would complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(arguments: Sequence[str], commands: click.Command = command_line) -> int:  # noqa: PLR0911 - one for each way to end
    """Run the command that the arguments name; its exit code. Nothing escapes."""
    try:
        with commands.make_context("monitord", list(arguments)) as ctx:
            return int(_result(commands.invoke(ctx)))
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return ExitCode.UNKNOWN
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "monitord"
        return _fail(f"{error.format_message()}\nTry '{path} --help'.")
    except click.ClickException as error:
        return _fail(error.format_message())
    except (KeyboardInterrupt, click.Abort):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return ExitCode.BROKEN_PIPE
    except MonitordError as error:
        return _fail(_sentence(error))
    except OSError as error:  # of the output: whatever else the system refuses is a MonitordError of some room
        _show_traceback()
        return _fail(_refusal(error))
    except Exception as error:  # noqa: BLE001 - the last resort: a person gets a sentence, never a traceback
        _show_traceback()
        return _fail(
            f"this is a fault of monitord: {type(error).__name__}: {error}\n"
            f"Set {DEBUG_VARIABLE}=1 to see where, and report it."
        )


def _result(value: Any) -> int:  # noqa: ANN401 - click passes on whatever a command returns
    return ExitCode.OK if value is None else int(value)


def _sentence(error: MonitordError) -> str:
    faults = getattr(error, "faults", None)
    return f"the configuration cannot be used:\n{error}" if faults else str(error)


def _refusal(error: OSError) -> str:
    return f"the system refuses to go on: {error.strerror or error}"


def _show_traceback() -> None:
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exc()


def _fail(text: str) -> int:
    """Say what is wrong on standard error; the exit code for that."""
    with contextlib.suppress(OSError):  # where standard error is closed the exit code still tells
        click.echo(f"monitord: {printable(text, keep_lines=True)}", err=True)
    return ExitCode.UNKNOWN
