"""The rule of each client, all of one signature."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from monitord.pinning.clients.generic import GENERIC, judge_generic
from monitord.pinning.clients.libraries import FOREVER, LIBRARIES, judge_by
from monitord.pinning.pins import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitord.pinning.clients.libraries import Expiry
    from monitord.pinning.clients.platform import Presented
    from monitord.pinning.observation import Observation
    from monitord.pinning.pins import PinSet
    from monitord.pinning.verdict import Judgement

    Rule = Callable[[Observation, Presented, PinSet], Judgement]

RULES: Mapping[Client, Rule] = {
    Client.GENERIC: judge_generic,
    **{client: partial(judge_by, library) for client, library in LIBRARIES.items()},
}


def expiry_of(pinset: PinSet) -> Expiry | None:
    """When the client stops to enforce the set; None if it has no expiry or the client knows none."""
    if pinset.expires is None:
        return None
    expiry = LIBRARIES.get(pinset.client, GENERIC).expiry(pinset.expires)
    return None if expiry.last == FOREVER else expiry


def expiry_blocks(client: Client) -> bool:
    """Whether apps can no longer connect once the set has expired, instead of connecting unpinned."""
    return LIBRARIES.get(client, GENERIC).expired.apps_fail
