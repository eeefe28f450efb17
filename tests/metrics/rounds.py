"""Rounds with certificates that are the same in every run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ed25519

from monitord import pki
from monitord.pinning.incident import Severity
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.outcome import Outcome, Streaks
from monitord.pinning.pins import Pin, PinSet
from monitord.pinning.prediction import Cause, Prediction
from monitord.pinning.target import Target
from monitord.pinning.verdict import Judgement, PinSetVerdict, Verdict

if TYPE_CHECKING:
    from monitord.pinning.certificate import Certificate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPARE = Pin(b"\x5a" * 32)


def issued(subject: str, number: int, issuer: pki.Issued | None, *names: str) -> pki.Issued:
    """A certificate whose key and serial follow from ``number``; Ed25519 signs the same bytes the same way."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    return pki.issue(
        subject,
        issuer=issuer,
        key=key,
        names=names,
        serial=number,
        not_after=datetime(2026 + 10 * number, 1, 1, tzinfo=UTC),
    )


@cache
def path(leaf_subject: str = "api.example.com") -> tuple[Certificate, ...]:
    """Leaf, intermediate and root."""
    root = issued("Example Root", 3, None)
    intermediate = issued("Example Intermediate", 2, root)
    leaf = issued(leaf_subject, 1, intermediate, "api.example.com")
    return leaf.certificate, intermediate.certificate, root.certificate


def pinset(name: str = "android-5", **changes: object) -> PinSet:
    """A set of the intermediate's pin and a spare."""
    return replace(PinSet(name, pins=(path()[1].pin, SPARE)), **changes)  # type: ignore[arg-type]


def target(host: str = "api.example.com", **changes: object) -> Target:
    """An endpoint with that set."""
    return replace(Target(host, pinsets=(pinset(),)), **changes)  # type: ignore[arg-type]


def seen(address: str = "192.0.2.1", *, chain: bool = True, failure: FailureReason | None = None) -> Observation:
    """What one address gave: leaf and intermediate, or a failure, or both."""
    return Observation(
        NOW,
        address,
        443,
        chain=path()[:2] if chain else (),
        failure=Failure(failure, "it was so") if failure else None,
    )


def outcome(
    of: Target | None = None,
    verdict: Verdict = Verdict.OK,
    observations: tuple[Observation, ...] | None = None,
    matched: tuple[Pin, ...] | None = None,
    at: datetime = NOW,
) -> Outcome:
    """A round in which every pin set of the target got ``verdict``."""
    of = of or target()
    observations = (seen(),) if observations is None else observations
    if matched is None:
        matched = (path()[1].pin,) if verdict is Verdict.OK else ()
    verdicts = tuple(
        PinSetVerdict(
            of,
            pins,
            verdict,
            "so it is",
            "mozilla",
            tuple(
                Judgement(one, "mozilla", verdict, "so it is", path() if one.chain else (), matched)
                for one in observations
            ),
            matched,
        )
        for pins in of.pinsets or (PinSet("default"),)
    )
    return Outcome(of, at, observations, verdicts, (), Streaks(), 0.25)


def prediction(cause: Cause = Cause.LEAF_RENEWAL, **changes: object) -> Prediction:
    """A likely failure of the set in ten days."""
    expected = Prediction(
        "android-5",
        cause,
        at=NOW + timedelta(days=10),
        until=NOW + timedelta(days=20),
        confidence=0.9,
        severity=Severity.CRITICAL,
        expected=Verdict.PIN_MISMATCH,
        evidence="so it was before",
        advice="pin the next key",
        act_by=NOW,
    )
    return replace(expected, **changes)  # type: ignore[arg-type]


def later(minutes: int) -> datetime:
    """A time after NOW."""
    return NOW + timedelta(minutes=minutes)
