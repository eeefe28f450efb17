"""A store with incidents in it, as a daemon would have left it, and a daemon that answers on its control socket."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitord import pki
from monitord.config.load import load
from monitord.control import ControlServer, listening_path
from monitord.cycle.cycle import Cycle
from monitord.daemon.rooms import round_settings
from monitord.orders import Orders
from monitord.pinning.observation import Observation
from monitord.store.store import Store
from tests.cli.conftest import SPARE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from monitord.errors import MonitordError
    from monitord.outbox import Message
    from monitord.pinning.incident import Transition
    from monitord.pinning.outcome import Outcome
    from monitord.pinning.target import Target
    from monitord.pki import Issued

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PAYMENTS, SEARCH = "pay.example.test", "search.example.test"


class Quiet:
    """A watcher that looks away."""

    def round_done(self, outcome: Outcome) -> None:
        """Nothing."""

    def changed(self, steps: Sequence[Transition]) -> None:
        """Nothing."""

    def recorded(self, error: MonitordError | None) -> None:
        """Nothing."""

    def queued(self, messages: Sequence[Message]) -> None:
        """Nothing."""


@dataclass
class Scene:
    """Two endpoints, of which the first is pinned to a key that it does not serve any more."""

    home: Path
    shown: dict[str, Issued]
    now: datetime = NOW

    async def observe(self, target: Target, *, timeout: timedelta) -> tuple[Observation, ...]:  # noqa: ASYNC109
        """What an endpoint shows now."""
        del timeout
        leaf = self.shown[target.host].certificate
        return (
            Observation(self.now, "192.0.2.1", target.port, (leaf,), key_type=leaf.key_type, tls_version="TLSv1.3"),
        )

    def clock(self) -> datetime:
        """The time now."""
        return self.now

    @contextlib.asynccontextmanager
    async def cycle(self) -> AsyncIterator[tuple[Cycle, Store]]:
        """The cycle of a daemon, from its start to its end."""
        configuration = load(self.home / "monitord.yaml", environment={})
        store = await Store.open(configuration.store, now=self.clock)
        try:
            cycle = Cycle(
                round_settings(configuration),
                prober=self,
                store=store,
                watcher=Quiet(),
                now=self.clock,
                incidents=await store.load_incidents(),
                streaks=await store.load_streaks(),
                silences=await store.load_silences(self.now),
            )
            yield cycle, store
            await cycle.flush()
        finally:
            await store.close()

    async def look(self) -> None:
        """One round of each endpoint, by a daemon that then stops."""
        async with self.cycle() as (cycle, _):
            for host in self.shown:
                await cycle.run_round((host, 443))

    @contextlib.asynccontextmanager
    async def daemon(self) -> AsyncIterator[Cycle]:
        """A daemon that takes orders."""
        async with self.cycle() as (cycle, store):
            config = self.home / "monitord.yaml"
            path = listening_path(f"sqlite:///{self.home}/monitord.db", {})
            server = ControlServer(path, config, Orders(cycle, store, self.clock).handlers)
            await server.start()
            try:
                yield cycle
            finally:
                await server.stop()


def make_scene(home: Path) -> Scene:
    """Both registered; nothing was looked at yet."""
    root = pki.issue("Root")
    (home / "root.pem").write_bytes(root.pem)

    def leaf(host: str) -> Issued:
        return pki.issue(
            host, issuer=root, names=[host], not_before=NOW - timedelta(days=9), not_after=NOW + timedelta(300)
        )

    shipped = {host: leaf(host) for host in (PAYMENTS, SEARCH)}
    for host, team in ((PAYMENTS, "payments"), (SEARCH, "search")):
        entry = f"- host: {host}\n  labels: {{team: {team}}}\n  pins: [{shipped[host].certificate.pin}, {SPARE}]\n"
        (home / "domains.d" / f"{host}.yaml").write_text(entry)
    return Scene(home, {**shipped, PAYMENTS: leaf(PAYMENTS)})


def run(scene: Scene) -> None:
    """One round of each endpoint."""
    asyncio.run(scene.look())
