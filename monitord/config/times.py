"""Durations and points in time as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from monitord.config.faults import UnfitError

_UNITS = ("w", "d", "h", "m", "s", "ms")
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>[0-9]{{1,9}}){unit})?" for unit in _UNITS))
_SIZES = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_TIME_OF_DAY = re.compile(r"(?P<hours>[01][0-9]|2[0-3]):(?P<minutes>[0-5][0-9])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST_YEAR, _LAST_YEAR = 1970, 9990
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(?P<zone>\S+)?")


def parse_duration(text: str) -> timedelta:
    """The duration in a text such as ``30s``, ``15m``, ``12h``, ``14d`` or ``1h30m``.

    Units are w, d, h, m, s and ms, the larger first. Raises UnfitError for anything else.
    """
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise UnfitError(text, "is not a duration; write it like 30s, 15m, 12h or 14d")
    weeks, days, hours, minutes, seconds, milliseconds = (int(match[unit] or 0) for unit in _UNITS)
    try:
        return timedelta(
            weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds
        )
    except OverflowError:
        raise UnfitError(text, "is too long for a duration; write a shorter one") from None


def format_duration(duration: timedelta) -> str:
    """The duration as ``parse_duration`` reads it, in units from days to milliseconds."""
    rest = round(duration / timedelta(milliseconds=1))
    parts: list[str] = []
    for unit, size in _SIZES:
        number, rest = divmod(rest, size)
        parts += [f"{number}{unit}"] * bool(number)
    return "".join(parts) or "0s"


def parse_time_of_day(text: str) -> timedelta:
    """How long after midnight a time such as ``08:00`` is. Raises UnfitError for anything else."""
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise UnfitError(text, "is not a time of the day; write it like 08:00")
    return timedelta(hours=int(match["hours"]), minutes=int(match["minutes"]))


def parse_time(text: str) -> datetime:
    """The instant in a text such as ``2027-01-01`` (at 00:00 UTC) or ``2027-01-01T12:00:00Z``.

    Raises UnfitError for anything else, and for a time of day without time zone.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None and not _DATE.fullmatch(text):
        raise UnfitError(text, "is not a date; write it like 2027-01-01 or 2027-01-01T12:00:00Z")
    if match is not None and not match["zone"]:
        raise UnfitError(text, "has no time zone; add Z for UTC")
    try:
        found = datetime.fromisoformat(text.upper())
        found = found.replace(tzinfo=UTC) if match is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    # A margin on both sides, since some clients read a date by the clocks of all time zones.
    if found is None or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise UnfitError(text, "is not a date that exists; write it like 2027-01-01 or 2027-01-01T12:00:00Z") from None
    return found
