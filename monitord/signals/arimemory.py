"""What the ARI source keeps between polls: when to ask what next, and what was answered; as values and as JSON.

The store outlives versions: an entry that cannot be read is as if it had never been there, which costs one question.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from monitord.signals.renewalinfo import LONGEST_WAIT, Window

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_LEAF, _DIRECTORY = "leaf:", "directory:"
# Nothing is put off for longer, so that a clock that was wrong for a while does not silence the source for years.
_LATEST = LONGEST_WAIT * 1.1
_GRACE = timedelta(days=1)
# How far a window may be off the way of the clock and yet go along with it: answers may come from a cache.
_SLACK = timedelta(hours=1)
_MOST_GONE = 1000


@dataclass(slots=True)
class Appointment:
    """When something is to be asked, and how often in a row it has failed."""

    due: datetime
    failures: int = 0


@dataclass(slots=True)
class DirectoryNote:
    """An ACME directory: the URL of its renewalInfo, None while unknown or not offered; when to read it next."""

    renewal_info: str | None
    reading: Appointment


@dataclass(frozen=True, slots=True)
class Said:
    """A window, since when it is known, and the start of the one that it replaced, if it moved."""

    window: Window
    since: datetime
    previous_start: datetime | None = None

    def then(self, window: Window, now: datetime) -> Said:
        """What is known after this answer. A window that says nothing new stays what it is.

        "Renew at once" is a window that servers count from their clock (Boulder, which runs Let's Encrypt: from an hour
        to half an hour ago; others: from any time to tomorrow). It is another one in each answer and yet the same
        demand, which must not pass for one that moved again.
        """
        if (window.start, window.end) == (self.window.start, self.window.end):
            return Said(window, self.since, self.previous_start)
        begun = self.window.start <= self.since and window.start <= now
        shifts = (window.start - self.window.start, window.end - self.window.end)
        if begun and all(abs(shift - (now - self.since)) <= _SLACK for shift in shifts):
            explanation = window.explanation or self.window.explanation
            return replace(self, window=replace(self.window, explanation=explanation))
        return Said(window, now, self.window.start)


@dataclass(slots=True)
class LeafNote:
    """A leaf: its CertID, the directory that knows it, when to ask which, what was said, and the hosts that were told.

    ``gone`` is since when it is not served; it is kept for a day, so that an endpoint that is away for an hour does
    not make an old window look new.
    """

    identity: str
    known_by: str | None = None
    asking: dict[str, Appointment] = field(default_factory=dict)
    said: Said | None = None
    told: tuple[str, ...] = ()
    gone: datetime | None = None

    @property
    def authority(self) -> str:
        """The part of the CertID that is the issuer's: equal for all that one key has signed."""
        return self.identity.partition(".")[0]


class Memory:
    """The notes on leaves, by the hex of the SHA-256 of their DER, and on directories, by URL."""

    def __init__(self, state: Mapping[str, Any], now: datetime) -> None:
        """What this state holds."""
        self._before = state
        self.leaves: dict[str, LeafNote] = {}
        self.directories: dict[str, DirectoryNote] = {}
        for key, value in state.items():
            try:
                if key.startswith(_LEAF):
                    self.leaves[key.removeprefix(_LEAF)] = _read_leaf(value, now)
                elif key.startswith(_DIRECTORY):
                    self.directories[key.removeprefix(_DIRECTORY)] = _read_directory(value, now)
            except (AttributeError, KeyError, OverflowError, TypeError, ValueError):  # as another version wrote it
                continue

    def follow(self, served: Mapping[str, str], directories: Collection[str], now: datetime) -> None:
        """Begin a note for each leaf that is served (its CertID by its key), and let go of those long gone.

        Notes on other directories than these go too.
        """
        self.directories = {url: note for url, note in self.directories.items() if url in directories}
        for key, identity in served.items():
            note = self.leaves.get(key)
            if note is None or note.identity != identity:
                note = self.leaves[key] = LeafNote(identity)
            note.gone = None
        for key in self.leaves.keys() - served.keys():
            note = self.leaves[key]
            note.gone = note.gone or now
            if not timedelta() <= now - note.gone < _GRACE or note.said is None:
                del self.leaves[key]
        gone = sorted((note.gone, key) for key, note in self.leaves.items() if note.gone)
        for _, key in gone[: max(0, len(gone) - _MOST_GONE)]:
            del self.leaves[key]

    def changes(self) -> dict[str, Any]:
        """What has to be written so that the state is as the notes are now; None deletes."""
        after = {f"{_LEAF}{key}": _leaf_as_json(note) for key, note in self.leaves.items()}
        after |= {f"{_DIRECTORY}{url}": _directory_as_json(note) for url, note in self.directories.items()}
        written = {key: value for key, value in after.items() if self._before.get(key) != value}
        return written | dict.fromkeys(self._before.keys() - after.keys())


def _leaf_as_json(note: LeafNote) -> dict[str, Any]:
    said = note.said and {
        "start": note.said.window.start.isoformat(),
        "end": note.said.window.end.isoformat(),
        "explanation": note.said.window.explanation,
        "since": note.said.since.isoformat(),
        "previous_start": note.said.previous_start and note.said.previous_start.isoformat(),
    }
    return {
        "id": note.identity,
        "known_by": note.known_by,
        "asking": {url: _appointment_as_json(appointment) for url, appointment in note.asking.items()},
        "said": said,
        "told": list(note.told),
        "gone": note.gone and note.gone.isoformat(),
    }


def _directory_as_json(note: DirectoryNote) -> dict[str, Any]:
    return {"renewal_info": note.renewal_info, "reading": _appointment_as_json(note.reading)}


def _appointment_as_json(appointment: Appointment) -> dict[str, Any]:
    return {"due": appointment.due.isoformat(), "failures": appointment.failures}


def _read_leaf(value: Any, now: datetime) -> LeafNote:  # noqa: ANN401 - JSON
    said = value["said"]
    return LeafNote(
        identity=_text(value["id"]),
        known_by=None if value["known_by"] is None else _text(value["known_by"]),
        asking={url: _read_appointment(one, now) for url, one in value["asking"].items()},
        said=said
        and Said(
            Window(
                _time(said["start"]),
                _time(said["end"]),
                None if said["explanation"] is None else _text(said["explanation"]),
            ),
            _time(said["since"]),
            said["previous_start"] and _time(said["previous_start"]),
        ),
        told=tuple(_text(host) for host in value["told"]),
        gone=value["gone"] and _time(value["gone"]),
    )


def _read_directory(value: Any, now: datetime) -> DirectoryNote:  # noqa: ANN401 - JSON
    url = value["renewal_info"]
    return DirectoryNote(None if url is None else _text(url), _read_appointment(value["reading"], now))


def _read_appointment(value: Any, now: datetime) -> Appointment:  # noqa: ANN401 - JSON
    return Appointment(min(_time(value["due"]), now + _LATEST), int(value["failures"]))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
