from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.sinks import SmtpSink, WebhookSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

    Monitord = Callable[..., Result]

_RECEIVERS = """\
receivers:
  - name: mail
    email: {{to: [ops@example.test], from: monitord@example.test, smtp: {{host: 127.0.0.1, port: {mail}, tls: none}}}}
  - name: hook
    webhook: {{url: "http://127.0.0.1:{hook}/hook"}}
"""


def configure(home: Path, mail: int, hook: int) -> None:
    """Add the receivers to the configuration."""
    with (home / "monitord.yaml").open("a") as file:
        file.write(_RECEIVERS.format(mail=mail, hook=hook))


async def test_each_receiver_gets_a_real_message(home: Path, monitord: Monitord) -> None:
    """By the way that alerts go, and the outcome is printed for each."""
    async with SmtpSink() as mail, WebhookSink() as hook:
        configure(home, mail.port, hook.port)
        result = await asyncio.to_thread(monitord, "test-alert")
        one = await asyncio.to_thread(monitord, "test-alert", "hook", "--json")
    assert (result.code, result.err) == (0, "")
    assert result.out == "mail (email): delivered\nhook (webhook): delivered\n"
    assert len(mail.mails) == 1
    assert mail.mails[0].message["X-Monitord-Event"] == "test.firing"
    assert [json.loads(call.body)["type"] for call in hook.calls] == ["test.firing"] * 2
    assert one.record == {"receiver": "hook", "by": "webhook", "delivered": True, "failure": None, "refused": []}


def test_a_receiver_that_fails_is_critical(home: Path, monitord: Monitord) -> None:
    """The others are told nevertheless, and the reason is of the closed list."""
    configure(home, 1, 1)
    result = monitord("test-alert", "--json")
    assert result.code == 2
    assert [(one["receiver"], one["delivered"], one["failure"]["reason"]) for one in result.records] == [
        ("mail", False, "refused"),
        ("hook", False, "refused"),
    ]
    assert "hook (webhook): not delivered: " in monitord("test-alert").out


@pytest.mark.parametrize(("name", "complaint"), [("nobody", "there is no receiver 'nobody'; there are: mail, hook")])
def test_a_receiver_that_is_unknown_is_refused(home: Path, monitord: Monitord, name: str, complaint: str) -> None:
    """With those that there are."""
    configure(home, 1, 1)
    result = monitord("test-alert", name)
    assert (result.code, result.out, result.err) == (3, "", f"monitord: {complaint}\n")


def test_without_receivers_there_is_nobody_to_tell(monitord: Monitord) -> None:
    """Which is no success."""
    result = monitord("test-alert")
    assert (result.code, result.out) == (3, "")
    assert "there are no receivers" in result.err
