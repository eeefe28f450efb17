"""The monitor watches itself: what of it does not work is an incident like any other, and who hears no beat calls.

It runs in a task of its own and not by the scheduler, whose standing still is one of the things to be noticed.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

from monitord.notify.fault import DeliveryFault
from monitord.notify.heartbeat import Heartbeat
from monitord.pinning.trouble import Trouble, TroubleKind
from monitord.signals.source import SourceName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from monitord.config.settings import HeartbeatSettings
    from monitord.errors import MonitordError
    from monitord.notify.heartbeat import Log
    from monitord.signals.watch import Failing
    from monitord.web.server import Health

LOOK_SECONDS = 5.0
STORE_SECONDS = 30.0
"""How long the store must refuse before it is an incident: a lock that somebody held for a moment is none."""
RECEIVER_SECONDS = 600.0
"""How long a receiver must take nothing: what is repaired sooner is only late."""
LATE_SECONDS = 60.0
"""How long what is due may wait for its round to begin, where nothing is probed more often than that."""


class Pulse(Protocol):
    """Who shows the beats."""

    def heartbeat(self, at: datetime, *, success: bool) -> None:
        """A beat was tried."""


class Wellbeing:
    """What is known of monitord's own parts."""

    def __init__(  # noqa: PLR0913 - all that may be unwell, and two clocks
        self,
        report: Callable[[Iterable[Trouble]], None],
        *,
        healthy: Callable[[], Health],
        failing: Callable[[], Sequence[Failing]],
        overdue: Callable[[], float],
        shortest_interval: Callable[[], float],
        pulse: Pulse,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        log: Log,
    ) -> None:
        """Nothing is wrong yet. ``report`` takes what is and what is not, again and again; ``clock`` is monotonic.

        ``overdue`` gives for how many seconds the endpoint that has been due for longest has waited for its round,
        ``shortest_interval`` the seconds between two rounds of the endpoint that is probed most often.
        """
        self._report = report
        self._healthy = healthy
        self._failing = failing
        self._overdue = overdue
        self._shortest_interval = shortest_interval
        self._late = False
        self._pulse = pulse
        self._now = now
        self._log = log
        self._clock = clock
        self._refusing: tuple[float, str] | None = None
        self._written = False
        self._unhealthy = False
        self._receivers: dict[str, tuple[float, str] | None] = {}
        self._settings: HeartbeatSettings | None = None
        self._heart: asyncio.Task[None] | None = None

    def recorded(self, error: MonitordError | None) -> None:
        """The store took something, or refused it."""
        if error is None:
            self._written, self._refusing = True, None
        else:
            self._refusing = (self._refusing[0] if self._refusing else self._clock(), str(error))

    def delivered(self, receiver: str, fault: str | None) -> None:
        """A receiver took a message, or did not."""
        if fault is None or fault == DeliveryFault.RECIPIENT_REFUSED:
            self._receivers[receiver] = None
        else:
            before = self._receivers.get(receiver)
            self._receivers[receiver] = (before[0] if before else self._clock(), fault)

    def follow(self, receivers: Iterable[str], heartbeat: HeartbeatSettings | None) -> None:
        """Go by this configuration from now on."""
        names = set(receivers)
        self._receivers = {name: known for name, known in self._receivers.items() if name in names}
        if heartbeat == self._settings and self._heart is not None:
            return
        self._settings = heartbeat
        if self._heart is not None:
            self._heart.cancel()
            self._heart = None
        if heartbeat is not None:
            beating = Heartbeat(
                heartbeat, alive=lambda: self._healthy().ok, now=self._now, log=self._log, on_beat=self._beaten
            )
            self._heart = asyncio.create_task(beating.run(), name="heartbeat")

    async def run(self) -> None:
        """Look and report until cancelled."""
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                self._report(self.troubles())
        finally:
            if self._heart is not None:
                self._heart.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._heart

    def troubles(self) -> list[Trouble]:
        """Each part of monitord, and whether it does not work."""
        failing = {one.source.value: one for one in self._failing()}
        return [
            self._store(),
            self._tick(),
            self._lag(),
            *(self._receiver(name, known) for name, known in self._receivers.items()),
            *(
                Trouble(TroubleKind.SIGNALS, source.value in failing, _detail(failing.get(source.value)), source.value)
                for source in SourceName
            ),
        ]

    def _store(self) -> Trouble:
        if self._refusing is None:
            return Trouble(TroubleKind.STORE, False if self._written else None)
        since, sentence = self._refusing
        holds = True if self._clock() - since >= STORE_SECONDS else None
        return Trouble(TroubleKind.STORE, holds, sentence)

    def _tick(self) -> Trouble:
        """Twice in a row, since the first look after the host has slept finds a tick that is late."""
        health, before = self._healthy(), self._unhealthy
        self._unhealthy = not health.ok
        return Trouble(TroubleKind.TICK, False if health.ok else True if before else None, health.sentence)

    def _lag(self) -> Trouble:
        """So long that a whole round may be missed; twice in a row, as above. Over when nothing waits half as long."""
        seconds, before = self._overdue(), self._late
        bound = min(LATE_SECONDS, self._shortest_interval())
        self._late = seconds >= bound
        holds = True if self._late and before else False if seconds < bound / 2 else None
        return Trouble(TroubleKind.LAG, holds, f"endpoints wait {seconds:.0f} s for their turn")

    def _receiver(self, name: str, known: tuple[float, str] | None) -> Trouble:
        if known is None:
            return Trouble(TroubleKind.RECEIVER, holds=False, name=name)
        since, fault = known
        holds = True if self._clock() - since >= RECEIVER_SECONDS else None
        minutes = int((self._clock() - since) / 60)
        return Trouble(TroubleKind.RECEIVER, holds, f"each attempt of the last {minutes} minutes failed: {fault}", name)

    def _beaten(self, at: datetime, success: bool) -> None:  # noqa: FBT001 - as the heart calls it
        self._pulse.heartbeat(at, success=success)


def _detail(failing: Failing | None) -> str:
    return failing.faults[0].rstrip(".") if failing and failing.faults else ""
