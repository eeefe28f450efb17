"""Secrets as a type that never prints."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """A text that must not reach a log, an error or a screen; only ``reveal`` gives it out."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Wrap a text."""
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        """A placeholder, whatever the text; ``str`` and ``format`` give the same."""
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        """Whether both hide the same text; takes the same time wherever the texts differ."""
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (text.encode("utf-8", "surrogatepass") for text in (self.reveal(), other.reveal()))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        """Consistent with equality."""
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, which would write the text out; raises TypeError."""
        raise TypeError("a Secret cannot be pickled")
