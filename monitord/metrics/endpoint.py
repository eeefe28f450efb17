"""The series of one endpoint, pure: what is known becomes a series, what is not known becomes none."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from monitord.metrics.families import ENDPOINT
from monitord.pinning.prediction import ALERT_CONFIDENCE
from monitord.pinning.printable import printable
from monitord.pinning.report import roles
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.observation import Observation
    from monitord.pinning.outcome import Outcome
    from monitord.pinning.target import Target
    from monitord.pinning.verdict import PinSetVerdict

    Series = tuple[str, tuple[str, ...], float]

_LONGEST_VALUE = 256
# Untrusted and undetermined come before any pin is looked at, and an endpoint without pins has none to count.
_PINS_COMPARED = (Verdict.OK, Verdict.PIN_MISMATCH, Verdict.PINS_EXPIRED)
_PATH_REFUSED = (Verdict.UNTRUSTED, Verdict.UNDETERMINED)
_MATCH = {Verdict.OK: 1.0, Verdict.PIN_MISMATCH: 0.0}


@dataclass(frozen=True, slots=True)
class PinsSeen:
    """What the last round said about one pin set; the counts are None where no pin was compared."""

    pinset: str
    verdict: Verdict
    live: int | None
    backup: int | None


@dataclass(frozen=True, slots=True)
class FailurePredicted:
    """A likely failure of one pin set for one cause; ``at`` is the Unix time from which on it may come."""

    pinset: str
    cause: str
    at: float


@dataclass(frozen=True, slots=True)
class CertificateSeen:
    """One certificate of the last round in one role, ready to be shown. ``not_after`` is a Unix time."""

    role: str
    not_after: float
    description: tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Round:
    """What a round told, without the certificates themselves. ``success`` is None where nothing was tried."""

    at: float
    duration: float
    success: bool | None
    pins: tuple[PinsSeen, ...]
    certificates: tuple[CertificateSeen, ...]
    predicted: tuple[FailurePredicted, ...] = ()


@dataclass(frozen=True, slots=True)
class Watched:
    """A registered endpoint, how many rounds it had, and what the last one told, by those ``verdicts``."""

    target: Target
    rounds: int = 0
    latest: Round | None = None
    verdicts: tuple[PinSetVerdict, ...] | None = None

    def again(self, outcome: Outcome) -> Watched | None:
        """The endpoint after a round that another one stood for, which saw the same; None where it has to be told."""
        if self.latest is None or outcome.verdicts is not self.verdicts or outcome.target is not self.target:
            return None
        latest = replace(self.latest, at=outcome.at.timestamp(), duration=outcome.duration)
        return Watched(self.target, self.rounds + 1, latest, self.verdicts)

    def retargeted(self, target: Target) -> Watched:
        """The same endpoint as now configured; where its pins or trust differ, nothing is known about them yet."""
        latest = self.latest
        if latest and (target.pinsets, target.trust, target.name) != (
            self.target.pinsets,
            self.target.trust,
            self.target.name,
        ):
            latest = replace(latest, pins=(), predicted=())
        return Watched(target, self.rounds, latest, self.verdicts)


def summarize(outcome: Outcome) -> Round:
    """What a round told, as far as series show it."""
    return Round(
        at=outcome.at.timestamp(),
        duration=outcome.duration,
        success=_success(outcome.observations),
        pins=tuple({verdict.pinset.name: _pins(verdict) for verdict in outcome.verdicts}.values()),
        certificates=_certificates(outcome),
        predicted=_predicted(outcome),
    )


def series(watched: Watched) -> Iterator[Series]:
    """The series of an endpoint but for its own labels: family, label values, value."""
    endpoint = (watched.target.host, str(watched.target.port))
    yield from round_series(watched)
    yield "probe_interval_seconds", endpoint, watched.target.interval.total_seconds()
    for pinset in {pinset.name: pinset for pinset in watched.target.pinsets}.values():
        if pinset.expires is not None:
            name = (*endpoint, label_value(pinset.name))
            yield "pinset_expiry_timestamp_seconds", name, pinset.expires.timestamp()
    latest = watched.latest
    if latest is None:
        return
    if latest.success is not None:
        yield "probe_success", endpoint, float(latest.success)
    for pins in latest.pins:
        yield from _pin_series((*endpoint, label_value(pins.pinset)), pins)
    for one in latest.predicted:
        yield "pin_predicted_failure_timestamp_seconds", (*endpoint, label_value(one.pinset), one.cause), one.at
    earliest: dict[str, float] = {}
    for certificate in latest.certificates:
        role, not_after = certificate.role, certificate.not_after
        earliest[role] = min(not_after, earliest.get(role, not_after))
        yield "certificate_info", (*endpoint, role, *certificate.description), 1.0
    for role, not_after in earliest.items():
        yield "certificate_not_after_timestamp_seconds", (*endpoint, role), not_after


def round_series(watched: Watched) -> Iterator[Series]:
    """The series that change with each round, whatever it saw."""
    endpoint = (watched.target.host, str(watched.target.port))
    yield "probes", endpoint, watched.rounds
    if watched.latest is not None:
        yield "probe_last_timestamp_seconds", endpoint, watched.latest.at
        yield "probe_duration_seconds", endpoint, watched.latest.duration


def endpoint_labels(target: Target) -> dict[str, str]:
    """Host, port and the user's own labels, under names that Prometheus allows and that differ from each other."""
    labels = dict(zip(ENDPOINT, (target.host, str(target.port)), strict=True))
    for key, value in sorted(target.labels.items()):
        name = re.sub(r"[^a-zA-Z0-9_]", "_", key)
        # Names that begin with __ are Prometheus's own.
        if not name or name[0].isdigit() or name.startswith("__"):
            name = f"label_{name}"
        while name in labels:
            name = f"label_{name}"
        labels[name] = label_value(value)
    return labels


