"""Registering endpoints from the command line: one small file for each, in ``domains.d`` beside the main file.

People edit these files too. So nothing they wrote is lost: a new file is never written over an old one, pins are
added as lines, and a result that does not read back as meant is not written at all.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from monitord.config.document import exists, read_capped
from monitord.config.faults import ConfigurationError, Findings, Place
from monitord.config.pinsetschema import PinSetEntry
from monitord.config.reading import Files, matching_files, parse_included, read_files
from monitord.config.schema import DomainEntry, MainFile
from monitord.config.times import format_duration
from monitord.errors import MonitordError
from monitord.pinning.target import DEFAULT_PORT, format_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from monitord.config.environment import Location
    from monitord.config.fields import Surroundings
    from monitord.config.reading import DomainFile
    from monitord.pinning.pins import Pin
    from monitord.pinning.target import ConnectAddress

DIRECTORY = "domains.d"
_NEW_FILE_MODE, _NEW_DIRECTORY_MODE = 0o644, 0o755
_BLOCK_ITEM = re.compile(r"(?P<indent>\s*)- ")
_READ_KEYS = frozenset({"domains", "include"})


class RegistryError(MonitordError):
    """The registration cannot be changed by program; the sentence says what to change by hand, and where."""


@dataclass(frozen=True, slots=True)
class NotedPin:
    """A pin and what it is the pin of, such as ``leaf, CN=api.example.com``; the note becomes a comment."""

    pin: Pin
    note: str


@dataclass(frozen=True, slots=True)
class EntryOptions:
    """What an entry says beside its host, port and pins; what is None or empty is left out of it.

    ``pinset`` names the pin set; without it, the entry has the short form.
    """

    pinset: str | None = None
    server_name: str | None = None
    connect_to: tuple[ConnectAddress, ...] = ()
    interval: timedelta | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    trust: str | None = None


_NO_OPTIONS = EntryOptions()


@dataclass(frozen=True, slots=True)
class Registration:
    """Where an endpoint was registered. ``included`` is whether the main file includes that file."""

    path: Path
    included: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """An entry: the file it is in, its index there, itself."""

    file: DomainFile
    index: int
    entry: DomainEntry

    @property
    def place(self) -> Place:
        return self.file.place("domains", self.index, "host")


def find(main: Path, host: str, port: int, *, environment: Mapping[str, str]) -> Place | None:
    """Where an endpoint is registered. Raises ConfigurationError if the files cannot be read for certain."""
    found = _find(_read(main, environment), host, port)
    return found.place if found else None


def register(
    main: Path,
    endpoint: tuple[str, int],
    pins: Sequence[NotedPin],
    options: EntryOptions = _NO_OPTIONS,
    *,
    now: datetime,
    environment: Mapping[str, str],
) -> Registration:
    """Write ``domains.d/<host>.yaml`` beside the main file, whole or not at all.

    Where that file holds another port of the host, it is ``<host>_<port>.yaml``. Raises RegistryError if the
    endpoint is registered, the file exists or the entry would have a fault, ConfigurationError if the configuration
    has faults already.
    """
    host, port = endpoint
    files = _read(main, environment)
    found = _find(files, host, port)
    if found:
        raise RegistryError(f"{format_endpoint(host, port)} is registered already, at {found.place}")
    path = _free_path(main.parent / DIRECTORY, host, port, files.around)
    text = _entry_text(host, port, pins, options, now)
    _check(path, text, [_expected(host, port, pins, options)], files.around)
    _write(path, text)
    return Registration(path, _is_included(files, path))


def add_pins(
    main: Path, endpoint: tuple[str, int], pins: Sequence[NotedPin], *, now: datetime, environment: Mapping[str, str]
) -> Registration:
    """Add those pins that a registered endpoint does not have yet, as lines after its last one.

    Raises RegistryError if it is not registered, or its entry is not in a form that can be extended line by line.
    """
    host, port = endpoint
    name = format_endpoint(host, port)
    files = _read(main, environment)
    found = _find(files, host, port)
    if found is None:
        raise RegistryError(f"{name} is not registered")
    by_hand = RegistryError(f"the pins of {name} cannot be added by program; edit {found.place}")
    at, known = _pins_of(found, by_hand)
    new = [noted for noted in pins if noted.pin not in known]
    path = found.file.document.path
    if isinstance(found.file.content, MainFile):
        raise by_hand
    if new:
        entries = list(found.file.content.domains)
        entries[found.index] = _with_pins(found.entry, [*known, *(noted.pin for noted in new)])
        last = found.file.place(*at, len(known) - 1).line
        text = _with_lines(path, last, new, now, by_hand)
        try:
            _check(path, text, entries, files.around)
        except RegistryError:
            raise by_hand from None
        _write(path, text)
    return Registration(path, included=True)


def unregister(main: Path, host: str, port: int, *, environment: Mapping[str, str]) -> Path:
    """Delete the file of an endpoint, and name it.

    Raises RegistryError if the endpoint is not registered, or its file holds more than it or is named by a literal
    ``include:``; the text then says which line to edit.
    """
    name = format_endpoint(host, port)
    files = _read(main, environment)
    found = _find(files, host, port)
    if found is None:
        raise RegistryError(f"{name} is not registered")
    path = found.file.document.path
    if len(found.file.content.domains) > 1 or not _is_included(files, path, by_glob=True):
        raise RegistryError(
            f"{name} does not have a file of its own in {DIRECTORY}; remove it by hand at {found.place}"
        )
    try:
        path.unlink()
        _sync_directory(path.parent)
    except OSError as error:
        raise RegistryError(f"{path} cannot be removed: {error.strerror}") from error
    return path


def _read(main: Path, environment: Mapping[str, str]) -> Files:
    findings = Findings()
    files = read_files(main, environment, findings, without=MainFile.model_fields.keys() - _READ_KEYS)
    if findings.faults:
        raise ConfigurationError(tuple(findings.faults))
    return files


def _find(files: Files, host: str, port: int) -> _Found | None:
    for file in files.with_domains:
        for index, entry in enumerate(file.content.domains):
            if (entry.host, entry.port) == (host, port):
                return _Found(file, index, entry)
    return None


def _is_included(files: Files, path: Path, *, by_glob: bool = False) -> bool:
    """Whether ``include:`` names the file; ``by_glob``: and would not miss it."""
    main = files.main.document.path
    patterns = [
        pattern
        for pattern in files.main.content.include
        if any(os.path.realpath(match) == os.path.realpath(path) for match in matching_files(main, pattern))
    ]
    return bool(patterns) and not (by_glob and not all(map(glob.has_magic, patterns)))


def _free_path(directory: Path, host: str, port: int, around: Surroundings) -> Path:
    paths = [directory / f"{host}.yaml", directory / f"{host}_{port}.yaml"]
    for path in paths:
        if not exists(path):
            return path
        held = parse_included(path, _content(path), around, Findings())
        for index, entry in enumerate(held.content.domains):
            if (entry.host, entry.port) == (host, port):
                place = held.place("domains", index, "host")
                raise RegistryError(
                    f"{format_endpoint(host, port)} stands at {place} already, in a file that include: does not name"
                )
    raise RegistryError(f"{paths[0]} and {paths[1]} exist already; write the entry by hand")


def _entry_text(host: str, port: int, pins: Sequence[NotedPin], options: EntryOptions, now: datetime) -> str:
    lines = [f"# Written by monitord add on {now:%Y-%m-%d at %H:%M} UTC.", f"- host: {json.dumps(host)}"]
    if port != DEFAULT_PORT:
        lines.append(f"  port: {port}")
    lines += [f"  {key}: {_flow(value)}" for key, value in _written(options).items()]
    indent = "  "
    if options.pinset is not None and pins:
        lines += ["  pinsets:", f"    - name: {_flow(options.pinset)}"]
        indent = "      "
    if pins:
        lines.append(f"{indent}pins:")
    lines += [f"{indent}  - {noted.pin}  # {_comment(noted.note)}" for noted in pins]
    return "\n".join(lines) + "\n"


def _written(options: EntryOptions) -> dict[str, object]:
    """The keys that options become, as the file spells them."""
    addresses = [
        one.address if one.port is None else format_endpoint(one.address, one.port) for one in options.connect_to
    ]
    keys = {
        "server_name": options.server_name,
        "connect_to": addresses,
        "interval": options.interval and format_duration(options.interval),
        "labels": dict(options.labels),
        "trust": options.trust,
    }
    return {key: value for key, value in keys.items() if value}


def _flow(value: object) -> str:
    """A value in YAML on one line: JSON is YAML, but for a dollar sign, which would be taken for a variable."""
    return json.dumps(value, ensure_ascii=False).replace("$", "$$")


def _expected(host: str, port: int, pins: Sequence[NotedPin], options: EntryOptions) -> DomainEntry:
    entry = DomainEntry(host=host, port=port).model_copy(
        update={
            "server_name": options.server_name,
            "connect_to": list(options.connect_to),
            "interval": options.interval,
            "labels": dict(options.labels),
            "trust": None if options.trust is None else [options.trust],
        }
    )
    if not pins:
        return entry
    if options.pinset is None:
        return _with_pins(entry, [noted.pin for noted in pins])
    texts = [str(noted.pin) for noted in pins]
    return entry.model_copy(update={"pinsets": [PinSetEntry.model_validate({"name": options.pinset, "pins": texts})]})


def _comment(note: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in note)


def _pins_of(found: _Found, by_hand: RegistryError) -> tuple[Location, list[Pin]]:
    if found.entry.pins is not None:
        return ("domains", found.index, "pins"), found.entry.pins
    only = found.entry.pinsets[0] if found.entry.pinsets is not None and len(found.entry.pinsets) == 1 else None
    if only is not None and only.pins is not None:
        return ("domains", found.index, "pinsets", 0, "pins"), only.pins
    raise by_hand


def _with_pins(entry: DomainEntry, pins: list[Pin]) -> DomainEntry:
    if entry.pinsets is None:
        return entry.model_copy(update={"pins": pins})
    return entry.model_copy(update={"pinsets": [entry.pinsets[0].model_copy(update={"pins": pins})]})


def _with_lines(path: Path, after: int, pins: Sequence[NotedPin], now: datetime, by_hand: RegistryError) -> str:
    lines = _content(path).decode("utf-8").splitlines()
    item = _BLOCK_ITEM.match(lines[after - 1])
    if item is None:
        raise by_hand
    added = [f"{item['indent']}- {noted.pin}  # {_comment(noted.note)}, added {now:%Y-%m-%d}" for noted in pins]
    return "\n".join([*lines[:after], *added, *lines[after:]]) + "\n"


def _check(path: Path, text: str, expected: list[DomainEntry], around: Surroundings) -> None:
    """Refuse a text that does not read back as what was meant."""
    findings = Findings()
    read = parse_included(path, text.encode("utf-8", "surrogateescape"), around, findings)
    if findings.faults:
        faults = "; ".join(fault.message for fault in findings.faults)
        raise RegistryError(f"the entry for {path} would be faulty: {faults}")
    if read.content.domains != expected:
        raise RegistryError(f"{path} cannot be written by program; write the entry by hand")


def _content(path: Path) -> bytes:
    try:
        return read_capped(path)
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror}") from error


def _write(path: Path, text: str) -> None:
    """Put the whole text in place at once; the mode of a file that is replaced stays."""
    try:
        path.parent.mkdir(mode=_NEW_DIRECTORY_MODE, parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if exists(path) else _NEW_FILE_MODE
        # The leading dot keeps a half-written file from being included.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode("utf-8"))
                os.fchmod(file.fileno(), mode)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        _sync_directory(path.parent)
    except OSError as error:
        raise RegistryError(f"{path} cannot be written: {error.strerror}") from error


def _sync_directory(path: Path) -> None:
    """Make the names in a directory last through a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
