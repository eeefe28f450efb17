"""``demo``: the story on loopback."""

from __future__ import annotations

import click

from monitord.cli.exitcode import ExitCode
from monitord.demo.story import run as play


@click.command(short_help="Play a rotation that breaks the apps, on loopback.")
def demo() -> ExitCode:
    """Play a story on loopback: a certificate gets a key that no app knows, people are told, the pins follow.

    Real TLS servers, the daemon, a mail server and a webhook are started, on free ports and in a directory that is
    removed at the end. Takes less than a minute; the exit code is 0 only if every step was observed.
    """
    play(click.echo)
    return ExitCode.OK
