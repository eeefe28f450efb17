"""A letter as plain text and as HTML."""

from __future__ import annotations

import textwrap
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING

from monitord.notify.letter import Code, Fact, Text
from monitord.notify.plain import is_web_link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.notify.letter import Letter, Line, Section

_WIDTH = 76
NEUTRAL = "#57606a"
COLOURS: Mapping[str, str] = MappingProxyType({"critical": "#b3261e", "warning": "#9a6700", "resolved": "#1a7f37"})
"""By the mood of a letter; white is readable on each."""

# No colours but the banner's: the reader's own are right by day and by night.
_HEAD = (
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<meta name="color-scheme" content="light dark">\n'
    '<meta name="supported-color-schemes" content="light dark">'
)
_BODY = "margin:0 auto;padding:12px;max-width:42em;font:16px/1.45 system-ui,sans-serif;overflow-wrap:anywhere"
_CODE = "font:14px/1.45 ui-monospace,monospace;background:rgba(127,127,127,.15);padding:2px 4px;border-radius:3px"


def render_text(letter: Letter) -> str:
    """The letter as plain text, wrapped at 76 columns; what is to be copied stays whole on its line."""
    parts = [_wrap(letter.lead, "", "")]
    for section in letter.urgent:
        parts += _text_section(section)
    if letter.link:
        parts += ["", letter.link]
    for section in letter.details:
        parts += _text_section(section)
    return "\n".join([*parts, "", "-- ", letter.footer, ""])


def _text_section(section: Section) -> list[str]:
    return ["", section.title, *(_text_line(line) for line in section.lines)]


def _text_line(line: Line) -> str:
    match line:
        case Text(text):
            return _wrap(text, "  ", "  ")
        case Fact(name, value):
            return _wrap(f"{name}: {value}", "  ", "    ")
        case Code(code, remark):
            return f"  {code}" + (f"  ({remark})" if remark else "")


def _wrap(text: str, first: str, hanging: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=first, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    )


def render_html(letter: Letter) -> str:
    """The letter as one HTML page without anything from outside, for phone and desk, day and night."""
    banner = f"padding:8px 12px;color:#fff;background:{COLOURS.get(letter.mood, NEUTRAL)}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        _HEAD,
        f"<title>{escape(letter.subject)}</title></head>",
        f'<body style="{_BODY}">',
        f'<div style="{banner}"><h1 style="margin:0;font-size:18px">{escape(letter.title)}</h1>',
        f'<p style="margin:0;font-size:13px">{escape(letter.standing)}</p></div>',
        f'<p style="margin:12px 0 4px;font-weight:bold">{escape(letter.lead)}</p>',
    ]
    for section in letter.urgent:
        parts += _html_section(section)
    if letter.link:
        parts.append(f'<p style="margin:20px 0 4px">{_link(letter.link)}</p>')
    for section in letter.details:
        parts += _html_section(section)
    parts.append(f'<p style="margin:20px 0 4px;font-size:13px;opacity:.75">{escape(letter.footer)}</p>')
    return "\n".join([*parts, "</body></html>", ""])


def _html_section(section: Section) -> list[str]:
    title = f'<h2 style="margin:20px 0 4px;font-size:16px">{escape(section.title)}</h2>'
    return [title, *(_html_line(line) for line in section.lines)]


def _html_line(line: Line) -> str:
    match line:
        case Text(text):
            inner = escape(text)
        case Fact(name, value):
            inner = f"<b>{escape(name)}:</b> {escape(value)}"
        case Code(code, remark):
            inner = f'<code style="{_CODE}">{escape(code)}</code>' + (f" ({escape(remark)})" if remark else "")
    return f'<p style="margin:4px 0">{inner}</p>'


def _link(url: str) -> str:
    """A link, if it goes to a web page; else the bare text."""
    shown = escape(url)
    return f'<a href="{shown}">{shown}</a>' if is_web_link(url) else shown
