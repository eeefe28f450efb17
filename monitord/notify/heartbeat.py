"""The dead man's switch: who hears nothing for too long knows that monitord, its host or its network is gone.

A beat is a GET that is answered with 2xx. It is left out while monitord itself is not well, so that the silence means
the same as if it were dead. One that fails is tried again soon: a switch should not go off for a single lost packet.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from monitord.notify.call import Call, Caller
from monitord.notify.fault import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitord.config.settings import HeartbeatSettings

_AGAIN_SECONDS = 30.0


class Log(Protocol):
    """Where it is said that the switch is not reached."""

    def info(self, event: str, **details: object) -> object:
        """As expected again."""

    def warning(self, event: str, **details: object) -> object:
        """Not as expected."""


class Heartbeat:
    """Beats until it is cancelled."""

    def __init__(
        self,
        settings: HeartbeatSettings,
        *,
        alive: Callable[[], bool],
        now: Callable[[], datetime],
        log: Log,
        on_beat: Callable[[datetime, bool], None],
    ) -> None:
        """A heart that does not beat yet; ``on_beat`` is told of each attempt and whether it succeeded."""
        self._settings = settings
        self._caller = Caller(settings.call, "heartbeat")
        self._alive = alive
        self._now = now
        self._log = log
        self._on_beat = on_beat
        self._failing = False

    async def run(self) -> None:
        """Beat for ever."""
        every = self._settings.every.total_seconds()
        while True:
            beaten = await self._beat() if self._alive() else False
            await asyncio.sleep(every if beaten else min(every, _AGAIN_SECONDS))

    async def _beat(self) -> bool:
        call, now = Call(self._settings.call.url.reveal(), b"", {}, method="GET"), self._now()
        try:
            await self._caller.post(call, now)
        except DeliveryError as error:
            self._on_beat(now, False)
            if not self._failing:
                self._log.warning("the heartbeat does not arrive", error=str(error))
            self._failing = True
            return False
        self._on_beat(now, True)
        if self._failing:
            self._log.info("the heartbeat arrives again")
        self._failing = False
        return True
