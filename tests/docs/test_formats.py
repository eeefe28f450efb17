"""``REGENERATE_GOLDEN=1 pytest tests/docs/test_formats.py`` rewrites the examples of the formats."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from monitord.config.templates import load_template
from monitord.config.templatesamples import SAMPLES
from monitord.notify import alertmanager, pagerduty, slack
from monitord.notify.template import values_of
from tests.docs.documents import ROOT, blocks, rows, spans
from tests.docs.incident import NOW, mismatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIFETIME = 5 * alertmanager.RESEND
PAGE = ROOT / "docs" / "alerts.md"
EXAMPLES: dict[str, Callable[[], bytes]] = {
    "slack": lambda: slack.write_message(mismatch()),
    "pagerduty": lambda: pagerduty.write_event(mismatch().body, "0123456789abcdef0123456789abcdef"),
    "alertmanager": lambda: json.dumps([alertmanager.write_alert(mismatch().body, NOW, LIFETIME)]).encode(),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_format_is_what_is_sent(name: str) -> None:
    """With line breaks added, for the incident that the page shows throughout."""
    written = json.dumps(json.loads(EXAMPLES[name]()), indent=2, ensure_ascii=False) + "\n"
    shown = re.compile(rf"(?<=<!-- {name}\.json -->\n```json\n).*?(?=```\n<!-- /{name}\.json -->)", re.DOTALL)
    if os.environ.get("REGENERATE_GOLDEN"):
        PAGE.write_text(shown.sub(lambda _: written, PAGE.read_text("utf-8")), "utf-8")
    assert shown.findall(PAGE.read_text("utf-8")) == [written]


def test_the_shown_template_works(tmp_path: Path) -> None:
    """It is accepted, and gives JSON with what it is said to give."""
    (block,) = blocks(PAGE, "jinja")
    path = tmp_path / "mattermost.json.j2"
    path.write_text(block.text, "utf-8")
    written = json.loads(load_template(path, "application/json", SAMPLES).render(values_of(mismatch())))
    assert written["text"].startswith("#### [monitord] FIRING pin_mismatch api.example.com:443 (android-5)")


def test_every_value_of_a_template_is_named() -> None:
    """The table has what there is beside the fields of the event."""
    named = {name for row in rows(PAGE.read_text("utf-8"), "value") for name in spans(row[0])}
    assert named == set(values_of(mismatch()))
