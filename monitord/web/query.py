"""What a list is asked for: search, filters, order and page, from the query of a URL and back into one."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

from monitord.errors import MonitordError
from monitord.pinning.prediction import NEVER
from monitord.web.fleet import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from monitord.web.fleet import Entry

PAGE_SIZE = 50
LIMIT = 1000
"""The most that the API gives of a list at once."""
MOST_PAGES = 1_000_000
_LONGEST = 200
_MOST_DAYS = 9999
_LABEL = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)", re.DOTALL)
_WITHIN = re.compile(r"(?P<days>[0-9]{1,4})(?:d)?")


class Parameters(Protocol):
    """The parameters of a URL, which may be given more than once."""

    def get(self, name: str, default: str) -> str:
        """The first value."""

    def getall(self, name: str, default: list[str]) -> list[str]:
        """Every value."""


class QueryError(MonitordError):
    """A parameter cannot be understood; the sentence names it."""


class Order(StrEnum):
    """What comes first."""

    STATE = "state"
    """What needs somebody."""
    HOST = "host"
    NEXT = "next"
    """What fails first."""
    SEEN = "seen"
    """What was looked at longest ago."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for. ``labels`` are all to be there, ``within`` is how soon a failure must be predicted."""

    text: str = ""
    states: frozenset[State] = frozenset()
    labels: tuple[tuple[str, str], ...] = ()
    within: timedelta | None = None
    order: Order = Order.STATE
    page: int = 1

    @property
    def filters(self) -> bool:
        """Whether anything is left out."""
        return bool(self.text or self.states or self.labels or self.within is not None)

    def matches(self, entry: Entry, now: datetime) -> bool:
        """Whether an endpoint is asked for."""
        if self.states and entry.state not in self.states:
            return False
        if self.text and self.text.casefold() not in entry.text:
            return False
        if self.within is not None and (entry.first is None or entry.first.at - now > self.within):
            return False
        return all(entry.target.labels.get(name) == value for name, value in self.labels)

    def sorted(self, entries: Iterable[Entry]) -> list[Entry]:
        """In the order that is asked for."""
        if self.order is Order.HOST:
            return sorted(entries, key=lambda one: one.endpoint)
        if self.order is Order.SEEN:
            return sorted(entries, key=lambda one: (one.outcome.at if one.outcome else _LONG_AGO, one.endpoint))
        if self.order is Order.NEXT:
            return sorted(entries, key=lambda one: (_fails(one), -one.state.badness, one.endpoint))
        return sorted(entries, key=lambda one: (-one.state.badness, _fails(one), one.endpoint))

    def url(self, **changes: object) -> str:
        """The query of a URL that asks for this with changes; it begins with a question mark or is empty."""
        changed = replace(self, **changes)  # type: ignore[arg-type]  # names and values are those of the fields
        found = [("q", changed.text)] if changed.text else []
        found += [("state", state.value) for state in State if state in changed.states]
        found += [("label", f"{name}={value}") for name, value in changed.labels]
        if changed.within is not None:
            found.append(("within", f"{changed.within.days}d"))
        if changed.order is not Order.STATE:
            found.append(("sort", changed.order.value))
        if changed.page > 1:
            found.append(("page", str(changed.page)))
        return "?" + urlencode(found) if found else ""


_LONG_AGO = NEVER.replace(year=1)


def parse_query(parameters: Parameters) -> Query:
    """What a URL asks for; empty parameters, as forms send them, ask for nothing. Raises QueryError."""
    return Query(
        text=_short("q", parameters.get("q", "")).strip(),
        states=frozenset(
            State(parse_choice("state", one, tuple(State), "")) for one in parameters.getall("state", []) if one
        ),
        labels=tuple(_label(value.strip()) for value in parameters.getall("label", []) if value.strip()),
        within=_within(parameters.get("within", "")),
        order=Order(parse_choice("sort", parameters.get("sort", ""), tuple(Order), Order.STATE)),
        page=parse_number("page", parameters.get("page", ""), 1, MOST_PAGES, default=1),
    )


def parse_number(name: str, value: str, least: int, most: int, *, default: int) -> int:
    """The whole number in a parameter. Raises QueryError."""
    if not value:
        return default
    if not re.fullmatch("[0-9]{1,9}", value) or not least <= int(value) <= most:
        raise QueryError(f"{name} is to be a number from {least} to {most}")
    return int(value)


def parse_choice(name: str, value: str, choices: Collection[str], default: str) -> str:
    """One of a closed list in a parameter. Raises QueryError."""
    if value and value not in choices:
        raise QueryError(f"{name} is to be one of {', '.join(choices)}")
    return value or default


def _short(name: str, value: str) -> str:
    if len(value) > _LONGEST:
        raise QueryError(f"{name} is longer than {_LONGEST} characters")
    return value


def _label(value: str) -> tuple[str, str]:
    found = _LABEL.fullmatch(_short("label", value))
    if not found:
        raise QueryError("label is to be NAME=VALUE")
    return found["name"], found["value"].strip()


def _within(value: str) -> timedelta | None:
    if not value:
        return None
    found = _WITHIN.fullmatch(value)
    if not found:
        raise QueryError(f"within is to be a number of days, at most {_MOST_DAYS}, such as 30d")
    return timedelta(days=int(found["days"]))


def _fails(entry: Entry) -> datetime:
    return entry.first.at if entry.first else NEVER
