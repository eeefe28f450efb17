"""What incidents have in common: the name of their cause, so that one cause is one message, and where else to look.

The group of an incident is a text that is equal for incidents of one kind that are likely to have one cause. It is
given when the incident opens and stays for its life.

| kind | incidents are of one group that have in common |
|---|---|
| ``pin_mismatch`` | the key of the leaf's issuer: the same intermediate, or the same CDN |
| ``untrusted`` | the key of the leaf's issuer and the trust store; a fault of the leaf itself is shared with none |
| ``unreachable`` | the reason and the network of the first address that fails; the issuer that is missing |
| ``pin_mismatch_predicted`` | the cause, and what it comes from: the issuer, the root, the trust store |
| ``pins_expiring`` | the name of the pin set, which is an app release, and the date |
| ``no_backup_pin`` | the name of the pin set |
| ``monitor_degraded`` | nothing: each is its own |
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING

from monitord.pinning.clients.rules import expiry_of
from monitord.pinning.incident import IncidentKind
from monitord.pinning.prediction import Cause
from monitord.pinning.trouble import Trouble
from monitord.pinning.validation import leaf_rejections
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.conditions import Condition
    from monitord.pinning.observation import Observation
    from monitord.pinning.prediction import Prediction
    from monitord.pinning.verdict import Judgement, PinSetVerdict

    Endpoint = tuple[str, int]

_IPV4_NETWORK, _IPV6_NETWORK = 24, 48
# What an authority does to all that it issued.
_OF_THE_ISSUER = (Cause.FORCED_REISSUE, Cause.REVOKED, Cause.INTERMEDIATE_EXPIRY, Cause.ISSUER_ROTATION)
_OF_THE_ROOT = (Cause.ROOT_EXPIRY, Cause.CROSS_SIGN_EXPIRY, Cause.DISTRUST)


def group_of(condition: Condition | Trouble) -> str:
    """The group of an incident that this condition opens: ASCII apart from names of the configuration."""
    key = condition.key
    shared = (key.pinset,) if isinstance(condition, Trouble) else _shared(condition)
    return " ".join(filter(None, (key.kind.value, *(shared or (key.host, str(key.port), key.pinset)))))


def siblings(shown: Sequence[Observation], others: Mapping[Endpoint, Sequence[Observation]]) -> tuple[Endpoint, ...]:
    """The endpoints that an incident may hit as well, those that have most in common with its endpoint first.

    They are among ``others``, with what each showed last: those that share an address, or the issuer of a leaf, with
    what its endpoint has ``shown``.
    """
    addresses = {one.address for one in shown} - {""}
    issuers = {issuer for one in shown if (issuer := _issuer(one.chain)) is not None}
    alike = {
        endpoint: (
            sum(one.address in addresses for one in seen),
            sum(_issuer(one.chain) in issuers for one in seen),
        )
        for endpoint, seen in others.items()
    }
    found = [endpoint for endpoint, common in alike.items() if any(common)]
    return tuple(sorted(found, key=lambda endpoint: ([-count for count in alike[endpoint]], endpoint)))


def network_of(address: str) -> str:
    """The network that an address is in, of a size that one place has: /24 or /48; "" for no address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    size = _IPV4_NETWORK if parsed.version == 4 else _IPV6_NETWORK  # noqa: PLR2004 - the protocol's name
    return str(ipaddress.ip_network((parsed, size), strict=False))


def _shared(condition: Condition) -> tuple[str, ...] | None:  # noqa: PLR0911 - one for each kind
    """What incidents of one group share; None for what is shared with none."""
    verdict, pinset = condition.verdict, condition.verdict.pinset
    match condition.key.kind:
        case IncidentKind.PIN_MISMATCH:
            return _by_issuer(_worst(verdict))
        case IncidentKind.UNTRUSTED:
            worst = _worst(verdict)
            by_issuer = _by_issuer(worst)
            return (*by_issuer, verdict.trust) if worst and by_issuer and not _of_the_leaf(worst, verdict) else None
        case IncidentKind.UNREACHABLE:
            return _by_failure(verdict)
        case IncidentKind.PIN_MISMATCH_PREDICTED:
            return _by_cause(condition.prediction, verdict) if condition.prediction else None
        case IncidentKind.PINS_EXPIRING:
            expiry = expiry_of(pinset)
            return (pinset.name, f"{expiry.first:%Y-%m-%d}") if expiry else None
        case IncidentKind.NO_BACKUP_PIN:
            return (pinset.name,)
        case _:
            return None


def _worst(verdict: PinSetVerdict) -> Judgement | None:
    return max(verdict.judgements, key=lambda one: one.verdict.badness, default=None)


def _issuer(chain: Sequence[Certificate]) -> Certificate | None:
    return chain[1] if len(chain) > 1 else None


def _by_issuer(judgement: Judgement | None) -> tuple[str, ...] | None:
    """The issuer on the path that decided, else the one that was presented."""
    if judgement is None:
        return None
    issuer = _issuer(judgement.path) or _issuer(judgement.observation.chain)
    return ("issuer", str(issuer.pin)) if issuer else None


def _of_the_leaf(judgement: Judgement, verdict: PinSetVerdict) -> bool:
    """Whether the leaf would be refused whoever had issued it: it is out of date or for another name."""
    seen = judgement.observation
    return any(True for _ in leaf_rejections(seen.chain[0], verdict.target.name, seen.at))


def _by_failure(verdict: PinSetVerdict) -> tuple[str, ...] | None:
    unknown = [one.observation for one in verdict.judgements if one.verdict is Verdict.UNDETERMINED]
    if not unknown:
        return None
    first = min(unknown, key=lambda one: (one.address, one.port))
    if first.failure is None:
        last = first.chain[-1] if first.chain else None
        return ("incomplete", hashlib.sha256(last.issuer_key).hexdigest()[:16]) if last else None
    return tuple(filter(None, (first.failure.reason.value, network_of(first.address))))


def _by_cause(prediction: Prediction, verdict: PinSetVerdict) -> tuple[str, ...] | None:
    path = max((one.path for one in verdict.judgements), key=len, default=())
    cause = prediction.cause
    if cause is Cause.TRUST_STORE_CHANGE:
        return cause.value, verdict.trust
    if cause in _OF_THE_ISSUER and len(path) > 1:
        return cause.value, str(path[1].pin)
    if cause in _OF_THE_ROOT and path:
        return cause.value, str(path[-1].pin), verdict.trust
    return None
