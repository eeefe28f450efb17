"""Webhook format ``alertmanager``: alerts as Prometheus sends them, to ``POST /api/v2/alerts`` of an Alertmanager.

Alertmanager keeps no alert that is not sent again: it takes one for resolved when its ``endsAt`` has passed. So what
fires is sent each ``RESEND``, with an ``endsAt`` of several times that, and what has ended for some time after its end,
in case that Alertmanager was restarted meanwhile. Which alerts those are follows from the incidents, not from messages.

The labels are the identity of an alert: where they change (an incident becomes critical), what had the old ones ends.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from monitord.notify.call import Call, Caller
from monitord.notify.details import endpoint_of
from monitord.notify.fault import Receipt
from monitord.notify.plain import is_web_link, plain, readable
from monitord.notify.wording import why_of
from monitord.pinning.incident import IncidentKind, IncidentState
from monitord.pinning.report import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from monitord.config.receivers import WebhookSettings
    from monitord.outbox import Delivery

    Event = Mapping[str, Any]

RESEND = timedelta(minutes=1)
_LIFETIME = 5  # times RESEND: Prometheus takes four
_PATH = "/api/v2/alerts"
_MOST_AT_ONCE = 500
_LONGEST_LIST = 30
_LONGEST_NAME = 200
_NOT_IN_A_NAME = re.compile(r"^[^a-zA-Z_]|[^a-zA-Z0-9_]")


class AlertmanagerSender:
    """Keeps one Alertmanager informed. One call is made at a time, so that no older state overtakes a newer one."""

    def __init__(self, settings: WebhookSettings, resend: timedelta = RESEND) -> None:
        """A sender for these settings; ``resend`` is how often ``refresh`` will be called."""
        self._url = alerts_url(settings.url.reveal())
        self._caller = Caller(settings)
        self._lifetime = _LIFETIME * resend
        self._labels: dict[str, dict[str, str]] = {}
        self._turn = asyncio.Lock()

    async def send(self, delivery: Delivery, now: datetime) -> Receipt:
        """Tell of these events at ``now``. Raises DeliveryError."""
        async with self._turn:
            await self._post(delivery.events, now)
        return Receipt()

    async def refresh(self, events: Callable[[], Sequence[Event]], now: Callable[[], datetime]) -> None:
        """Tell how everything stands; both are asked when it is this call's turn. Raises DeliveryError."""
        async with self._turn:
            found = events()
            for begin in range(0, len(found), _MOST_AT_ONCE):
                await self._post(found[begin : begin + _MOST_AT_ONCE], now())

    async def _post(self, events: Iterable[Event], now: datetime) -> None:
        alerts = [alert for event in events for alert in self._alerts(event, now)]
        body = json.dumps(alerts, separators=(",", ":")).encode("ascii")
        await self._caller.post(Call(self._url, body, {"content-type": "application/json"}), now)

    def _alerts(self, event: Event, now: datetime) -> list[dict[str, Any]]:
        """The alert for an event, after the end of one for the same incident that had other labels."""
        incident, labels = str(event["data"]["incident"]), labels_of(event["data"])
        before = self._labels.get(incident)
        ended = event["data"]["state"] == IncidentState.RESOLVED
        if ended:
            self._labels.pop(incident, None)
        else:
            self._labels[incident] = labels
        alerts = [write_alert(event, now, self._lifetime)]
        if before is not None and before != labels:
            alerts.insert(0, {**alerts[0], "labels": before, "endsAt": timestamp(now)})
        return alerts


def alerts_url(url: str) -> str:
    """Where alerts go: a URL of an Alertmanager, with the path of its API if it has not got that already."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=path if path.endswith(_PATH) else path + _PATH))


def write_alert(event: Event, now: datetime, lifetime: timedelta) -> dict[str, Any]:
    """The alert for an event, as it stands at ``now``; one that fires ends ``lifetime`` later unless sent again."""
    data = event["data"]
    ended = data["state"] == IncidentState.RESOLVED
    alert = {
        "labels": labels_of(data),
        "annotations": {name: value for name, value in _annotations(data).items() if value},
        "startsAt": plain(data["since"]),
        "endsAt": plain(data.get("resolved_at") or event["timestamp"]) if ended else timestamp(now + lifetime),
    }
    if is_web_link(link := plain(data.get("url"))):
        alert["generatorURL"] = link
    return alert


def labels_of(data: Mapping[str, Any]) -> dict[str, str]:
    """What an alert is identified and routed by: the endpoint's own labels, and those that monitord sets."""
    own = {_label_name(name): plain(value) for name, value in (data.get("labels") or {}).items() if value}
    ours = {
        "alertname": "".join(word.capitalize() for word in f"{data['kind']}".split("_")),
        "severity": data.get("severity"),
        "kind": data["kind"],
        "host": data.get("host"),
        "port": data.get("port"),
        "pinset": data.get("pinset"),
        "cause": data.get("cause") if data["kind"] == IncidentKind.MONITOR_DEGRADED else None,
    }
    return own | {name: plain(value) for name, value in ours.items() if value}


def _label_name(name: str) -> str:
    """A name that Alertmanager takes: it refuses every alert of a call for one that it does not."""
    return _NOT_IN_A_NAME.sub("_", name[:_LONGEST_NAME]) or "_"


def _annotations(data: Mapping[str, Any]) -> dict[str, str]:
    share, pins = data.get("share"), (data.get("new_pins") or ())[:_LONGEST_LIST]
    return {
        "summary": readable(data["summary"]),
        "description": readable(why_of(data) or ""),
        "advice": readable(data.get("advice") or ""),
        "endpoint": plain(endpoint_of(data)),
        "client": plain(data.get("client") or ""),
        "users": f"{share * 100:.3g} %" if share is not None else "",
        "new_pins": plain(" ".join(str(pin.get("pin")) for pin in pins)),
        "expected": readable(data.get("predicted_at") or ""),
        "cause": plain(data.get("cause") or ""),
        "incident": plain(data["incident"]),
    }
