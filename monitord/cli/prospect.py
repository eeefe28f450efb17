"""What a certificate for a key would meet, before it is issued.

A certificate that does not exist cannot be observed, so it is made up out of the one that is served now: the leaf with
its key exchanged, everything else as it is. The signature of its issuer is over the part of the certificate that the
leaf keeps, so that the paths above it hold, and the very same ``judge`` decides.

Where nothing may be probed the issuer is not known, and the question is asked twice: of an authority that no pin
matches, and of one for each pin that has just that key. What the first passes holds whoever issues; what only one of
the others passes depends on the issuer; what none passes no issuer can mend.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from monitord import pki
from monitord.errors import MonitordError
from monitord.pinning.certificate import key_type_of
from monitord.pinning.judge import judge
from monitord.pinning.observation import Observation
from monitord.pinning.pins import Client, PinSet
from monitord.pinning.standing import standings
from monitord.pinning.trust import TrustStore
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.keys import PublicKey
    from monitord.pinning.target import Target
    from monitord.pinning.verdict import PinSetVerdict

_WHOLE = "the client compares whole certificates, so any new one breaks it until the apps have its pin"
_BORROWED = "no pin is of this key, so it holds only if the same authorities issue the certificate"
_DEPENDS = "is of this key; it depends on the authority that issues the certificate, which was not looked at"
_UNMENDABLE = "no pin matches a certificate for this key, whoever issues it"
_NOTHING = "there are no pins that could fail, and whether the apps trust the issuer was not looked at"
_ALONE = "whether the apps trust the issuer was not looked at"


class SelfSignedError(MonitordError):
    """What is served was issued by nobody, so there is no issuer to expect."""


def judge_key(
    target: Target, seen: Sequence[Observation], key: PublicKey, stores: Mapping[str, TrustStore], at: datetime
) -> list[PinSetVerdict]:
    """A verdict for each pin set on a certificate for this key, issued as those that were seen.

    The certificates seen still tell which of the other pins are spares. Raises SelfSignedError.
    """
    shown = [certificate for one in seen for certificate in one.chain]
    found = []
    for verdict in judge(target, _expected(target, seen, key, at), stores, at):
        pins, used = verdict.pinset.all_pins, [stores[name] for name in verdict.pinset.trust]
        known = standings(pins, verdict.matched, shown, used, at)
        found.append(_explained(replace(verdict, standings=known), key))
    return found


def judge_key_alone(target: Target, key: PublicKey, at: datetime) -> list[PinSetVerdict]:
    """A verdict for each pin set on the key, whoever issues; ``undetermined`` where it depends on that. See above."""
    root = pki.issue("An authority")
    leaf = pki.issue("A certificate", issuer=root, names=[target.name])
    seen = Observation(at, "", target.port, (leaf.certificate, _in_date(root.certificate, at)))
    seen = _with_key(seen, key, at)
    pinsets = target.pinsets or (PinSet("default", trust=target.trust),)
    verdicts = [_without_issuer(replace(target, pinsets=(pinset,)), seen, at) for pinset in pinsets]
    return [_explained(verdict, key, offline=True) for verdict in verdicts]


def _expected(target: Target, observations: Sequence[Observation], key: PublicKey, at: datetime) -> list[Observation]:
    """What an endpoint would show with a certificate for this key, issued as those that it shows now.

    Of a server with certificates for several kinds of key those of the same kind count. Observations without a chain
    are left out, unless there are no others.
    """
    seen = [one for one in observations if one.chain]
    if not seen:
        return list(observations)
    kind = key_type_of(key.spki)
    alike = [one for one in seen if one.chain[0].key_type is kind] or seen
    if any(one.chain[0].self_issued for one in alike):
        raise SelfSignedError(
            f"{target.endpoint} serves a self-signed certificate, so nothing follows from a key alone; make the new "
            "certificate and give it with --chain"
        )
    return [_with_key(one, key, at) for one in alike]


def _without_issuer(target: Target, seen: Observation, at: datetime) -> PinSetVerdict:
    (pinset,) = target.pinsets
    unpinned = seen.chain[1]
    verdict = _judge_issued_by(unpinned, target, seen, at)
    if verdict.verdict is Verdict.NOT_PINNED:
        return _undetermined(verdict, _NOTHING)
    if verdict.verdict is not Verdict.PIN_MISMATCH:
        return verdict
    pinned = [
        replace(unpinned, spki_sha256=pin.digest, sha256=_identity(unpinned, pin.digest)) for pin in pinset.all_pins
    ]
    if not any(_judge_issued_by(one, target, seen, at).verdict is Verdict.OK for one in pinned):
        return verdict
    return _undetermined(verdict, f"{'a pin' if seen.chain[0].pin in pinset.all_pins else 'no pin'} {_DEPENDS}")


def _undetermined(verdict: PinSetVerdict, reason: str) -> PinSetVerdict:
    judgements = tuple(replace(one, verdict=Verdict.UNDETERMINED, reason=reason) for one in verdict.judgements)
    return replace(verdict, verdict=Verdict.UNDETERMINED, reason=reason, judgements=judgements)


def _judge_issued_by(issuer: Certificate, target: Target, seen: Observation, at: datetime) -> PinSetVerdict:
    stores = {name: TrustStore(name, [issuer]) for pinset in target.pinsets for name in pinset.trust}
    (verdict,) = judge(target, [replace(seen, chain=(seen.chain[0], issuer))], stores, at)
    return verdict


def _explained(verdict: PinSetVerdict, key: PublicKey, *, offline: bool = False) -> PinSetVerdict:
    """The verdict with what its reason means for a key that has no certificate yet."""
    reason = verdict.reason
    if verdict.verdict is Verdict.PIN_MISMATCH and verdict.pinset.client is Client.CERTIFICATE:
        reason = _WHOLE
    elif verdict.verdict is Verdict.PIN_MISMATCH and offline:
        reason = _UNMENDABLE
    elif verdict.verdict is Verdict.OK and key.pin not in verdict.matched:
        reason = f"{reason}; {_BORROWED}"
    elif offline and verdict.verdict in (Verdict.OK, Verdict.PINS_EXPIRED):
        reason = f"{reason}; {_ALONE}"
    judgements = tuple(
        replace(one, reason=reason) if one.reason == verdict.reason else one for one in verdict.judgements
    )
    return replace(verdict, reason=reason, judgements=judgements)


def _with_key(seen: Observation, key: PublicKey, at: datetime) -> Observation:
    leaf, *issuers = seen.chain
    kind = key_type_of(key.spki)
    prospect = replace(
        _in_date(leaf, at),
        spki=key.spki,
        spki_sha256=key.pin.digest,
        key_type=kind,
        sha256=_identity(leaf, key.spki),
    )
    return replace(seen, chain=(prospect, *issuers), key_type=kind, failure=None)


def _in_date(certificate: Certificate, at: datetime) -> Certificate:
    """A certificate that is renewed before it is used."""
    start = at.replace(microsecond=0)
    return replace(
        certificate, not_before=min(certificate.not_before, start), not_after=max(certificate.not_after, start)
    )


def _identity(certificate: Certificate, exchanged: bytes) -> bytes:
    """What tells a made-up certificate from every other; no real one has this digest."""
    return hashlib.sha256(b"made up" + certificate.sha256 + exchanged).digest()
