"""Predictions as values: when a pin set will stop to match, why, how sure that is, and what to do by when."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.pinning.incident import Severity

if TYPE_CHECKING:
    from datetime import timedelta

    from monitord.pinning.pins import Pin
    from monitord.pinning.verdict import Verdict

ALERT_CONFIDENCE = 0.5
"""From this confidence on a prediction alerts; below it is only listed."""


class Cause(StrEnum):
    """Why a pin set will stop to match; a closed list that alerts, metrics and JSON use."""

    LEAF_EXPIRY = "leaf_expiry"
    LEAF_RENEWAL = "leaf_renewal"
    CT_ISSUED = "ct_issued"
    ARI_WINDOW = "ari_window"
    FORCED_REISSUE = "forced_reissue"
    INTERMEDIATE_EXPIRY = "intermediate_expiry"
    ISSUER_ROTATION = "issuer_rotation"
    ROOT_EXPIRY = "root_expiry"
    CROSS_SIGN_EXPIRY = "cross_sign_expiry"
    DISTRUST = "distrust"
    TRUST_STORE_CHANGE = "trust_store_change"
    PARTIAL_ROLLOUT = "partial_rollout"
    REVOKED = "revoked"
    PINS_EXPIRE = "pins_expire"
    NO_LIVE_BACKUP = "no_live_backup"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One way in which a pin set is going to fail.

    ``at`` is the earliest likely moment and ``until`` the end of the window around it. ``confidence`` is the
    probability, 0 to 1, that it comes true. ``expected`` is what the apps will then meet. ``severity`` follows from
    how near ``at`` is. ``evidence`` and ``advice`` are sentences; ``act_by`` is when a release must begin to be in
    time. ``new_keys`` are keys that could be pinned in time and that no pin names: pin, role and subject of each.
    ``known``: the chain that is coming was seen, so the new keys are its own.
    """

    pinset: str
    cause: Cause
    at: datetime
    until: datetime
    confidence: float
    severity: Severity
    expected: Verdict
    evidence: str
    advice: str
    act_by: datetime
    new_keys: tuple[tuple[Pin, str, str], ...] = ()
    known: bool = False

    def __post_init__(self) -> None:
        """Keep sentences once: endpoints of one CA have most of them in common, and there may be a million."""
        for name in ("evidence", "advice"):
            object.__setattr__(self, name, sys.intern(getattr(self, name)))

    @property
    def new_pins(self) -> tuple[Pin, ...]:
        """The pins of ``new_keys``."""
        return tuple(pin for pin, _, _ in self.new_keys)

    @property
    def alerts(self) -> bool:
        """Whether the prediction is sure and near enough to be told."""
        return self.confidence >= ALERT_CONFIDENCE and self.severity is not Severity.INFO

    def open_at(self, now: datetime) -> bool:
        """Whether its window is open: the failure may come at any moment."""
        return self.at <= now <= self.until


def nearness(at: datetime, now: datetime, release_time: timedelta, horizon: timedelta) -> Severity:
    """How loud something at ``at`` is: critical inside ``release_time``, warning inside ``horizon``, else info."""
    if at - now <= release_time:
        return Severity.CRITICAL
    return Severity.WARNING if at - now <= horizon else Severity.INFO


NEVER = datetime.max.replace(tzinfo=UTC)
