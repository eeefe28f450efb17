"""Events whose every text is hostile: what servers put into certificates, and people into labels."""

from __future__ import annotations

from typing import Any

from tests.notify import events
from tests.notify.events import event

EVIL = (
    "CN=api\r\nBcc: victim@example.org\r\n\r\n<!channel> <https://evil.example|Sign in> & ``` *now* @here "
    '"}, {"severity": "info"} {{ 7*7 }} <img src=x onerror=alert(1)> \x1b[2J\u202e\x00 </code>'
)


def hostile(text: str = EVIL, *, state: str = "firing") -> dict[str, Any]:
    """An event in which a server, a label and a name have this text."""
    failure = {"reason": "tls_alert", "detail": text}
    return event(
        "pin_mismatch",
        state,
        host=f"api{text}",
        pinset=f"app{text}",
        summary=f"The apps refuse to connect: {text}.",
        reason=text,
        advice=text,
        chain=[{**events.LEAF, "subject": text}],
        path=[{**events.LEAF, "subject": text}],
        labels={text: text},
        trust=text,
        url=f"https://monitord.example.com/{text}",
        resolved_at=text if state == "resolved" else None,
        observations=[events.observation(text, "pin_mismatch", text, failure=failure)],
        new_pins=[{"role": "leaf", "subject": text, "pin": events.pin("new")}],
    )
