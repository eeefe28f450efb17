"""The rooms of a daemon that runs, and what rounds are told of its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.cycle.settings import RoundSettings

if TYPE_CHECKING:
    from monitord.config.settings import Configuration
    from monitord.cycle.cycle import Cycle
    from monitord.daemon.discovering import Discovering
    from monitord.daemon.foresight import Foresight
    from monitord.daemon.wellbeing import Wellbeing
    from monitord.metrics.exposition import Metrics
    from monitord.notify.relay import Relay
    from monitord.notify.resend import Resender
    from monitord.schedule.scheduler import Scheduler
    from monitord.store.store import Store
    from monitord.web.fleet import Fleet


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that runs."""

    metrics: Metrics
    fleet: Fleet
    relay: Relay
    resender: Resender
    store: Store
    cycle: Cycle
    scheduler: Scheduler
    foresight: Foresight
    discovering: Discovering
    wellbeing: Wellbeing


def round_settings(configuration: Configuration) -> RoundSettings:
    """What rounds need of a configuration."""
    return RoundSettings(
        timeout=configuration.timeout,
        policy=configuration.policy,
        trust=configuration.trust_stores,
        receivers=configuration.receivers,
        targets={target.key: target for target in configuration.targets},
        windows=configuration.windows,
    )
