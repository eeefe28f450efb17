"""Long sentences on a terminal: broken between words, each line below the first one of it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from monitord.pinning.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEAST = 40


def paragraph(text: object, indent: int, width: int | None) -> Iterator[Text]:
    """The text in lines of at most ``width`` columns, indented; in a single one where ``width`` is None.

    A word that is longer, as pins are on narrow terminals, is not broken: people copy them.
    """
    margin = " " * indent
    if width is None:
        yield Text(margin + printable(text))
        return
    for line in textwrap.wrap(
        printable(text), max(_LEAST, width - indent), break_long_words=False, break_on_hyphens=False
    ):
        yield Text(margin + line)
