"""The rule of each client, all of one signature."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from monitord.pinning.clients.generic import judge_generic
from monitord.pinning.clients.libraries import LIBRARIES, judge_by
from monitord.pinning.pins import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitord.pinning.clients.platform import Presented
    from monitord.pinning.observation import Observation
    from monitord.pinning.pins import PinSet
    from monitord.pinning.verdict import Judgement

    Rule = Callable[[Observation, Presented, PinSet], Judgement]

RULES: Mapping[Client, Rule] = {
    Client.GENERIC: judge_generic,
    **{client: partial(judge_by, library) for client, library in LIBRARIES.items()},
}
