"""What becomes of certificates that are seen before they are served: in Certificate Transparency or staged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from math import exp
from statistics import median_low
from typing import TYPE_CHECKING

from monitord.pinning import priors
from monitord.pinning.extensions import read_profile
from monitord.pinning.imagine import without_poison

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.evidence import LoggedCertificate, Signals
    from monitord.pinning.history import History
    from monitord.pinning.renewal import Renewal

    Chain = tuple[Certificate, ...]

_LATE_HALF = 0.5
_PASSED_OVER = 0.15  # another certificate took the place that this one was there for
_AROUND = timedelta(days=1)
_ABANDONED = timedelta(days=45)
_CANARY = timedelta(days=21)
_BESIDE = timedelta(days=2)
_LEAST_PATIENCE = timedelta(days=2)


class Origin(StrEnum):
    """Where a coming certificate was seen."""

    LOGGED = "logged"
    STAGED = "staged"
    SIGHTED = "sighted"
    """At an address of the endpoint, which does not show it now."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chain that may be served at any moment: when that is expected, how likely, and how it is known.

    ``until`` is when it will have been served if it ever is: at the end of the leaf in service.
    """

    chain: Chain
    origin: Origin
    learned_at: datetime
    at: datetime
    until: datetime
    probability: float
    source: str

    @property
    def leaf(self) -> Certificate:
        """The certificate itself."""
        return self.chain[0]


def candidates(
    chain: Chain, history: History, signals: Signals, renewal: Renewal, now: datetime, *, migrating: bool
) -> list[Candidate]:
    """What may replace the leaf of ``chain``, the most recently issued first.

    ``renewal`` is the one that is expected anyway; ``migrating``: DNS says that the host moves elsewhere.
    """
    leaf = chain[0]
    if not (signals.logged or signals.staged or len(history.tenures) > 1):
        return []
    served = {_identity(tenure.leaf) for tenure in history.tenures}
    log = _Log(chain, history, signals, renewal, now)
    found = [
        log.candidate(entry, migrating=migrating)
        for entry in signals.logged
        if entry.identity not in served and _may_follow(entry.chain[0], leaf, now)
    ]
    for staged in signals.staged:
        if staged.chain and _identity(staged.chain[0]) not in served and _may_follow(staged.chain[0], leaf, now):
            at = _expected(staged.learned_at, renewal.due, priors.SOON, now, overdue=priors.SOON)
            until = max(leaf.not_after, at + _AROUND)
            found.append(
                Candidate(
                    staged.chain, Origin.STAGED, staged.learned_at, at, until, priors.STAGED, "the staging endpoint"
                )
            )
    for tenure in history.tenures:
        if tenure.replaced == leaf and now - tenure.since < _CANARY and tenure.leaf.not_before > leaf.not_before:
            at = _expected(tenure.since, renewal.due, priors.OVERDUE, now)
            until = max(leaf.not_after, at + _AROUND)
            source = "an address of this endpoint"
            found.append(Candidate(tenure.chain, Origin.SIGHTED, tenure.since, at, until, priors.SIGHTED, source))
    return sorted(found, key=lambda one: (one.leaf.not_before, one.learned_at), reverse=True)


def _may_follow(coming: Certificate, leaf: Certificate, now: datetime) -> bool:
    return coming.not_after > now and coming.not_before > leaf.not_before


def _identity(certificate: Certificate) -> tuple[bytes, bytes]:
    return certificate.issuer_key, certificate.serial


@dataclass(frozen=True, slots=True)
class _Kind:
    """What tells logged certificates apart: those that become the next one are alike, and so are those that never do.

    ``related``: of a family of CAs that the host uses. ``late``: logged when a renewal was due or not far, which says
    nothing of those from elsewhere. ``same_names``: for the names of the certificate in service.
    """

    related: bool
    late: bool
    same_names: bool


def _alike(one: _Kind, other: _Kind) -> bool:
    """Whether what became of one kind says what becomes of another."""
    by_time = one.late is other.late or not one.related
    return one.related is other.related and one.same_names is other.same_names and by_time


class _Log:
    """The logged certificates of a line, and what became of those whose fate is known."""

    def __init__(self, chain: Chain, history: History, signals: Signals, renewal: Renewal, now: datetime) -> None:
        self._chain = chain
        self._tenures = [one for one in history.tenures if one.leaf.key_type is chain[0].key_type]
        self._logged = signals.logged
        self._renewal = renewal
        self._now = now
        self._kinds = {entry.identity: self._kind(entry) for entry in self._logged}

    def candidate(self, entry: LoggedCertificate, *, migrating: bool) -> Candidate:
        """What is to be thought of one that is not served."""
        leaf, kind = self._chain[0], self._kinds[entry.identity]
        record = self._record(kind)
        prior = self._prior(entry, kind, migrating=migrating)
        probability = (len(record.delays) + priors.RECORD * prior) / (record.settled + priors.RECORD)
        if self._passed_over(entry):
            probability *= _PASSED_OVER
        probability = _faded(probability, self._now - _patience(entry, leaf, self._renewal, record))
        expected = entry.learned_at + median_low(record.delays) if record.delays else self._renewal.due
        at = _expected(entry.learned_at, expected, priors.UNPLANNED, self._now)
        full = (without_poison(entry.chain[0]), *(entry.chain[1:] or _issuers_for(entry.chain[0], self._chain)))
        until = max(leaf.not_after, at + _AROUND)
        return Candidate(full, Origin.LOGGED, entry.learned_at, at, until, probability, entry.source)

    def _kind(self, entry: LoggedCertificate) -> _Kind:
        leaf, learned_at = self._chain[0], entry.learned_at
        before = next((one.leaf for one in reversed(self._tenures) if one.since < learned_at), leaf)
        if before == leaf:
            wait = self._renewal.due - leaf.not_before
        else:
            wait = (before.not_after - before.not_before) * self._renewal.cadence.fraction
        late = learned_at > before.not_before + wait * _LATE_HALF
        return _Kind(_related(entry.chain, self._chain), late, _names(entry.chain[0]) == _names(leaf))

    def _prior(self, entry: LoggedCertificate, kind: _Kind, *, migrating: bool) -> float:
        if kind.related:
            prior = priors.SAME_FAMILY if kind.late else priors.SAME_FAMILY_EARLY
        elif migrating:
            prior = priors.MIGRATION
        elif self._has_sibling(entry):
            prior = priors.BACKUP
        else:
            prior = priors.OTHER_FAMILY if kind.late else priors.OTHER_FAMILY_EARLY
        return prior if kind.same_names else prior * priors.OTHER_NAMES

    def _has_sibling(self, entry: LoggedCertificate) -> bool:
        """Whether a certificate of the family in use was logged beside one of another CA.

        CDNs order backups when they order the certificate itself (Cloudflare's, from another CA), for a drawer.
        """
        issued_at = entry.chain[0].not_before
        return any(
            self._kinds[other.identity].related and abs(other.chain[0].not_before - issued_at) < _BESIDE
            for other in self._logged
            if other.identity != entry.identity
        )

    def _record(self, kind: _Kind) -> _Record:
        since = {_identity(tenure.leaf): tenure for tenure in self._tenures}
        settled, delays = 0, []
        for entry in self._logged:
            if not _alike(self._kinds[entry.identity], kind):
                continue
            tenure = since.get(entry.identity)
            if tenure is None:
                abandoned = self._now - entry.learned_at > _ABANDONED or entry.chain[0].not_after <= self._now
                settled += abandoned or self._passed_over(entry)
            elif tenure.since > entry.learned_at or tenure.replaced:
                settled += 1
                delays.append(max(timedelta(), tenure.since - entry.learned_at))
        return _Record(settled, tuple(delays))

    def _passed_over(self, entry: LoggedCertificate) -> bool:
        """Whether another certificate took the place after this one was logged."""
        return any(
            tenure.replaced and tenure.since > entry.learned_at and _identity(tenure.leaf) != entry.identity
            for tenure in self._tenures
            if entry.chain[0].key_type is tenure.leaf.key_type
        )


@dataclass(frozen=True, slots=True)
class _Record:
    """Of the logged certificates of one kind: of how many the fate is known, and how long after those deployed were."""

    settled: int
    delays: tuple[timedelta, ...]


def _patience(entry: LoggedCertificate, leaf: Certificate, renewal: Renewal, record: _Record) -> datetime:
    """Until when it is no wonder that a logged certificate is not served yet.

    If a renewal was due or near, until the end of the leaf in service, by which it is needed. Else for as long as such
    certificates usually wait.
    """
    if renewal.due <= entry.learned_at + priors.SOON:
        return leaf.not_after
    return entry.learned_at + (max(_LEAST_PATIENCE, 3 * max(record.delays)) if record.delays else priors.PATIENCE)


def _faded(probability: float, waited: timedelta) -> float:
    """The probability after waiting in vain for this long (Bayes' rule, exponential delays)."""
    if waited <= timedelta():
        return probability
    still = probability * exp(-waited / priors.FADING)
    return still / (still + 1 - probability)


def _issuers_for(coming: Certificate, chain: Chain) -> Chain:
    """The presented issuers, where the log entry came without any and they fit."""
    return chain[1:] if coming.issuer_key == chain[0].issuer_key else ()


def _expected(
    learned_at: datetime, due: datetime, otherwise: timedelta, now: datetime, overdue: timedelta = priors.OVERDUE
) -> datetime:
    """When it will be served: at the renewal that is due anyway if that is near, else soon.

    Once that has passed, after as long a wait again, and then twice as long: what has waited long goes on to wait.
    """
    if learned_at <= due <= learned_at + priors.SOON:
        at = due
    else:
        at = learned_at + (overdue if due < learned_at else otherwise)
    wait = max(priors.OVERDUE, at - learned_at)
    while at + _AROUND < now:
        at, wait = at + wait, 2 * wait
    return at


def _related(one: Chain, other: Chain) -> bool:
    """Whether two chains are of one family: an authority of one name issued on both."""
    return bool({certificate.issuer_key for certificate in one} & {certificate.issuer_key for certificate in other})


def _names(certificate: Certificate) -> frozenset[bytes]:
    names = read_profile(certificate).alternative_names or ()
    return frozenset(name.value.lower() for name in names)
