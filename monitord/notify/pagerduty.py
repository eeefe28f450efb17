"""Webhook format ``pagerduty``: Events API v2 (developer.pagerduty.com, "Send an Alert Event").

An incident of monitord is an alert of PagerDuty: its id is the ``dedup_key``, so that a reminder adds to the alert, and
the end resolves it. What one cause has hit goes as one event for each, since each ends at a time of its own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from monitord.notify.details import endpoint_of
from monitord.notify.paste import line_of, place_of
from monitord.notify.plain import is_web_link, plain, readable, shorten
from monitord.notify.wording import why_of
from monitord.pinning.incident import IncidentState, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_SUMMARY = 1024
_LONGEST_KEY = 255
_LONGEST_LIST = 30


def write_event(event: Mapping[str, Any], routing_key: str) -> bytes:
    """The body for one event."""
    data = event["data"]
    resolved = data["state"] == IncidentState.RESOLVED
    message: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if resolved else "trigger",
        "dedup_key": shorten(plain(data["incident"]), _LONGEST_KEY),
    }
    if not resolved:
        message |= {"client": "monitord", "payload": _payload(event)}
        if is_web_link(link := plain(data.get("url"))):
            message |= {"client_url": link, "links": [{"href": link, "text": "monitord"}]}
    return json.dumps(message, separators=(",", ":")).encode("ascii")


def _payload(event: Mapping[str, Any]) -> dict[str, Any]:
    data = event["data"]
    payload = {
        "summary": shorten(readable(data["summary"]), _LONGEST_SUMMARY),
        "source": plain(endpoint_of(data) or data.get("cause") or "monitord"),
        "severity": data["severity"] if data.get("severity") in list(Severity) else "error",
        "timestamp": plain(event["timestamp"]),
        "class": plain(data["kind"]),
        "custom_details": {name: value for name, value in _details(data).items() if value},
    }
    if data.get("pinset"):
        payload["component"] = plain(data["pinset"])
    return payload


def _details(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the page of the alert shows, in the order in which it is needed where that is kept."""
    share, client = data.get("share"), data.get("client")
    pins = (data.get("new_pins") or ())[:_LONGEST_LIST]
    return {
        "what to do": readable(data.get("advice") or ""),
        "why": readable(why_of(data) or ""),
        "new pins go to": plain(place_of(client, str(data.get("host")))) if pins else "",
        "new pins": [plain(line_of(client, str(data.get("host")), str(pin.get("pin")))) for pin in pins],
        "users": f"{share * 100:.3g} %" if share is not None else "",
        "client": plain(client or ""),
        "since": readable(data.get("since") or ""),
        "expected": readable(data.get("predicted_at") or ""),
        "cause": plain(data.get("cause") or ""),
        "labels": {plain(name): plain(value) for name, value in (data.get("labels") or {}).items()},
        "incident": plain(data["incident"]),
    }
