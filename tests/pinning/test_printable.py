from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.pinning.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("CN=Bücher 東京", "CN=Bücher 東京"),
        ("a\nb\x1b[2J\x00", "a\\nb\\x1b[2J\\x00"),
        ("evil\u202elive", "evil\\u202elive"),
        ("\ud800", "\\ud800"),
        ("", ""),
    ],
)
def test_what_cannot_be_printed_is_an_escape(text: str, shown: str) -> None:
    """Control characters, those that turn the direction of writing, and half characters."""
    assert printable(text) == shown


def test_lines_can_be_kept() -> None:
    """And nothing else."""
    assert printable("a\n\tb", keep_lines=True) == "a\n\\tb"


@given(st.text(alphabet=st.characters()))
def test_what_is_shown_can_be_printed(text: str) -> None:
    """Whatever the text; what could be printed all along is as it was."""
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)
