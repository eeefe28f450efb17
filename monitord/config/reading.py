"""The main file and what it includes, read and held against the schema; what is sound goes on despite the rest.

A fault in one entry must not hide the faults of the others, nor those that only show when the parts are put
together. So an entry with a fault is taken out, and the steps that follow work on what is left.
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import ValidationError

from monitord.config.document import Document, MarkedDict, MarkedList, exists, parse_document, read_document
from monitord.config.environment import Location, expand_all
from monitord.config.faults import Fault, Findings, Place, UnfitError
from monitord.config.fields import Surroundings, unusable_file
from monitord.config.schema import IncludedFile, MainFile, Section
from monitord.config.truststores import BUILT_IN
from monitord.config.wording import complain, explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

DEFAULT_TRUST_KEY = "default"

S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True)
class Parsed(Generic[S]):
    """A file and the sound part of its content; indexes into both agree."""

    document: Document
    content: S

    def place(self, *location: str | int) -> Place:
        """Where the item at this chain of keys and indexes is."""
        return self.document.place(*location)

    def fault(self, location: Location, message: str) -> Fault:
        """A fault at this chain of keys and indexes."""
        place = self.place(*location)
        return Fault(place.file, place.line, message)

    def complaint(self, location: Location, error: UnfitError) -> Fault:
        """The fault of the value at this chain of keys and indexes."""
        return complain(self.document, location, error)


DomainFile = Parsed[MainFile] | Parsed[IncludedFile]


@dataclass(frozen=True, slots=True)
class Files:
    """The main file and the included ones, in the order read, and what their values could refer to."""

    main: Parsed[MainFile]
    included: tuple[Parsed[IncludedFile], ...]
    around: Surroundings

    @property
    def with_domains(self) -> tuple[DomainFile, ...]:
        """Every file that can register endpoints, the main one first."""
        return (self.main, *self.included)


def read_files(path: Path, environment: Mapping[str, str], findings: Findings, *, without: Iterable[str] = ()) -> Files:
    """The main file at ``path`` and the files it includes; faults go to ``findings``.

    ``without`` are keys of the main file to pass over, whatever is wrong there.
    """
    document = read_document(path, regular=False)
    findings.faults += document.faults
    root = document.root
    if root is not None and not isinstance(root, MarkedDict):
        message = "the file is not a mapping of keys such as interval: and domains:"
        findings.faults.append(Fault(path, document.line, message))
    if not isinstance(root, MarkedDict):
        root = MarkedDict()
    stores = root.get("trust")
    named = frozenset(stores if isinstance(stores, MarkedDict) else ()) - {DEFAULT_TRUST_KEY}
    around = Surroundings(path.parent, environment, named.union(BUILT_IN))
    for key in without:
        root.pop(key, None)
    main = _parse(replace(document, root=root), MainFile, around, findings)
    included = [_parse_included(read_document(file), around, findings) for file in _included_files(main, findings)]
    return Files(main, tuple(included), around)


def matching_files(main: Path, pattern: str) -> list[Path]:
    """The files that an item of ``include:`` in the file ``main`` stands for, sorted; a glob may match none."""
    if not glob.has_magic(pattern):
        return [main.parent / pattern]
    found = glob.glob(os.path.join(glob.escape(str(main.parent)), pattern))  # noqa: PTH118, PTH207 - it may be absolute
    return [Path(name) for name in sorted(found) if os.path.realpath(name) != os.path.realpath(main)]


def _included_files(main: Parsed[MainFile], findings: Findings) -> Iterator[Path]:
    seen: set[str] = set()
    for index, pattern in enumerate(main.content.include):
        for path in matching_files(main.document.path, pattern):
            if not exists(path) or path.is_dir():
                location: Location = ("include", index)
                error = unusable_file(main.document.value(location), f"there is no file {path}")
                findings.faults.append(main.complaint(location, error))
            elif os.path.realpath(path) not in seen:
                seen.add(os.path.realpath(path))
                yield path


def parse_included(path: Path, data: bytes, around: Surroundings, findings: Findings) -> Parsed[IncludedFile]:
    """What an included file with these bytes would hold; faults go to ``findings``."""
    return _parse_included(parse_document(path, data), around, findings)


def _parse_included(document: Document, around: Surroundings, findings: Findings) -> Parsed[IncludedFile]:
    findings.faults += document.faults
    root = document.root
    if isinstance(root, MarkedList):
        whole = MarkedDict()
        whole.put("domains", root, document.line)
        root = whole
    elif not isinstance(root, MarkedDict) or "domains" not in root:
        if root is not None:
            message = "an included file is a list of domains, or a mapping with the key domains"
            findings.faults.append(Fault(document.path, document.line, message))
        root = MarkedDict()
    return _parse(replace(document, root=root), IncludedFile, around, findings)


def _parse(document: Document, schema: type[S], around: Surroundings, findings: Findings) -> Parsed[S]:
    refused: dict[Location, Fault] = {}
    if document.dollars:
        for location, error in expand_all(document.root, around.environment):
            refused[location] = complain(document, location, error)
    while True:
        content = None
        try:
            content = schema.model_validate(document.root, context=around)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                refused.setdefault(detail["loc"], explain(document, detail))
        if content is not None and not refused:
            return Parsed(document, content)
        findings.faults += refused.values()
        _take_out(document.root, refused)
        refused = {}


def _take_out(root: MarkedDict, locations: Iterable[Location]) -> None:
    """Remove the second level that each location lies in: an item of ``domains``, a key of ``web``."""

    def index(location: Location) -> int:
        return location[1] if len(location) > 1 and isinstance(location[1], int) else -1

    for location in sorted({location[:2] for location in locations}, key=index, reverse=True):
        section = root.get(str(location[0]))
        if isinstance(section, MarkedList) and len(location) > 1:
            section.take_out(index(location))
        elif isinstance(section, MarkedDict) and len(location) > 1:
            section.pop(str(location[1]), None)
        else:
            root.pop(str(location[0]), None)
