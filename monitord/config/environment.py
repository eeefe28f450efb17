"""``${NAME}`` in the texts of the configuration, replaced by environment variables; ``$$`` is one dollar sign."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Self

from monitord.config.document import MarkedDict, MarkedList
from monitord.config.faults import UnfitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_REFERENCE = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<broken>\{))")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Location = tuple[str | int, ...]


class Expanded(str):
    """A text that held references; ``written`` is how it stands in the file, the only form that may be shown."""

    __slots__ = ("written",)
    written: str

    def __new__(cls, text: str, written: str) -> Self:
        """A text and its written form."""
        made = super().__new__(cls, text)
        made.written = written
        return made


def expand_all(root: MarkedDict, environment: Mapping[str, str]) -> Iterator[tuple[Location, UnfitError]]:
    """Replace the references in every text under ``root``, in place; what cannot be replaced, with its location."""
    pending: list[tuple[Location, MarkedDict | MarkedList]] = [((), root)]
    while pending:
        above, container = pending.pop()
        items: Any = container.items() if isinstance(container, MarkedDict) else enumerate(container)
        for step, value in list(items):
            if isinstance(value, MarkedDict | MarkedList):
                pending.append(((*above, step), value))
            elif isinstance(value, str) and "$" in value and not isinstance(value, Expanded):
                try:
                    container[step] = expand(value, environment)
                except UnfitError as error:
                    yield (*above, step), error


def expand(text: str, environment: Mapping[str, str]) -> str:
    """The text with its references replaced.

    Raises UnfitError for a variable that is not set or holds control characters, and for ``${`` without a name.
    """
    if not _REFERENCE.search(text):
        return text

    def replacement(match: re.Match[str]) -> str:
        name = match["name"]
        if match["broken"]:
            raise UnfitError(text, "has ${ without a variable's name and }; write $$ for a dollar sign")
        if name is None:
            return "$"
        value = environment.get(name)
        if value is None:
            raise UnfitError(text, f"needs the environment variable {name}, which is not set")
        if _CONTROL.search(value):
            raise UnfitError(text, f"needs the environment variable {name}, which holds a control character")
        return value

    return Expanded(_REFERENCE.sub(replacement, text), text)
