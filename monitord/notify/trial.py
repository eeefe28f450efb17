"""The test message: everything that an alert goes through, without an incident."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from monitord.notify.senders import build_sender
from monitord.notify.wording import TEST_KIND
from monitord.outbox import Delivery

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.config.receivers import Receiver
    from monitord.notify.fault import Receipt


def write_test(receiver: str, identifier: str, now: datetime) -> Delivery:
    """A test message for a receiver; ``identifier`` must be new each time, or receivers take it for a repeat.

    Its event is ``test.firing`` with every field of an alert; the endpoint is one that cannot exist.
    """
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    data = {
        "incident": TEST_KIND,
        "kind": TEST_KIND,
        "state": "firing",
        "severity": "info",
        "host": "monitord.invalid",
        "port": 443,
        "pinset": None,
        "client": None,
        "share": None,
        "summary": f"This is a test of receiver {receiver}; there is no incident.",
        "since": moment,
        "predicted_at": None,
        "cause": None,
        "pins": [],
        "matched": [],
        "chain": [],
        "path": [],
        "advice": "Nothing is wrong. Alerts to this receiver will arrive as this message did.",
        "url": None,
        "reason": "",
        "trust": None,
        "labels": {},
        "resolved_at": None,
        "observations": [],
        "new_pins": [],
    }
    body = {"type": f"{TEST_KIND}.firing", "timestamp": moment, "data": data}
    return Delivery(identifier, receiver, TEST_KIND, body, attempts=0, created_at=now)


async def send_test(receiver: Receiver, now: datetime) -> Receipt:
    """Send a test message straight to a receiver, past the outbox. Raises DeliveryError."""
    return await build_sender(receiver).send(write_test(receiver.name, f"test-{uuid4().hex}", now), now)
