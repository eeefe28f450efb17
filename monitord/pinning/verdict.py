"""Would the apps connect? ``judge`` answers for each pin set of a target, from what was observed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.observation import Observation
    from monitord.pinning.pins import Pin, PinSet
    from monitord.pinning.standing import Standing
    from monitord.pinning.target import Target


class Verdict(StrEnum):
    """What a client would do; listed worst first."""

    PIN_MISMATCH = "pin_mismatch"
    UNTRUSTED = "untrusted"
    PINS_EXPIRED = "pins_expired"
    UNDETERMINED = "undetermined"
    NOT_PINNED = "not_pinned"
    OK = "ok"

    @property
    def badness(self) -> int:
        """Larger is worse; 0 is ok."""
        return len(Verdict) - 1 - list(Verdict).index(self)

    @property
    def apps_fail(self) -> bool:
        """Whether the apps refuse to connect."""
        return self in (Verdict.PIN_MISMATCH, Verdict.UNTRUSTED)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One observation under one pin set and one trust store.

    ``path`` is the path that decided, leaf first, root included; empty where there is none. ``matched`` are the
    pins of the set found on it. ``reason`` is one sentence for people.
    """

    observation: Observation
    trust: str
    verdict: Verdict
    reason: str
    path: tuple[Certificate, ...] = ()
    matched: tuple[Pin, ...] = ()


@dataclass(frozen=True, slots=True)
class PinSetVerdict:
    """The worst over the judgements of one pin set; ``trust`` is the store that the worst was judged with.

    ``matched`` are the pins that some judged path holds ("live"); the other pins of the set are spares, of which
    ``standings`` says what is known.
    """

    target: Target
    pinset: PinSet
    verdict: Verdict
    reason: str
    trust: str
    judgements: tuple[Judgement, ...]
    matched: tuple[Pin, ...]
    standings: Mapping[Pin, Standing] = field(default_factory=dict)
