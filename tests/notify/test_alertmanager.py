"""``REGENERATE_GOLDEN=1 pytest tests/notify/test_alertmanager.py`` rewrites the golden files."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.config.receivers import WebhookFormat, WebhookSettings
from monitord.config.secret import Secret
from monitord.notify.alertmanager import AlertmanagerSender, alerts_url, write_alert
from tests.notify import events
from tests.notify.events import NOW, batch, delivery, event
from tests.notify.golden import holds
from tests.notify.hostile import EVIL, hostile
from tests.notify.stories import STORIES
from tests.support.sinks import ReceivedCall, WebhookSink, accept

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

LIFETIME = timedelta(minutes=5)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def reach(url: str, **more: Any) -> WebhookSettings:
    """Settings for this URL."""
    return WebhookSettings(Secret(url), WebhookFormat.ALERTMANAGER, **more)


def alerts(call: ReceivedCall) -> Any:
    """What was posted."""
    return json.loads(call.body)


def moment(written: str) -> datetime:
    """A time of an alert."""
    return datetime.fromisoformat(written)


@pytest.mark.parametrize("story", STORIES)
def test_the_alert_reads_as_the_golden_file(story: str) -> None:
    """Each kind of alert is as reviewed."""
    alert = write_alert(STORIES[story][0], NOW, LIFETIME)
    holds(f"alertmanager/{story}.json", json.dumps(alert, indent=1, ensure_ascii=False) + "\n")


def test_what_fires_ends_later_and_what_has_ended_when_it_did() -> None:
    """An alert that nobody renews is over by itself."""
    firing, resolved = write_alert(events.MISMATCH, NOW, LIFETIME), write_alert(events.RESOLVED, NOW, LIFETIME)
    assert moment(firing["endsAt"]) - NOW == LIFETIME
    assert resolved["endsAt"] == events.RESOLVED["data"]["resolved_at"]
    assert firing["labels"] == resolved["labels"]
    assert firing["startsAt"] == resolved["startsAt"] == events.MISMATCH["data"]["since"]


def test_what_monitord_says_an_endpoint_s_own_label_cannot_change() -> None:
    """A label called severity does not make an alert quiet."""
    labels = write_alert(event("pin_mismatch", labels={"severity": "none", "team": "a"}), NOW, LIFETIME)["labels"]
    assert (labels["severity"], labels["team"]) == ("critical", "a")


def test_troubles_of_monitord_differ_in_their_labels() -> None:
    """They have no host; what does not work is a label."""
    labels = [
        write_alert(event("monitor_degraded", host=None, port=None, cause=cause), NOW, LIFETIME)["labels"]
        for cause in ("store", "receiver:pager")
    ]
    assert [one["cause"] for one in labels] == ["store", "receiver:pager"]
    assert "host" not in labels[0]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://alertmanager:9093", "http://alertmanager:9093/api/v2/alerts"),
        ("http://alertmanager:9093/", "http://alertmanager:9093/api/v2/alerts"),
        ("https://u:p@a.example/am/", "https://u:p@a.example/am/api/v2/alerts"),
        ("http://a.example/api/v2/alerts", "http://a.example/api/v2/alerts"),
    ],
)
def test_the_url_is_that_of_alertmanager_or_of_its_api(url: str, expected: str) -> None:
    """As Prometheus takes it, with a path prefix or without."""
    assert alerts_url(url) == expected


async def test_several_events_are_one_call() -> None:
    """Alertmanager groups by its own rules."""
    async with WebhookSink() as sink:
        await AlertmanagerSender(reach(sink.url)).send(batch(), NOW)
    (call,) = sink.calls
    assert [alert["labels"]["host"] for alert in alerts(call)] == [f"api{number}.example.com" for number in range(1, 7)]


async def test_a_login_is_sent() -> None:
    """As Alertmanagers behind a proxy want it."""
    async with WebhookSink() as sink:
        await AlertmanagerSender(reach(sink.url, username="u", password=Secret("p"))).send(delivery(), NOW)
        await AlertmanagerSender(reach(sink.url, bearer_token=Secret("t"))).send(delivery(), NOW)
    assert [call.headers["authorization"] for call in sink.calls] == ["Basic dTpw", "Bearer t"]
    assert sink.calls[0].path == "/hook/api/v2/alerts"


async def test_an_alert_whose_labels_change_ends_under_the_old_ones() -> None:
    """What was a warning and is critical is one alert, not two."""
    async with WebhookSink() as sink:
        sender = AlertmanagerSender(reach(sink.url))
        await sender.send(delivery(event("pins_expiring", severity="warning")), NOW)
        await sender.send(delivery(event("pins_expiring")), NOW)
        await sender.send(delivery(event("pins_expiring", "resolved", resolved_at="2026-03-02T01:00:00Z")), NOW)
    told = [[(one["labels"]["severity"], moment(one["endsAt"]) > NOW) for one in alerts(call)] for call in sink.calls]
    assert told == [[("warning", True)], [("warning", False), ("critical", True)], [("critical", True)]]


async def test_an_older_state_never_overtakes_a_newer_one() -> None:
    """What is renewed is asked for when it is its turn: the end that was told meanwhile is known then."""
    hanging, go_on = asyncio.Event(), asyncio.Event()
    open_now = [event("pin_mismatch")]

    async def linger(request: web.Request) -> web.StreamResponse:
        hanging.set()
        await go_on.wait()
        return await accept(request)

    async with WebhookSink(linger) as sink:
        sender = AlertmanagerSender(reach(sink.url))
        ending = asyncio.create_task(sender.send(delivery(events.RESOLVED), NOW))
        await hanging.wait()
        renewing = asyncio.create_task(sender.refresh(lambda: open_now, lambda: NOW))
        open_now.clear()
        go_on.set()
        await asyncio.gather(ending, renewing)
    assert [alert["endsAt"] for call in sink.calls for alert in alerts(call)] == ["2026-03-02T06:30:00Z"]


async def test_thousands_of_alerts_are_renewed_in_several_calls() -> None:
    """None is left out, and no call is too large."""
    many = [event("pin_mismatch", incident=f"{number:016x}", host=f"a{number}.example") for number in range(1200)]
    async with WebhookSink() as sink:
        await AlertmanagerSender(reach(sink.url)).refresh(lambda: many, lambda: NOW)
    assert sum(len(alerts(call)) for call in sink.calls) == 1200
    assert max(len(call.body) for call in sink.calls) < 1024 * 1024


def test_what_a_server_says_stays_in_its_annotation() -> None:
    """The golden file shows how it looks."""
    alert = write_alert(hostile(), NOW, LIFETIME)
    holds("alertmanager/hostile.json", json.dumps(alert, indent=1, ensure_ascii=False) + "\n")


def described(alert: Mapping[str, Any]) -> list[str]:
    """Every name and value of an alert's labels and annotations."""
    return [text for part in ("labels", "annotations") for pair in alert[part].items() for text in pair]


@settings(deadline=None, max_examples=50)
@given(text=st.text(st.characters(codec=None)) | st.sampled_from([EVIL, "x" * 9000]))
def test_whatever_is_in_an_event_alertmanager_takes_it(text: str) -> None:
    """All text is printable, and what monitord says of the alert stays as it is."""
    alert = write_alert(hostile(text), NOW, LIFETIME)
    assert all(_LABEL.fullmatch(name) for name in alert["labels"])
    assert {name: alert["labels"][name] for name in ("alertname", "severity", "kind", "port")} == {
        "alertname": "PinMismatch",
        "severity": "critical",
        "kind": "pin_mismatch",
        "port": "443",
    }
    assert all(each.isprintable() and each for each in described(alert))
