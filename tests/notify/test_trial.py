from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from monitord.config.receivers import EmailSettings, Receiver, SmtpSettings, SmtpTls, WebhookFormat, WebhookSettings
from monitord.config.secret import Secret
from monitord.config.templates import load_template
from monitord.config.templatesamples import SAMPLES
from monitord.notify.fault import DeliveryError, DeliveryFault
from monitord.notify.trial import send_test
from tests.notify.events import NOW, event
from tests.support.sinks import SmtpSink, WebhookSink

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_test_mail_says_that_it_is_one() -> None:
    """Nobody who reads it takes it for an alert."""
    async with SmtpSink() as sink:
        smtp = SmtpSettings("127.0.0.1", sink.port, SmtpTls.NONE)
        mail = EmailSettings(("ops@example.com",), "monitord@example.com", smtp)
        await send_test(Receiver("ops-mail", email=mail), NOW)
    message = sink.mails[0].message
    assert message["Subject"] == "[monitord] TEST: This is a test of receiver ops-mail; there is no incident."
    assert message["X-Monitord-Event"] == "test.firing"


async def test_a_test_call_has_the_shape_of_an_alert() -> None:
    """A receiver's code meets every field, and two tests are not taken for a repeat."""
    async with WebhookSink() as sink:
        receiver = Receiver("hook", webhook=WebhookSettings(Secret(sink.url)))
        await send_test(receiver, NOW)
        await send_test(receiver, NOW)
    first, second = sink.calls
    body = json.loads(first.body)
    assert body["type"] == "test.firing"
    assert body["timestamp"] == "2026-03-02T00:05:07Z"
    assert set(body["data"]) == set(event("pin_mismatch")["data"])
    assert first.headers["webhook-id"] != second.headers["webhook-id"]


async def test_a_failure_is_raised_with_its_sentence() -> None:
    """The person who tests sees why it does not work."""
    receiver = Receiver("hook", webhook=WebhookSettings(Secret("http://webhook.invalid/")))
    with pytest.raises(DeliveryError, match="cannot be resolved") as caught:
        await send_test(receiver, NOW)
    assert caught.value.fault is DeliveryFault.DNS


def in_format(sink: WebhookSink, kind: WebhookFormat, directory: Path) -> WebhookSettings:
    """A webhook of this format, with what the format needs."""
    needed: dict[WebhookFormat, dict[str, Any]] = {WebhookFormat.PAGERDUTY: {"routing_key": Secret("key")}}
    if kind is WebhookFormat.TEMPLATE:
        path = directory / "own.j2"
        path.write_text('{"said": {{ subject|tojson }}}', "utf-8")
        needed[kind] = {"template": load_template(path, "application/json", SAMPLES)}
    return WebhookSettings(Secret(sink.url), kind, **needed.get(kind, {}))


@pytest.mark.parametrize("kind", WebhookFormat)
async def test_every_format_says_that_it_is_a_test(kind: WebhookFormat, tmp_path: Path) -> None:
    """One call, by the way that alerts go, that nobody takes for an alert."""
    async with WebhookSink() as sink:
        await send_test(Receiver("hook", webhook=in_format(sink, kind, tmp_path)), NOW)
    (call,) = sink.calls
    assert call.headers["content-type"] == "application/json"
    told = json.dumps(json.loads(call.body))
    assert "This is a test of receiver hook; there is no incident." in told
    assert '"critical"' not in told
