"""Which endpoints a URL is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.config.faults import UnfitError
from monitord.config.hosts import parse_endpoint
from monitord.pinning.target import DEFAULT_PORT

if TYPE_CHECKING:
    from monitord.web.fleet import Entry, Snapshot

_ANY_PORT = 0


@dataclass(frozen=True, slots=True)
class Found:
    """The endpoints of a host at one port or, where none was named, at all; ``complaint`` if that is no host."""

    entries: tuple[Entry, ...]
    complaint: str = ""

    @property
    def one(self) -> Entry | None:
        """The endpoint that is meant: the only one, or the one at 443."""
        usual = [entry for entry in self.entries if entry.target.port == DEFAULT_PORT]
        return next(iter(usual), None) or (self.entries[0] if len(self.entries) == 1 else None)


def find(snapshot: Snapshot, place: str) -> Found:
    """The endpoints that ``HOST`` or ``HOST:PORT`` stands for; never raises."""
    try:
        host, port = parse_endpoint(place, _ANY_PORT)
    except UnfitError as error:
        return Found((), str(error))
    return Found(tuple(snapshot.at(host, port or None)))
