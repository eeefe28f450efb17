"""What the verdicts on pin sets would be with another trust store in the place of one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitord.pinning.judge import judge
from monitord.pinning.pins import PinSet
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from monitord.config.settings import Configuration
    from monitord.pinning.observation import Observation
    from monitord.pinning.target import Target
    from monitord.pinning.trust import TrustStore
    from monitord.pinning.verdict import PinSetVerdict


@dataclass(frozen=True, slots=True)
class Change:
    """The verdict on one pin set with the old store and with the new one."""

    before: PinSetVerdict
    after: PinSetVerdict

    @property
    def starts_to_fail(self) -> bool:
        """Whether apps that connect now would not."""
        return self.after.verdict.apps_fail and not self.before.verdict.apps_fail

    @property
    def unknown(self) -> bool:
        """Whether one of the two could not be judged."""
        return Verdict.UNDETERMINED in (self.before.verdict, self.after.verdict)


def select_users(configuration: Configuration, store: TrustStore, *, everywhere: bool) -> list[Target]:
    """The targets with the pin sets that use a store; with ``everywhere`` all, as if each used it alone.

    A store is used where its name stands, or that of one with the same anchors.
    """
    alike = {name for name, other in configuration.trust_stores.items() if other.sha256 == store.sha256}
    alike.add(store.name)
    found = []
    for target in configuration.targets:
        pinsets = target.pinsets or (PinSet("default", trust=target.trust),)
        users = [_naming(pinset, alike, store.name) for pinset in pinsets if alike.intersection(pinset.trust)]
        if everywhere:
            users = [replace(pinset, trust=(store.name,)) for pinset in pinsets]
        if users:
            found.append(replace(target, pinsets=tuple(users)))
    return found


def _naming(pinset: PinSet, alike: set[str], name: str) -> PinSet:
    """The pin set with each name of the store replaced by this one."""
    return replace(pinset, trust=tuple(dict.fromkeys(name if one in alike else one for one in pinset.trust)))


def judge_replacement(
    target: Target,
    observations: Sequence[Observation],
    stores: Mapping[str, TrustStore],
    exchanged: tuple[TrustStore, TrustStore],
    now: datetime,
) -> list[Change]:
    """Each pin set of a target that ``select_users`` gave, with the first of two stores and with the second."""
    old, new = exchanged
    stores = {**stores, old.name: old, new.name: new}
    renewed = replace(target, pinsets=tuple(_naming(pinset, {old.name}, new.name) for pinset in target.pinsets))
    before = judge(target, observations, stores, now)
    after = judge(renewed, observations, stores, now)
    completed = judge(renewed, _completed(observations, before, old), stores, now)
    return [
        Change(was, known if becomes.verdict is Verdict.UNDETERMINED and known.verdict.apps_fail else becomes)
        for was, becomes, known in zip(before, after, completed, strict=True)
    ]


def _completed(
    observations: Sequence[Observation], verdicts: Sequence[PinSetVerdict], store: TrustStore
) -> list[Observation]:
    """The observations with the anchors that their paths ended in.

    By the rules a root that no server sends and no store has is a missing issuer, which might be anything. Here it is
    known what it is: the anchor that was taken out.
    """
    judgements = [judgement for verdict in verdicts for judgement in verdict.judgements if judgement.path]
    ends = {judgement.observation: judgement.path[-1] for judgement in judgements if judgement.path[-1] in store}
    return [
        replace(one, chain=tuple(dict.fromkeys((*one.chain, ends[one])))) if one in ends else one
        for one in observations
    ]
