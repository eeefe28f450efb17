"""The body of a webhook: the event as JSON bytes, the same at every attempt, and below the size receivers take."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZE_LIMIT = 20_000
_CUTTABLE_LISTS = ("observations", "path", "new_pins", "chain", "matched", "pins")  # the most dispensable first
_LARGEST_GROUP = 10_000
_LONGEST_NESTED_TEXT = 300
_LONGEST_TEXT = 600
_NOTE_BYTES = 40  # what an entry of "omitted" takes


def write_payload(body: Mapping[str, Any]) -> bytes:
    """The event as compact ASCII JSON with sorted keys, of less than 20,000 bytes.

    An event that is too large is made to fit in this order, and only as far as needed: a list of endpoints hit by one
    cause (grouped) is cut to 10,000 bytes; texts inside its lists are cut to 300 bytes; lists lose entries from their
    end (observations, path, new_pins, chain, matched, pins); its own texts are cut to 600 bytes; labels go.
    ``data.omitted`` then says how many entries each list has lost.
    """
    written = _encode(body)
    if len(written) < SIZE_LIMIT:
        return written
    data = dict(body["data"])
    lists = [name for name in ("grouped", *_CUTTABLE_LISTS) if data.get(name)]
    data |= {name: _shorten(data[name], _LONGEST_NESTED_TEXT) for name in lists}
    data["omitted"] = {}
    for name in lists:
        written = _encode({**body, "data": data})
        if len(written) < SIZE_LIMIT:
            break
        excess = len(written) + _NOTE_BYTES - SIZE_LIMIT
        if name == "grouped":
            excess = min(excess, len(_encode(data[name])) - _LARGEST_GROUP)
        kept = _without_tail(data[name], excess)
        if len(kept) < len(data[name]):
            data["omitted"][name] = len(data[name]) - len(kept)
            data[name] = kept
    for shrink in (_shorten_texts, _drop_labels):
        written = _encode({**body, "data": data})
        if len(written) < SIZE_LIMIT:
            break
        data = shrink(data)
    return _encode({**body, "data": data})


def _encode(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _without_tail(items: list[Any], excess: int) -> list[Any]:
    """The items without as many at the end as it takes to free ``excess`` bytes."""
    kept = list(items)
    while kept and excess > 0:
        excess -= len(_encode(kept.pop())) + 1
    return kept


def _shorten_texts(data: dict[str, Any]) -> dict[str, Any]:
    return {name: _shorten(value, _LONGEST_TEXT) if isinstance(value, str) else value for name, value in data.items()}


def _drop_labels(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "labels": {}}


def _shorten(value: Any, longest: int) -> Any:  # noqa: ANN401 - JSON of any shape
    """The JSON value with every text in it at most ``longest`` bytes as JSON."""
    if isinstance(value, str):
        return _cut(value, longest)
    if isinstance(value, list | tuple):
        return [_shorten(item, longest) for item in value]
    if isinstance(value, dict):
        return {name: _shorten(item, longest) for name, item in value.items()}
    return value


def _cut(text: str, longest: int) -> str:
    if len(_encode(text)) <= longest:
        return text
    kept = text[:longest]
    while len(_encode(kept)) > longest - 6:  # the ellipsis is six bytes of ASCII JSON
        kept = kept[: len(kept) * 9 // 10]
    return kept + "…"
