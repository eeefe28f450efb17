"""Strict YAML: plain data in which every item knows its line.

YAML as libraries read it has traps: ``no`` is false, ``22:22`` is 1342, ``010`` is 8, the last of two equal keys wins
in silence, 200 bytes of aliases grow to gigabytes, deep nesting ends the interpreter. So the data is built here from
the parser's events, which needs no recursion, with a budget for each of these. A plain scalar is a decimal number,
``true``, ``false``, ``null``, ``~`` or nothing; everything else is the text as written.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from monitord.config.faults import Fault, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 32
ALIAS_BUDGET = 1_000_000  # nodes that the aliases of one file may stand for, themselves included

# What YAML allows in a file: no control characters but tab and line ends, no surrogates (YAML 1.2.2 section 5.1).
_FORBIDDEN = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}")
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}


class MarkedDict(dict[str, Any]):
    """A mapping that knows on which line each key is."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        """An empty mapping."""
        super().__init__()
        self.lines: dict[str, int] = {}

    def put(self, key: str, value: object, line: int) -> None:
        """Set a key that stands on this line."""
        self[key] = value
        self.lines[key] = line


class MarkedList(list[Any]):
    """A sequence that knows on which line each item is."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        """An empty sequence."""
        super().__init__()
        self.lines: list[int] = []

    def put(self, value: object, line: int) -> None:
        """Append an item that stands on this line."""
        self.append(value)
        self.lines.append(line)

    def take_out(self, index: int) -> None:
        """Remove an item, if there is one of this index."""
        if 0 <= index < len(self):
            del self[index], self.lines[index]


@dataclass(frozen=True, slots=True)
class Document:
    """A file as read.

    ``root`` is plain data in MarkedDict and MarkedList, or None where ``faults`` left nothing to go on. ``dollars``
    is whether the file has a dollar sign anywhere.
    """

    path: Path
    root: Any
    line: int = 1
    faults: tuple[Fault, ...] = ()
    dollars: bool = False

    def place(self, *location: str | int) -> Place:
        """Where the item at this chain of keys and indexes is; the nearest known place above it if it is missing."""
        lines = [self.line, *(line for _, line in self._walk(location))]
        return Place(self.path, lines[-1])

    def value(self, location: Sequence[str | int]) -> Any:  # noqa: ANN401 - YAML holds anything
        """The item at this chain of keys and indexes, None where there is none."""
        values = [self.root, *(value for value, _ in self._walk(location))]
        return values[-1] if len(values) == len(location) + 1 else None

    def _walk(self, location: Sequence[str | int]) -> Iterator[tuple[Any, int]]:
        """The items on the way to a location and their lines, as far as they exist."""
        container: Any = self.root
        for step in location:
            try:
                line, container = container.lines[step], container[step]
            except (AttributeError, LookupError, TypeError):  # a scalar, a missing key, an index into a mapping
                return
            yield container, line


def read_document(path: Path, *, regular: bool = True) -> Document:
    """The YAML document in a file; what is wrong with it is in ``faults``, nothing is raised.

    ``regular`` False also reads a pipe, as ``-c <(generate)`` passes one.
    """
    try:
        data = read_capped(path, regular=regular)
    except OSError as error:
        return Document(path, None, faults=(Fault(path, 1, f"the file cannot be read: {error.strerror or error}"),))
    return parse_document(path, data)


def exists(path: Path) -> bool:
    """Whether there is something at this path, as far as can be seen."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def read_capped(path: Path, *, regular: bool = True, limit: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a file. Raises OSError where it cannot be read, is no regular file or is over the limit."""
    try:
        if regular and not stat.S_ISREG(path.stat().st_mode):
            raise OSError(0, "it is not a regular file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except ValueError as error:  # a NUL in the path
        raise OSError(0, str(error)) from error
    if len(data) > limit:
        raise OSError(0, f"it is larger than {limit:,} bytes")
    return data


def parse_document(path: Path, data: bytes) -> Document:
    """The YAML document in these bytes; ``path`` is for the faults only."""
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Document(path, None, faults=(Fault(path, line, "the file is not UTF-8 text"),))
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        line = text.count("\n", 0, forbidden.start()) + 1
        message = f"the character U+{ord(forbidden.group()):04X} is not allowed in YAML; remove it"
        return Document(path, None, faults=(Fault(path, line, message),))
    builder = _Builder(path)
    try:
        builder.read(text)
    except _NotYamlError as error:
        builder.faults.append(Fault(path, error.line, error.message))
        builder.root = None
    except yaml.MarkedYAMLError as error:
        builder.faults.append(_syntax_fault(path, text, error))
        builder.root = None
    except yaml.YAMLError as error:
        builder.faults.append(Fault(path, 1, f"not valid YAML: {error}"))
        builder.root = None
    return Document(path, builder.root, builder.root_line, tuple(builder.faults), "$" in text)


class _NotYamlError(Exception):
    """The rest of the file cannot be read."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(slots=True)
class _Anchored:
    """What an anchor stands for; ``size`` counts its nodes and ``height`` its levels, aliases expanded."""

    value: Any
    size: int = 1
    height: int = 0


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not been read; ``key`` is the key that waits for its value."""

    container: MarkedDict | MarkedList
    line: int
    anchor: str | None
    size: int = 1
    height: int = 1
    key: str | None = None
    key_line: int = 0


class _Builder:
    """Data out of the parser's events."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[Fault] = []
        self.root: Any = None
        self.root_line = 1
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._budget = ALIAS_BUDGET
        self._documents = 0

    def read(self, text: str) -> None:
        """Take in a whole file. Raises _NotYamlError or yaml.YAMLError where it makes no sense from there on."""
        takers: dict[type[yaml.Event], Callable[[Any, int], None]] = {
            yaml.DocumentStartEvent: self._take_document,
            yaml.ScalarEvent: self._take_scalar,
            yaml.AliasEvent: self._take_alias,
            yaml.MappingStartEvent: self._take_start,
            yaml.MappingEndEvent: self._take_end,
            yaml.SequenceStartEvent: self._take_start,
            yaml.SequenceEndEvent: self._take_end,
        }
        loader = yaml.CSafeLoader(text)
        try:
            while (event := loader.get_event()) is not None:
                take = takers.get(type(event))
                if take and event.start_mark:
                    take(event, event.start_mark.line + 1)
        finally:
            loader.dispose()
        if self.root is None:
            raise _NotYamlError(1, "the file is empty; remove it, or write what it is for")

    def _take_document(self, _event: yaml.DocumentStartEvent, line: int) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _NotYamlError(line, "a second document begins here; a file holds one")

    def _take_scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        self._refuse_tag(event, line)
        if self._expects_key():
            self._refuse_control(event.value, line)
            self._open[-1].key, self._open[-1].key_line = event.value, line
            return
        value = event.value if event.style else _resolve(event.value)
        if isinstance(value, str):
            self._refuse_control(value, line)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(value)
        self._add(value, line)

    def _take_alias(self, event: yaml.AliasEvent, line: int) -> None:
        node = self._follow(event.anchor or "", line)
        self._add(node.value, line, node.size, node.height)

    def _take_start(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent, line: int) -> None:
        self._refuse_tag(event, line)
        if self._expects_key():
            raise _NotYamlError(line, "a key must be plain text, not a list or a mapping")
        if len(self._open) >= MAX_DEPTH:
            raise _NotYamlError(line, f"nested deeper than {MAX_DEPTH} levels")
        container = MarkedDict() if isinstance(event, yaml.MappingStartEvent) else MarkedList()
        self._anchors.pop(event.anchor or "", None)
        self._open.append(_Open(container, line, event.anchor))

    def _take_end(self, _event: yaml.MappingEndEvent | yaml.SequenceEndEvent, _line: int) -> None:
        done = self._open.pop()
        if done.anchor is not None:
            self._anchors[done.anchor] = _Anchored(done.container, done.size, done.height)
        self._add(done.container, done.line, done.size, done.height)

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].container, MarkedDict) and self._open[-1].key is None

    def _add(self, value: object, line: int, size: int = 1, height: int = 0) -> None:
        if not self._open:
            self.root, self.root_line = value, line
            return
        parent = self._open[-1]
        parent.size += size
        if height >= parent.height:
            parent.height = height + 1
        if isinstance(parent.container, MarkedList):
            parent.container.put(value, line)
            return
        key, parent.key = parent.key or "", None
        if key in parent.container:
            message = f"key {key!r} is given a second time; the first is on line {parent.container.lines[key]}"
            self.faults.append(Fault(self.path, parent.key_line, message))
        else:
            parent.container.put(key, value, parent.key_line)

    def _follow(self, name: str, line: int) -> _Anchored:
        if self._expects_key():
            raise _NotYamlError(line, "a key must be plain text, not an alias")
        if any(container.anchor == name for container in self._open):
            raise _NotYamlError(line, f"alias *{name} stands inside what it stands for")
        node = self._anchors.get(name)
        if node is None:
            raise _NotYamlError(line, f"alias *{name} has no anchor &{name} before it")
        self._budget -= node.size
        if self._budget < 0 or len(self._open) + node.height > MAX_DEPTH:
            raise _NotYamlError(line, f"alias *{name} makes the file grow beyond all bounds; write the values out")
        return node

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, line: int) -> None:
        if event.tag is not None:
            name = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.faults.append(Fault(self.path, line, f"the tag {name!r} is not supported; write the plain value"))

    def _refuse_control(self, text: str, line: int) -> None:
        found = None if text.isprintable() else _CONTROL.search(text)
        if found:
            message = f"a text holds the control character U+{ord(found.group()):04X}; every text is one line"
            self.faults.append(Fault(self.path, line, message))


def _resolve(text: str) -> str | int | float | bool | None:
    """The value of a scalar without quotes."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] in "+-0123456789":
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def _syntax_fault(path: Path, text: str, error: yaml.MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines()[line : line + 1]
    character = lines[0][column : column + 1] if lines else ""
    if character == "\t":
        return Fault(path, line + 1, "not valid YAML: a tab is used for indentation; use blanks")
    if error.problem == "found character that cannot start any token":
        return Fault(path, line + 1, f"not valid YAML: a value that begins with {character!r} needs quotes")
    context = f" {error.context}" if error.context else ""
    return Fault(path, line + 1, f"not valid YAML{context}: {error.problem}")
