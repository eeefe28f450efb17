"""How each client library decides: one rule a client, all of one signature.

A rule sees one observation (with a chain), the pin set, one trust store and the time, and gives a ``Judgement``. Trust
comes first, as in the clients: a chain that the platform refuses never reaches the pins.

``generic`` stands for all clients at once (RFC 7469 section 2.6 "validated certificate chain"): a pin counts on any
certificate of the validated path, root included, and because clients choose paths differently, every valid path must
hold a pin. Its sentences follow four steps:

1. Find every path; none at all is ``undetermined``, since a device may hold or fetch what is missing, unless the leaf
   itself is expired or misnamed, which no issuer can mend.
2. Keep the paths that a strict client would accept; none is ``untrusted``.
3. An empty pin set is ``not_pinned``; an expired one is ``pins_expired``.
4. Every valid path with a pin is ``ok``; one without is ``pin_mismatch``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.pinning.paths import find_paths
from monitord.pinning.pins import Client
from monitord.pinning.validation import leaf_rejections, rejections
from monitord.pinning.verdict import Judgement, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.observation import Observation
    from monitord.pinning.paths import Path, Search
    from monitord.pinning.pins import Pin, PinSet
    from monitord.pinning.trust import TrustStore

    Rule = Callable[[Observation, str, PinSet, TrustStore, datetime], Judgement]


@dataclass(frozen=True, slots=True)
class Trust:
    """The platform's part of the decision: the valid paths, or a verdict that says why there is none.

    ``path`` is then the refused path that came closest, if any; ``complete`` is False where the search was cut off.
    """

    valid: tuple[Path, ...]
    verdict: Verdict
    reason: str
    path: tuple[Certificate, ...] = ()
    complete: bool = True


def assess_trust(observation: Observation, host: str, trust: TrustStore, now: datetime) -> Trust:
    """Steps 1 and 2: would a strict client trust the presented chain for this host at this time?"""
    search = find_paths(observation.chain, trust)
    if not search.paths:
        hopeless = next(leaf_rejections(observation.chain[0], host, now), None)
        if hopeless:
            return Trust((), Verdict.UNTRUSTED, hopeless.sentence)
        return Trust((), Verdict.UNDETERMINED, _incomplete(search, trust))
    judged = [(path, rejections(path, host, now)) for path in search.paths]
    valid = tuple(path for path, reasons in judged if not reasons)
    if valid:
        return Trust(valid, Verdict.NOT_PINNED, "the chain is trusted", complete=search.complete)
    closest, reasons = min(judged, key=lambda pair: (not pair[0].anchored, len(pair[1])))
    sentence = "; ".join(dict.fromkeys(reason.sentence for reason in reasons))
    return Trust((), Verdict.UNTRUSTED, sentence, closest.certificates)


def judge_generic(observation: Observation, host: str, pinset: PinSet, trust: TrustStore, now: datetime) -> Judgement:
    """The strictest reading: what holds for whichever client the apps use; see the steps above."""

    def say(verdict: Verdict, reason: str, path: tuple[Certificate, ...], matched: tuple[Pin, ...] = ()) -> Judgement:
        return Judgement(observation, trust.name, verdict, reason, path, matched)

    trusted = assess_trust(observation, host, trust, now)
    if not trusted.valid:
        return say(trusted.verdict, trusted.reason, trusted.path)
    valid = trusted.valid
    shown = valid[0].certificates
    if not pinset.all_pins:
        return say(Verdict.NOT_PINNED, "the chain is trusted; no pins are registered", shown)
    missing = [path for path in valid if not _matched(pinset.pins, path)]
    matched = tuple(pin for pin in pinset.pins if any(_matched((pin,), path) for path in valid))
    if pinset.expires is not None and now >= pinset.expires:
        when = f"{pinset.expires:%Y-%m-%dT%H:%MZ}"
        return say(Verdict.PINS_EXPIRED, f"the pin set expired at {when}: apps connect unpinned", shown, matched)
    if missing:
        return say(Verdict.PIN_MISMATCH, _mismatch(missing, valid), missing[0].certificates, matched)
    cut = "" if trusted.complete else ", though not every possible path could be looked at"
    return say(Verdict.OK, f"a pin matches the {_roles(matched, valid)}{_of_paths(valid)}{cut}", shown, matched)


RULES: Mapping[Client, Rule] = {Client.GENERIC: judge_generic}


def _matched(pins: tuple[Pin, ...], path: Path) -> tuple[Pin, ...]:
    present = {certificate.pin for certificate in path.certificates}
    return tuple(pin for pin in pins if pin in present)


def _roles(matched: tuple[Pin, ...], valid: tuple[Path, ...]) -> str:
    """Which parts of the valid paths the pins match, nearest to the leaf first."""
    roles = {
        "leaf" if position == 0 else "root" if position == len(path.certificates) - 1 else "intermediate"
        for path in valid
        for position, certificate in enumerate(path.certificates)
        if certificate.pin in matched
    }
    return " and the ".join(role for role in ("leaf", "intermediate", "root") if role in roles)


def _of_paths(valid: tuple[Path, ...]) -> str:
    return f" on each of {len(valid)} valid paths" if len(valid) > 1 else ""


def _mismatch(missing: list[Path], valid: tuple[Path, ...]) -> str:
    names = " < ".join(certificate.display_subject for certificate in missing[0].certificates)
    if len(valid) == 1:
        return f"no pin matches any certificate of the path {names}"
    return f"{len(missing)} of {len(valid)} valid paths hold no pin, so that some clients fail: {names}"


def _incomplete(search: Search, trust: TrustStore) -> str:
    if not search.complete:
        return "the chain could not be completed: there are too many possible paths"
    if search.missing_issuer is None:
        return "the chain could not be completed"
    issuer = search.missing_issuer.display_issuer
    if search.impostor:
        return f"the chain could not be completed: {issuer} is known only with another key than the one that signed"
    return f"the chain could not be completed: {issuer} is neither presented nor in the trust store {trust.name}"
