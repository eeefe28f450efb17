"""What the schema refuses, in sentences for the person who wrote the file."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

from monitord.config.environment import Expanded, Location
from monitord.config.faults import Fault, UnfitError, shown
from monitord.config.later import NOT_YET, REFUSAL
from monitord.config.schema import MainFile
from monitord.config.section import Section

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pydantic_core import ErrorDetails

    from monitord.config.document import Document

# What may hold a credential.
_UNSHOWN = frozenset(
    {
        "discovery.http_sd",
        "discovery.http_sd.url",
        "domains.proxy",
        "receivers.email.smtp.password",
        "receivers.webhook.url",
        "signals.ari.directories",
        "signals.ct.log_list",
        "signals.ct.logs.url",
        "signals.ct.search.url",
        "store",
    }
)
_UNSHOWN_HEADERS = "receivers.webhook.headers."

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a mapping",
    "string_type": "text",
}


def explain(document: Document, error: ErrorDetails) -> Fault:
    """The fault that a person is told for one error of the schema."""
    location: Location = error["loc"]
    place = document.place(*location)
    return Fault(place.file, place.line, _sentence(document, error, location))


def complain(document: Document, location: Location, error: UnfitError) -> Fault:
    """The fault for a value at this location that a parser refused."""
    place = document.place(*location)
    return Fault(place.file, place.line, _complaint(location, document.value(location), error))


def _sentence(document: Document, error: ErrorDetails, location: Location) -> str:
    path, kind = _path(location), error["type"]
    value = document.value(location)
    if kind == "extra_forbidden":
        return _unknown_key(location, path)
    if kind == "missing":
        return f"the key {location[-1]!r} is missing"
    if value is None and location[-1:] != ("[key]",):
        return f"{where(location)} has no value; give it one or remove it"
    refused = error.get("ctx", {}).get("error")
    if isinstance(refused, UnfitError):
        return _complaint(location, value, refused)
    return _complaint(location, value, UnfitError(value, _type_complaint(error, value)))


def _complaint(location: Location, value: object, error: UnfitError) -> str:
    if location[-1:] == ("[key]",):
        return f"{where(location[:-2])}: {error}"
    if error.whole and not isinstance(value, Expanded):
        return error.whole
    if _path(location) in _UNSHOWN or _path(location).startswith(_UNSHOWN_HEADERS) or value in ([], {}):
        return f"{where(location)} {error.complaint}"
    colon = ":" if isinstance(location[-1], int) else ""
    quoted = shown(value.written if isinstance(value, Expanded) else value)
    return f"{where(location)}{colon} {quoted} {error.complaint}"


def _type_complaint(error: ErrorDetails, value: object) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"is less than {context['ge']}" if "ge" in context else f"is more than {context['le']}"
    if kind in ("too_short", "string_too_short"):
        return "is empty"
    if kind == "string_too_long":
        return f"is longer than {context['max_length']} characters"
    expected = _EXPECTED.get(kind, "what is expected here")
    if kind == "string_type" and not isinstance(value, dict | list):
        return "is not text; put it in quotes"
    return f"is not {expected}"


def _unknown_key(location: Location, path: str) -> str:
    key = str(location[-1])
    if path in NOT_YET:
        return f"the key {key!r} {REFUSAL}"
    return unknown_key(key, _KNOWN_KEYS.get(path.rpartition(".")[0], frozenset()))


def unknown_key(key: str, known: Collection[str]) -> str:
    """What to say of a key that is none of those known here."""
    if key == "<<":
        return "merge keys (<<) are not supported; write the keys out"
    if key in known:  # of the main file, in one that it includes
        return f"the key {shown(key)} does not belong here; it stands in the main file, once"
    near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.6)
    if near:
        return f"unknown key {shown(key)}; did you mean {near[0]!r}?"
    return f"unknown key {shown(key)}; the keys here are: {', '.join(sorted(known))}"


def where(location: Location) -> str:
    """How a sentence names the value at a location: ``smtp.port``, ``labels.team``, ``item 2 of pins``."""
    if location and isinstance(location[-1], int):
        return f"item {location[-1] + 1} of {where(location[:-1])}"
    names: list[str] = []
    for step in reversed(location):
        if isinstance(step, int):
            break
        names.append(step)
    return ".".join(reversed(names)) or "the file"


def _path(location: Location) -> str:
    return ".".join(step for step in location if isinstance(step, str))


def _known_keys(section: type[Section], path: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    fields = {field.alias or name: field.annotation for name, field in section.model_fields.items()}
    yield path, frozenset(fields)
    for name, annotation in fields.items():
        for nested in sections_in(annotation):
            yield from _known_keys(nested, f"{path}.{name}" if path else name)


def sections_in(annotation: Any) -> Iterator[type[Section]]:  # noqa: ANN401 - a type expression
    """The sections that a type expression names."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from sections_in(argument)


_KNOWN_KEYS = dict(_known_keys(MainFile))
