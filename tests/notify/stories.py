"""Events out of the very rules that make alerts, the same in every run: one for each kind of message."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ed25519

from monitord import pki
from monitord.notify.trial import write_test
from monitord.pinning.conditions import Known, Policy, conditions
from monitord.pinning.decide import Surroundings, decide
from monitord.pinning.foreseen import Outlook
from monitord.pinning.incident import IncidentKind, Severity
from monitord.pinning.judge import judge
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.outcome import Streaks
from monitord.pinning.pins import Client, Pin, PinSet
from monitord.pinning.prediction import Cause, Prediction
from monitord.pinning.report import event_body
from monitord.pinning.target import Target
from monitord.pinning.trouble import Trouble, TroubleKind
from monitord.pinning.trust import TrustStore
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitord.pinning.conditions import Condition
    from monitord.pinning.incident import Incident, IncidentKey

    Event = Mapping[str, Any]

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
POLICY = Policy(confirm=1, failures=3, release_time=14 * DAY, horizon=30 * DAY, repeat=4 * HOUR)
SPARE = Pin(bytes(range(32)))


def _issued(subject: str, number: int, issuer: pki.Issued | None = None, **more: Any) -> pki.Issued:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    return pki.issue(subject, issuer=issuer, key=key, serial=number, **more)


ROOT = _issued("Example Root", 1)
INTERMEDIATE = _issued("Example CA 1", 2, ROOT)


def leaf(number: int, days: float = 60, subject: str = "api.example.com") -> pki.Issued:
    """A leaf that ends so many days after NOW."""
    return _issued(
        subject, number, INTERMEDIATE, names=[subject], not_before=NOW - 30 * DAY, not_after=NOW + days * DAY
    )


PINNED, OTHER, EXPIRED = leaf(3), leaf(4), leaf(5, -1)
ANDROID = PinSet("android-5", Client.OKHTTP, pins=(PINNED.certificate.pin, SPARE), share=0.62)
TARGET = Target("api.example.com", labels={"team": "payments"}, pinsets=(ANDROID,))
STORES = {"mozilla": TrustStore("mozilla", [ROOT.certificate])}


def seen(one: pki.Issued | Failure, address: str = "192.0.2.1") -> Observation:
    """What an address presented, or how it failed."""
    if isinstance(one, Failure):
        return Observation(NOW, address, 443, failure=one)
    chain = (one.certificate, INTERMEDIATE.certificate)
    return Observation(NOW, address, 443, chain, key_type=one.certificate.key_type, tls_version="TLSv1.3")


class Tale:
    """One endpoint's incidents, round after round."""

    def __init__(self, target: Target = TARGET, policy: Policy = POLICY) -> None:
        self.target = target
        self.policy = policy
        self.open: dict[IncidentKey, Incident] = {}
        self._openings: dict[IncidentKey, list[datetime]] = {}

    def round(
        self,
        *observations: Observation,
        at: datetime = NOW,
        silent: int = 0,
        missing: int = 0,
        outlook: Outlook | None = None,
    ) -> list[Event]:
        """The events of a round at this time; ``silent`` rounds were so before, or ``missing`` at an address."""
        dated = [replace(one, at=at) for one in observations]
        verdicts = judge(self.target, dated, STORES, at)
        streaks = Streaks(silent, {"x": missing} if missing else {})
        known = Known(self.open)
        return self._decide(conditions([verdicts], streaks, known, at, self.policy, outlook=outlook or Outlook()), at)

    def trouble(self, trouble: Trouble, at: datetime = NOW) -> list[Event]:
        """The events of something wrong with monitord itself."""
        return self._decide([trouble], at)

    def _decide(self, held: Sequence[Condition | Trouble], at: datetime) -> list[Event]:
        steps = decide(self.open, held, at, self.policy, Surroundings(openings=self._openings))
        for step in steps:
            if step.incident.resolved_at:
                self.open.pop(step.incident.key, None)
                self._openings.setdefault(step.incident.key, []).append(step.incident.since)
            else:
                self.open[step.incident.key] = step.incident
        return [event_body(step) for step in steps if step.notify]


def only(events: Sequence[Event], kind: IncidentKind) -> Event:
    """The one event of this kind."""
    (found,) = [event for event in events if event["data"]["kind"] == kind]
    return found


def foreseen(at: datetime, cause: Cause, confidence: float, evidence: str, *, severity: Severity) -> Prediction:
    """A prediction for the pin set."""
    return Prediction(
        pinset=ANDROID.name,
        cause=cause,
        at=at,
        until=at + 2 * DAY,
        confidence=confidence,
        severity=severity,
        expected=Verdict.PIN_MISMATCH,
        evidence=evidence,
        advice=(
            "Renew with the same key (certbot: --reuse-key), or with a key that is pinned already; or ship an app "
            "release with one of these keys of the coming chain at once."
        ),
        act_by=at - 14 * DAY,
        new_keys=((OTHER.certificate.pin, "leaf", "CN=api.example.com"),),
    )


_RENEWAL = foreseen(
    NOW + 20 * DAY,
    Cause.LEAF_RENEWAL,
    0.9,
    "the certificate has been renewed each 60 days, 4 times in 4 with a new key",
    severity=Severity.WARNING,
)
_LOGGED = foreseen(
    NOW + 3 * DAY,
    Cause.CT_ISSUED,
    0.95,
    "a certificate for api.example.com with another key was logged at 2026-03-04T10:00:00Z",
    severity=Severity.CRITICAL,
)
PREDICTED = IncidentKind.PIN_MISMATCH_PREDICTED


