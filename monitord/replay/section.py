"""The mappings of a story: values are taken out key by key, and what is wrong with each is noted with its line."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from monitord.config.document import MarkedDict, MarkedList
from monitord.config.faults import Fault, UnfitError, shown
from monitord.config.hosts import parse_host
from monitord.config.times import parse_duration, parse_time
from monitord.config.wording import complain, unknown_key, where

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from datetime import datetime, timedelta

    from monitord.config.document import Document
    from monitord.config.environment import Location

    Parse = Callable[[object], "T"]

T = TypeVar("T")
_LONGEST_NAME_BYTES = 64  # of a common name (RFC 5280 appendix A.1, ub-common-name)


@dataclass(slots=True)
class Findings:
    """What reading a story has found: ``faults`` forbid playing it, ``warnings`` are about what is odd."""

    document: Document
    faults: list[Fault] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)

    def fault(self, at: Location, message: str) -> None:
        """Note that something is wrong at this chain of keys and indexes."""
        place = self.document.place(*at)
        self.faults.append(Fault(place.file, place.line, message))

    def warn(self, at: Location, message: str) -> None:
        """Note that something is odd there."""
        place = self.document.place(*at)
        self.warnings.append(Fault(place.file, place.line, message))

    def complain(self, at: Location, error: UnfitError) -> None:
        """Note that the value there is not fit."""
        self.faults.append(complain(self.document, at, error))


class Section:
    """A mapping at a place of the story."""

    def __init__(self, findings: Findings, at: Location, content: MarkedDict, *, missing: bool = False) -> None:
        """The mapping ``content``, which stands at ``at``; ``missing``: something else does, which is a fault noted."""
        self.findings = findings
        self.at = at
        self.content = content
        self._missing = missing

    @classmethod
    def of(cls, findings: Findings, at: Location, value: object, what: str) -> Section:
        """The mapping that ``value`` should be; an empty one, and a fault, if it is none."""
        if isinstance(value, MarkedDict):
            return cls(findings, at, value)
        findings.fault(at, f"{where(at)} is not a mapping: {what}")
        return cls(findings, at, MarkedDict(), missing=True)

    def __contains__(self, key: str) -> bool:
        """Whether the key is given, with a value or without."""
        return key in self.content

    def refuse_others(self, known: Collection[str]) -> None:
        """Note every key that is none of these."""
        for key in self.content:
            if key not in known:
                self.fault(key, unknown_key(key, known))

    def fault(self, key: str, message: str) -> None:
        """Note a fault of this key."""
        self.findings.fault((*self.at, key), message)

    def required(self, key: str, parse: Parse[T], instead: T) -> T:
        """The value of a key that must be there; ``instead`` where it cannot be had."""
        if key not in self.content:
            name = f" of {where(self.at)}" if self.at else ""
            if not self._missing:
                self.findings.fault(self.at, f"the key {key!r}{name} is missing")
            return instead
        return self.optional(key, parse, instead)

    def optional(self, key: str, parse: Parse[T], instead: T) -> T:
        """The value of a key, ``instead`` where it is not given or not fit."""
        if key not in self.content:
            return instead
        value = self.content[key]
        try:
            return parse(value)
        except UnfitError as error:
            if value is None:
                self.fault(key, f"{where((*self.at, key))} has no value; give it one or remove it")
            else:
                self.findings.complain((*self.at, key), error)
            return instead

    def items(self, key: str, parse: Parse[T], *, single: bool = False) -> tuple[T, ...]:
        """The items of the list under a key, without those that are not fit; ``single``: one value will do too."""
        at: Location = (*self.at, key)
        value = self.content.get(key)
        if single and isinstance(value, str):
            return tuple(self._each(((at, value),), parse))
        if not isinstance(value, MarkedList):
            self.findings.fault(at, f"{where(at)} is not a list")
            return ()
        return tuple(self._each((((*at, index), item) for index, item in enumerate(value)), parse))

    def _each(self, items: Iterable[tuple[Location, object]], parse: Parse[T]) -> Iterator[T]:
        for at, item in items:
            try:
                yield parse(item)
            except UnfitError as error:
                self.findings.complain(at, error)


def text(value: object) -> str:
    """A text of reasonable length, not empty."""
    if not isinstance(value, str):
        raise UnfitError(value, "is not text; put it in quotes")
    if not 0 < len(value) <= 200:  # noqa: PLR2004 - a title, not a tale
        raise UnfitError(value, "is empty" if not value else "is longer than 200 characters")
    return value


def label(value: object) -> str:
    """A name that a certificate can bear as its common name."""
    name = text(value)
    if len(name.encode()) > _LONGEST_NAME_BYTES:
        raise UnfitError(value, f"is longer than {_LONGEST_NAME_BYTES} bytes, which is all that a name may have")
    return name


def time(value: object) -> datetime:
    """An instant."""
    if not isinstance(value, str):
        raise UnfitError(value, "is not a date; write it like 2027-01-01 or 2027-01-01T12:00:00Z")
    return parse_time(value)


def time_or_never(value: object) -> datetime | None:
    """An instant, or null."""
    return None if value is None else time(value)


def duration(least: timedelta, most: timedelta) -> Parse[timedelta]:
    """A parser of durations between these two, both included."""

    def parse(value: object) -> timedelta:
        if not isinstance(value, str):
            raise UnfitError(value, "is not a duration; write it like 30s, 15m, 12h or 14d")
        found = parse_duration(value)
        if not least <= found <= most:
            raise UnfitError(value, "is too short" if found < least else "is too long")
        return found

    return parse


def number(least: int, most: int) -> Parse[int]:
    """A parser of whole numbers between these two, both included."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise UnfitError(value, "is not a whole number")
        if not least <= value <= most:
            raise UnfitError(value, f"is less than {least}" if value < least else f"is more than {most}")
        return value

    return parse


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise UnfitError(value, "is not true or false")
    return value


def host(value: object) -> str:
    """A host name or an IP address."""
    if not isinstance(value, str):
        raise UnfitError(value, "is not a host name; put it in quotes")
    return parse_host(value)


def alternative_name(value: object) -> str:
    """What a certificate may name: a host, or every one below a name."""
    name = text(value)
    return f"*.{parse_host(name[2:])}" if name.startswith("*.") else parse_host(name)


def one_of(known: Collection[str], what: str) -> Parse[str]:
    """A parser of the names of ``known`` things; ``what`` they are continues "is not"."""

    def parse(value: object) -> str:
        if not isinstance(value, str):
            raise UnfitError(value, f"is not {what}")
        if value not in known:
            near = difflib.get_close_matches(value, sorted(known), n=1, cutoff=0.6)
            hint = f"; did you mean {shown(near[0])}?" if near else ""
            raise UnfitError(value, f"is not {what}{hint}")
        return value

    return parse
