"""The client libraries: which platform decides about trust, which certificates count, what expiry and emptiness mean.

Trust first: what the platform refuses never reaches the pins. Then, for each path that may be taken: an empty set, an
expired one and a report-only one enforce nothing; else a pin must match one of the certificates that count. Where
several paths may be taken (another device, another run) the worst is judged and the sentence says that it depends;
Apple is content with any. A mismatch is worse than a refusal: it is the pins' own fault.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitord.pinning.clients import conscrypt, jdk, openssl
from monitord.pinning.clients.cleaner import cleaned_paths
from monitord.pinning.clients.platform import any_valid_path
from monitord.pinning.pins import Client
from monitord.pinning.verdict import Judgement, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.clients.platform import Platform, Presented, Trust
    from monitord.pinning.observation import Observation
    from monitord.pinning.pins import Pin, PinSet

    Chain = tuple[Certificate, ...]
    Matched = tuple[Pin, ...] | None  # None: refused
    Match = Callable[[PinSet, Chain], Matched]

# A day begins on the first devices at UTC+14 and on the last at UTC-12.
_FIRST_MIDNIGHT, _LAST_MIDNIGHT = timedelta(hours=-14), timedelta(hours=12)
FOREVER = datetime.max.replace(tzinfo=UTC)
_STUCK = "OkHttp reaches no trusted certificate, for it never goes back, though the JDK finds a path"
_BY_RUN = "; it depends on the run"
_TOO_FEW = "; but TrustKit takes no pin set of fewer than two pins: the app would crash at launch"


@dataclass(frozen=True, slots=True)
class Expiry:
    """When a pin set stops to be enforced: on the first device and on the last."""

    first: datetime
    last: datetime


def paths_of_platform(_presented: Presented, trusted: Trust) -> Sequence[Chain]:
    """What most libraries show to the pins: the path that the platform validated."""
    return [path.certificates for path in trusted.paths]


@dataclass(frozen=True, slots=True)
class Library:
    """One client library.

    ``platform`` decides about trust. ``pinned_paths`` are the paths that the pins may be held against, () for one that
    fails before. ``match`` gives the pins that match a path, or None if it is refused. ``expiry`` reads the expiry
    date; ``expired`` is what happens after it. ``any_path``: one good path among those that may be taken is enough.
    ``least_pins``: the library takes no smaller set. ``counts`` says in words what a pin may match.
    """

    platform: Platform
    match: Match
    expiry: Callable[[datetime], Expiry]
    pinned_paths: Callable[[Presented, Trust], Sequence[Chain]] = paths_of_platform
    expired: Verdict = Verdict.PINS_EXPIRED
    any_path: bool = False
    least_pins: int = 0
    counts: str = "any certificate"


def judge_by(library: Library, observation: Observation, presented: Presented, pinset: PinSet) -> Judgement:
    """The judgement of one library: trust, then what the set demands, then when and whether it is enforced."""
    trusted = library.platform(presented)
    if not trusted.paths:
        return Judgement(observation, presented.trust.name, trusted.verdict, trusted.reason, trusted.refused)
    path = trusted.paths[0].certificates
    if not pinset.all_pins and pinset.leaf_pins is None and pinset.ca_pins is None:
        verdict, reason = _doubted(Verdict.NOT_PINNED, "the chain is trusted; no pins are registered", trusted.doubt)
        return Judgement(observation, presented.trust.name, verdict, reason, path)
    paths = library.pinned_paths(presented, trusted)
    reached = [path for path in paths if path]
    if not reached:
        return Judgement(observation, presented.trust.name, Verdict.UNTRUSTED, _STUCK, path)
    found = _hold_pins(library, pinset, reached)
    verdict, reason = _enforce(library, pinset, found, presented.now)
    verdict, reason = _doubted(verdict, reason, trusted.doubt or (_STUCK if () in paths else ""))
    return Judgement(observation, presented.trust.name, verdict, reason, found.path, found.matched)


def _doubted(verdict: Verdict, reason: str, doubt: str) -> tuple[Verdict, str]:
    """The worst of all runs, where some refuse the chain for ``doubt`` and the others come to ``verdict``."""
    if not doubt:
        return verdict, reason
    if verdict is Verdict.PIN_MISMATCH:
        return verdict, reason if "depends" in reason else reason + _BY_RUN
    return Verdict.UNTRUSTED, doubt + _BY_RUN


@dataclass(frozen=True, slots=True)
class _Found:
    """What holding the pins against the paths gave, if they are enforced."""

    verdict: Verdict
    reason: str
    path: Chain
    matched: tuple[Pin, ...] = ()


def _hold_pins(library: Library, pinset: PinSet, paths: Sequence[Chain]) -> _Found:
    matches = [(path, library.match(pinset, path)) for path in paths]
    good = [(path, pins) for path, pins in matches if pins is not None]
    bad = [path for path, pins in matches if pins is None]
    matched = tuple(dict.fromkeys(pin for _, pins in good for pin in pins))
    if bad and not (library.any_path and good):
        depends = f"; it depends on the device or the run ({len(bad)} of {len(paths)} paths)" if good else ""
        names = " < ".join(certificate.display_subject for certificate in bad[0])
        reason = f"no pin matches {library.counts} of the path {names}{depends}"
        return _Found(Verdict.PIN_MISMATCH, reason, bad[0], matched)
    note = "" if len(pinset.all_pins) >= library.least_pins else _TOO_FEW
    return _Found(Verdict.OK, _match(matched, good[0][0]) + note, good[0][0], matched)


def _enforce(library: Library, pinset: PinSet, found: _Found, now: datetime) -> tuple[Verdict, str]:
    """What a finding comes to, given when the set expires and whether it is report-only."""
    if not pinset.enforced:
        told = "apps connect, and report that " if found.verdict is Verdict.PIN_MISMATCH else ""
        return Verdict.NOT_PINNED, f"report only: {told}{found.reason}"
    expiry = library.expiry(pinset.expires) if pinset.expires else Expiry(FOREVER, FOREVER)
    when = f"{expiry.last:%Y-%m-%dT%H:%MZ}"
    if now >= expiry.last:
        if library.expired is Verdict.PIN_MISMATCH:
            return library.expired, f"the pins expired at {when}: they are dropped, and then nothing matches"
        return library.expired, f"the pin set expired at {when}: apps connect unpinned"
    if now >= expiry.first and found.verdict is Verdict.OK:
        return library.expired, f"the pin set has expired where the day began first, and has everywhere at {when}"
    return found.verdict, found.reason


def _match(matched: tuple[Pin, ...], path: Chain) -> str:
    roles = [
        "leaf" if position == 0 else "root" if position == len(path) - 1 else "intermediate"
        for position, certificate in enumerate(path)
        if certificate.pin in matched or certificate.certificate_pin in matched
    ]
    return f"a pin matches the {' and the '.join(dict.fromkeys(roles))}"


def could_pin(pinset: PinSet, path: Chain) -> list[tuple[Certificate, Pin]]:
    """What of a path a pin of this set could match: the certificate and the pin that would."""
    if pinset.client is Client.CERTIFICATE:
        return [(certificate, certificate.certificate_pin) for certificate in path[:1]]
    counted = list(path)
    if pinset.client is Client.CURL:
        counted = counted[:1]
    elif pinset.client is Client.APPLE and not pinset.pins:
        counted = [
            certificate
            for position, certificate in enumerate(path)
            if (pinset.ca_pins if position else pinset.leaf_pins) is not None
        ]
    return [(certificate, certificate.pin) for certificate in counted]


def _on(pins: Sequence[Pin], certificates: Sequence[Certificate]) -> Matched:
    found = {certificate.pin for certificate in certificates}
    return tuple(pin for pin in pins if pin in found) or None


def match_anywhere(pinset: PinSet, path: Chain) -> Matched:
    """Any certificate from leaf to root."""
    return _on(pinset.all_pins, path)


def match_leaf(pinset: PinSet, path: Chain) -> Matched:
    """The leaf's key only (curl)."""
    return _on(pinset.all_pins, path[:1])


