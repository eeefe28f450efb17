"""Lines of the text format and of OpenMetrics, which differ in the heads of families only.

``prometheus_client`` writes the same out of an object for each sample, which takes seconds for ten thousand endpoints.
Here a sample is a line as soon as it is known. Sources: Prometheus's "Exposition formats", and OpenMetrics 1.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterable


def sample(name: str, labels: Iterable[tuple[str, str]], value: float) -> str:
    """The line of one series; ``labels`` in the order in which they are to stand."""
    written = ",".join([f'{label}="{_escaped(text)}"' for label, text in labels])
    braces = f"{{{written}}}" if written else ""
    return f"{name}{braces} {_number(value)}\n"


def revalued(line: bytes, value: float) -> bytes:
    """The line of the same series with another value."""
    return b"%s %s\n" % (line[: line.rindex(b" ")], _number(value).encode())


def head(name: str, kind: str, help_text: str, *, openmetrics: bool) -> str:
    """What stands above the samples of a family. A counter's name ends in ``_total`` in the text format alone."""
    if kind == "counter" and not openmetrics:
        name += "_total"
    text = help_text.replace("\\", r"\\").replace("\n", r"\n")
    if openmetrics:
        text = text.replace('"', r"\"")
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _number(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _escaped(text: str) -> str:
    if '"' in text or "\\" in text or "\n" in text:
        return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return text
