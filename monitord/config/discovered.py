"""Lists of endpoints in the form of Prometheus's file_sd and http_sd, read into targets.

A list has groups, each with ``targets`` and the ``labels`` that they share. By Prometheus's custom, labels that begin
with two underscores are for the tools and do not reach the user: those that begin with ``__monitord_`` say what
monitord.yaml would say of the endpoint, the others are dropped. So one list serves Prometheus and monitord. Every other
label becomes a label of the endpoint; ``host`` and ``port`` are monitord's own and get the prefix ``exported_``, as in
Prometheus.

Each target is turned into an entry of ``domains:`` and read as such, so there is no second set of rules. What comes
over the network is never expanded with the environment, and can name no file.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitord.config.document import Document, MarkedDict, MarkedList, parse_document
from monitord.config.domains import DEFAULT_PINSET, Registered
from monitord.config.faults import Fault, Findings, UnfitError, shown
from monitord.config.fields import Surroundings
from monitord.config.hosts import parse_endpoint
from monitord.config.reading import parse_domains
from monitord.config.wording import unknown_key
from monitord.pinning.target import format_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitord.config.discovery import ListRules
    from monitord.pinning.target import Target

MOST_TARGETS = 100_000
_MOST_FAULTS = 20
_PREFIX, _TOOLS_OWN = "__monitord_", "__"
_OURS = ("host", "port")
_GROUP_KEYS = ("targets", "labels")
# Keys of a domain, and of its only pin set; those of the second row hold several values.
_DOMAIN_KEYS = ("server_name", "starttls", "interval", "staging")
_DOMAIN_LISTS = ("connect_to", "trust", "pins", "pinsets")
_PINSET_KEYS = ("client", "expires")
_KNOWN = (*_DOMAIN_KEYS, *_DOMAIN_LISTS, *_PINSET_KEYS)
LABELS = tuple(_PREFIX + key for key in _KNOWN)
"""The labels that say something to monitord."""
_BETWEEN = re.compile(r"[\s,]+")
_HTTPS = re.compile(r"https://(?P<endpoint>[^/?#]+)(?:[/?#].*)?")


@dataclass(frozen=True, slots=True)
class ListFault:
    """One thing that is wrong with a list, or dubious; ``line`` or ``group`` says where, counted from 1."""

    origin: str
    message: str
    line: int | None = None
    group: int | None = None

    def __str__(self) -> str:
        """``FILE:LINE: message`` or ``URL: group N: message``."""
        line = f":{self.line}" if self.line is not None else ""
        group = f" group {self.group}:" if self.group is not None else ""
        return f"{self.origin}{line}:{group} {self.message}"


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list comes to: its sound endpoints, and what is wrong or dubious."""

    targets: tuple[Target, ...] = ()
    faults: tuple[ListFault, ...] = ()
    warnings: tuple[ListFault, ...] = ()


def read_list(data: bytes, origin: str, rules: ListRules, *, lines: bool) -> Listed:
    """The endpoints in these bytes, which are JSON or YAML.

    ``origin`` is the file or the URL, for sentences; ``lines``: they count lines, as in a file that a person edits, and
    not groups.
    """
    document = _parse(Path(origin), data)
    findings = Findings(list(document.faults))
    entries = MarkedList()
    for entry, line in _entries(document, rules, findings, lines=lines):
        entries.put(entry, line)
    targets = _targets(document.path, entries, rules, findings)

    def told(faults: list[Fault]) -> tuple[ListFault, ...]:
        by_line = lines or document.faults
        found = [
            ListFault(origin, one.message, one.line if by_line else None, None if by_line else one.line)
            for one in sorted(set(faults))
        ]
        more = len(found) - _MOST_FAULTS
        rest = [ListFault(origin, f"and {more} more of this kind")] if more > 0 else []
        return (*found[:_MOST_FAULTS], *rest)

    return Listed(tuple(targets), told(findings.faults), told(findings.warnings))


def _parse(path: Path, data: bytes) -> Document:
    """The document, which has to be a list."""
    document = parse_document(path, data)
    if document.root is None and document.faults:
        # JSON has escapes that are none in YAML.
        try:
            document = Document(path, _marked(json.loads(data)))
        except (ValueError, RecursionError):
            return replace(document, root=MarkedList())
    if not isinstance(document.root, MarkedList):
        message = "it is not a list of groups, each with targets: and labels:"
        return replace(document, root=MarkedList(), faults=(*document.faults, Fault(path, document.line, message)))
    return document


def _marked(value: Any) -> Any:  # noqa: ANN401 - JSON holds anything
    """The same value in containers that know lines, all of them the first."""
    if isinstance(value, list):
        items = MarkedList()
        for item in value:
            items.put(_marked(item), 1)
        return items
    if isinstance(value, dict):
        mapping = MarkedDict()
        for key, item in value.items():
            mapping.put(key, _marked(item), 1)
        return mapping
    return value


def _entries(
    document: Document, rules: ListRules, findings: Findings, *, lines: bool
) -> Iterator[tuple[MarkedDict, int]]:
    """An entry of ``domains:`` for each sound target, with the line that it is from."""
    count = 0
    for index, group in enumerate(document.root):
        at = document.place(index).line if lines else index + 1
        try:
            targets, labels = _group(group)
        except UnfitError as error:
            findings.faults.append(Fault(document.path, at, str(error)))
            continue
        count += len(targets)
        if count > MOST_TARGETS:
            findings.faults.append(Fault(document.path, at, f"there are more than {MOST_TARGETS} targets"))
            return
        for number, target in enumerate(targets):
            line = document.place(index, "targets", number).line if lines else at
            try:
                yield _entry(target, labels, rules, line=None if lines else at), line
            except UnfitError as error:
                findings.faults.append(Fault(document.path, line, str(error)))


