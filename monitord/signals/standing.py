"""How a source of signals stands: since when it fails, and which of its faults the log was told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

LASTING = timedelta(days=1)
"""A source that fails for so long is out of order."""
_TELL_AGAIN = timedelta(days=1)
_REMEMBERED = 100


class Log(Protocol):
    """Where faults of sources are written."""

    def info(self, event: str, **details: object) -> object:
        """Write one line."""

    def warning(self, event: str, **details: object) -> object:
        """Write one line."""

    def error(self, event: str, **details: object) -> object:
        """Write one line; ``exc_info`` in the details adds the traceback."""


@dataclass(slots=True)
class Standing:
    """One source: ``since`` is its first fault after the last success, ``faults`` are those of its last poll."""

    source: str
    since: datetime | None = None
    faults: tuple[str, ...] = ()
    _told: dict[str, datetime] = field(default_factory=dict)
    _told_lasting: bool = False

    def after(self, faults: Sequence[str], now: datetime, log: Log, *, idle: bool) -> bool | None:
        """Take in how a poll went, and tell the log what is new; whether the poll was a success.

        ``idle`` is a poll in which nothing was due: it has no faults, and yet does not end a failure, which is None.
        """
        if not faults:
            if self.since is not None and idle:
                return None
            if self._told_lasting:
                log.info("a source of signals works again", source=self.source)
            self.since, self.faults, self._told_lasting = None, (), False
            return True
        self.since = min(self.since or now, now)  # a clock may be set back
        self.faults = tuple(faults)
        for fault in faults:
            self._tell(fault, now, log)
        if now - self.since >= LASTING and not self._told_lasting:
            self._told_lasting = True
            log.error(
                "a source of signals has been failing for a day; what it would tell is not known",
                source=self.source,
                since=self.since.isoformat(),
                fault=faults[0],
            )
        return False

    def lasting(self, now: datetime) -> bool:
        """Whether the source has been failing for a day or longer."""
        return self.since is not None and now - self.since >= LASTING

    def _tell(self, fault: str, now: datetime, log: Log) -> None:
        """Write a fault down, but the same sentence once a day at most."""
        told = self._told.get(fault)
        if told is not None and timedelta() <= now - told < _TELL_AGAIN:
            return
        self._told.pop(fault, None)
        self._told[fault] = now
        if len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        log.warning("a source of signals has a fault", source=self.source, fault=fault)
