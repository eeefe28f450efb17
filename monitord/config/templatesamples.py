"""What the values of a template look like, to try one on before an alert depends on it.

Texts hold what breaks a text that is put between quotes: quotes, a backslash, angle brackets. What may be missing is
missing in one sample or another.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# What not every event has, and what a template finds in its place.
OPTIONAL: Mapping[str, Any] = MappingProxyType(
    {
        "act_by": None,
        "confidence": None,
        "evidence": None,
        "evidence_id": None,
        "expected": None,
        "flapping": False,
        "group": None,
        "grouped": (),
        "known": None,
        "leaves": (),
        "omitted": MappingProxyType({}),
        "predicted_until": None,
        "revisions": (),
    }
)
_TEXT = 'a "quoted" \\ <text> & more'
_TIME = "2026-03-02T00:00:00Z"
_PIN = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
_CERTIFICATE = {"role": "leaf", "subject": _TEXT, "spki": _PIN, "certificate_sha256": "00" * 32, "not_after": _TIME}
_SEEN = {"address": "192.0.2.1", "key_type": "ecdsa", "verdict": "pin_mismatch", "reason": _TEXT, "failure": None}
_SILENT = {**_SEEN, "address": "", "key_type": None, "failure": {"reason": "timeout", "detail": _TEXT}}
_FIRING: Mapping[str, Any] = MappingProxyType(
    {
        **OPTIONAL,
        "incident": "0123456789abcdef",
        "kind": "pin_mismatch",
        "state": "firing",
        "severity": "critical",
        "host": "api.example.com",
        "port": 443,
        "pinset": _TEXT,
        "client": "okhttp",
        "share": 0.62,
        "trust": _TEXT,
        "summary": _TEXT,
        "reason": _TEXT,
        "advice": _TEXT,
        "since": _TIME,
        "resolved_at": None,
        "predicted_at": None,
        "cause": None,
        "pins": [_PIN],
        "matched": [],
        "chain": [_CERTIFICATE],
        "path": [_CERTIFICATE],
        "new_pins": [{"role": "leaf", "subject": _TEXT, "pin": _PIN}],
        "observations": [_SEEN, _SILENT],
        "labels": {"team": _TEXT},
        "url": "https://monitord.example.com/",
        "group": _TEXT,
    }
)
_NOTHING: dict[str, Any] = {
    "pins": [],
    "chain": [],
    "path": [],
    "new_pins": [],
    "labels": {},
    "url": None,
    "group": None,
}
_NOBODY = {"pinset": None, "client": None, "share": None, "trust": None}
_OTHER = {
    "incident": "1" * 16,
    "host": "b.example.com",
    "port": 443,
    "pinset": None,
    "since": _TIME,
    "severity": "critical",
}


def _sample(**changes: Any) -> tuple[str, Mapping[str, Any]]:  # noqa: ANN401 - fields of any kind
    data = {**_FIRING, **changes}
    kind = f"{data['kind']}.{data['state']}"
    about = {"id": "0" * 32, "type": kind, "timestamp": _TIME, "subject": _TEXT, "title": _TEXT, "lead": _TEXT}
    return kind, {**about, "text": f"{_TEXT}\n\n{_TEXT}\n", "data": data}


SAMPLES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    _sample(),
    _sample(state="resolved", resolved_at=_TIME, matched=[_PIN], new_pins=[]),
    _sample(grouped=[{**_OTHER, "pinset": _TEXT}, _OTHER], omitted={"grouped": 3}),
    _sample(kind="unreachable", severity="warning", observations=[_SILENT], **_NOBODY, **_NOTHING),
    _sample(
        kind="pin_mismatch_predicted",
        predicted_at=_TIME,
        predicted_until=_TIME,
        cause="leaf_renewal",
        confidence=0.9,
        expected="pin_mismatch",
        evidence=_TEXT,
        evidence_id="0" * 16,
        act_by=_TIME,
        known=True,
        leaves=["00" * 32],
        revisions=[{"timestamp": _TIME, "predicted_at": _TIME, "cause": "leaf_renewal", "confidence": 0.6}],
    ),
    _sample(
        kind="monitor_degraded", host=None, port=None, cause="receiver:pager", observations=[], **_NOBODY, **_NOTHING
    ),
    _sample(kind="test", severity="info", observations=[], reason="", **_NOBODY, **_NOTHING),
)
