"""Rules by which a root programme accepts a root for older leaves only, as data (docs/distrust.md)."""

from __future__ import annotations

import importlib.resources
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitord.config.document import Document, MarkedDict, MarkedList, parse_document, read_document
from monitord.config.faults import ConfigurationError, Fault, UnfitError, shown
from monitord.config.signals import Programme
from monitord.config.times import parse_time
from monitord.config.wording import complain, unknown_key, where
from monitord.pinning.pins import PinSpellingError, parse_pin
from monitord.pinning.trust import Distrust

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from monitord.config.environment import Location

SHIPPED = "distrust.yaml"
_DATES = ("not_before_after", "sct_not_after")
_RULE_KEYS = ("programme", *_DATES, "roots")
_ROOT_KEYS = ("name", "certificate", "spki")
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_KINDS: Mapping[type, str] = {MarkedDict: "a mapping", MarkedList: "a list", str: "text"}


def load_distrust(path: Path | None = None) -> Mapping[Programme, Mapping[bytes, Distrust]]:
    """The rules of every programme, by the SHA-256 of a root's SubjectPublicKeyInfo.

    ``path`` None: the rules that monitord ships. Chrome's date of the first SCT is taken for one of notBefore. Raises
    ConfigurationError with all faults of the file.
    """
    if path is None:
        shipped = importlib.resources.files("monitord.config") / SHIPPED
        document = parse_document(Path(SHIPPED), shipped.read_bytes())
    else:
        document = read_document(path)
    reader = _Reader(document)
    rules = reader.rules()
    if reader.faults:
        raise ConfigurationError(tuple(reader.faults))
    return rules


class _Reader:
    """Reads a document and collects its faults."""

    def __init__(self, document: Document) -> None:
        self.faults = list(document.faults)
        self._document = document

    def rules(self) -> dict[Programme, dict[bytes, Distrust]]:
        found: dict[Programme, dict[bytes, Distrust]] = {programme: {} for programme in Programme}
        first: dict[tuple[Programme, bytes], int] = {}
        if self._document.faults:
            return found
        if not isinstance(self._document.root, MarkedDict):
            self._fault((), "the file is not a mapping with the key rules:")
            return found
        self._refuse_unknown((), ("rules",))
        for at in self._items(("rules",)):
            rule = self._rule(at)
            for spki, place in self._roots((*at, "roots")):
                if rule is None:
                    continue
                programme, distrust = rule
                line = first.setdefault((programme, spki), self._document.place(*place).line)
                if spki in found[programme]:
                    self._fault(place, f"{programme} has a rule for this key already, on line {line}; keep one")
                found[programme][spki] = distrust
        return found

    def _rule(self, at: Location) -> tuple[Programme, Distrust] | None:
        if not self._is(at, MarkedDict):
            return None
        self._refuse_unknown(at, _RULE_KEYS)
        programme = date = None
        name = self._text((*at, "programme"))
        if name is not None:
            try:
                programme = Programme(name)
            except ValueError:
                known = " or ".join(Programme)
                self._complain((*at, "programme"), UnfitError(name, f"is not known; write {known}"))
        given = [key for key in _DATES if key in self._document.value(at)]
        if len(given) != 1:
            self._fault(at, f"a rule has one date, {_DATES[0]} or {_DATES[1]}")
            return None
        text = self._text((*at, given[0]))
        if text is not None:
            try:
                date = parse_time(text)
            except UnfitError as error:
                self._complain((*at, given[0]), error)
        if programme is None or date is None:
            return None
        return programme, Distrust(date, programme.value.capitalize())

    def _roots(self, at: Location) -> Iterator[tuple[bytes, Location]]:
        """The keys of a rule's roots, each with the place where it stands."""
        if not isinstance(self._document.value(at[:-1]), MarkedDict):
            return
        for item in self._items(at):
            if not self._is(item, MarkedDict):
                continue
            self._refuse_unknown(item, _ROOT_KEYS)
            self._text((*item, "name"))
            if "certificate" in self._document.value(item):
                self._hash((*item, "certificate"))
            spki = self._text((*item, "spki"))
            if spki is None:
                continue
            try:
                yield parse_pin(spki).digest, (*item, "spki")
            except PinSpellingError as error:
                self._complain((*item, "spki"), UnfitError(spki, "is not the hash of a key", str(error)))

    def _hash(self, at: Location) -> None:
        text = self._text(at)
        if text is not None and not _HEX.fullmatch(text):
            self._complain(at, UnfitError(text, "is not a SHA-256 in hexadecimal, 64 digits without colons"))

    def _items(self, at: Location) -> Iterator[Location]:
        """The places of the items of the list that must be here."""
        if self._has(at) and self._is(at, MarkedList):
            items = self._document.value(at)
            if not items:
                self._fault(at, f"{where(at)} is empty")
            for index in range(len(items)):
                yield (*at, index)

    def _text(self, at: Location) -> str | None:
        """The text that must be here."""
        if not (self._has(at) and self._is(at, str)):
            return None
        text: str = self._document.value(at)
        return text

    def _has(self, at: Location) -> bool:
        if at[-1] in self._document.value(at[:-1]):
            return True
        self._fault(at, f"the key {at[-1]!r} is missing")
        return False

    def _is(self, at: Location, kind: type) -> bool:
        value: Any = self._document.value(at)
        if isinstance(value, kind):
            return True
        self._fault(at, f"{where(at)}: {shown(value)} is not {_KINDS[kind]}")
        return False

    def _refuse_unknown(self, at: Location, known: Collection[str]) -> None:
        for key in self._document.value(at):
            if key not in known:
                self._fault((*at, key), unknown_key(key, known))

    def _complain(self, at: Location, error: UnfitError) -> None:
        self.faults.append(complain(self._document, at, error))

    def _fault(self, at: Location, message: str) -> None:
        place = self._document.place(*at)
        self.faults.append(Fault(place.file, place.line, message))
