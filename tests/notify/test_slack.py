"""``REGENERATE_GOLDEN=1 pytest tests/notify/test_slack.py`` rewrites the golden files."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.config.receivers import WebhookFormat, WebhookSettings
from monitord.config.secret import Secret
from monitord.notify.slack import write_message
from monitord.notify.webhook import WebhookSender
from tests.notify.events import MEMBERS, NOW, batch, delivery, event
from tests.notify.golden import holds
from tests.notify.hostile import EVIL, hostile
from tests.notify.stories import STORIES
from tests.support.sinks import WebhookSink

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Everything that Slack takes for markup of its own; our own link is the one exception.
_CONTROL = re.compile(r"<(?!https://monitord\.example\.com/[^<>|]*\|Open in monitord>)")


def texts(value: object) -> Iterator[str]:
    """Every text that Slack parses for markup."""
    message: Any = value
    yield message["text"]
    for block in message["attachments"][0]["blocks"]:
        for part in block.get("elements", [block.get("text")]):
            assert part["type"] == "mrkdwn"
            yield part["text"]


@pytest.mark.parametrize("story", STORIES)
def test_the_message_reads_as_the_golden_file(story: str) -> None:
    """Each kind of message is as reviewed."""
    message = json.loads(write_message(batch(STORIES[story])))
    holds(f"slack/{story}.json", json.dumps(message, indent=1, ensure_ascii=False) + "\n")


@pytest.mark.parametrize(
    ("body", "colour"),
    [
        (event("pin_mismatch"), "#b3261e"),
        (event("pin_mismatch", severity="warning"), "#9a6700"),
        (event("pin_mismatch", severity="info"), "#57606a"),
        (event("pin_mismatch", "resolved"), "#1a7f37"),
    ],
)
def test_the_colour_says_how_bad_it_is(body: Mapping[str, Any], colour: str) -> None:
    """As in mail."""
    assert json.loads(write_message(delivery(body)))["attachments"][0]["color"] == colour


def test_what_a_server_says_stays_text() -> None:
    """No mention, no link, no end of a block of code; the golden file shows how it looks."""
    message = json.loads(write_message(delivery(hostile())))
    holds("slack/hostile.json", json.dumps(message, indent=1, ensure_ascii=False) + "\n")
    for text in texts(message):
        assert not _CONTROL.search(text)
        assert text.count("```") % 2 == 0
        assert "&lt;!channel&gt;" in text or "channel" not in text


def test_five_hundred_endpoints_fit() -> None:
    """As many as there is room for are named, and how many more there are."""
    message = json.loads(write_message(batch(MEMBERS * 84)))
    (listed,) = [text for text in texts(message) if text.startswith("*All 504 with this cause*")]
    named = listed.count("api")
    assert named > 20
    assert listed.endswith(f"and {504 - named} more")


@settings(deadline=None, max_examples=50)
@given(text=st.text(st.characters(codec=None)) | st.sampled_from([EVIL, "&" * 9000, "<" * 3001, "`" * 40]))
def test_nothing_breaks_out_and_everything_fits(text: str) -> None:
    """Whatever is in an event: Slack's limits hold, and no text of it is markup."""
    written = write_message(delivery(hostile(text)))
    message = json.loads(written)
    blocks = message["attachments"][0]["blocks"]
    assert len(blocks) <= 50
    for found in texts(message):
        assert 0 < len(found) <= 3000
        assert not _CONTROL.search(found)
        assert not re.search(r"&(?!amp;|lt;|gt;)", found)
        assert found.replace("\n", "").isprintable()


async def test_it_is_sent_unsigned_as_json() -> None:
    """The URL of an incoming webhook is its secret."""
    async with WebhookSink() as sink:
        await WebhookSender(WebhookSettings(Secret(sink.url), WebhookFormat.SLACK)).send(delivery(), NOW)
    (call,) = sink.calls
    assert call.headers["content-type"] == "application/json"
    assert "webhook-signature" not in call.headers
    assert json.loads(call.body)["text"] == "*FIRING pin_mismatch api.example.com:443 (android-5)*"
