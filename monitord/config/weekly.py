"""Times of the week, and time zones, as people write them."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from monitord.config.faults import UnfitError
from monitord.pinning.quiet import Weekly

if TYPE_CHECKING:
    from datetime import tzinfo

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = r"(?:[01][0-9]|2[0-4]):[0-5][0-9]"
_WEEKLY = re.compile(rf"(?P<days>[a-z,-]+) (?P<start>{_TIME})-(?P<end>{_TIME})")
_LONGEST_DAY = timedelta(days=1)


def parse_weekly(text: str) -> Weekly:
    """Days and hours such as ``sun 02:00-04:00``, ``mon-fri 22:00-06:00`` or ``daily 00:00-24:00``, in UTC.

    Raises UnfitError for anything else.
    """
    match = _WEEKLY.fullmatch(text.lower())
    days = _days(match["days"]) if match else frozenset[int]()
    start, end = (_time(match["start"]), _time(match["end"])) if match else (_LONGEST_DAY, _LONGEST_DAY)
    if not days or start >= _LONGEST_DAY or end > _LONGEST_DAY or start == end:
        raise UnfitError(text, "is not a time of the week; write it like sun 02:00-04:00 or mon-fri 22:00-06:00")
    return Weekly(days, start, end)


def parse_zone(text: str) -> tzinfo:
    """A time zone by its name in the IANA database. Raises UnfitError if the system knows none of that name."""
    if text == "UTC":
        return UTC
    try:
        return ZoneInfo(text)
    except (LookupError, OSError, ValueError):
        complaint = "is not a time zone that this system knows; write it like Europe/Berlin, and have tzdata installed"
        raise UnfitError(text, complaint) from None


def _days(text: str) -> frozenset[int]:
    """Numbers of days; empty if the text names none, or something else."""
    if text == "daily":
        return frozenset(range(len(_DAYS)))
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            return frozenset()
        start = _DAYS.index(first)
        count = (_DAYS.index(last or first) - start) % len(_DAYS) + 1
        found |= {(start + number) % len(_DAYS) for number in range(count)}
    return frozenset(found)


def _time(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))
