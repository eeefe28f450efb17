"""The lines of every endpoint, family by family, as a scrape wants them: written once a round, joined at a scrape.

An endpoint has a row with the lines of each family. Families that every endpoint has lines of come first, and a row
ends with the last of its lines, so an endpoint that was not probed yet takes little memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.metrics.endpoint import endpoint_labels, round_series, series
from monitord.metrics.families import COUNTERS, ENDPOINT, GAUGES, PREFIX
from monitord.metrics.text import revalued, sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.metrics.endpoint import Watched

    Endpoint = tuple[str, int]

# Where the values of the sorted labels stand among the labels of the family.
_ORDERED = {
    family.name: sorted((label, position) for position, label in enumerate(family.labels))
    for family in (*GAUGES, *COUNTERS)
}
_COUNTERS = frozenset(family.name for family in COUNTERS)
_ALWAYS = (
    "endpoint_info",
    "probe_interval_seconds",
    "probes",
    "probe_last_timestamp_seconds",
    "probe_duration_seconds",
)
_PLACES = {
    name: place
    for place, name in enumerate(
        (*_ALWAYS, *(family.name for family in GAUGES if family.labels[:2] == ENDPOINT and family.name not in _ALWAYS))
    )
}


class Columns:
    """For each endpoint the lines of each family. Not thread-safe: its owner holds a lock."""

    def __init__(self) -> None:
        """No endpoint yet."""
        self._rows: dict[Endpoint, tuple[bytes, ...]] = {}

    def write(self, watched: Watched) -> None:
        """Put the lines of an endpoint in the place of those that it had."""
        lines: dict[int, list[str]] = {
            _PLACES["endpoint_info"]: [
                sample(f"{PREFIX}endpoint_info", sorted(endpoint_labels(watched.target).items()), 1)
            ]
        }
        for name, values, value in series(watched):
            lines.setdefault(_PLACES[name], []).append(_line(name, values, value))
        row = ["".join(lines.get(place, ())).encode() for place in range(max(lines) + 1)]
        self._rows[watched.target.key] = tuple(row)

    def touch(self, watched: Watched) -> None:
        """Write only what each round changes, of an endpoint whose lines were written and say the same otherwise."""
        row = list(self._rows[watched.target.key])
        for name, _, value in round_series(watched):
            place = _PLACES[name]
            row[place] = revalued(row[place], value)
        self._rows[watched.target.key] = tuple(row)

    def erase(self, endpoint: Endpoint) -> None:
        """Remove the lines of an endpoint."""
        self._rows.pop(endpoint, None)

    def copy(self) -> Lines:
        """The lines as they are now; they do not change any more."""
        return Lines(list(self._rows.values()))


class Lines:
    """The lines of all endpoints at one moment."""

    def __init__(self, rows: list[tuple[bytes, ...]]) -> None:
        """Lines in rows."""
        self._rows = rows

    def of(self, family: str) -> bytes:
        """The lines of one family."""
        place = _PLACES.get(family)
        return b"" if place is None else b"".join([row[place] for row in self._rows if len(row) > place])


def _line(name: str, values: Sequence[str], value: float) -> str:
    shown = f"{PREFIX}{name}_total" if name in _COUNTERS else f"{PREFIX}{name}"
    return sample(shown, [(label, values[position]) for label, position in _ORDERED[name]], value)
