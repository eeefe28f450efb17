"""The main file and what it includes, read and held against the schema; what is sound goes on despite the rest.

A fault in one entry must not hide the faults of the others, nor those that only show when the parts are put
together. So an entry with a fault is taken out, and the steps that follow work on what is left.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import ValidationError

from monitord.config.document import Document, MarkedDict, MarkedList, exists, parse_document, read_document
from monitord.config.environment import Location, expand_all
from monitord.config.faults import Fault, Findings, Place, UnfitError
from monitord.config.fields import Surroundings, unusable_file
from monitord.config.schema import IncludedFile, MainFile
from monitord.config.section import Section
from monitord.config.truststores import BUILT_IN
from monitord.config.wording import complain, explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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
Progress = Callable[[int, int], None]
"""Who is told how many of how many included files have been read."""


def nobody(_done: int, _of: int) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class Files:
    """The main file and the included ones, in the order read, and what their values could refer to."""

    main: Parsed[MainFile]
    included: Iterable[Parsed[IncludedFile]]
    around: Surroundings

    @property
    def with_domains(self) -> Iterator[DomainFile]:
        """Every file that can register endpoints, the main one first."""
        return chain([self.main], self.included)


def read_files(
    path: Path,
    environment: Mapping[str, str],
    findings: Findings,
    *,
    without: Iterable[str] = (),
    one_by_one: bool = False,
    progress: Progress = nobody,
) -> Files:
    """The main file at ``path`` and the files it includes; faults go to ``findings``.

    ``without`` are keys of the main file to pass over, whatever is wrong there; a dot leads into a mapping.
    ``one_by_one``: an included file is read when it is come to, and may be gone through once. All at once they take
    four times the memory of what they say.
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
    for path_of_keys in without:
        _leave_out(root, path_of_keys.split("."))
    main = _parse(replace(document, root=root), MainFile, around, findings)
    paths = list(_included_files(main, findings))
    included = _read_included(paths, around, findings, progress)
    return Files(main, included if one_by_one else tuple(included), around)


def _read_included(
    paths: Sequence[Path], around: Surroundings, findings: Findings, progress: Progress
) -> Iterator[Parsed[IncludedFile]]:
    for number, path in enumerate(paths):
        progress(number, len(paths))
        yield parse_domains(read_document(path), around, findings)
    progress(len(paths), len(paths))


def _leave_out(root: MarkedDict, keys: list[str]) -> None:
    above: object = root
    for key in keys[:-1]:
        above = above.get(key) if isinstance(above, MarkedDict) else None
    if isinstance(above, MarkedDict):
        above.pop(keys[-1], None)


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
    return parse_domains(parse_document(path, data), around, findings)


def parse_domains(document: Document, around: Surroundings, findings: Findings) -> Parsed[IncludedFile]:
    """The sound part of a document that holds domains; faults go to ``findings``."""
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
    told: set[Location] = set()
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
        # A key that was taken out for its fault is missing now, where it is required.
        findings.faults += [fault for location, fault in refused.items() if location not in told]
        told |= refused.keys()
        _take_out(document.root, refused)
        refused = {}


def _take_out(root: MarkedDict, locations: Iterable[Location]) -> None:
    """Remove the second level that each location lies in: an item of ``domains``, a key of ``web``.

    Where a key is missing, the mapping that wants it is removed.
    """

    def index(location: Location) -> int:
        return location[1] if len(location) > 1 and isinstance(location[1], int) else -1

    for location in sorted({location[:2] for location in locations}, key=index, reverse=True):
        section = root.get(str(location[0]))
        if isinstance(section, MarkedList) and len(location) > 1:
            section.take_out(index(location))
        elif isinstance(section, MarkedDict) and len(location) > 1 and str(location[1]) in section:
            section.pop(str(location[1]))
        else:
            root.pop(str(location[0]), None)
