from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitord.config.receivers import WebhookFormat, WebhookSettings
from monitord.config.secret import Secret
from monitord.config.templates import Template, load_template
from monitord.config.templatesamples import SAMPLES
from monitord.notify.fault import DeliveryError, DeliveryFault
from monitord.notify.template import values_of
from monitord.notify.webhook import WebhookSender
from tests.notify.events import NOW, batch, delivery
from tests.notify.hostile import EVIL, hostile
from tests.notify.stories import STORIES
from tests.support.sinks import WebhookSink

if TYPE_CHECKING:
    from pathlib import Path

MATTERMOST = """\
{
  "text": {{ ("**" ~ subject ~ "**")|tojson }},
  "attachments": [{
    "color": {{ {"critical": "#b3261e", "warning": "#9a6700"}.get(data.severity, "#57606a")|tojson }},
    "text": {{ lead|tojson }},
    "fields": [
      {% for name, value in data.labels|dictsort %}
      {"short": true, "title": {{ name|tojson }}, "value": {{ value|tojson }}}{{ "," if not loop.last }}
      {% endfor %}
    ]
  }]
}
"""


def own(directory: Path, source: str, content_type: str = "application/json") -> Template:
    """A template as the configuration loads it."""
    path = directory / "own.j2"
    path.write_text(source, "utf-8")
    return load_template(path, content_type, SAMPLES)


def reach(url: str, template: Template) -> WebhookSettings:
    """Settings for this URL."""
    return WebhookSettings(Secret(url), WebhookFormat.TEMPLATE, template=template)


async def test_a_template_makes_the_body(tmp_path: Path) -> None:
    """Of its content type; here for a chat."""
    async with WebhookSink() as sink:
        await WebhookSender(reach(sink.url, own(tmp_path, MATTERMOST))).send(delivery(), NOW)
    (call,) = sink.calls
    assert call.headers["content-type"] == "application/json"
    told = json.loads(call.body)
    assert told["text"] == "**[monitord] FIRING pin_mismatch api.example.com:443 (android-5)**"
    assert told["attachments"][0]["color"] == "#b3261e"
    assert told["attachments"][0]["fields"] == [{"short": True, "title": "team", "value": "payments"}]


async def test_a_template_may_give_plain_text(tmp_path: Path) -> None:
    """As simple receivers want it: the words of the mail, in UTF-8."""
    async with WebhookSink() as sink:
        plain = own(tmp_path, "{{ text }}", "text/plain; charset=utf-8")
        await WebhookSender(reach(sink.url, plain)).send(delivery(), NOW)
    (call,) = sink.calls
    assert call.headers["content-type"] == "text/plain; charset=utf-8"
    assert call.body.decode().startswith("The apps with pin set android-5 (okhttp, 62% of the users) refuse to connect")


@pytest.mark.parametrize("story", STORIES)
def test_the_samples_have_every_value_that_there_is(story: str) -> None:
    """A template that works with the samples finds in an event what it found there, and nothing is kept from it."""
    found = values_of(batch(STORIES[story]))
    for _, values in SAMPLES:
        assert set(values) == set(found)
        assert set(values["data"]) == set(found["data"])


def test_several_endpoints_are_listed() -> None:
    """Those of one cause are in ``data.grouped``."""
    listed = values_of(batch())["data"]["grouped"]
    assert [one["host"] for one in listed] == [f"api{number}.example.com" for number in range(1, 7)]


async def test_a_template_that_fails_later_says_where(tmp_path: Path) -> None:
    """The message stays in the outbox; the log has file and line."""
    later = own(tmp_path, '{{ "x"|tojson if data.host != "api.example.com" or data.port == 443 else data.nothing }}')
    with pytest.raises(DeliveryError) as caught:
        await WebhookSender(reach("http://127.0.0.1:1/", later)).send(
            delivery({**hostile(), "data": {**hostile()["data"], "host": "api.example.com", "port": 1}}), NOW
        )
    assert (caught.value.fault, caught.value.permanent) == (DeliveryFault.INTERNAL, False)
    assert "own.j2:1: 'dict object' has no attribute 'nothing'" in str(caught.value)


def strings(value: object) -> list[str]:
    """Every text in a value, names included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings(part)]
    return [text for item in value for text in strings(item)] if isinstance(value, list | tuple) else []


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec=None)) | st.sampled_from([EVIL, "{{ 7*7 }}", "{% raw %}"]))
def test_whatever_is_in_an_event_stays_a_value(tmp_path: Path, text: str) -> None:
    """Text of a server is never a template, breaks no JSON, and has no control characters."""
    values: dict[str, Any] = values_of(delivery(hostile(text)))
    told = json.loads(own(tmp_path, MATTERMOST).render(values))
    assert told["attachments"][0]["text"] == values["lead"]
    assert all(each.isprintable() for each in strings({**values, "text": ""}))
