"""``REGENERATE_GOLDEN=1 pytest tests/docs`` rewrites the webhook example and its golden file."""

from __future__ import annotations

import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitord.config.receivers import EmailSettings, SmtpSettings, WebhookSettings
from monitord.config.secret import Secret
from monitord.notify.message import write_mail
from monitord.notify.retry import DELAYS
from monitord.notify.webhook import WebhookSender
from monitord.pinning.incident import IncidentKind
from tests.docs.documents import ROOT, blocks, rows, spans
from tests.docs.incident import NOW, mismatch, predicted_facts
from tests.support.sinks import ReceivedCall, WebhookSink

PAGE = ROOT / "docs" / "alerts.md"
GOLDEN = Path(__file__).parent / "golden" / "webhook.json"
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDKAlkK2dQyQE="
_EXAMPLE = re.compile(r"(?<=<!-- webhook\.json -->\n```json\n).*?(?=```\n<!-- /webhook\.json -->)", re.DOTALL)
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours"}


def test_the_webhook_example_is_what_the_rules_write() -> None:
    """The page shows the golden file, and the golden file is the body of a real incident."""
    written = json.dumps(mismatch().body, indent=2) + "\n"
    if os.environ.get("REGENERATE_GOLDEN"):
        GOLDEN.write_text(written, "utf-8")
        PAGE.write_text(_EXAMPLE.sub(lambda _: written, PAGE.read_text("utf-8")), "utf-8")
    assert GOLDEN.read_text("utf-8") == written
    assert _EXAMPLE.findall(PAGE.read_text("utf-8")) == [written]


def test_every_field_is_explained() -> None:
    """The table has the fields of the example, those of a predicted failure, and the one for what was cut."""
    explained = {field for row in rows(PAGE.read_text("utf-8"), "field") for field in spans(row[0])}
    assert explained == {*mismatch().body["data"], *predicted_facts(), "omitted", "grouped"}


def test_every_kind_is_named() -> None:
    """The kinds that occur and those that are reserved are all of them."""
    section = PAGE.read_text("utf-8").split("## Kinds")[1].split("\n## ")[0]
    assert set(IncidentKind) <= set(spans(section))


def test_the_mail_headers_are_as_shown() -> None:
    """Every header but those of MIME, in order."""
    settings = EmailSettings(
        ("ops@example.com",), "monitord <monitord@example.com>", SmtpSettings("mail.example.com", 587)
    )
    mail = write_mail(mismatch(), settings, NOW + timedelta(seconds=2))
    written = [f"{name}: {value}" for name, value in mail.items() if not name.lower().startswith(("mime", "content"))]
    (shown,) = [block.text for block in blocks(PAGE, "text") if block.text.startswith("From:")]
    assert shown.splitlines() == written


def test_the_retry_schedule_is_as_shown() -> None:
    """Each wait, in order."""
    shown = [row[1].split() for row in rows(PAGE.read_text("utf-8"), "attempt that failed")]
    assert tuple(timedelta(**{_UNITS[unit]: int(number)}) for number, unit in shown) == DELAYS


async def test_the_shown_check_takes_a_call_and_refuses_a_forged_one() -> None:
    """The code on the page, run on a call that was really made."""
    (block,) = blocks(PAGE, "python")
    namespace: dict[str, Any] = {}
    exec(compile(block.text, PAGE.name, "exec"), namespace)  # noqa: S102 - our own page
    read_event = namespace["read_event"]
    async with WebhookSink() as sink:
        await WebhookSender(WebhookSettings(Secret(sink.url), secret=Secret(SECRET))).send(mismatch(), NOW)
    call: ReceivedCall = sink.calls[0]
    headers, sent = {name.lower(): value for name, value in call.headers.items()}, NOW.timestamp()
    assert read_event(SECRET, headers, call.body, sent) == mismatch().body
    for forged in (
        (SECRET, headers, call.body + b" ", sent),
        (SECRET, headers, call.body, sent + 301),
        (SECRET, {**headers, "webhook-id": "another"}, call.body, sent),
        ("whsec_" + "A" * 44, headers, call.body, sent),
    ):
        with pytest.raises(ValueError, match="wrong"):
            read_event(*forged)
