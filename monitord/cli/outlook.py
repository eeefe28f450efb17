"""A pin set with what is coming for it, as a value and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitord.pinning.futures import LOOK_AHEAD
from monitord.pinning.report import prediction_entry, timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.cli.foresight import Foresight
    from monitord.cli.past import Past
    from monitord.pinning.ruling import Ruling


@dataclass(frozen=True, slots=True)
class Outlook:
    """A pin set with what is coming for it, and how the endpoint was looked at. ``probed``: just now."""

    ruling: Ruling
    foresight: Foresight
    probed: bool

    @property
    def name(self) -> str:
        """Endpoint and pin set, for people."""
        verdict = self.ruling.verdict
        return f"{verdict.target.endpoint} {verdict.pinset.name}"

    def watched_since(self, now: datetime) -> datetime | None:
        """When the watch began, if that was before this look."""
        began = self.foresight.history.began
        return began if began is not None and began < now else None


def entry(outlook: Outlook, past: Past, now: datetime) -> dict[str, Any]:
    """One pin set as JSON: its predictions, and what they rest on."""
    verdict, foresight = outlook.ruling.verdict, outlook.foresight
    since, signals = outlook.watched_since(now), foresight.signals
    return {
        "host": verdict.target.host,
        "port": verdict.target.port,
        "pinset": verdict.pinset.name,
        "client": verdict.pinset.client.value,
        "trust": verdict.trust,
        "verdict": verdict.verdict.value,
        "reason": verdict.reason,
        "weaknesses": list(outlook.ruling.weaknesses),
        "predictions": [prediction_entry(one) for one in outlook.ruling.predictions],
        "basis": {
            "look": "probe" if outlook.probed else "store",
            "seen_since": timestamp(max(one.at for one in foresight.observations)) if foresight.observations else None,
            "until": timestamp(now + LOOK_AHEAD),
            "watched_since": timestamp(since) if since else None,
            "renewals": len(foresight.history.renewals),
            "windows": len(signals.windows),
            "logged": len(signals.logged),
            "staged": len(signals.staged),
            "revocations": len(signals.revoked),
            "dns_answers": len(signals.dns),
            "store_changes": len(signals.stores),
            "store": past.why_not,
        },
    }
