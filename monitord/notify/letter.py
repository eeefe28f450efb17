"""A message before it is text, HTML or blocks of a chat: what it says, in the order in which it is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence or more, wrapped as the reader's window wants it."""

    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with its name."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Code:
    """Something to copy, alone on its line, and a remark beside it."""

    code: str
    remark: str = ""


Line = Text | Fact | Code


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under a title."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A whole message; every text in it is printable and one line.

    ``title`` is the matter in a few words and ``lead`` in a sentence or two: what happens to whom since when.
    ``standing`` has state, kind and severity. ``mood`` is the severity, or ``resolved``. ``urgent`` are the sections
    that are read at three in the morning, ``details`` the others. ``link`` is the page of the incident, if any.
    """

    subject: str
    title: str
    standing: str
    mood: str
    lead: str
    urgent: tuple[Section, ...]
    details: tuple[Section, ...]
    link: str | None
    footer: str
