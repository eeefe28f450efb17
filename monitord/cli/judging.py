"""Rulings on the pin sets of several endpoints, each with the way to judge it once more in another form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.pinning.ruling import rule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from monitord.cli.configured import Selected
    from monitord.pinning.ruling import Ruling
    from monitord.pinning.target import Target
    from monitord.pinning.verdict import PinSetVerdict

    Judge = Callable[[Target], Sequence[PinSetVerdict]]


@dataclass(frozen=True, slots=True)
class Judged:
    """An endpoint with the rulings on its pin sets; ``judge`` answers for a target with other pin sets as well."""

    target: Target
    rulings: tuple[Ruling, ...]
    judge: Judge


def judge_each(
    selected: Sequence[Selected], judges: Sequence[Judge], now: datetime, horizon: timedelta
) -> list[Judged]:
    """Each target judged by the function in the same place."""
    return [
        Judged(
            one.target,
            tuple(rule(found, registered=one.registered, now=now, horizon=horizon) for found in judge(one.target)),
            judge,
        )
        for one, judge in zip(selected, judges, strict=True)
    ]