def label_value(text: str, longest: int = _LONGEST_VALUE) -> str:
    """A text as a label's value: every control character escaped, cut to ``longest`` characters."""
    text = printable(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _success(observations: tuple[Observation, ...]) -> bool | None:
    if not observations:
        return None
    good = {observation.address for observation in observations if observation.chain and observation.failure is None}
    return good == {observation.address for observation in observations}


def _pins(verdict: PinSetVerdict) -> PinsSeen:
    if verdict.verdict not in _PINS_COMPARED:
        return PinsSeen(verdict.pinset.name, verdict.verdict, None, None)
    live = set(verdict.matched)
    return PinsSeen(
        verdict.pinset.name,
        verdict.verdict,
        len(live),
        sum(pin not in live for pin in verdict.pinset.all_pins),
    )


def _pin_series(name: tuple[str, str, str], pins: PinsSeen) -> Iterator[Series]:
    for verdict in Verdict:
        yield "pin_verdict", (*name, verdict.value), float(verdict is pins.verdict)
    if pins.verdict in _MATCH:
        yield "pin_match", name, _MATCH[pins.verdict]
    if pins.live is not None:
        yield "pinset_live_pins", name, pins.live
    if pins.backup is not None:
        yield "pinset_backup_pins", name, pins.backup


def _predicted(outcome: Outcome) -> tuple[FailurePredicted, ...]:
    """The earliest of each pin set and cause: a series has one value."""
    earliest: dict[tuple[str, str], float] = {}
    for one in outcome.predictions:
        if one.confidence >= ALERT_CONFIDENCE:
            key, at = (one.pinset, one.cause.value), one.at.timestamp()
            earliest[key] = min(at, earliest.get(key, at))
    return tuple(FailurePredicted(pinset, cause, at) for (pinset, cause), at in earliest.items())


def _certificates(outcome: Outcome) -> tuple[CertificateSeen, ...]:
    chains = [observation.chain for observation in outcome.observations]
    chains += [
        judgement.path
        for verdict in outcome.verdicts
        for judgement in verdict.judgements
        if judgement.verdict not in _PATH_REFUSED
    ]
    seen = {
        (role, certificate): None for chain in chains for role, certificate in zip(roles(chain), chain, strict=True)
    }
    return tuple(_seen(role, certificate) for role, certificate in seen)


@lru_cache(maxsize=4096)  # many endpoints have the same authorities, and each has its leaf in two roles
def _seen(role: str, certificate: Certificate) -> CertificateSeen:
    return CertificateSeen(role, certificate.not_after.timestamp(), _description(certificate))


@lru_cache(maxsize=4096)  # as above
def _description(certificate: Certificate) -> tuple[str, str, str, str]:
    return (
        label_value(certificate.display_subject),
        str(certificate.pin),
        certificate.sha256.hex(),
        certificate.key_type.value,
    )