def _mismatch() -> tuple[Event, Event]:
    tale = Tale()
    silence = Failure(FailureReason.TIMEOUT, "connecting took longer than 10 s")
    firing = tale.round(seen(OTHER), seen(PINNED, "2001:db8::1"), seen(silence, "192.0.2.9"))
    resolved = tale.round(seen(PINNED), seen(PINNED, "2001:db8::1"), at=NOW + 6.5 * HOUR)
    return only(firing, IncidentKind.PIN_MISMATCH), only(resolved, IncidentKind.PIN_MISMATCH)


def _flapping() -> Event:
    tale, events = Tale(), []
    for minutes in (0, 15, 30, 45, 60):
        events = tale.round(seen(OTHER if minutes % 30 == 0 else PINNED), at=NOW + timedelta(minutes=minutes))
    return only(events, IncidentKind.PIN_MISMATCH)


def _foretold() -> dict[str, Event]:
    told = Outlook((_RENEWAL,), "evidence 1")
    changed = Outlook((_LOGGED,), "evidence 2")
    later = NOW + 2.5 * DAY

    def begun() -> Tale:
        tale = Tale()
        tale.round(seen(PINNED), outlook=told)
        return tale

    tale = begun()
    firing = only(Tale().round(seen(PINNED), outlook=told), PREDICTED)
    revised = only(tale.round(seen(PINNED), at=later, outlook=changed), PREDICTED)
    came_true = only(tale.round(seen(OTHER), at=NOW + 5 * DAY, outlook=changed), PREDICTED)
    switched = begun()
    both = PinSet("android-5", Client.OKHTTP, pins=(PINNED.certificate.pin, OTHER.certificate.pin), share=0.62)
    switched.target = replace(TARGET, pinsets=(both,))
    averted = only(switched.round(seen(OTHER), at=later, outlook=Outlook((), "evidence 1")), PREDICTED)
    withdrawn = only(begun().round(seen(PINNED), at=later, outlook=Outlook((), "evidence 1")), PREDICTED)
    superseded = only(begun().round(seen(PINNED), at=later, outlook=Outlook((), "evidence 2")), PREDICTED)
    return {
        "predicted": firing,
        "predicted_revised": revised,
        "predicted_came_true": came_true,
        "predicted_averted": averted,
        "predicted_withdrawn": withdrawn,
        "predicted_superseded": superseded,
    }


def _grouped() -> tuple[Event, ...]:
    found = []
    for number in range(1, 7):
        host = f"api{number}.example.com"
        served = leaf(10 + number, subject=host)
        target = Target(host, pinsets=(replace(ANDROID, share=None),))
        found.append(
            only(Tale(target).round(seen(served), at=NOW + timedelta(minutes=number)), IncidentKind.PIN_MISMATCH)
        )
    return tuple(found)


def _stories() -> dict[str, tuple[Event, ...]]:
    firing, resolved = _mismatch()
    gone = Failure(FailureReason.DNS, "the name does not exist")
    silence = Failure(FailureReason.TIMEOUT, "connecting took longer than 10 s")
    expiring = replace(TARGET, pinsets=(replace(ANDROID, client=Client.ANDROID, expires=NOW + 18 * DAY),))
    lone = replace(TARGET, pinsets=(replace(ANDROID, client=Client.APPLE, pins=(PINNED.certificate.pin,)),))
    unreachable = Tale()
    silent = only(unreachable.round(seen(gone, ""), silent=3), IncidentKind.UNREACHABLE)
    answers = only(unreachable.round(seen(PINNED), at=NOW + HOUR), IncidentKind.UNREACHABLE)
    at_one = Tale().round(seen(PINNED), seen(silence, "2001:db8::1"), missing=3)
    alone = replace(seen(PINNED), chain=(PINNED.certificate,))
    incomplete = Tale(replace(TARGET, pinsets=(replace(ANDROID, client=Client.CURL),))).round(alone, silent=3)
    receiver = Trouble(TroubleKind.RECEIVER, holds=True, name="pager", detail="it has taken no message for 1 h")
    single = {
        "mismatch_firing": firing,
        "mismatch_resolved": resolved,
        "mismatch_flapping": _flapping(),
        "untrusted": only(Tale().round(seen(EXPIRED)), IncidentKind.UNTRUSTED),
        "unreachable": silent,
        "unreachable_resolved": answers,
        "unreachable_at_one_address": only(at_one, IncidentKind.UNREACHABLE),
        "unreachable_incomplete": only(incomplete, IncidentKind.UNREACHABLE),
        "pins_expiring": only(Tale(expiring).round(seen(PINNED)), IncidentKind.PINS_EXPIRING),
        "no_backup_pin": only(Tale(lone).round(seen(PINNED)), IncidentKind.NO_BACKUP_PIN),
        "monitor_degraded": only(Tale().trouble(receiver), IncidentKind.MONITOR_DEGRADED),
        **_foretold(),
        "test": write_test("ops-mail", "id", NOW).body,
    }
    return {name: (event,) for name, event in single.items()} | {"mismatch_grouped": _grouped()}


STORIES = _stories()
DIGESTED = (
    "predicted",
    "pins_expiring",
    "no_backup_pin",
    "unreachable_at_one_address",
    "predicted_averted",
)
DIGEST = tuple(STORIES[name][0] for name in DIGESTED)
"""What a digest may hold; the predicted failure is told twice, and stands once, as it did last."""
