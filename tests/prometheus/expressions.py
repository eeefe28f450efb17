"""What expressions of PromQL speak of: our metrics, and the labels that are asked of them."""

from __future__ import annotations

import re

from monitord.metrics.families import COUNTERS, GAUGES, LAG, PREFIX

FROM_PROMETHEUS = frozenset({"job", "instance"})
"""Labels that Prometheus sets on whatever it scrapes."""

_PARTS = ("bucket", "sum", "count")
LABELS = {
    **{PREFIX + family.name: set(family.labels) for family in GAUGES},
    **{f"{PREFIX}{family.name}_total": set(family.labels) for family in COUNTERS},
    **{f"{PREFIX}{LAG.name}_{part}": {*LAG.labels, *(["le"] if part == "bucket" else [])} for part in _PARTS},
}
"""The labels of every series that monitord exposes, by its name."""

_SELECTOR = re.compile(rf"(?<![\w:])(?P<name>{PREFIX}\w+)(?![\w:])(?:\{{(?P<labels>[^}}]*)\}})?")
_LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\((?P<labels>[^)]*)\)")


def selectors(expression: str) -> list[tuple[str, set[str]]]:
    """The metrics of ours in an expression, each with the labels that it is selected by."""
    return [(m["name"], set(_LABEL.findall(m["labels"] or ""))) for m in _SELECTOR.finditer(expression)]


def grouped_by(expression: str) -> set[str]:
    """The labels that an expression groups or matches by."""
    lists = (m["labels"].split(",") for m in _GROUPING.finditer(expression))
    return {label.strip() for labels in lists for label in labels if label.strip()}


def unknown_in(expression: str) -> set[str]:
    """Metrics that do not exist, and labels that none of the metrics in the expression has."""
    found = selectors(expression)
    unknown = {name for name, _ in found if name not in LABELS}
    known = [(LABELS[name], name, labels) for name, labels in found if name in LABELS]
    unknown |= {f"{name}{{{label}}}" for has, name, labels in known for label in labels - has - FROM_PROMETHEUS}
    anywhere = FROM_PROMETHEUS.union(*(has for has, _, _ in known))
    return unknown | (grouped_by(expression) - anywhere)
