"""Strict YAML: what a plain scalar is, where everything stands, and what is bounded."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.config.document import ALIAS_BUDGET, MAX_DEPTH, MAX_FILE_BYTES, parse_document, read_document

PATH = Path("some.yaml")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("0", 0),
        ("0.62", 0.62),
        ("true", True),
        ("false", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("True", "True"),
        ("NULL", "NULL"),
        ("010", "010"),
        ("0x10", "0x10"),
        ("0o10", "0o10"),
        ("1_000", "1_000"),
        ("22:22", "22:22"),
        ("1e3", "1e3"),
        (".5", ".5"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2027-01-01", "2027-01-01"),
        ("2027-01-01T12:00:00Z", "2027-01-01T12:00:00Z"),
        ("9" * 400, "9" * 400),
        ("=", "="),
        ("'5'", "5"),
        ('"true"', "true"),
        ("''", ""),
    ],
)
def test_a_plain_scalar_is_a_decimal_number_a_constant_or_text(written: str, value: object) -> None:
    """Nothing that looks like text turns into a number, a date or a boolean."""
    document = parse_document(PATH, f"key: {written}\n".encode())
    assert not document.faults
    assert document.root == {"key": value}
    assert type(document.root["key"]) is type(value)


def test_keys_are_text_as_written() -> None:
    """A key that looks like a number, a boolean or nothing is no other key."""
    document = parse_document(PATH, b"443: a\ntrue: b\n~: c\nno: d\n010: e\n")
    assert document.root == {"443": "a", "true": "b", "~": "c", "no": "d", "010": "e"}


def test_every_item_knows_its_line() -> None:
    """Keys and items are found where they were written, also through an alias."""
    text = "a:\n  - x\n\n  - y: &n\n      - 1\n      - 2\nb: {c: 1,\n    d: 2}\ne: *n\n"
    document = parse_document(PATH, text.encode())
    places = {
        ("a",): 1,
        ("a", 0): 2,
        ("a", 1): 4,
        ("a", 1, "y"): 4,
        ("a", 1, "y", 1): 6,
        ("b", "c"): 7,
        ("b", "d"): 8,
        ("e",): 9,
        ("e", 1): 6,
    }
    assert {location: document.place(*location).line for location in places} == places


def test_the_place_of_what_is_missing_is_the_nearest_above() -> None:
    """A missing key is reported at the mapping that lacks it."""
    document = parse_document(PATH, b"\na:\n  - b: 1\n")
    assert str(document.place("a", 0, "nowhere", "deeper")) == "some.yaml:3"
    assert str(document.place("nowhere")) == "some.yaml:2"
    assert document.value(("a", 7)) is None
    assert document.value(("a", 0, "b", 0)) is None


def test_moderate_aliases_are_fine() -> None:
    """A list of pins may be written once and used for many hosts."""
    document = parse_document(PATH, b"- &pins [a, b]\n" + b"- *pins\n" * 1000)
    assert not document.faults
    assert document.root == [["a", "b"]] * 1001


@pytest.mark.parametrize(
    "bomb",
    [
        "- &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"- &a{n} [{', '.join([f'*a{n - 1}' if n else '*a'] * 10)}]\n" for n in range(1500)),
        "- &a0 x\n" + "".join(f"- &a{n + 1} [*a{n}]\n" for n in range(MAX_DEPTH + 1)),
        "- &a [" + "x, " * 10_000 + "x]\n" + "- *a\n" * (ALIAS_BUDGET // 10_000),
        "[" * 100_000,
        "{a: " * 25_000,
        "- " * 50_000,
        "? " * 50_000,
        "&a [*a]",
    ],
    ids=["billion laughs", "deep by aliases", "wide", "[[[", "{{{", "- - -", "? ? ?", "recursive"],
)
def test_bombs_end_in_one_fault(bomb: str) -> None:
    """What would grow without bounds, or end the interpreter, is refused while it is read."""
    document = parse_document(PATH, bomb.encode())
    assert document.root is None
    assert len(document.faults) == 1


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    """16 MB are read, one byte more is not."""
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: b #" + b" " * (MAX_FILE_BYTES - 6))
    assert read_document(path).root == {"a": "b"}
    with path.open("ab") as file:
        file.write(b" ")
    (fault,) = read_document(path).faults
    assert fault.message == "the file cannot be read: it is larger than 16,777,216 bytes"


def test_a_missing_file_and_a_directory_are_faults(tmp_path: Path) -> None:
    """They are reported like any other fault."""
    (missing,) = read_document(tmp_path / "nowhere.yaml").faults
    assert missing.message == "the file cannot be read: No such file or directory"
    (directory,) = read_document(tmp_path, regular=False).faults
    assert directory.message == "the file cannot be read: Is a directory"
    (null,) = read_document(Path("a\0b")).faults
    assert null.message.startswith("the file cannot be read: ")
    assert "embedded null" in null.message  # in the words of the Python at hand


def test_a_byte_order_mark_is_passed_over() -> None:
    """Windows editors write one."""
    assert parse_document(PATH, b"\xef\xbb\xbfa: b\r\n").root == {"a": "b"}


def test_a_tag_does_not_hide_the_value() -> None:
    """The tag is the only fault; the value is read as if it were not there."""
    document = parse_document(PATH, b"a: !!int 3\nb: ! x\n")
    assert [fault.line for fault in document.faults] == [1, 2]
    assert document.root == {"a": 3, "b": "x"}


@given(st.binary(max_size=200) | st.text(alphabet="ab:-[]{}&*!|>'\"%@`#?,\n\t 0\\x~<", max_size=80).map(str.encode))
def test_any_bytes_are_data_or_faults(data: bytes) -> None:
    """Nothing is raised, and there is always either something to work on or a fault."""
    document = parse_document(PATH, data)
    assert document.root is not None or document.faults
    assert all(fault.line >= 1 for fault in document.faults)
