"""The documents, and what is in them: links, tables, blocks of code, commands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the document's name, what stands after the fence, and the text."""

    document: str
    info: str
    text: str


def blocks(document: Path, info: str | None = None) -> list[Block]:
    """The fenced blocks of a document, in order; those of one language, if it is given."""
    found = [Block(document.name, m["info"], m["text"]) for m in _FENCE.finditer(document.read_text("utf-8"))]
    return [block for block in found if info in (None, block.info)]


def all_blocks(info: str) -> list[Block]:
    """The fenced blocks of one language in all documents."""
    return [block for document in DOCUMENTS for block in blocks(document, info)]


def prose(document: Path) -> str:
    """A document without its fenced blocks."""
    return _FENCE.sub("", document.read_text("utf-8"))


def spans(text: str) -> list[str]:
    """What stands between backticks."""
    return _SPAN.findall(text)


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of every table in a text whose first column has this heading, without the two lines on top."""
    found: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if inside and not set(line) <= set("|-"):
            found.append(cells)
        inside = inside or cells[0] == heading
    return found
