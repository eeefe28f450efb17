"""monitord(1), out of the help texts of the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from generate.roff import block, escaped, head, inline, tagged, tidied
from monitord.cli.main import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUMMARY = "watch TLS endpoints as pinned mobile apps see them"
_EXIT_CODES = (
    ("0", "all is well"),
    ("1", "a failure is coming, or a pin set is weak"),
    ("2", "apps fail now, or are likely to before a release can reach them (release_time)"),
    ("3", "nothing can be said, or the call or the configuration is wrong"),
)
_ENVIRONMENT = (
    ("MONITORD_CONFIG", "the configuration, where -c names none"),
    ("CREDENTIALS_DIRECTORY", "where secret files are looked for that are not where the configuration says"),
    ("NO_COLOR", "no colours, whatever it is set to"),
    ("MONITORD_DEBUG", "show where in the program a fault arose"),
    (
        "_MONITORD_COMPLETE",
        "set to bash_source, zsh_source or fish_source: print the completion for that shell and do nothing else",
    ),
)
_FILES = (
    ("/etc/monitord/monitord.yaml", "the configuration, monitord.yaml(5)"),
    ("/etc/monitord/domains.d/", "endpoints that monitord add registered"),
    ("/var/lib/monitord/monitord.db", "history, open incidents and messages on their way"),
)
_EXAMPLE = """\
monitord add api.example.com        # pin the key that is served now, and watch
monitord check                      # what the apps would do, now
monitord forecast                   # when the pins stop matching, and why
monitord verify api.example.com --chain new.pem || echo 'do not deploy'
"""


def main_page() -> str:
    """The manual page of the program."""
    context = click.Context(command_line, info_name="monitord", **command_line.context_settings)
    return tidied(
        [
            head("monitord", 1, _SUMMARY),
            ".SH SYNOPSIS\n",
            f".B monitord\n{escaped('[-c FILE] COMMAND [ARGUMENT]...')}\n",
            ".SH DESCRIPTION\n",
            *_paragraphs(command_line.help or ""),
            ".PP\n",
            inline(
                "Every command that prints facts takes `--json`: one JSON object a line on standard output. What is "
                "wrong or dubious is told on standard error."
            ),
            "\n.SH OPTIONS\n",
            *_options(context),
            ".SH COMMANDS\n",
            *(part for name in command_line.list_commands(context) for part in _command(context, name)),
            ".SH EXIT STATUS\n",
            ".PP\nThat of a monitoring plugin:\n",
            *(tagged(rf"\fB{code}\fR", escaped(text)) for code, text in _EXIT_CODES),
            ".SH ENVIRONMENT\n",
            *(tagged(rf"\fB{escaped(name)}\fR", escaped(text)) for name, text in _ENVIRONMENT),
            ".SH FILES\n",
            *(tagged(rf"\fI{escaped(name)}\fR", escaped(text)) for name, text in _FILES),
            ".SH EXAMPLES\n",
            block(_EXAMPLE),
            ".SH SEE ALSO\n.BR monitord.yaml (5),\n.BR systemd.exec (5)\n",
        ]
    )


def _command(above: click.Context, name: str) -> Iterator[str]:
    command = cast("click.Command", cast("click.Group", above.command).get_command(above, name))
    context = click.Context(command, info_name=name, parent=above)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f".SS {escaped(context.command_path)} {escaped(usage)}\n"
    yield from _paragraphs(command.help or "")
    yield from _options(context)
    if isinstance(command, click.Group):
        for nested in command.list_commands(context):
            yield from _command(context, nested)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        code = paragraph.startswith("\b\n")
        yield block(paragraph.removeprefix("\b\n")) if code else f".PP\n{escaped(' '.join(paragraph.split()))}\n"


def _options(context: click.Context) -> Iterator[str]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1] and "--help" not in parameter.opts:
            yield tagged(rf"\fB{escaped(record[0])}\fR", escaped(" ".join(record[1].split())))
