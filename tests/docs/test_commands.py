from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from monitord.cli.main import command_line
from tests.docs.documents import DOCUMENTS, Block, all_blocks, blocks, prose, spans

if TYPE_CHECKING:
    from pathlib import Path

_SHELL_BLOCKS = ("sh", "console")
_PROMPT = re.compile(r"^[$#] ")
_END_OF_COMMAND = re.compile(r"\s*(?:\|\||&&|[|;>]|(?:^|\s)#).*$")
# "monitord" of systemctl and the like is the service's name.
_CALL = re.compile(r"(?:^|(?<=[\s(]))(?:/\S*/)?monitord(?= )(?P<rest>.*)$")
_OTHER_PROGRAMS = re.compile(r"\b(?:systemctl|journalctl|ln|rm|cp)\b.*\bmonitord")
HELP = [block for block in all_blocks("console") if "--help\n" in block.text]


def calls(document: Path) -> list[str]:
    """The arguments of every call of monitord that a document shows, in blocks of shell and between backticks."""
    lines = [line for info in _SHELL_BLOCKS for block in blocks(document, info) for line in block.text.splitlines()]
    found = []
    for line in [*lines, *spans(prose(document))]:
        bare = _END_OF_COMMAND.sub("", _PROMPT.sub("", line))
        match = _CALL.search(bare)
        if match and not _OTHER_PROGRAMS.search(bare):
            found.append(match["rest"].strip())
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_options_exist(document: Path) -> None:
    """Whatever is written to be typed is understood by the program, as far as command and options go."""
    for call in calls(document):
        words = shlex.split(re.sub(r"[\[\]|…]|\.\.\.", " ", call))
        options = {option for parameter in command_line.params for option in parameter.opts}
        command: click.Command = command_line
        while words:
            word = words.pop(0)
            if word.startswith("--") or (word.startswith("-") and len(word) == 2):
                assert word in options | {"--help", "-h"}, f"monitord {call}: {word}"
                if word in ("-c", "--config"):
                    words.pop(0)
            elif isinstance(command, click.Group) and not word.isupper():
                found = command.get_command(click.Context(command), word)
                assert found is not None, f"monitord {call}: {word}"
                command = found
                options = {option for parameter in command.params for option in parameter.opts}


def test_calls_are_found() -> None:
    """The search sees blocks, prompts, paths in front and spans; it takes no service for a command."""
    shown = [call for document in DOCUMENTS for call in calls(document)]
    assert "add api.example.com --update --pin sha256/…" in shown
    assert "check-config" in shown
    assert "trust diff android-10 new.pem" in shown
    assert "verify api.example.com --chain /etc/letsencrypt/live/api.example.com/fullchain.pem" in shown
    assert "-c /etc/monitord/monitord.yaml check" not in shown
    assert not [call for call in shown if call.startswith(("monitord", "service"))]


def test_the_readme_lists_every_command() -> None:
    """The table of commands is complete, and names none that is not there."""
    table = prose(DOCUMENTS[0]).split("## Commands")[1].split("## ")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {span.split()[0] for cell in first_cells for span in spans(cell)}
    assert named == set(command_line.list_commands(click.Context(command_line)))


@pytest.mark.parametrize("block", HELP, ids=lambda block: block.text.splitlines()[0])
def test_help_is_quoted_as_it_is(block: Block) -> None:
    """A quoted help text is what the program prints on a terminal of 80 columns."""
    first, _, quoted = block.text.partition("\n")
    arguments = shlex.split(first.removeprefix("$ monitord "))
    result = CliRunner().invoke(command_line, arguments, prog_name="monitord", terminal_width=78)
    assert quoted.splitlines() == result.output.splitlines()


def test_a_help_text_is_quoted() -> None:
    """There is something to compare."""
    assert HELP
