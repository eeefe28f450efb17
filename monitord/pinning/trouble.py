"""What can be wrong with monitord itself: conditions of the kind ``monitor_degraded`` and what an alert says of them.

There is one incident for each cause. A cause is one of ``TroubleKind``, or that and a name: ``receiver:ops-mail``,
``signals:ct_log``. Its key has no host, port 0, and the cause where others have a pin set.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from monitord.pinning.incident import IncidentKey, IncidentKind, Severity
from monitord.pinning.report import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.incident import TransitionReason
    from monitord.pinning.prediction import Prediction

NOWHERE = ("", 0)
"""The endpoint of what concerns none."""


class TroubleKind(StrEnum):
    """Which part of monitord does not work; a closed list."""

    STORE = "store"
    TICK = "tick"
    LAG = "lag"
    NETWORK = "network"
    RECEIVER = "receiver"
    SIGNALS = "signals"


# All but these may mean that a failure goes unnoticed.
_SEVERITY = {TroubleKind.SIGNALS: Severity.WARNING, TroubleKind.LAG: Severity.WARNING}
_BEGIN = {
    TroubleKind.STORE: (
        "monitord cannot write its store.",
        (
            "Free or mend the disk that the store is on. Probing goes on; what is seen, and alerts, are kept in memory "
            "until the store takes them, and are lost if monitord stops before."
        ),
    ),
    TroubleKind.TICK: (
        "monitord does not probe: its scheduler stands still.",
        "Look at the load of this host and at monitord's log, and restart it if it does not recover by itself.",
    ),
    TroubleKind.LAG: (
        "monitord cannot keep up: more endpoints are due than it can probe.",
        (
            "Give it CPU, raise probing.concurrency or probing.per_address, lower timeout or lengthen interval. Until "
            "then all endpoints are probed late, those with incidents and imminent failures first; none is left out."
        ),
    ),
    TroubleKind.NETWORK: (
        "monitord reaches nothing: this host seems to have no network, or no DNS.",
        (
            "Check the network and the DNS of this host. Meanwhile endpoints that do not answer are not reported one "
            "by one; whether the apps can connect cannot be told from here."
        ),
    ),
    TroubleKind.RECEIVER: (
        "Receiver {name} takes no alerts.",
        "Check the receiver: monitord test-alert {name}. What waits for it is sent when it takes messages again.",
    ),
    TroubleKind.SIGNALS: (
        "The source of signals {name} has been failing for a long time.",
        (
            "Check that this host may connect to it. Failures that only it would tell are not predicted meanwhile; "
            "what is served is judged as ever."
        ),
    ),
}
_END = {
    TroubleKind.STORE: "monitord can write its store again.",
    TroubleKind.TICK: "monitord probes again.",
    TroubleKind.LAG: "monitord keeps up again.",
    TroubleKind.NETWORK: "monitord reaches endpoints again.",
    TroubleKind.RECEIVER: "Receiver {name} takes alerts again.",
    TroubleKind.SIGNALS: "The source of signals {name} answers again.",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Whether a part of monitord does not work; ``holds`` is None where that cannot be told.

    ``name`` says which receiver or source, ``detail`` in a sentence without a full stop what is known of it.
    """

    kind: TroubleKind
    holds: bool | None
    detail: str = ""
    name: str = ""

    prediction: ClassVar[Prediction | None] = None
    end: ClassVar[TransitionReason | None] = None

    @property
    def key(self) -> IncidentKey:
        """What there is at most one open incident for."""
        return trouble_key(self.kind, self.name)

    @property
    def severity(self) -> Severity:
        """How loud it is."""
        return _SEVERITY.get(self.kind, Severity.CRITICAL)


def trouble_key(kind: TroubleKind, name: str = "") -> IncidentKey:
    """The key of the incidents of a cause."""
    cause = f"{kind}:{name}" if name else kind.value
    return IncidentKey(*NOWHERE, cause, IncidentKind.MONITOR_DEGRADED)


def concerned_receiver(key: IncidentKey) -> str | None:
    """The receiver that an incident is about, if it is about one."""
    kind, _, name = key.pinset.partition(":")
    return name if key.kind is IncidentKind.MONITOR_DEGRADED and kind == TroubleKind.RECEIVER else None


def trouble_facts(trouble: Trouble, now: datetime, *, over: bool = False) -> dict[str, Any]:
    """The details of an alert, in the shape that those about endpoints have; ``over``: it has just ended."""
    said, advice = (_END[trouble.kind], "") if over else _BEGIN[trouble.kind]
    return {
        "timestamp": timestamp(now),
        "client": None,
        "share": None,
        "trust": None,
        "summary": said.format(name=trouble.name),
        "reason": trouble.detail,
        "advice": advice.format(name=trouble.name),
        "predicted_at": None,
        "cause": trouble.key.pinset,
        "pins": [],
        "matched": [],
        "chain": [],
        "path": [],
        "new_pins": [],
        "observations": [],
        "labels": {},
        "url": None,
    }
