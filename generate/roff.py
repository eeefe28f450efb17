"""Manual pages out of the Markdown of our documents: headings, paragraphs, lists, tables and blocks of code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from monitord.__about__ import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LINK = re.compile(r"\[(?P<text>[^\]]+)\]\([^)]*\)")
_MARKED = re.compile(r"`(?P<code>[^`]+)`|\*\*(?P<strong>[^*]+)\*\*|(?<![\w*])\*(?P<weak>[^*\s][^*]*)\*(?!\w)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_CELLS = re.compile(r"(?<!\\)\|")
_PLAIN = {"\N{HORIZONTAL ELLIPSIS}": "...", "\N{RIGHTWARDS ARROW}": "->", "\N{GREATER-THAN OR EQUAL TO}": ">="}


def head(name: str, section: int, summary: str) -> str:
    """The beginning of a page."""
    title = f'.TH {name.upper()} {section} "" "monitord {__version__}" "monitord"'
    return f"{title}\n.nh\n.ad l\n.SH NAME\n{escaped(name)} \\- {escaped(summary)}\n"


def tidied(parts: Iterable[str]) -> str:
    """A whole page: a paragraph that a heading begins needs no macro of its own."""
    return re.sub(r"^(\.S[HS] .*\n)\.PP\n", r"\1", "".join(parts), flags=re.MULTILINE)


def escaped(text: str) -> str:
    """A text as it is, on one line."""
    for character, spelled in _PLAIN.items():
        text = text.replace(character, spelled)
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("\n", " ")
    return rf"\&{text}" if text.startswith((".", "'")) else text


def plain(markdown: str) -> str:
    """A line of Markdown without marks."""
    text = _LINK.sub(r"\g<text>", markdown)
    return _MARKED.sub(lambda m: m["code"] or m["strong"] or m["weak"], text).replace(r"\|", "|")


def inline(markdown: str) -> str:
    """A line of Markdown with its marks as fonts."""
    text = _LINK.sub(r"\g<text>", markdown).replace(r"\|", "|")
    made, end = [], 0
    for match in _MARKED.finditer(text):
        made.append(escaped(text[end : match.start()]).removeprefix(r"\&"))
        font, inner = ("I", match["weak"]) if match["weak"] else ("B", match["code"] or match["strong"])
        made.append(rf"\f{font}{escaped(inner)}\fR")
        end = match.end()
    made.append(escaped(text[end:]).removeprefix(r"\&"))
    line = "".join(made)
    return rf"\&{line}" if line.startswith((".", "'")) else line


def tagged(tag: str, *lines: str) -> str:
    """An entry of a list: its tag, and what is said of it, one line or more; all of it roff."""
    return "\n".join([".TP", tag, *(line for line in lines if line)]) + "\n"


def block(code: str) -> str:
    """Code, set off and as it is."""
    lines = [escaped(line) for line in code.rstrip("\n").splitlines()]
    return "\n".join([".PP", ".RS 4", ".nf", *lines, ".fi", ".RE"]) + "\n"


def cells(line: str) -> list[str]:
    """The cells of a row of a table."""
    return [cell.strip() for cell in _CELLS.split(line)[1:-1]]


def page(markdown: str) -> str:
    """The body of a document below its title."""
    return "".join(_parts(_COMMENT.sub("", markdown)))


def _parts(markdown: str) -> Iterator[str]:
    lines = markdown.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        end = at + 1
        if line.startswith("```"):
            end = next(number for number in range(at + 1, len(lines)) if lines[number].startswith("```"))
            yield block("\n".join(lines[at + 1 : end]))
            end += 1
        elif line.startswith("#"):
            level, _, title = line.partition(" ")
            yield f".{'SH' if level == '##' else 'SS'} {plain(title).upper() if level == '##' else plain(title)}\n"
        elif line.startswith("|"):
            end = next((number for number in range(at, len(lines)) if not lines[number].startswith("|")), len(lines))
            yield from _table([cells(row) for row in lines[at:end]])
        elif line.strip():
            end = next((number for number in range(at + 1, len(lines)) if _begins_anew(lines[number])), len(lines))
            text = " ".join(one.strip() for one in lines[at:end])
            if text.startswith("- "):
                yield f".IP \\(bu 2\n{inline(text.removeprefix('- '))}\n"
            else:
                yield f".PP\n{inline(text)}\n"
        at = end


def _begins_anew(line: str) -> bool:
    return not line.strip() or line.startswith(("#", "|", "```", "- "))


def _table(rows: list[list[str]]) -> Iterator[str]:
    """A list with an entry for each row: its first cell, and the others after their headings."""
    headings, body = rows[0], rows[2:]
    for first, *others in body:
        said = [(heading, cell) for heading, cell in zip(headings[1:], others, strict=True) if cell]
        last = said[-1][1] if said else ""
        notes = [f"{heading}: {cell}" for heading, cell in said[:-1]]
        tag = inline(first) if "`" in first else rf"\fB{inline(first)}\fR"
        yield tagged(tag, inline("; ".join(notes)) + "\n.br" if notes else "", inline(last))
