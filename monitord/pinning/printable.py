"""Texts that others chose, such as the subject of a certificate, made fit to be shown."""

from __future__ import annotations


def printable(text: object, *, keep_lines: bool = False) -> str:
    """The text with every character that is not printable written as an escape; ``keep_lines`` keeps line ends.

    Characters that turn the direction of writing are not printable, so that no name can pose as another.
    """
    whole = str(text)
    if whole.isprintable():
        return whole
    return "".join(
        character
        if character.isprintable() or (keep_lines and character == "\n")
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in whole
    )
