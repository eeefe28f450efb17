"""A small reader of DER (ITU-T X.690), lenient where real certificates are.

It exists because a pin must be computed from the bytes as they were sent: libraries that parse the whole
certificate refuse real ones (negative serials, encoded defaults, NULL parameters), and re-encoding changes some
keys. It reads definite lengths only and never outside the given bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.errors import MonitordError

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID = 0x01, 0x02, 0x03, 0x04, 0x06
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31
_MAX_LENGTH_BYTES = 4
_LONG_FORM = 0x80
_HIGH_TAG = 0x1F


class DerError(MonitordError):
    """The bytes are not the DER that was expected at this place."""


@dataclass(frozen=True, slots=True)
class Element:
    """One DER element: its tag byte, its content, and its raw bytes with header."""

    tag: int
    data: bytes
    start: int
    content_start: int
    end: int

    @property
    def content(self) -> bytes:
        """The value, without tag and length."""
        return self.data[self.content_start : self.end]

    @property
    def raw(self) -> bytes:
        """The element exactly as encoded, header included."""
        return self.data[self.start : self.end]

    def children(self, behind: Element | None = None) -> Iterator[Element]:
        """The elements inside a constructed one, in order, or those behind one of them.

        Raises DerError where one is broken.
        """
        position = behind.end if behind else self.content_start
        while position < self.end:
            child = element_at(self.data, position, self.end)
            yield child
            position = child.end


def read_element(data: bytes, *, allow_trailing: bool = False) -> Element:
    """The element that ``data`` holds. Raises DerError if it is broken or followed by other bytes."""
    element = element_at(data, 0, len(data))
    if element.end != len(data) and not allow_trailing:
        raise DerError(f"{len(data) - element.end} bytes follow the end of the DER element")
    return element


def expect(element: Element | None, tag: int, what: str) -> Element:
    """The element, if it has this tag. Raises DerError naming ``what`` otherwise."""
    if element is None:
        raise DerError(f"{what} is missing")
    if element.tag != tag:
        raise DerError(f"{what} has tag 0x{element.tag:02x} instead of 0x{tag:02x}")
    return element


def dotted_oid(content: bytes) -> str:
    """An OBJECT IDENTIFIER's content octets in dotted form. Raises DerError if it is cut off or empty."""
    if not content or content[-1] & _LONG_FORM:
        raise DerError("an object identifier is empty or cut off")
    numbers: list[int] = []
    value = 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & _LONG_FORM:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def encode(tag: int, content: bytes) -> bytes:
    """The element with this tag and content."""
    size = len(content)
    if size < _LONG_FORM:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, _LONG_FORM | len(length))) + length + content


def element_at(data: bytes, start: int, limit: int) -> Element:
    """The element that begins at ``start`` and ends at ``limit`` at the latest. Raises DerError if it is broken."""
    if start + 2 > limit:
        raise DerError("the DER ends inside a header")
    tag, length = data[start], data[start + 1]
    position = start + 2
    if tag & _HIGH_TAG == _HIGH_TAG:
        raise DerError("multi-byte DER tags do not occur in certificates")
    if length & _LONG_FORM:
        count = length & 0x7F
        if not 1 <= count <= _MAX_LENGTH_BYTES or position + count > limit:
            raise DerError("the DER has an indefinite, oversized or cut-off length")
        length = int.from_bytes(data[position : position + count])
        position += count
    if position + length > limit:
        raise DerError("the DER is cut off")
    return Element(tag, data, start, position, position + length)
