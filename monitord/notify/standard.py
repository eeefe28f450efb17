"""Webhook format ``standard``: Standard Webhooks 1.0.0 (standardwebhooks.com)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from monitord.notify.call import Call
from monitord.notify.payload import write_payload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitord.outbox import Delivery


def write_call(delivery: Delivery, url: str, keys: Sequence[bytes], now: datetime) -> Call:
    """The call of an attempt at ``now``, with a signature by each key.

    A receiver accepts the call if any of the signatures is by its key, so that a secret can be changed on either side
    first. Without keys the call goes unsigned.
    """
    body = write_payload(delivery.body)
    timestamp = str(int(now.timestamp()))
    headers = {"content-type": "application/json", "webhook-id": delivery.id, "webhook-timestamp": timestamp}
    if keys:
        signed = f"{delivery.id}.{timestamp}.".encode() + body
        headers["webhook-signature"] = " ".join(_sign(signed, key) for key in keys)
    return Call(url, body, headers)


def _sign(signed: bytes, key: bytes) -> str:
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")
