"""Text that may come from a hostile server, made fit for people, headers and logs."""

from __future__ import annotations

import re

LONGEST_TEXT = 2000
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\dZ")


def plain(value: object) -> str:
    r"""A value as one line of printable text, of a length that people read.

    Line breaks and tabs become blanks; other controls, direction marks and lone surrogates become ``\u{…}``.
    """
    text = str(value)[: LONGEST_TEXT + 1]
    return shorten("".join(c if c.isprintable() else _escape(c) for c in text), LONGEST_TEXT)


def readable(value: object) -> str:
    """The same, with times as people write them: ``2026-03-02 00:00 UTC``."""
    return plain(_MOMENT.sub(r"\1 \2 UTC", str(value)[: 2 * LONGEST_TEXT]))


def shorten(text: str, longest: int) -> str:
    """The text, cut with an ellipsis if it is longer than that."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def is_web_link(text: str) -> bool:
    """Whether a text is the address of a web page, so that no ``javascript:`` is ever clicked."""
    return text.startswith(("https://", "http://")) and " " not in text and text.isprintable()


def _escape(character: str) -> str:
    return " " if character in "\t\r\n" else f"\\u{{{ord(character):x}}}"
