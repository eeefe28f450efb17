"""One look at an endpoint on demand, judged: is it well as TLS goes, pins aside, and what do its pin sets say?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitord.pinning.judge import judge
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.observation import Observation
    from monitord.pinning.target import Target
    from monitord.pinning.trust import TrustStore
    from monitord.pinning.verdict import PinSetVerdict


@dataclass(frozen=True, slots=True)
class Examination:
    """What a look showed and what that means.

    ``trust`` is the verdict on the chains without any pins, ``verdicts`` are those of the target's pin sets. Seconds:
    ``lookup`` is how long the name took to be looked up (None: that was not needed), ``duration`` all of it, ``budget``
    what it was given.
    """

    target: Target
    observations: tuple[Observation, ...]
    trust: PinSetVerdict
    verdicts: tuple[PinSetVerdict, ...]
    lookup: float | None
    duration: float
    budget: float

    @property
    def success(self) -> bool:
        """Whether TLS and path are good at every address; pins do not count.

        An address is good where a chain was seen without a failure, and every chain that was seen must be trusted.
        """
        good = {one.address for one in self.observations if one.chain and one.failure is None}
        everywhere = good == {one.address for one in self.observations}
        return (
            bool(good)
            and everywhere
            and all(one.verdict is Verdict.NOT_PINNED for one in self.trust.judgements if one.observation.chain)
        )


def examine(
    target: Target, observations: Sequence[Observation], stores: Mapping[str, TrustStore], now: datetime
) -> tuple[PinSetVerdict, tuple[PinSetVerdict, ...]]:
    """The verdict without pins, by every trust store that a pin set of the target has, and those on its pin sets."""
    used = dict.fromkeys(name for pinset in target.pinsets for name in pinset.trust)
    (bare,) = judge(replace(target, pinsets=(), trust=tuple(used) or target.trust), observations, stores, now)
    return bare, judge(target, observations, stores, now) if target.pinsets else ()
