"""What predictions and pin sets say about coming incidents: predicted mismatches, sets that run out, no backup.

Rules for ``pin_mismatch_predicted``, of which a pin set has at most one, about its foremost prediction (the earliest
that is sure enough to alert):

1. It begins when a prediction of at least ``ALERT_CONFIDENCE`` lies inside the horizon.
2. It goes on while such a prediction exists, also where that moved beyond the horizon: people were told, so they are
   told that it moved. One of another cause that lies beyond the horizon is another matter: what was foretold is over.
3. When the set fails, the prediction has come true. While that is not confirmed, or the set cannot be judged, nothing
   changes.
4. When other pins match than those that matched, or the set itself was changed and is safe now, it is averted.
5. When it is no longer likely although the same certificates are in service, newer evidence has taken the place of
   what it rested on if there is any; else it is withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.incident import Severity, TransitionReason
from monitord.pinning.prediction import ALERT_CONFIDENCE, Cause, nearness
from monitord.pinning.report import moment
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from monitord.pinning.incident import Incident
    from monitord.pinning.prediction import Prediction
    from monitord.pinning.verdict import PinSetVerdict

_LEAST_PINS = 2
_SLIGHT, _MUCH_LATER = timedelta(hours=12), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is foreseen of an endpoint: its predictions, and the identity of what was known when they were made."""

    predictions: tuple[Prediction, ...] = ()
    evidence: str = ""


def foremost(predictions: Iterable[Prediction], pinset: str) -> Prediction | None:
    """The earliest prediction of a pin set's failure that is sure enough to alert, however far away."""
    sure = [
        one
        for one in predictions
        if one.pinset == pinset and one.confidence >= ALERT_CONFIDENCE and one.cause is not Cause.PINS_EXPIRE
    ]
    return min(sure, key=lambda one: (one.at, -one.confidence), default=None)


def predicted_end(verdict: PinSetVerdict, incident: Incident, evidence: str) -> TransitionReason:
    """Why a predicted failure is no longer predicted (rules 4 and 5)."""
    if switched(verdict, incident) or set(incident.facts["pins"]) != {str(pin) for pin in verdict.pinset.all_pins}:
        return TransitionReason.AVERTED
    # An address that cannot be seen just now shows no other certificate.
    same = set(leaves(verdict)) <= set(incident.facts.get("leaves", ()))
    newer = incident.facts.get("evidence_id") != evidence
    return TransitionReason.SUPERSEDED if same and newer else TransitionReason.WITHDRAWN


def switched(verdict: PinSetVerdict, incident: Incident) -> bool:
    """Whether the set matches by other pins than when the prediction was made."""
    before = set(incident.facts["matched"])
    after = {str(pin) for pin in verdict.matched}
    return verdict.verdict is Verdict.OK and bool(before) and not before & after


def leaves(verdict: PinSetVerdict) -> list[str]:
    """The leaf certificates in service, by their SHA-256."""
    chains = {one.observation.chain[0].sha256.hex() for one in verdict.judgements if one.observation.chain}
    return sorted(chains)


def is_foreseen(verdict: PinSetVerdict, prediction: Prediction | None, incident: Incident | None) -> bool:
    """Whether a failure is predicted now (rules 1, 2 and 4) for a set that does not fail."""
    if prediction is None or (incident and switched(verdict, incident)):
        return False
    return prediction.alerts or (incident is not None and _is_the_same(incident, prediction))


def _is_the_same(incident: Incident, prediction: Prediction) -> bool:
    """Whether a prediction is what people were told: the same cause, and not imagined now if it was seen then."""
    if incident.facts["cause"] != prediction.cause:
        return False
    return prediction.known or not incident.facts.get("known", False)


def is_revised(incident: Incident, prediction: Prediction, now: datetime) -> bool:
    """Whether a prediction differs from what was told by more than looking again makes it differ.

    Another cause, another time (by more than half a day and a tenth of what was left), or the keys that are coming
    are known now.
    """
    if incident.facts["cause"] != prediction.cause or _shows_keys(incident, prediction):
        return True
    told = moment(incident.facts["predicted_at"])
    return abs(prediction.at - told) > max(_SLIGHT, abs(told - now) / 10)


def matters(incident: Incident, prediction: Prediction) -> bool:
    """Whether people want to hear of a revision.

    They do of another cause, of keys that could be pinned now, of an earlier time, and of one that is a week later and
    more, unless it lies in the window that they were told.
    """
    if incident.facts["cause"] != prediction.cause or _shows_keys(incident, prediction):
        return True
    told, until = moment(incident.facts["predicted_at"]), moment(incident.facts["predicted_until"])
    return prediction.at < told or (prediction.at - told >= _MUCH_LATER and prediction.at > until)


def _shows_keys(incident: Incident, prediction: Prediction) -> bool:
    """Whether the coming chain was seen, with keys to pin that people were not told of."""
    told = {one["pin"] for one in incident.facts.get("new_pins", ())}
    return prediction.known and not {str(pin) for pin in prediction.new_pins} <= told


def severity_of(at: datetime, now: datetime, release_time: timedelta, horizon: timedelta) -> Severity:
    """How loud a prediction is that people were told of: a warning at least."""
    severity = nearness(at, now, release_time, horizon)
    return Severity.WARNING if severity is Severity.INFO else severity


def lacks_backup(verdict: PinSetVerdict) -> bool | None:
    """Whether a set that is enforced has nothing to fall back on; None where it cannot be told.

    It has fewer than two pins, or every pin of it is in use and some path is held by a single one. A set that fails
    or cannot be judged has other worries.
    """
    pinset = verdict.pinset
    if not pinset.all_pins or not pinset.enforced or verdict.verdict is Verdict.PINS_EXPIRED:
        return False
    if verdict.verdict is not Verdict.OK:
        return None
    if len(pinset.all_pins) < _LEAST_PINS:
        return True
    spare = set(pinset.all_pins).difference(verdict.matched)
    return not spare and min(len(one.matched) for one in verdict.judgements) < _LEAST_PINS
