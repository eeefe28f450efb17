"""``run``: the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitord.cli.exitcode import ExitCode
from monitord.cli.terminal import Output
from monitord.daemon.daemon import run as run_daemon

if TYPE_CHECKING:
    from monitord.cli.invocation import Invocation


@click.command(short_help="Run the daemon in the foreground.")
@click.pass_obj
def run(invocation: Invocation) -> ExitCode:
    """Run the daemon in the foreground until SIGTERM or SIGINT; SIGHUP reloads the configuration.

    This is what the systemd unit starts. It logs to standard error: for people on a terminal, else as JSON Lines.
    """
    with Output().progress("reading files") as progress:
        run_daemon(invocation.config, progress)
    return ExitCode.OK
