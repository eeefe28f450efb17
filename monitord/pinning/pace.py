"""Is this the hour to look more closely? Whether an endpoint is to be probed each minute instead of at its interval.

It is while something is under way that ends in a failure or in the all clear:

1. a predicted failure is sure enough to be told and its window is open: it may come at any moment. Of a window that is
   open for long only the first day counts, when it is likeliest;
2. a new certificate is being rolled out: some addresses have it and others do not. Some endpoints show several
   certificates for good, so only a certificate that came within the last day counts;
3. a failure was seen and not confirmed yet.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.prediction import ALERT_CONFIDENCE, Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate, KeyType
    from monitord.pinning.history import History
    from monitord.pinning.observation import Observation
    from monitord.pinning.prediction import Prediction

_LONGEST_ROLLOUT = _LONGEST_WINDOW = timedelta(days=1)
# The configuration alone says when these come: no probe would show them any earlier.
_NOT_SEEN_BY_PROBING = (Cause.PINS_EXPIRE, Cause.NO_LIVE_BACKUP)


def hurried(
    observations: Sequence[Observation],
    predictions: Iterable[Prediction],
    history: History,
    now: datetime,
    *,
    suspected: bool = False,
) -> bool:
    """Whether to probe the endpoint more often after this round.

    ``history`` includes the round. ``suspected``: a failure was seen that is neither confirmed nor contradicted.
    """
    return suspected or any(_imminent(one, now) for one in predictions) or rolling_out(observations, history, now)


def rolling_out(observations: Sequence[Observation], history: History, now: datetime) -> bool:
    """Whether the newest leaf of a type of key came within the last day and is not what every address shows.

    One that came and is not to be seen at all now counts too: servers behind one address may differ.
    """
    shown: dict[KeyType, set[Certificate]] = {}
    for one in observations:
        if one.chain:
            shown.setdefault(one.chain[0].key_type, set()).add(one.chain[0])
    came = _arrivals(history)
    for key_type, leaves in shown.items():
        alike = [leaf for leaf in came if leaf.key_type is key_type]
        newest = max(alike, key=lambda leaf: came[leaf], default=None)
        if newest and now - came[newest] < _LONGEST_ROLLOUT and leaves != {newest}:
            return True
    return False


def _imminent(prediction: Prediction, now: datetime) -> bool:
    sure = prediction.confidence >= ALERT_CONFIDENCE and prediction.cause not in _NOT_SEEN_BY_PROBING
    return sure and prediction.open_at(now) and now - prediction.at <= _LONGEST_WINDOW


def _arrivals(history: History) -> dict[Certificate, datetime]:
    """When each leaf came into service; of those that were there when the watch began, no earlier than its issue."""
    return {
        tenure.leaf: tenure.leaf.not_before if tenure.since == history.began else tenure.since
        for tenure in history.tenures
    }
