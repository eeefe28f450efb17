"""Fleets of endpoints for the pages: the same in every run, judged and forecast by the daemon's own rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ed25519

from monitord import pki
from monitord.pinning.conditions import Policy
from monitord.pinning.evidence import LoggedCertificate, Signals
from monitord.pinning.forecast import forecast
from monitord.pinning.history import History
from monitord.pinning.incident import (
    Acknowledgement,
    Handling,
    Incident,
    IncidentKey,
    IncidentKind,
    IncidentState,
    Severity,
    Transition,
    TransitionReason,
)
from monitord.pinning.judge import judge
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.outcome import Outcome, Streaks
from monitord.pinning.pins import Client, Pin, PinSet
from monitord.pinning.prediction import Cause, Prediction
from monitord.pinning.quiet import Quiet, Scope, Silence
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.pinning.verdict import Verdict
from monitord.store.history import VerdictChange
from monitord.web.fleet import Fleet
from monitord.web.sources import Beside, Knowledge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from monitord.errors import MonitordError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SPARE = Pin(b"\x5a" * 32)
POLICY = Policy(
    confirm=2, failures=3, release_time=14 * DAY, horizon=30 * DAY, repeat=timedelta(hours=4), resolved=True
)


def issued(subject: str, number: int, issuer: pki.Issued | None, begins: int, lasts: int, *names: str) -> pki.Issued:
    """A certificate whose key and serial follow from ``number``; ``begins`` and ``lasts`` are days from NOW on."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(number.to_bytes(32))
    begin = NOW + begins * DAY
    return pki.issue(
        subject, issuer=issuer, key=key, names=names, serial=number, not_before=begin, not_after=begin + lasts * DAY
    )


@cache
def authority() -> tuple[pki.Issued, pki.Issued]:
    """Root and intermediate."""
    root = issued("Example Root", 1, None, -3000, 7000)
    return root, issued("Example Intermediate R1", 2, root, -1000, 2000)


@cache
def trust() -> Mapping[str, TrustStore]:
    """The store that has that root."""
    return {"mozilla": TrustStore("mozilla", [authority()[0].certificate])}


def pinset(name: str, *pins: Pin, client: Client = Client.OKHTTP, share: float | None = None) -> PinSet:
    """Pins of an app."""
    return PinSet(name, client=client, pins=pins, share=share)


class Watched:
    """One endpoint with a leaf of its own, to be seen, judged and forecast."""

    def __init__(self, host: str, number: int, port: int = 443, labels: Mapping[str, str] | None = None) -> None:
        self.root, self.intermediate = authority()
        self.leaf = issued(host, number, self.intermediate, -20, 90, host)
        self.target = Target(host, port, labels=labels or {})
        self.history, self.signals = History(), Signals()

    @property
    def chain(self) -> tuple:  # type: ignore[type-arg]
        """Leaf and intermediate."""
        return self.leaf.certificate, self.intermediate.certificate

    def pinned(self, *pinsets: PinSet) -> Watched:
        """The same with these pin sets."""
        self.target = replace(self.target, pinsets=pinsets)
        return self

    def seen(self, *observations: Observation, ago: timedelta = timedelta(minutes=4)) -> Outcome:
        """A round, by default one in which two addresses show the chain."""
        at = NOW - ago
        seen = observations or tuple(
            Observation(
                at,
                address,
                self.target.port,
                self.chain,
                key_type=self.leaf.certificate.key_type,
                tls_version="TLSv1.3",
                cipher="TLS_AES_128_GCM_SHA256",
                duration=0.04,
            )
            for address in ("192.0.2.10", "2001:db8::10")
        )
        verdicts = judge(self.target, seen, trust(), at)
        self.history = self.history.after(at - 40 * DAY, seen)
        predictions = forecast(self.target, verdicts, self.history, self.signals, trust(), at, POLICY)
        return Outcome(self.target, at, tuple(seen), verdicts, (), Streaks(), 0.137, predictions)

    def down(self) -> Observation:
        """It refuses to be connected to."""
        return Observation(
            NOW, "192.0.2.10", self.target.port, failure=Failure(FailureReason.REFUSED, "nobody listens")
        )


