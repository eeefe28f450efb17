"""A letter as plain text and as HTML."""

from __future__ import annotations

import textwrap
from html import escape
from typing import TYPE_CHECKING

from monitord.notify.wording import Code, Fact, Text

if TYPE_CHECKING:
    from monitord.notify.wording import Letter, Line

_WIDTH = 76
_COLOURS = {"critical": "#b3261e", "warning": "#9a6700", "resolved": "#1a7f37"}
_NEUTRAL = "#57606a"


def render_text(letter: Letter) -> str:
    """The letter as plain text, wrapped at 76 columns; what is to be copied stays whole on its line."""
    parts = [letter.headline]
    for section in letter.sections:
        parts += ["", section.title, *(_text_line(line) for line in section.lines)]
    if letter.link:
        parts += ["", letter.link]
    return "\n".join([*parts, "", "-- ", letter.footer, ""])


def _text_line(line: Line) -> str:
    match line:
        case Text(text):
            return _wrap(text, "  ")
        case Fact(name, value):
            return _wrap(f"{name}: {value}", "    ")
        case Code(code, remark):
            return f"  {code}" + (f"  ({remark})" if remark else "")


def _wrap(text: str, hanging: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent="  ", subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    )


def render_html(letter: Letter) -> str:
    """The letter as one HTML page without anything from outside, for a phone as well as for a desk."""
    colour = _COLOURS.get(letter.mood, _NEUTRAL)
    banner = f"margin:0;padding:8px 12px;font-size:18px;color:#fff;background:{colour}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(letter.subject)}</title></head>",
        '<body style="margin:0 auto;padding:12px;max-width:42em;font:16px/1.45 sans-serif;overflow-wrap:anywhere">',
        f'<h1 style="{banner}">{escape(letter.headline)}</h1>',
    ]
    for section in letter.sections:
        parts.append(f'<h2 style="margin:20px 0 4px;font-size:16px">{escape(section.title)}</h2>')
        parts += [_html_line(line) for line in section.lines]
    if letter.link:
        parts.append(f'<p style="margin:20px 0 4px">{_link(letter.link)}</p>')
    parts.append(f'<p style="margin:20px 0 4px;font-size:13px;color:{_NEUTRAL}">{escape(letter.footer)}</p>')
    return "\n".join([*parts, "</body></html>", ""])


def _html_line(line: Line) -> str:
    match line:
        case Text(text):
            inner = escape(text)
        case Fact(name, value):
            inner = f"<b>{escape(name)}:</b> {escape(value)}"
        case Code(code, remark):
            inner = f'<code style="font-size:14px">{escape(code)}</code>' + (f" ({escape(remark)})" if remark else "")
    return f'<p style="margin:4px 0">{inner}</p>'


def _link(url: str) -> str:
    """A link, if it goes to a web page; else the bare text, so that no ``javascript:`` is ever clicked."""
    shown = escape(url)
    return f'<a href="{shown}">{shown}</a>' if url.startswith(("https://", "http://")) else shown