def _group(group: object) -> tuple[MarkedList, MarkedDict]:
    if not isinstance(group, MarkedDict):
        raise UnfitError(group, "is not a group: a mapping with targets: and labels:")
    for key in group:
        if key not in _GROUP_KEYS:
            raise UnfitError(key, "", unknown_key(key, _GROUP_KEYS))
    targets, labels = group.get("targets"), group.get("labels")
    labels = MarkedDict() if labels is None else labels
    if not isinstance(targets, MarkedList):
        raise UnfitError(targets, "", "the key 'targets' is missing, or not a list")
    if not isinstance(labels, MarkedDict):
        raise UnfitError(labels, "", f"labels: {shown(labels)} is not a mapping")
    for name, value in labels.items():
        if not isinstance(value, str):
            raise UnfitError(value, "", f"the label {shown(name)} is not text; put it in quotes")
    return targets, labels


def _entry(target: object, labels: MarkedDict, rules: ListRules, *, line: int | None) -> MarkedDict:
    """What monitord.yaml would say; ``line`` None: each value is on the line of its label. Raises UnfitError."""
    entry, own, said = MarkedDict(), MarkedDict(), {}
    host, port = _endpoint(target)
    entry.put("host", host, line or 1)
    entry.put("port", port, line or 1)
    lines = {name: line or labels.lines[name] for name in labels}
    for name, value in labels.items():
        if name.startswith(_PREFIX):
            key = name.removeprefix(_PREFIX)
            if key not in _KNOWN:
                raise UnfitError(name, "", _unknown_label(name))
            said[key] = value
        elif not name.startswith(_TOOLS_OWN):
            own.put(f"exported_{name}" if name in _OURS else name, value, lines[name])
    if own:
        entry.put("labels", own, next(iter(own.lines.values())))
    for key in (*_DOMAIN_KEYS, *_DOMAIN_LISTS):
        if key in said and key not in ("pins", "pinsets"):
            value = _several(said[key], lines[_PREFIX + key]) if key in _DOMAIN_LISTS else said[key]
            entry.put(key, value, lines[_PREFIX + key])
    _put_pins(entry, said, lines, rules)
    return entry


def _put_pins(entry: MarkedDict, said: Mapping[str, str], lines: Mapping[str, int], rules: ListRules) -> None:
    own = [key for key in ("pins", *_PINSET_KEYS) if key in said]
    if "pinsets" in said:
        if own:
            message = f"{_PREFIX}pinsets and {_PREFIX}{own[0]} exclude each other"
            raise UnfitError(said["pinsets"], "", message)
        entry.put("pinsets", _named(said["pinsets"], rules), lines[_PREFIX + "pinsets"])
    elif own == ["pins"]:
        entry.put("pins", _several(said["pins"], lines[_PREFIX + "pins"]), lines[_PREFIX + "pins"])
    elif own:
        if "pins" not in said:
            raise UnfitError(said, "", f"{_PREFIX}{own[0]} needs {_PREFIX}pins beside it")
        line = lines[_PREFIX + "pins"]
        pinset, pinsets = MarkedDict(), MarkedList()
        pinset.put("name", DEFAULT_PINSET, line)
        pinset.put("pins", _several(said["pins"], line), line)
        for key in own[1:]:
            pinset.put(key, said[key], lines[_PREFIX + key])
        pinsets.put(pinset, line)
        entry.put("pinsets", pinsets, line)


def _named(text: str, rules: ListRules) -> MarkedList:
    """The pin sets of the configuration that a label names."""
    pinsets = MarkedList()
    for name in _several(text, 1):
        if name not in rules.pinsets:
            known = ", ".join(sorted(rules.pinsets)) or "none"
            message = f"pin set {shown(name)} is not defined under discovery.pinsets; there are: {known}"
            raise UnfitError(name, "", message)
        pinsets.put(rules.pinsets[name], 1)
    return pinsets


def _several(text: str, line: int) -> MarkedList:
    """The values in a text, between which there are blanks or commas."""
    values = MarkedList()
    for value in _BETWEEN.split(text):
        if value:
            values.put(value, line)
    return values


def _endpoint(target: object) -> tuple[str, int]:
    if not isinstance(target, str):
        raise UnfitError(target, "is not a target; write it like api.example.com:443, in quotes")
    url = _HTTPS.fullmatch(target)  # as lists for blackbox_exporter have them
    return parse_endpoint(url["endpoint"] if url else target)


def _unknown_label(name: str) -> str:
    said = unknown_key(name, LABELS)
    return said.replace("unknown key", "unknown label").replace("the keys here are", "there are")


def _targets(path: Path, entries: MarkedList, rules: ListRules, findings: Findings) -> list[Target]:
    root = MarkedDict()
    root.put("domains", entries, 1)
    around = Surroundings(Path(), {}, rules.stores)
    parsed = parse_domains(Document(path, root), around, findings)
    registered = Registered(rules.default_trust, rules.interval, rules.timeout)
    found: dict[tuple[str, int], Target] = {}
    for index, entry in enumerate(parsed.content.domains):
        target = registered.target(parsed, index, entry, findings)
        known = found.setdefault((target.host, target.port), target)
        if known != target:
            name = format_endpoint(target.host, target.port)
            message = f"{name} is listed before with other pins or labels; the first is taken"
            findings.warnings.append(parsed.fault(("domains", index, "host"), message))
    return list(found.values())
