"""One question to a server of Certificate Transparency: its answer with status 200, or a fault that says when again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from monitord.signals.fetch import origin_of
from monitord.signals.source import SignalFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.signals.fetch import Answer, Fetcher

LONGEST_WAIT = timedelta(days=1)
_OK = 200
_MAX_DIGITS = 9


class Refused(SignalFault):
    """The server answered with another status than 200; ``wait`` is what its Retry-After asks for, if it does."""

    def __init__(self, where: str, status: int, wait: timedelta | None) -> None:
        """Say which server answered what."""
        super().__init__(f"{where} answered with status {status}")
        self.status = status
        self.wait = wait


async def ask(
    fetcher: Fetcher, url: str, *, limit: int, now: datetime, headers: Mapping[str, str] | None = None
) -> Answer:
    """The answer to a GET of at most ``limit`` bytes. Raises Refused for another status than 200, else SignalFault."""
    answer = await fetcher.get(url, limit=limit, headers=headers)
    if answer.status != _OK:
        raise Refused(origin_of(url), answer.status, retry_after(answer.headers, now))
    return answer


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long a server asks to be left alone (RFC 9110 section 10.2.3), at most a day; None where it says nothing."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        wait = timedelta(seconds=int(value)) if len(value) <= _MAX_DIGITS else LONGEST_WAIT
    else:
        try:
            until = parsedate_to_datetime(value)
            wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
        except (ValueError, OverflowError):
            return None
    return min(max(wait, timedelta()), LONGEST_WAIT)
