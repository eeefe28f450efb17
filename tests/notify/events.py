"""Bodies of events as the rules write them, and deliveries of them."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from monitord.outbox import Delivery, batch_id, grouped_body

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 3, 2, 0, 5, 7, tzinfo=UTC)


def digest(name: str) -> bytes:
    """32 bytes that stand for a key or certificate of this name."""
    return hashlib.sha256(name.encode("utf-8", "backslashreplace")).digest()


def pin(name: str) -> str:
    """The pin of the key of this name."""
    return "sha256/" + base64.b64encode(digest(name)).decode("ascii")


def certificate(role: str, subject: str, key: str, not_after: str = "2026-05-31T00:00:00Z") -> dict[str, Any]:
    """An entry of a chain or path."""
    return {
        "role": role,
        "subject": subject,
        "spki": pin(key),
        "certificate_sha256": digest("certificate of " + subject + key).hex(),
        "not_after": not_after,
    }


LEAF = certificate("leaf", "CN=api.example.com", "leaf-b")
INTERMEDIATE = certificate("intermediate", "CN=Example CA 1,O=Example Trust", "inter", "2034-01-01T00:00:00Z")
ROOT = certificate("root", "CN=Example Root,O=Example Trust", "root", "2040-01-01T00:00:00Z")


def observation(address: str, verdict: str, reason: str, **more: Any) -> dict[str, Any]:
    """An entry of what was seen."""
    return {"address": address, "key_type": None, "verdict": verdict, "reason": reason, "failure": None, **more}


def event(kind: str, state: str = "firing", **changes: Any) -> dict[str, Any]:
    """The body of an event about api.example.com and its pin set android-5."""
    return {
        "type": f"{kind}.{state}",
        "timestamp": "2026-03-02T00:00:00Z",
        "data": {
            "incident": "0123456789abcdef",
            "kind": kind,
            "state": state,
            "severity": "critical",
            "host": "api.example.com",
            "port": 443,
            "pinset": "android-5",
            "client": "okhttp",
            "share": 0.62,
            "summary": "Something happened.",
            "since": "2026-03-02T00:00:00Z",
            "predicted_at": None,
            "cause": None,
            "pins": [pin("leaf-a"), pin("spare")],
            "matched": [],
            "chain": [LEAF, INTERMEDIATE],
            "path": [LEAF, INTERMEDIATE, ROOT],
            "advice": "",
            "url": None,
            "reason": "",
            "trust": "mozilla",
            "labels": {"team": "payments"},
            "resolved_at": None,
            "observations": [],
            "new_pins": [],
            **changes,
        },
    }


MISMATCH = event(
    "pin_mismatch",
    summary=(
        "The apps with pin set android-5 (okhttp, 62% of the users) refuse to connect to api.example.com:443: "
        "none of the 2 pins is on the path."
    ),
    reason="none of the 2 pins is on the path",
    advice=(
        "Serve a chain that holds a pinned key again: roll the certificate back, or renew it with a pinned key. "
        "If the new key is here to stay, ship an app release with one of the new pins and register that pin here; "
        "installed apps stay broken until they are updated."
    ),
    url="https://monitord.example.com/domains/api.example.com?port=443&pinset=android-5",
    observations=[
        observation("192.0.2.1", "pin_mismatch", "none of the 2 pins is on the path", key_type="ecdsa"),
        observation("2001:db8::1", "ok", "the pin of the leaf matches", key_type="ecdsa"),
        observation(
            "192.0.2.9",
            "undetermined",
            "no chain was presented",
            failure={"reason": "timeout", "detail": "no answer within 10 s"},
        ),
    ],
    new_pins=[
        {"role": entry["role"], "subject": entry["subject"], "pin": entry["spki"]}
        for entry in (LEAF, INTERMEDIATE, ROOT)
    ],
)
RESOLVED = event(
    "pin_mismatch",
    "resolved",
    summary=(
        "The apps with pin set android-5 (okhttp, 62% of the users) connect to api.example.com:443 again: "
        "the pin of the leaf matches."
    ),
    reason="the pin of the leaf matches",
    pins=[pin("leaf-b"), pin("spare")],
    matched=[pin("leaf-b")],
    resolved_at="2026-03-02T06:30:00Z",
    observations=[observation("192.0.2.1", "ok", "the pin of the leaf matches", key_type="ecdsa")],
)
UNREACHABLE = event(
    "unreachable",
    pinset=None,
    client=None,
    share=None,
    trust=None,
    summary="api.example.com:443 has shown no certificate for 3 rounds: dns: the name does not exist.",
    reason="dns: the name does not exist",
    advice=(
        "Whether the apps' pins still match cannot be told until the endpoint answers. Check that it is up, that its "
        "name resolves, and that this host may connect to it."
    ),
    pins=[],
    chain=[],
    path=[],
    observations=[
        observation(
            "", "undetermined", "no chain was presented", failure={"reason": "dns", "detail": "the name does not exist"}
        )
    ],
)
UNTRUSTED = event(
    "untrusted",
    host="2001:db8::7",
    port=8443,
    client="certificate",
    share=0.005,
    summary="The apps refuse to connect: the chain is not trusted by mozilla: the leaf expired.",
    reason="the leaf expired at 2026-03-01T00:00:00Z",
    advice="Serve a certificate for this name that is in date.",
    pins=["sha256/" + base64.b64encode(bytes.fromhex(LEAF["certificate_sha256"])).decode(), pin("inter")],
    matched=["sha256/" + base64.b64encode(bytes.fromhex(LEAF["certificate_sha256"])).decode()],
    path=[],
    observations=[observation("2001:db8::7", "untrusted", "the leaf expired at 2026-03-01T00:00:00Z")],
)
EXPIRING = event(
    "pins_expiring",
    severity="warning",
    share=None,
    summary="Pin set android-5 for api.example.com:443 expires at 2026-03-20T00:00:00Z.",
    predicted_at="2026-03-20T00:00:00Z",
    cause="pinset_expiry",
    advice="Ship an app release with a later expiry date,\nthen write that date here.",
    matched=[pin("leaf-a")],
    pins=[pin("leaf-a")],
    path=[certificate("leaf", "CN=api.example.com", "leaf-a")],
    chain=[certificate("leaf", "CN=api.example.com", "leaf-a")],
)

MEMBERS = tuple(
    event(
        "pin_mismatch",
        incident=f"{number:016x}",
        host=f"api{number}.example.com",
        pinset="android-5" if number % 2 else None,
        since=f"2026-03-02T00:00:0{number}Z",
        summary=f"The apps refuse to connect to api{number}.example.com:443: none of the 2 pins is on the path.",
        group="intermediate CN=Example CA 1,O=Example Trust",
    )
    for number in range(1, 7)
)
GROUPED = grouped_body(MEMBERS)


def delivery(body: Mapping[str, Any] | None = None, **changes: Any) -> Delivery:
    """A delivery of this body (the mismatch by default) to receiver ``ops``."""
    values: dict[str, Any] = {
        "id": "5f0c" * 8,
        "receiver": "ops",
        "incident": "0123456789abcdef",
        "body": body or MISMATCH,
        "attempts": 0,
        "created_at": NOW,
        **changes,
    }
    return Delivery(**values)


def batch(members: tuple[Mapping[str, Any], ...] = MEMBERS) -> Delivery:
    """Several events of one cause, delivered at once to receiver ``ops``."""
    incidents = tuple(member["data"]["incident"] for member in members)
    return Delivery(batch_id(incidents), "ops", incidents[0], grouped_body(members), 0, NOW, members, incidents)