def incident(
    target: Target,
    kind: IncidentKind,
    pins: str = "",
    severity: Severity = Severity.CRITICAL,
    handling: Handling | None = None,
    number: int = 1,
    **facts: object,
) -> Incident:
    """An open incident."""
    since = NOW - timedelta(hours=5)
    return Incident(
        f"{number:016x}",
        IncidentKey(target.host, target.port, pins, kind),
        IncidentState.FIRING,
        severity,
        since,
        since,
        facts={
            "timestamp": "2026-03-01T07:00:00Z",
            "summary": f"The apps with pin set {pins} (okhttp) refuse to connect to {target.endpoint}: no pin matches.",
            "advice": "Serve a chain that holds a pinned key again.",
            **facts,
        },
        handling=handling or Handling(),
    )


class Archives:
    """What happened, or why that cannot be read."""

    def __init__(self) -> None:
        self.changes: dict[tuple[str, int], list[VerdictChange]] = {}
        self.steps: dict[tuple[str, int], list[Transition]] = {}
        self.ended: list[Incident] = []
        self.fault: MonitordError | None = None

    async def verdict_changes(self, host: str, port: int) -> Sequence[VerdictChange]:
        """Those given."""
        if self.fault:
            raise self.fault
        return self.changes.get((host, port), [])

    async def transitions_of(self, host: str, port: int | None, since: datetime) -> Sequence[Transition]:
        """Those given."""
        return [step for step in self.steps.get((host, port or 443), []) if step.at >= since]

    async def load_ended(self, since: datetime) -> Sequence[Incident]:
        """Those given."""
        if self.fault:
            raise self.fault
        return [one for one in self.ended if one.resolved_at and one.resolved_at >= since]


class Orders:
    """Notes what it is told to do, and refuses if it is to."""

    def __init__(self, fault: MonitordError | None = None) -> None:
        self.given: list[tuple[object, ...]] = []
        self._fault = fault

    async def acknowledge(self, incident: str, by: str, reason: str) -> None:
        """Note it."""
        self._note("acknowledge", incident, by, reason)

    async def unacknowledge(self, incident: str, by: str) -> None:
        """Note it."""
        self._note("unacknowledge", incident, by)

    async def silence(self, scope: Scope, length: timedelta, by: str, reason: str) -> None:
        """Note it."""
        self._note("silence", scope, length, by, reason)

    async def unsilence(self, identifier: str, by: str) -> None:
        """Note it."""
        self._note("unsilence", identifier, by)

    def _note(self, *order: object) -> None:
        self.given.append(order)
        if self._fault:
            raise self._fault


class Company:
    """A fleet with all that is known of it."""

    def __init__(self, *watched: Watched) -> None:
        self.fleet = Fleet(lambda: POLICY.horizon)
        self.watched = {(one.target.host, one.target.port): one for one in watched}
        self.fleet.set_targets([one.target for one in watched])
        self.archive = Archives()
        self.quieted: dict[IncidentKey, Quiet] = {}
        self.silences: list[Silence] = []
        self.orders = Orders()

    def knowledge(self, now: Callable[[], datetime] = lambda: NOW) -> Knowledge:
        """As the pages want it."""
        return Knowledge(self.fleet, self._beside, self._quiet, lambda: self.silences, self.archive, self.orders, now)

    def _beside(self, target: Target) -> Beside:
        one = self.watched[target.host, target.port]
        return Beside(trust(), POLICY, one.history, one.signals)

    def _quiet(self, incidents: Iterable[Incident]) -> Mapping[IncidentKey, Quiet]:
        return {one.key: self.quieted[one.key] for one in incidents if one.key in self.quieted}


def prediction(days: int = 6, pins: str = "android-5", confidence: float = 0.85) -> Prediction:
    """A pin set fails so many days after NOW, since a certificate with another key was logged."""
    severity = Severity.CRITICAL if days <= 14 else Severity.WARNING if days <= 30 else Severity.INFO
    at = NOW + days * DAY
    return Prediction(
        pins,
        Cause.CT_ISSUED,
        at,
        at + 4 * DAY,
        confidence,
        severity,
        Verdict.PIN_MISMATCH,
        "a certificate with a key that no pin names was seen in Certificate Transparency and is not served yet",
        "Do not deploy that certificate before the apps know one of its keys.",
        at - 14 * DAY,
    )


