"""What to do about a prediction, and by when, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.pinning.prediction import Cause
from monitord.pinning.report import timestamp
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitord.pinning.pins import Pin, PinSet

_SHOWN = 3

_SERVER: dict[Cause, str] = {
    Cause.LEAF_EXPIRY: "Renew the certificate now, with a pinned key",
    Cause.LEAF_RENEWAL: "Renew with the same key (certbot: --reuse-key), or with a key that is pinned already",
    Cause.ARI_WINDOW: "Renew with the same key (certbot: --reuse-key), or with a key that is pinned already",
    Cause.FORCED_REISSUE: "Have the replacement issued for the same key unless that key is compromised",
    Cause.REVOKED: "Have the replacement issued for the same key unless that key is compromised",
    Cause.CT_ISSUED: "Do not deploy that certificate before the apps know one of its keys",
    Cause.PARTIAL_ROLLOUT: "Stop the roll-out until the apps know one of its keys",
    Cause.INTERMEDIATE_EXPIRY: "Ask the CA which intermediate follows",
    Cause.ISSUER_ROTATION: "Ask the CA or CDN which issuers it will use (most promise none)",
    Cause.ROOT_EXPIRY: "Move to a chain whose root lives on",
    Cause.CROSS_SIGN_EXPIRY: "Pin a key on the path that remains after the cross-sign",
    Cause.DISTRUST: "Renew from another CA, after the apps know one of its keys",
    Cause.TRUST_STORE_CHANGE: "Pin a key on the path that devices with the new store will take",
}


def advice_for(  # noqa: PLR0913 - what the advice depends on
    cause: Cause,
    pinset: PinSet,
    expected: Verdict,
    new_pins: Sequence[Pin],
    act_by: datetime,
    now: datetime,
    *,
    known: bool = False,
) -> str:
    """The advice for a failure of this cause; ``known``: the new pins are those of a certificate that was seen."""
    if cause is Cause.PINS_EXPIRE:
        return f"Ship an app release with later pins{_by(act_by, now)}."
    server = _SERVER.get(cause, "Keep serving a pinned key")
    if expected is Verdict.UNTRUSTED and not pinset.all_pins:
        return f"{server}."
    if cause is Cause.LEAF_EXPIRY:
        return f"{server}: an app release is not needed if a pinned key is served."
    pins = ", ".join(str(pin) for pin in new_pins[:_SHOWN])
    if not pins:
        return f"{server}; or ship an app release that pins a key which stays{_by(act_by, now)}."
    which = "of these keys of the coming chain" if known else "of these keys above the leaf"
    return f"{server}; or ship an app release with one {which}{_by(act_by, now)}: {pins}."


def _by(act_by: datetime, now: datetime) -> str:
    if act_by <= now:
        return " at once (the time that a release takes is longer than what is left)"
    return f", begun by {timestamp(act_by)}"
