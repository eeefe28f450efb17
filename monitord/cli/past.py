"""What the store tells about endpoints, read beside a running daemon: what they showed, and what signals brought."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitord.config.storeurl import store_file
from monitord.errors import MonitordError
from monitord.pinning.evidence import Signals
from monitord.pinning.history import History, history_of
from monitord.pinning.observation import Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from monitord.config.settings import Configuration
    from monitord.pinning.history import ChangePoint
    from monitord.pinning.target import Target
    from monitord.signals.ledger import Ledger

    Endpoint = tuple[str, int]

_NOTHING = Signals()


@dataclass(frozen=True, slots=True)
class Past:
    """What was known before this command; ``why_not`` says in one sentence why nothing is, if the store has nothing.

    ``missing``: there is no store at all, as where no daemon ever ran.
    """

    points: Mapping[Endpoint, Sequence[ChangePoint]] = field(default_factory=dict)
    ledger: Ledger | None = None
    why_not: str | None = None
    missing: bool = False

    def history(self, target: Target) -> History:
        """What the endpoint has shown so far."""
        return history_of(self._points(target))

    def last_seen(self, target: Target) -> tuple[Observation, ...]:
        """What the endpoint showed last, each at the time since which it is so; empty if nothing is known."""
        shown = {(point.address, point.port): point for point in self._points(target)}
        return tuple(
            Observation(
                point.since,
                point.address,
                point.port,
                seen.chain,
                seen.failure,
                seen.key_type,
                seen.tls_version,
            )
            for point in shown.values()
            for seen in point.seen
        )

    def signals(self, target: Target) -> Signals:
        """What signals told about the endpoint."""
        return self.ledger.signals_for(target) if self.ledger else _NOTHING

    def _points(self, target: Target) -> Sequence[ChangePoint]:
        return self.points.get((target.host, target.port), ())


def read_past(configuration: Configuration, targets: Sequence[Target], now: Callable[[], datetime]) -> Past:
    """What the store has about these targets. Never raises for a store that cannot be read."""
    path = store_file(configuration.store)
    try:
        os.stat(path)  # noqa: PTH116 - Path.exists() hides what "permission denied" means here: it may be there
    except (FileNotFoundError, NotADirectoryError):
        return Past(why_not=f"there is no store {path} yet; it is made when monitord runs", missing=True)
    except (OSError, ValueError) as error:
        return Past(why_not=f"the store {path} cannot be read: {getattr(error, 'strerror', None) or error}")
    try:
        return asyncio.run(_read(configuration.store, targets, now))
    except MonitordError as error:
        return Past(why_not=str(error))


async def _read(url: str, targets: Sequence[Target], now: Callable[[], datetime]) -> Past:
    # Loaded here because a command that finds no store must start without SQLAlchemy.
    from monitord.signals.codec import decode  # noqa: PLC0415
    from monitord.signals.ledger import Ledger, Noted  # noqa: PLC0415
    from monitord.signals.source import SignalFault  # noqa: PLC0415
    from monitord.store.store import Store  # noqa: PLC0415

    store = await Store.open(url, now=now, exclusive=False)
    try:
        points = {
            (target.host, target.port): tuple(await store.change_points(target.host, target.port)) for target in targets
        }
        facts, _ = await store.load_signals()
    finally:
        await store.close()
    notes = []
    hosts = {"", *(target.host for target in targets)}
    for host, identity, source, _, body in facts:
        try:
            notes += [Noted(host, identity, source, decode(body))] if host in hosts else []
        except SignalFault:  # the daemon's log tells of it
            continue
    ledger = Ledger()
    ledger.restore(notes)
    return Past(points, ledger)
