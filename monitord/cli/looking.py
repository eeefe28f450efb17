"""Probing from a command: all targets at once, then the process goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from monitord.probe.prober import Prober
from monitord.probe.resolve import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from monitord.config.settings import Configuration
    from monitord.pinning.observation import Observation
    from monitord.pinning.target import Target

    Observations = tuple[Observation, ...]


def look_at(targets: Sequence[Target], configuration: Configuration, now: Callable[[], datetime]) -> list[Observations]:
    """What each target shows, in their order; a failed probe is an observation too."""
    return asyncio.run(_look_at(targets, configuration, now))


async def _look_at(
    targets: Sequence[Target], configuration: Configuration, now: Callable[[], datetime]
) -> list[Observations]:
    settings = configuration.probing
    prober = Prober(
        now=now, resolver=Resolver(max_addresses=settings.max_addresses), max_connections=settings.concurrency
    )
    try:
        return await asyncio.gather(*(prober.observe(target, timeout=configuration.timeout) for target in targets))
    finally:
        prober.close()
