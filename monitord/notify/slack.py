"""Webhook format ``slack``: Block Kit for incoming webhooks (docs.slack.dev, "Formatting message text", "Blocks").

Slack gives ``&``, ``<`` and ``>`` a meaning: ``<!channel>`` wakes everybody, ``<https://…|text>`` hides where a link
goes. All text is escaped, so that what a server says of itself stays text. Backticks, which would end a block of code,
become apostrophes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from monitord.notify.letter import Code, Fact, Text
from monitord.notify.plain import is_web_link
from monitord.notify.render import COLOURS, NEUTRAL
from monitord.notify.wording import write_letter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from monitord.notify.letter import Letter, Line, Section
    from monitord.outbox import Delivery

_LONGEST_SECTION = 3000
_LONGEST_LINK = 1000
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"})


def write_message(delivery: Delivery) -> bytes:
    """The body: the subject for the notification, and a coloured attachment with what to do. Without the details."""
    letter = write_letter(delivery.events, delivery.created_at)
    title = _fit(letter.subject.removeprefix("[monitord] "), _LONGEST_SECTION - 2)
    message = {
        "text": f"*{title}*",
        "attachments": [{"color": COLOURS.get(letter.mood, NEUTRAL), "blocks": list(_blocks(letter))}],
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return json.dumps(message, separators=(",", ":")).encode("ascii")


def _blocks(letter: Letter) -> Iterator[dict[str, Any]]:
    yield _section([_bold(letter.title), _fit(letter.lead, _LONGEST_SECTION // 2)])
    for section in letter.urgent:
        yield _section([_bold(section.title), *_lines(section)])
    if letter.link and is_web_link(letter.link) and len(letter.link) <= _LONGEST_LINK:
        yield _section([f"<{_escape(letter.link).replace('|', '%7C')}|Open in monitord>"])
    yield {"type": "context", "elements": [_mrkdwn(_escape(f"{letter.standing}. {letter.footer}"))]}


def _section(lines: Iterable[str]) -> dict[str, Any]:
    """A block with as many of the lines as fit, and how many do not."""
    given = list(lines)
    kept: list[str] = []
    room = _LONGEST_SECTION - len("\nand 1000 more")
    for line in given:
        room -= len(line) + 1
        if room < 0:
            kept.append(f"and {len(given) - len(kept)} more")
            break
        kept.append(line)
    return {"type": "section", "text": _mrkdwn("\n".join(kept))}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}  # verbatim: nothing becomes a link or a mention by itself


def _lines(section: Section) -> Iterator[str]:
    for line in section.lines:
        yield _line(line)


def _line(line: Line) -> str:
    most = _LONGEST_SECTION // 3
    match line:
        case Text(text):
            return _fit(text, most)
        case Fact(name, value):
            return f"{_bold(name + ':')} {_fit(value, most)}"
        case Code(code, remark):
            return f"```{_fit(code, most)}```" + (f" {_fit(remark, most)}" if remark else "")


def _bold(text: str) -> str:
    return f"*{_fit(text, _LONGEST_SECTION // 10)}*"


def _escape(text: str) -> str:
    return text.translate(_ESCAPES)


def _fit(text: str, most: int) -> str:
    """The text escaped, cut so that this is not longer than ``most``, and never inside an escape."""
    escaped = _escape(text)
    if len(escaped) <= most:
        return escaped
    kept = text[: most - 1]
    while len(_escape(kept)) > most - 1:
        kept = kept[: len(kept) - max(1, (len(_escape(kept)) - most + 1) // 5)]
    return _escape(kept) + "…"
