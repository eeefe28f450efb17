"""What commands print: for people in colour on a terminal, JSON Lines for programs, diagnostics on standard error.

Subjects of certificates and error texts are chosen by whoever runs the server that was probed. Nothing of them reaches
the terminal but printable characters.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from monitord.pinning.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from rich.status import Status

_ENCODING_VARIABLES = ("PYTHONIOENCODING", "LC_ALL", "LC_CTYPE", "LANG")  # the first that is set decides


class Output:
    """Where a command writes. ``as_json``: facts go out as JSON Lines, and texts for people are left out."""

    def __init__(self, *, as_json: bool = False) -> None:
        """An output on the standard streams as they are now."""
        self.as_json = as_json
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)

    @property
    def is_terminal(self) -> bool:
        """Whether a person sees the output as it comes."""
        return self._out.is_terminal

    @property
    def width(self) -> int:
        """How many columns a line has; 80 where nobody says."""
        return self._out.width

    @property
    def breaks_at(self) -> int | None:
        """How many columns a line of a paragraph has: those of a terminal, elsewhere as many as it needs."""
        return self.width if self.is_terminal else None

    @property
    def has_unicode(self) -> bool:
        """Whether more than ASCII can be shown: not in the locale C, for which Python writes UTF-8 all the same."""
        named = next(filter(None, map(os.environ.get, _ENCODING_VARIABLES)), "")
        return self._out.encoding.startswith("utf") and named not in ("C", "POSIX")

    def fact(self, record: Mapping[str, Any]) -> None:
        """One line of JSON, if that is asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(_plain_values(record), separators=(",", ":")) + "\n")

    def say(self, text: Text | str = "", style: str = "") -> None:
        """A line for people, unless JSON is asked for."""
        if not self.as_json:
            self._out.print(text if isinstance(text, Text) else Text(printable(text), style), soft_wrap=True)

    def write(self, text: str) -> None:
        """A text that is a file of its own, as it is."""
        if not self.as_json:
            sys.stdout.write(text)

    def note(self, text: object) -> None:
        """A diagnostic: what is dubious or what happened beside the facts; to standard error in either case."""
        self._err.print(Text.assemble("monitord: ", printable(text, keep_lines=True)), soft_wrap=True)

    def lines(self, text: object) -> None:
        """Diagnostics that name their place in front, one a line."""
        self._err.print(Text(printable(text, keep_lines=True)), soft_wrap=True)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """Shows on a terminal how many of how many are done, as the value is told; nothing is left of it afterwards."""
        if not self._err.is_terminal:
            yield lambda _done, _of: None
            return
        bar = Progress(
            TextColumn(printable(what)), BarColumn(), MofNCompleteColumn(), console=self._err, transient=True
        )
        task = bar.add_task(what, total=None)

        def tell(done: int, of: int) -> None:
            if of > 1:
                bar.update(task, completed=done, total=of)
                bar.start()
            if done == of:
                bar.stop()

        try:
            yield tell
        finally:
            bar.stop()

    def waiting(self, what: str) -> AbstractContextManager[Status | None]:
        """Shows on a terminal that something takes a while; nothing is left of it afterwards."""
        return _Waiting(self._err, what)


class _Waiting:
    def __init__(self, console: Console, what: str) -> None:
        self._status = console.status(Text(printable(what))) if console.is_terminal else None

    def __enter__(self) -> Status | None:
        return self._status.__enter__() if self._status else None

    def __exit__(self, *exception: object) -> None:
        if self._status:
            self._status.stop()


class _Console(Console):
    """A console that leaves it to the caller what a reader that went away means."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def _console(stream: TextIO) -> Console:
    """A console that styles only on a terminal: not for FORCE_COLOR, and not at all with NO_COLOR."""
    terminal = stream.isatty()
    return _Console(
        file=stream,
        force_terminal=terminal,
        color_system="auto" if terminal and not os.environ.get("NO_COLOR") else None,
        markup=False,
        highlight=False,
        emoji=False,
    )


def _plain_values(value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(key): _plain_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_values(item) for item in value]
    return value
