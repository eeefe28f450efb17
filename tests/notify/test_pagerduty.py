"""``REGENERATE_GOLDEN=1 pytest tests/notify/test_pagerduty.py`` rewrites the golden files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.config.receivers import WebhookFormat, WebhookSettings
from monitord.config.secret import Secret
from monitord.notify.fault import DeliveryError, DeliveryFault
from monitord.notify.pagerduty import write_event
from monitord.notify.webhook import WebhookSender
from tests.notify import events
from tests.notify.events import NOW, batch, delivery, event
from tests.notify.golden import holds
from tests.notify.hostile import EVIL, hostile
from tests.notify.stories import STORIES
from tests.support.sinks import WebhookSink

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "0123456789abcdef0123456789abcdef"


def reach(url: str) -> WebhookSettings:
    """Settings for this URL."""
    return WebhookSettings(Secret(url), WebhookFormat.PAGERDUTY, routing_key=Secret(KEY))


def written(body: Mapping[str, Any]) -> Any:
    """The event as PagerDuty reads it."""
    return json.loads(write_event(body, KEY))


async def enqueue(request: web.Request) -> web.StreamResponse:
    """What the Events API answers: 202, or 400 for what it does not take."""
    body = await request.json()
    wrong = [name for name in ("routing_key", "event_action", "dedup_key") if not body.get(name)]
    if body.get("event_action") == "trigger":
        wrong += [name for name in ("summary", "source", "severity") if not body["payload"].get(name)]
    if wrong:
        errors = [f"'{name}' is missing or blank" for name in wrong]
        return web.json_response({"status": "invalid event", "errors": errors}, status=400)
    answer = {"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]}
    return web.json_response(answer, status=202)


@pytest.mark.parametrize("story", STORIES)
def test_the_event_reads_as_the_golden_file(story: str) -> None:
    """Each kind of event is as reviewed."""
    holds(f"pagerduty/{story}.json", json.dumps(written(STORIES[story][0]), indent=1, ensure_ascii=False) + "\n")


def test_the_end_resolves_what_the_beginning_triggered() -> None:
    """Both carry the id of the incident, and so does a reminder."""
    firing, resolved = written(events.MISMATCH), written(events.RESOLVED)
    assert (firing["event_action"], resolved["event_action"]) == ("trigger", "resolve")
    assert firing["dedup_key"] == resolved["dedup_key"] == "0123456789abcdef"


@pytest.mark.parametrize(
    ("severity", "shown"), [("critical", "critical"), ("warning", "warning"), ("info", "info"), (None, "error")]
)
def test_severities_are_those_of_pagerduty(severity: str | None, shown: str) -> None:
    """The words are the same; what has none is an error."""
    assert written(event("pin_mismatch", severity=severity))["payload"]["severity"] == shown


async def test_each_endpoint_of_one_cause_is_an_event_of_its_own() -> None:
    """They end one by one, and what ends must resolve its own alert."""
    async with WebhookSink(enqueue) as sink:
        await WebhookSender(reach(sink.url)).send(batch(), NOW)
    assert [json.loads(call.body)["dedup_key"] for call in sink.calls] == [f"{number:016x}" for number in range(1, 7)]


async def test_a_refusal_says_why_without_the_key() -> None:
    """The sentence is for the log."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        key = (await request.json())["routing_key"]
        return web.json_response({"message": "invalid event", "errors": [f"'{key}' is unknown"]}, status=400)

    async with WebhookSink(refuse) as sink:
        with pytest.raises(DeliveryError) as caught:
            await WebhookSender(reach(sink.url)).send(delivery(), NOW)
    assert str(caught.value).endswith("answered 400 (invalid event; '***' is unknown)")


async def test_too_many_events_are_throttled() -> None:
    """429 is tried again later."""

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=429)

    async with WebhookSink(refuse) as sink:
        with pytest.raises(DeliveryError) as caught:
            await WebhookSender(reach(sink.url)).send(delivery(), NOW)
    assert caught.value.fault is DeliveryFault.THROTTLED


def test_what_a_server_says_stays_in_its_field() -> None:
    """The golden file shows how it looks."""
    holds("pagerduty/hostile.json", json.dumps(written(hostile()), indent=1, ensure_ascii=False) + "\n")


def strings(value: object) -> list[str]:
    """Every text in a JSON value, names included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings(part)]
    return [text for item in value for text in strings(item)] if isinstance(value, list) else []


@settings(deadline=None, max_examples=50)
@given(text=st.text(st.characters(codec=None)) | st.sampled_from([EVIL, "x" * 9000]))
async def test_whatever_is_in_an_event_pagerduty_takes_it(text: str) -> None:
    """Its limits hold, all text is printable, and no field but its own changes."""
    usual, found = written(events.MISMATCH), written(hostile(text))
    assert {name: found[name] for name in ("routing_key", "event_action", "dedup_key")} == {
        name: usual[name] for name in ("routing_key", "event_action", "dedup_key")
    }
    payload = found["payload"]
    assert (payload["severity"], payload["timestamp"]) == ("critical", "2026-03-02T00:00:00Z")
    assert 0 < len(payload["summary"]) <= 1024
    assert len(json.dumps(found)) < 512 * 1024
    assert all(each.isprintable() for each in strings(found))
