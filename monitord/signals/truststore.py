"""Trust stores over time: which roots came and went since the last look.

A store changes by an update of certifi or of the system, or when its file is replaced. Then paths end elsewhere, and
pins on roots stop to match, while no server changed. What was there before is kept, certificates included, so that a
root that left can be named; the first look at a store tells nothing.
"""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitord.pinning.certificate import parse_certificate
from monitord.pinning.evidence import StoreChange
from monitord.signals.source import Learned, Poll, SourceName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.trust import TrustStore
    from monitord.signals.source import Subject

MOST_KEPT = 2000
"""How many certificates are kept, over all stores; well-known stores have 150 each, most of them in common."""
LARGEST_KEPT = 8 * 1024
"""Bytes of DER; roots have one to two thousand."""

_STORE, _ANCHOR, _CHECKED = "store:", "anchor:", "checked"


class TrustStoreSource:
    """The trust stores in use, compared with what they were."""

    name = SourceName.TRUST_STORE

    def __init__(
        self, stores: Callable[[], Mapping[str, TrustStore]], *, every: timedelta = timedelta(hours=1)
    ) -> None:
        """``stores`` gives the stores in use by name, as they are now."""
        self._stores = stores
        self._every = every

    async def poll(self, subjects: Sequence[Subject], state: Mapping[str, Any], now: datetime) -> Poll:  # noqa: ARG002
        """Compare every store, and tell what changed."""
        stores = self._stores()
        notes: dict[str, Any] = {_CHECKED: now.isoformat()}
        learned: list[Learned] = []
        faults: list[str] = []
        for name, store in stores.items():
            present = sorted(anchor.sha256.hex() for anchor in store.anchors)
            before = state.get(_STORE + name)
            if before == present:
                continue
            notes[_STORE + name] = present
            if before is not None:
                change, unnamed = _compare(name, store, before, state, now)
                learned += [Learned("", change)] if change.added or change.removed else []
                faults += (
                    [f"{unnamed} of the roots that left the trust store {name} cannot be named"] if unnamed else []
                )
        notes |= {key: None for key in state if key.startswith(_STORE) and key.removeprefix(_STORE) not in stores}
        return Poll(now + self._every, tuple(learned), notes | _keep(stores, state), tuple(faults))


def _compare(
    name: str, store: TrustStore, before: Sequence[str], state: Mapping[str, Any], now: datetime
) -> tuple[StoreChange, int]:
    """What changed in a store, and how many roots left it of which nothing but the hash is known."""
    present = {anchor.sha256.hex() for anchor in store.anchors}
    left = [one for one in before if one not in present]
    removed = [_parse(state[_ANCHOR + one]) for one in left if _ANCHOR + one in state]
    added = [anchor for anchor in store.anchors if anchor.sha256.hex() not in set(before)]
    return StoreChange(name, now, tuple(added), tuple(removed)), len(left) - len(removed)


def _keep(stores: Mapping[str, TrustStore], state: Mapping[str, Any]) -> dict[str, Any]:
    """Notes that keep the certificates of the stores as they are now, and no others."""
    anchors = {
        _ANCHOR + anchor.sha256.hex(): anchor
        for store in stores.values()
        for anchor in store.anchors
        if len(anchor.der) <= LARGEST_KEPT
    }
    kept = dict(list(anchors.items())[:MOST_KEPT])
    gone = {key: None for key in state if key.startswith(_ANCHOR) and key not in kept}
    new = {key: base64.b64encode(anchor.der).decode("ascii") for key, anchor in kept.items() if key not in state}
    return gone | new


def _parse(written: str) -> Certificate:
    return parse_certificate(base64.b64decode(written))
