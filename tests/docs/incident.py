"""The incident that the documentation shows, out of the very rules that make alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitord.outbox import Delivery, Message
from monitord.pinning.certificate import certificates_in, parse_certificate
from monitord.pinning.conditions import Condition, Known, Policy, conditions
from monitord.pinning.decide import decide
from monitord.pinning.facts import alert_facts
from monitord.pinning.incident import IncidentKey, IncidentKind
from monitord.pinning.judge import judge
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.outcome import Streaks
from monitord.pinning.pins import PinSet, parse_pin
from monitord.pinning.report import event_body
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from tests.cli.test_forecast import renewing

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
RECEIVER = "pager"
_DATA = Path(__file__).parent / "testdata"
_PINS = (
    "sha256/YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=",
    "sha256/sRHdihwgkaib1P1gxX8HFszlD+7/gTfNvuAybgLPNis=",
)


def mismatch() -> Delivery:
    """The delivery of a confirmed mismatch at one address while another does not answer."""
    pinset = PinSet("android-5", pins=tuple(map(parse_pin, _PINS)), share=0.62)
    target = Target("api.example.com", labels={"team": "payments"}, pinsets=(pinset,))
    root, *_ = (parse_certificate(der) for der in certificates_in((_DATA / "root.pem").read_bytes()))
    chain = tuple(parse_certificate(der) for der in certificates_in((_DATA / "chain.pem").read_bytes()))
    silence = Failure(FailureReason.TIMEOUT, "connecting took longer than 10 s")
    seen = [
        Observation(NOW, "192.0.2.1", 443, chain, key_type=chain[0].key_type, tls_version="TLSv1.3"),
        Observation(NOW, "2001:db8::1", 443, failure=silence),
    ]
    verdicts = judge(target, seen, {"mozilla": TrustStore("mozilla", [root])}, NOW)
    policy = Policy(2, 3, timedelta(days=14), timedelta(days=30), timedelta(hours=4))
    held = conditions([verdicts, verdicts], Streaks(), Known(), NOW, policy)
    (step,) = decide({}, held, NOW, policy)
    body: dict[str, Any] = event_body(step)
    message = Message(step.incident.id, step.number, RECEIVER, body, step.at)
    return Delivery(message.id, RECEIVER, message.incident, body, attempts=0, created_at=NOW)


def predicted_facts() -> dict[str, Any]:
    """What an alert about a predicted failure says."""
    ruling = renewing().outlooks[0].ruling
    (prediction,) = ruling.predictions
    key = IncidentKey("api.example.com", 443, "android-5", IncidentKind.PIN_MISMATCH_PREDICTED)
    condition = Condition(key, holds=True, severity=prediction.severity, verdict=ruling.verdict, prediction=prediction)
    facts = alert_facts(condition, NOW)
    del facts["timestamp"]  # which stands beside the data
    return facts
