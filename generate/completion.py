"""Completion scripts, as click writes them: they ask the program itself, so they know every command of its version."""

from __future__ import annotations

from click.shell_completion import get_completion_class

from monitord.cli.main import COMPLETION_VARIABLE, command_line

SHELLS = {"bash": "monitord.bash", "zsh": "_monitord", "fish": "monitord.fish"}


def completion(shell: str) -> str:
    """The script for a shell."""
    made = get_completion_class(shell)
    if made is None:
        raise ValueError(shell)
    return made(command_line, {}, "monitord", COMPLETION_VARIABLE).source().strip() + "\n"