def twenty() -> Company:
    """Twenty endpoints: one fails, one will soon, one cannot be judged, one is new, some are weak, most are fine."""
    names = ["api", "auth", "cdn", "chat", "checkout", "feed", "gateway", "geo", "graphql", "images"]
    names += ["login", "maps", "media", "orders", "payments", "push", "search", "static", "upload", "video"]
    teams = ("payments", "identity", "platform")
    watched = []
    for number, name in enumerate(names):
        labels = {"team": teams[number % 3]} | ({"tier": "1"} if number % 4 == 0 else {})
        one = Watched(f"{name}.example.com", 100 + number, 8443 if name == "push" else 443, labels)
        leaf, intermediate, root = (part.certificate.pin for part in (one.leaf, one.intermediate, one.root))
        kept = (root, SPARE) if number % 5 else (intermediate, SPARE)
        android = pinset("android-5", *kept, share=0.62)
        ios = replace(pinset("ios-5", client=Client.APPLE), ca_pins=(root, SPARE), pins=(), share=0.38)
        if name == "api":
            android = pinset("android-5", leaf, SPARE, share=0.62)
        if name == "payments":
            android = pinset("android-4", Pin(b"\x01" * 32), Pin(b"\x02" * 32), share=0.08)
        if name == "login":
            android = pinset("android-5", root, share=0.62)
        watched.append(one.pinned(android) if number % 2 else one.pinned(android, ios))
    company = Company(*watched)
    by_name = {one.target.host.split(".")[0]: one for one in watched}
    api = by_name["api"]
    logged = issued("api.example.com", 900, authority()[1], -2, 90, "api.example.com")
    api.signals = Signals(logged=(LoggedCertificate((logged.certificate, authority()[1].certificate), NOW - DAY),))
    for name, one in by_name.items():
        if name == "upload":
            continue
        for hours in range(23, -1, -1):
            bad = name == "payments" and hours < 6
            ago = timedelta(hours=hours, minutes=4)
            if name == "geo" and hours < 9:
                company.fleet.record(one.seen(one.down(), ago=ago))
            elif name == "payments" and not bad:
                continue
            else:
                round_ = one.seen(ago=ago)
                foreseen = (prediction(),) if name == "api" else round_.predictions
                company.fleet.record(replace(round_, predictions=foreseen))
    failing = by_name["payments"].target
    company.fleet.set_incidents(
        [
            incident(failing, IncidentKind.PIN_MISMATCH, "android-4", number=1),
            incident(
                by_name["geo"].target,
                IncidentKind.UNREACHABLE,
                number=2,
                severity=Severity.CRITICAL,
                handling=Handling(Acknowledgement(NOW - timedelta(hours=1), "alice", "the data centre moves")),
                summary="geo.example.com:443 could not be judged for 3 rounds: no chain was seen.",
                advice="Check that it is up.",
            ),
            incident(by_name["login"].target, IncidentKind.NO_BACKUP_PIN, "android-5", Severity.WARNING, number=3),
        ]
    )
    company.archive.changes[failing.host, failing.port] = [
        VerdictChange(NOW - 40 * DAY, "android-4", Verdict.OK, "every valid path holds a pin"),
        VerdictChange(NOW - timedelta(hours=5), "android-4", Verdict.PIN_MISMATCH, "no pin matches"),
    ]
    (opened,) = list(company.fleet.snapshot().incidents[failing.host, failing.port])
    company.archive.steps[failing.host, failing.port] = [
        Transition(opened, 1, opened.since, TransitionReason.OPENED, remark=opened.facts)
    ]
    over = incident(
        by_name["feed"].target, IncidentKind.UNREACHABLE, number=7, summary="feed.example.com answers again."
    )
    company.archive.ended = [
        replace(over, state=IncidentState.RESOLVED, since=NOW - 2 * DAY, resolved_at=NOW - 2 * DAY + timedelta(hours=3))
    ]
    company.silences = [
        Silence("5113ce", Scope(("geo.example.com:443",)), NOW - DAY, NOW + DAY, "the data centre moves", "alice")
    ]
    return company
