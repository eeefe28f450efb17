"""What may be asked of a log, and how much at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from monitord.pinning.merkle import Frontier
    from monitord.pinning.treehead import TreeHead
    from monitord.signals.ct.entries import Entry


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read.

    ``entries`` is for a log and a poll. Of a log that is more than ``backlog`` entries ahead, all but the last
    ``entries`` are given up. A log that is new begins at its end, ``lookback`` entries back. After ``seconds`` a poll
    takes up nothing new. A log that has signed nothing for ``stale`` is a fault (RFC 6962 section 3.5: it signs at
    least once in its maximum merge delay, which is a day everywhere).
    """

    entries: int = 16_384
    backlog: int = 1_000_000
    lookback: int = 0
    seconds: float = 120.0
    stale: timedelta = timedelta(days=2)


class Reader(Protocol):
    """One interface of logs. Everything that asks the log raises SignalFault."""

    async def head(self) -> TreeHead:
        """The tree head that the log shows now; its signature is checked if the key is known."""

    async def frontier(self, size: int, head: TreeHead) -> Frontier | None:
        """The tree of the first ``size`` entries of ``head``, unproven; None where the log does not tell."""

    async def entries(self, start: int, end: int, head: TreeHead) -> tuple[Entry, ...]:
        """The entries from ``start``: at least one, at most those before ``end``."""

    async def issuers(self, entry: Entry) -> tuple[bytes, ...]:
        """The DER of the entry's issuers, as far as the log has them."""
