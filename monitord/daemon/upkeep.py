"""The regular jobs beside probing: what waits is written, the disk is tried, what is too old is forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.errors import MonitordError
from monitord.store.faults import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitord.cycle.cycle import Cycle
    from monitord.daemon.foresight import Foresight
    from monitord.daemon.garbage import SetAside
    from monitord.metrics.exposition import Metrics
    from monitord.notify.heartbeat import Log
    from monitord.store.store import Store

MAINTENANCE_SECONDS = 5.0
WRITE_CHECK_SECONDS = 60.0
PRUNE_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The jobs, each to be run by the scheduler; ``recorded`` is told what the store makes of it.

    A store that has not answered for ``stuck_seconds`` counts as one that refuses.
    """

    cycle: Cycle
    foresight: Foresight
    store: Store
    metrics: Metrics
    set_aside: SetAside
    recorded: Callable[[MonitordError | None], None]
    log: Log
    now: Callable[[], datetime]
    stuck_seconds: float = 120.0

    async def maintain(self) -> None:
        """Notice silences that begin or end, write what the store refused before, and look at the outbox."""
        self.set_aside.know(self.cycle.looked_at)
        self.cycle.review()
        self.metrics.silences(len(self.cycle.silences))
        self.metrics.tasks(len(asyncio.all_tasks()))
        alarm = asyncio.get_running_loop().call_later(self.stuck_seconds, self._stuck)
        try:
            await self.cycle.flush()
            await self.foresight.flush()
            pending, oldest = await self.store.outbox_summary()
        except MonitordError as error:
            self.recorded(error)
            return
        finally:
            alarm.cancel()
        self.metrics.outbox(pending, oldest)

    def _stuck(self) -> None:
        """Tell of a store that hangs, which raises nothing."""
        seconds = f"{self.stuck_seconds:.0f} s"
        sentence = f"the store has not answered for {seconds}; probing goes on; check the disk it is on"
        self.log.warning(sentence)
        self.recorded(StoreError(sentence))

    async def check_store(self) -> None:
        """Find out that the disk is full before something happens that must be written, and that it no longer is."""
        try:
            await self.store.check_writable()
        except MonitordError as error:
            self.recorded(error)
        else:
            if not self.cycle.unwritten:  # what still waits may be refused for another reason
                self.recorded(None)

    async def prune(self) -> None:
        """Forget what is too old to matter."""
        try:
            await self.foresight.prune()
            await self.store.prune_alerts(self.now())
        except MonitordError as error:
            self.recorded(error)
