"""What the renewals to come bring, imagined: the same again, a new key, another issuer, another CA.

Each is judged from the mildest change to the hardest, and the mildest that fails says which probability counts. What
is judged does not depend on the present moment, only how likely it is, so it is looked up where it was asked before.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from monitord.pinning import priors
from monitord.pinning.clients.rules import expiry_of
from monitord.pinning.continuity import key_continuity
from monitord.pinning.ends import end_of_issuer
from monitord.pinning.imagine import another_authority, another_issuer, renewed
from monitord.pinning.issuance import direct_issuer, issuance
from monitord.pinning.line import Future, judged
from monitord.pinning.migration import authority_change
from monitord.pinning.pins import Client
from monitord.pinning.prediction import ALERT_CONFIDENCE, Cause
from monitord.pinning.renewal import later_renewals
from monitord.pinning.report import timestamp
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from monitord.pinning.continuity import KeyContinuity
    from monitord.pinning.issuance import Issuance
    from monitord.pinning.line import Chain, Line, Stores
    from monitord.pinning.pins import PinSet
    from monitord.pinning.renewal import Renewal

    Schedule = tuple[tuple[datetime, datetime], ...]

_HALF_DAY = timedelta(hours=12)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Step:
    """One renewal to come, and what the apps meet if it changes this or that; None where they go on well.

    ``judged_as_of`` is the renewal, and the end of what it brings, that was judged in place of this one.
    ``as_such`` is with nothing changed but the dates. ``outlived``: the certificate would end after its issuer, so
    another one has to issue it. ``with_kept_key``: another issuer alone makes it fail, whatever becomes of the key.
    """

    at: datetime
    end: datetime
    judged_as_of: tuple[datetime, datetime]
    outlived: bool
    as_such: tuple[Verdict, str] | None = None
    distrusted: bool = False
    new_key: Verdict | None = None
    new_issuer: Verdict | None = None
    with_kept_key: bool = False
    new_authority: Verdict | None = None

    @property
    def last(self) -> bool:
        """Whether it is of no use to look at the renewals after this one.

        They cannot fail, or this one fails so certainly that they do not matter, or it teaches what they will do.
        """
        settled = self.as_such or self.outlived or self.new_key
        return bool(settled) or not (self.new_issuer or self.new_authority)


def renewals(line: Line, renewal: Renewal, until: datetime) -> Iterator[Future]:
    """The failure that the renewals up to ``until`` bring: the earliest that is likely, else the first possible."""
    schedule = later_renewals(line.leaf, renewal.at, line.history, until)
    foreseer = _Foreseer(line, renewal)
    found: list[Future] = []
    for count, step in enumerate(_steps(line.name, line.pinset, line.chain, line.stores, schedule), 1):
        future = foreseer.future(count, step)
        if future is not None:
            found.append(future)
            if future.confidence >= ALERT_CONFIDENCE:
                yield future
                return
    yield from found[:1]


@lru_cache(maxsize=4096)
def _steps(name: str, pinset: PinSet, chain: Chain, stores: Stores, schedule: Schedule) -> tuple[_Step, ...]:
    """The renewals of a schedule, each with the end of the certificate it brings, as far as they are worth a look.

    What is judged differs from one renewal to the next only if a date that matters lies between them.
    """
    dates = _dates(pinset, chain, stores)
    found: list[_Step] = []
    before = -1
    for at, end in schedule:
        passed = bisect_left(dates, at)
        outlived = _outlives_issuer(chain, stores, end)
        if found and passed == before and outlived is found[-1].outlived:
            found.append(replace(found[-1], at=at, end=end))
        else:
            found.append(_step(name, pinset, chain, stores, (at, end), outlived=outlived))
            before = passed
        if found[-1].last:
            break
    return tuple(found)


@lru_cache(maxsize=1024)
def _dates(pinset: PinSet, chain: Chain, stores: Stores) -> tuple[datetime, ...]:
    """Every instant after which a chain with a fresh leaf may be judged otherwise, in order."""
    known = [*chain[1:], *(anchor for store in stores for anchor in store.anchors)]
    found = {one.not_after for one in known} | {one.not_before - _INSTANT for one in known}
    found |= {rule.not_before_after for store in stores for rule in store.distrusts.values()}
    expiry = expiry_of(pinset)
    if expiry is not None:
        found |= {date - gap for date in (expiry.first, expiry.last) for gap in (timedelta(), _INSTANT)}
    return tuple(sorted(found))


def _outlives_issuer(chain: Chain, stores: Stores, end: datetime) -> bool:
    """Whether a certificate up to ``end`` would end after its issuer, at a CA that lets none do so."""
    issuer_end = end_of_issuer(chain, stores)
    return issuer_end is not None and chain[0].not_after <= issuer_end < end


def _step(
    name: str, pinset: PinSet, chain: Chain, stores: Stores, when: tuple[datetime, datetime], *, outlived: bool
) -> _Step:
    at, end = when

    def fails(coming: Chain, trusted: Stores = stores) -> Verdict | None:
        verdict, _ = judged(name, pinset, coming, trusted, at)
        return verdict if verdict.apps_fail else None

    same = (renewed(chain[0], at, end, new_key=False), *chain[1:])
    verdict, reason = judged(name, pinset, same, stores, at)
    if verdict.apps_fail:
        forgiving = tuple(store.distrusting({}) if store.distrusts else store for store in stores)
        distrusted = verdict is Verdict.UNTRUSTED and not fails(same, forgiving)
        return _Step(at, end, when, outlived, (verdict, reason), distrusted)
    other = (renewed(chain[0], at, end, new_key=True), *chain[1:])
    elsewhere = [another_authority(other, store) for store in stores]
    return _Step(
        at,
        end,
        when,
        outlived,
        new_key=fails(other),
        new_issuer=fails(another_issuer(other)),
        with_kept_key=fails(another_issuer(same)) is not None,
        new_authority=fails(elsewhere[0][0], tuple(store for _, store in elsewhere)),
    )


class _Foreseer:
    """How likely what may fail is, for one line as it stands."""

    def __init__(self, line: Line, renewal: Renewal) -> None:
        self._line = line
        self._renewal = renewal
        self._shares: dict[datetime, float] = {}
        self._keys: KeyContinuity = key_continuity(line.history, line.leaf.key_type)
        self._issuers: Issuance = issuance(
            line.chain, line.history, [entry.chain for entry in line.signals.logged], line.now
        )

    def future(self, count: int, step: _Step) -> Future | None:
        """What the renewal of this number, counted from 1, brings."""
        if step.as_such:
            return self._as_such(count, step, *step.as_such)
        if step.outlived and step.new_issuer and (step.with_kept_key or not step.new_key):
            return self._outlived(count, step, step.new_issuer)
        if step.new_key:
            probability = priors.RENEWS * self._keys.new_key_probability
            return self._told(count, step, None, probability, step.new_key, self._keys.sentence)
        expected = step.new_issuer or step.new_authority
        return self._elsewhere(count, step, expected) if expected else None

    def _as_such(self, count: int, step: _Step, verdict: Verdict, reason: str) -> Future | None:
        """A renewal that changes nothing but the dates fails; nothing is told where the passing of time is to blame."""
        if step.distrusted:
            return self._told(count, step, Cause.DISTRUST, priors.DISTRUSTED, verdict, reason)
        if self._line.pinset.client is Client.CERTIFICATE:
            said = "whole certificates are pinned, and every renewal is another certificate"
            return self._told(count, step, None, priors.RENEWS, verdict, said)
        return None

    def _outlived(self, count: int, step: _Step, verdict: Verdict) -> Future:
        issuer = direct_issuer(self._line.chain)
        name = issuer.display_subject if issuer else "the issuer"
        probability = priors.OUTLIVED * (1.0 if step.with_kept_key else self._keys.new_key_probability)
        said = (
            f"{name} ends before the certificate that would come at {timestamp(step.at)}, and cannot issue that long "
            "any more, so that one comes from another issuer"
        )
        return self._told(count, step, Cause.INTERMEDIATE_EXPIRY, probability, verdict, said)

    def _elsewhere(self, count: int, step: _Step, verdict: Verdict) -> Future:
        """From another issuer of the same CA, or from another CA."""
        ahead = step.at - self._line.now
        probability, said = authority_change(self._line) if count == 1 else (0.0, "")
        if step.new_authority is None:
            probability = 0.0
        else:
            probability = max(probability, self._issuers.authority_change_within(ahead))
        if step.new_issuer:
            weight = 1.0 if step.with_kept_key else self._keys.new_key_probability
            if self._issuers.pool_size:
                share = self._failing_share(step)
                rotation = weight * self._issuers.drawn * (1 - (1 - share) ** count)
            else:
                rotation = weight * self._issuers.change_within(ahead)
            if rotation >= probability:
                probability, said = rotation, self._issuers.sentence
        return self._told(
            count, step, Cause.ISSUER_ROTATION, probability, verdict, said or self._issuers.sentence, alone=True
        )

    def _failing_share(self, step: _Step) -> float:
        """Of the issuers that a renewal may come from, the part under which no pin matches."""
        at, end = step.judged_as_of
        if at in self._shares:
            return self._shares[at]
        line, pool, size = self._line, self._issuers.pool, self._issuers.pool_size
        failing = sum(line.fails((renewed(chain[0], at, end, new_key=True), *chain[1:]), at) for chain in pool)
        # Pins that match nothing known may be those of members that were not met yet.
        served = {one.pin for chain in pool for one in chain} | {one.pin for one in line.chain}
        spares = sum(pin not in served for pin in line.pinset.all_pins)
        self._shares[at] = max(0.0, 1 - (len(pool) - failing + min(spares, size - len(pool))) / size)
        return self._shares[at]

    def _until(self, step: _Step) -> datetime:
        """By when a renewal after the next one has come."""
        apart = step.end - step.at
        late = apart * (1 - self._renewal.cadence.fraction)
        return step.at + (_HALF_DAY if self._renewal.cadence.punctual else max(_HALF_DAY, late))

    def _told(  # noqa: PLR0913 - the parts of a future
        self,
        count: int,
        step: _Step,
        cause: Cause | None,
        probability: float,
        verdict: Verdict,
        said: str,
        *,
        alone: bool = False,
    ) -> Future:
        """A future; ``cause`` None is that of the renewal itself, ``alone`` leaves out why the renewal comes."""
        first = count == 1
        return Future(
            cause=cause or (self._renewal.cause if first else Cause.LEAF_RENEWAL),
            at=step.at,
            until=self._renewal.until if first else self._until(step),
            confidence=probability,
            expected=verdict,
            evidence=said if alone or cause is Cause.INTERMEDIATE_EXPIRY else f"{self._renewal.sentence}; {said}",
            pending=self._renewal.pending and first,
        )
