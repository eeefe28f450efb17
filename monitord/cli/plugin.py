"""Commands that serve as a monitoring plugin: whatever happens, the first line of standard output says how it ended."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from monitord.cli.exitcode import ExitCode
from monitord.errors import MonitordError
from monitord.pinning.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_JSON = "--json"


class Plugin(click.Command):
    """A command whose faults are told on standard output too, in one line, unless JSON is asked for there.

    A monitoring system shows the first line of standard output and drops standard error.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> click.Context:
        """As click does it, with a line about bad usage."""
        words = list(args)  # click takes them out
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            _tell(error.format_message(), words)
            raise

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """As click does it, with a line about what cannot be used."""
        words = [_JSON] * bool(ctx.params.get("as_json"))
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            _tell(error.format_message(), words)
            raise
        except MonitordError as error:
            _tell(_in_one_line(error), words)
            raise


def status_text(text: str) -> str:
    """A text fit for the first line: monitoring systems take what follows a bar for performance data."""
    return printable(text).replace("|", "/")


def _tell(text: str, words: Sequence[str]) -> None:
    if _JSON not in words:
        with contextlib.suppress(OSError):  # the fault itself is still to be told on standard error
            click.echo(f"MONITORD {ExitCode.UNKNOWN.name} - {status_text(text)}")


def _in_one_line(error: MonitordError) -> str:
    faults = getattr(error, "faults", ())
    if not faults:
        return str(error)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"the configuration cannot be used: {faults[0]}{more}"
