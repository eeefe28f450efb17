"""Pins in the spelling that is meant, and in those that people write instead."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.pinning.pins import Pin, PinSpellingError, parse_pin

DIGEST = bytes(range(224, 256))
RIGHT = "sha256/4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8="


def test_the_one_right_spelling() -> None:
    """sha256/ and the base64 of 32 bytes, read and written."""
    assert parse_pin(RIGHT) == Pin(DIGEST)
    assert str(Pin(DIGEST)) == RIGHT


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (RIGHT[:-1], "lacks the final ="),
        (RIGHT.removeprefix("sha256/"), "lacks the sha256/ in front"),
        (RIGHT.replace("sha256/", "sha256//"), "has another prefix than sha256/"),
        (RIGHT.replace("sha256/", "SHA256:"), "has another prefix than sha256/"),
        (f'pin-sha256="{RIGHT.removeprefix("sha256/")}"', "has blanks or quotes in it"),
        (RIGHT.replace("+", "-").replace("/", "_").replace("sha256_", "sha256/"), "uses the url-safe alphabet"),
        (RIGHT[:20] + " " + RIGHT[20:], "has blanks or quotes in it"),
        (" " + RIGHT, "has blanks or quotes in it"),
        (DIGEST.hex(), "is hexadecimal where base64 is meant"),
        ("sha256/" + DIGEST.hex().upper(), "is hexadecimal where base64 is meant"),
        (DIGEST.hex(":"), "is hexadecimal where base64 is meant"),
    ],
)
def test_trap_15_another_spelling_is_refused_with_the_right_one(text: str, fault: str) -> None:
    """The sentence says what is wrong and what to write instead."""
    with pytest.raises(PinSpellingError) as caught:
        parse_pin(text)
    assert str(caught.value) == f"pin {text!r} {fault}; write {RIGHT}"


def test_a_digest_that_begins_with_a_slash_is_no_double_slash() -> None:
    """One pin in 64 looks like curl's spelling and is not; without its = it is still that pin."""
    pin = Pin(b"\xfc" + bytes(31))
    assert str(pin).startswith("sha256//")
    assert parse_pin(str(pin)) == pin
    with pytest.raises(PinSpellingError, match="lacks the final =; write sha256//AAA"):
        parse_pin(str(pin)[:-1])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sha256/" + base64.b64encode(DIGEST[:20]).decode(), "decodes to 20 bytes where a SHA-256 digest has 32"),
        ("sha1/" + base64.b64encode(DIGEST[:20]).decode(), "uses a hash that no pinning client reads as a pin"),
        ("", "is empty"),
        ("sha256/", "is empty"),
        ("sha256/§" + "A" * 42 + "=", "has characters outside the base64 alphabet"),
    ],
)
def test_what_is_no_digest_at_all_is_refused(text: str, fault: str) -> None:
    """Nothing can be guessed, so the sentence says what a pin is."""
    with pytest.raises(PinSpellingError) as caught:
        parse_pin(text)
    assert f"{fault}; a pin is sha256/ followed by the base64 of 32 bytes" in str(caught.value)


@given(st.binary(min_size=32, max_size=32))
def test_every_digest_is_read_as_it_is_written(digest: bytes) -> None:
    """Writing and reading are inverse."""
    assert parse_pin(str(Pin(digest))) == Pin(digest)


@given(st.text(max_size=120))
def test_any_text_is_a_pin_or_the_one_declared_error(text: str) -> None:
    """Nothing else is ever raised, and whatever is accepted is written exactly as it was read."""
    try:
        pin = parse_pin(text)
    except PinSpellingError:
        return
    assert str(pin) == text
