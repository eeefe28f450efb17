"""When the next renewal of a certificate comes, and what says so.

1. A revocation, or an ARI window that was moved into the past: within hours to days, whatever else was planned.
2. The ARI window, if the host follows it or nothing is known of its own cadence.
3. The host's own cadence, also where windows passed without a renewal. Where it is not known whether the host follows
   ARI, the earlier of both.
4. A model of ACME clients.

Only of a host that was seen to be punctual a renewal is expected at that time; else from then on, up to the end of the
certificate. One that is overdue may come at any moment; it is expected in the middle of what is left, and once that has
passed in the middle of the rest, so that few revisions are needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.cadence import Cadence, cadence_of
from monitord.pinning.lifetimes import longest_lifetime
from monitord.pinning.prediction import Cause
from monitord.pinning.report import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.evidence import RenewalWindow, Signals
    from monitord.pinning.history import History

_AROUND = timedelta(hours=12)
# CAs must revoke within 24 hours to five days (Baseline Requirements 4.9.1.1), so certificates are replaced by then.
_FIRST_REISSUES, _LAST_REISSUES = timedelta(hours=12), timedelta(days=5)
_MOVED = 0.1
_NEARER = timedelta(hours=1)
_WEEK = timedelta(days=7)
# How far from an ARI window a renewal may be that followed it: clients look once or twice a day.
_BEFORE_WINDOW, _AFTER_WINDOW = timedelta(days=1), timedelta(days=2)
_MOST = 16


@dataclass(frozen=True, slots=True)
class Renewal:
    """An expected renewal: the likely moment, the end of its window, why it comes, and in words.

    ``due`` is when it was due, before it became overdue; ``forced``: not by the host's own schedule; ``pending``: it
    may come at any moment from now on.
    """

    at: datetime
    until: datetime
    due: datetime
    cause: Cause
    sentence: str
    cadence: Cadence
    forced: bool = False
    pending: bool = False


def next_renewal(leaf: Certificate, history: History, signals: Signals, now: datetime) -> Renewal:
    """The next renewal of this leaf."""
    lifetime = leaf.not_after - leaf.not_before
    cadence = cadence_of(lifetime, leaf.key_type, history)
    due, why = leaf.not_before + lifetime * cadence.fraction, cadence.sentence
    revoked = next((one for one in reversed(signals.revoked) if one.certificate == leaf.sha256), None)
    if revoked and now <= revoked.learned_at + _LAST_REISSUES:
        why = f"{revoked.source} says that the certificate is revoked, so it has to be replaced within days"
        return _forced(revoked.learned_at, now, Cause.REVOKED, why, cadence)
    window = next((one for one in reversed(signals.windows) if one.certificate == leaf.sha256), None)
    if window is None:
        return _scheduled(leaf, due, why, cadence, now)
    if _is_forced(window, due, lifetime):
        if now <= window.learned_at + _LAST_REISSUES:
            return _forced(window.learned_at, now, Cause.FORCED_REISSUE, _past_window(window), cadence)
        return _scheduled(leaf, due, why, cadence, now)
    follows = _follows_windows(history, signals) if cadence.learned else True
    if window.end >= now and (follows or (follows is None and window.start <= due)):
        why = f"the CA suggests by ARI to renew between {timestamp(window.start)} and {timestamp(window.end)}"
        return Renewal(window.start, window.end, window.start, Cause.ARI_WINDOW, why, cadence)
    if follows:
        due, why = window.end, f"the window that the CA suggested by ARI ended at {timestamp(window.end)}"
    return _scheduled(leaf, due, why, cadence, now)


def _follows_windows(history: History, signals: Signals) -> bool | None:
    """Whether this host renews when ARI suggests it, by most of the renewals seen; None where none had a window."""
    windows = {one.certificate: one for one in signals.windows if one.end > one.learned_at}
    kept = [
        window.start - _BEFORE_WINDOW <= tenure.since <= window.end + _AFTER_WINDOW
        for tenure in history.renewals
        if tenure.replaced and (window := windows.get(tenure.replaced.sha256))
    ]
    return 2 * sum(kept) >= len(kept) if kept else None


def _scheduled(leaf: Certificate, due: datetime, why: str, cadence: Cadence, now: datetime) -> Renewal:
    if due + _AROUND >= now:
        until = due + _AROUND if cadence.punctual else max(due + _AROUND, leaf.not_after)
        return Renewal(due, until, due, Cause.LEAF_RENEWAL, why, cadence)
    sentence = f"{why}; that was due at {timestamp(due)} and has not come yet"
    at, end = due, leaf.not_after
    while end <= now:  # clients may not mind
        end += _WEEK
    while at < now:
        at = at + (end - at) / 2 if end - at > _NEARER else end
    return Renewal(at, end, due, Cause.LEAF_RENEWAL, sentence, cadence, pending=True)


def _is_forced(window: RenewalWindow, due: datetime, lifetime: timedelta) -> bool:
    """Whether a window lies in the past because it was put there, not because time went by.

    One that was seen before and moved tells it; one that is seen for the first time does if its end is far before
    the time at which the certificate would be renewed anyway.
    """
    if window.end > window.learned_at:
        return False
    moved = window.previous_start is not None and window.previous_start > window.learned_at
    return moved or window.learned_at < due - lifetime * _MOVED


def _past_window(window: RenewalWindow) -> str:
    told = f", see {window.explanation}" if window.explanation else ""
    return f"the CA moved its ARI window into the past ({timestamp(window.start)}), which asks to renew at once{told}"


def _forced(learned_at: datetime, now: datetime, cause: Cause, why: str, cadence: Cadence) -> Renewal:
    at = learned_at + _FIRST_REISSUES * (1 + max(timedelta(), now - learned_at) // _FIRST_REISSUES)
    return Renewal(at, learned_at + _LAST_REISSUES, at, cause, why, cadence, forced=True, pending=True)


def later_renewals(
    leaf: Certificate, first: datetime, history: History, until: datetime
) -> tuple[tuple[datetime, datetime], ...]:
    """The renewals from ``first`` on, with the end of the certificate that each brings; at most 16, up to ``until``."""
    found: list[tuple[datetime, datetime]] = []
    at, lifetime = first, leaf.not_after - leaf.not_before
    bounded = longest_lifetime(leaf.not_before) is not None
    apart = timedelta()
    while len(found) < _MOST and (not found or at <= until):
        longest = longest_lifetime(at) if bounded else None
        shorter = longest is not None and longest < lifetime
        if longest is not None and shorter:
            lifetime = longest
        if shorter or not apart:
            apart = max(lifetime * cadence_of(lifetime, leaf.key_type, history).fraction, timedelta(hours=1))
        found.append((at, at + lifetime))
        at += apart
    return tuple(found)