def match_identities(pinset: PinSet, path: Chain) -> Matched:
    """Apple's two lists: leaf identities on the leaf, CA identities on all others, and both where both are given.

    Pins that are in neither list may match anywhere. A list that is empty matches nothing, so it blocks.
    """
    wanted = [(pinset.leaf_pins, path[:1]), (pinset.ca_pins, path[1:]), (pinset.pins or None, path)]
    found = [_on(pins, counted) for pins, counted in wanted if pins is not None]
    return None if None in found else tuple(pin for pins in found if pins for pin in pins)


def match_certificate(pinset: PinSet, path: Chain) -> Matched:
    """The digest of the whole leaf certificate."""
    return tuple(pin for pin in pinset.all_pins if pin == path[0].certificate_pin) or None


def at_once(expires: datetime) -> Expiry:
    """The instant itself, on every device."""
    return Expiry(expires, expires)


def _utc_day(expires: datetime) -> Expiry:
    return at_once(expires.replace(hour=0, minute=0, second=0, microsecond=0))


def _device_day(expires: datetime) -> Expiry:
    midnight = _utc_day(expires).first
    return Expiry(midnight + _FIRST_MIDNIGHT, midnight + _LAST_MIDNIGHT)


def _never(_expires: datetime) -> Expiry:
    return Expiry(FOREVER, FOREVER)


def _cleaned(presented: Presented, _trusted: Trust) -> Sequence[Chain]:
    return cleaned_paths(presented)


_ANDROID = Library(conscrypt.trust_manager, match_anywhere, _device_day)
LIBRARIES: Mapping[Client, Library] = {
    Client.OKHTTP: Library(jdk.trust_manager, match_anywhere, _never, pinned_paths=_cleaned),
    Client.ANDROID: _ANDROID,
    Client.APPLE: Library(any_valid_path, match_identities, _never, any_path=True, counts="the identities"),
    Client.TRUSTKIT_IOS: Library(any_valid_path, match_anywhere, _utc_day, least_pins=2),
    Client.TRUSTKIT_ANDROID: replace(_ANDROID, expiry=_utc_day, least_pins=2),
    Client.CRONET: replace(_ANDROID, expiry=at_once),
    Client.CURL: Library(openssl.verify, match_leaf, _never, counts="the leaf"),
    Client.CERTIFICATE: Library(any_valid_path, match_certificate, at_once, expired=Verdict.PIN_MISMATCH),
}
