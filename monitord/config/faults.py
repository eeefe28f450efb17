"""What can be wrong with a configuration, and where: one sentence and a line for each fault."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitord.errors import MonitordError

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file; lines count from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        """``file:line``, as compilers write it and editors read it."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong, or dubious, and the line to change; ``message`` shows no secret."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        """``file:line: message``."""
        return f"{self.file}:{self.line}: {self.message}"


class ConfigurationError(MonitordError):
    """The configuration cannot be used. ``faults`` are all of them, by file and line; ``str`` has one a line."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        """An error of these faults, each once, sorted."""
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(map(str, self.faults)))


class UnfitError(MonitordError, ValueError):
    """A value is not of the kind that is needed.

    ``complaint`` continues a sentence that begins with the value, and does not quote it. ``whole`` is a sentence of
    its own where there is a better one than ``'VALUE' complaint``.
    """

    def __init__(self, value: object, complaint: str, whole: str | None = None) -> None:
        """An error that says ``'VALUE' complaint``, or the whole sentence."""
        self.complaint = complaint
        self.whole = whole
        super().__init__(whole or f"{shown(value)} {complaint}")


@dataclass(slots=True)
class Findings:
    """What the steps of loading collect: ``faults`` prevent the use of the configuration, ``warnings`` do not."""

    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)


def shown(value: object) -> str:
    """A value as messages quote it: on one line, of bounded length, in the words of YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "(a mapping)"
    if isinstance(value, list):
        return "(a list)"
    text = repr(str(value)) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 4] + "..." + text[-1]
