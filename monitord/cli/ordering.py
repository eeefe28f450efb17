"""Giving an order about incidents or messages: to the daemon that runs, or where none does on its store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from monitord.cli.configfile import require_file
from monitord.cli.configured import load_configuration
from monitord.config.hookplace import read_hook_place
from monitord.config.storeurl import SQLITE_PREFIX
from monitord.control import Request, candidate_paths, request, this_user
from monitord.errors import MonitordError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitord.cli.invocation import Invocation
    from monitord.config.settings import Configuration
    from monitord.outbox import Message
    from monitord.pinning.incident import Transition
    from monitord.pinning.observation import Observation
    from monitord.pinning.outcome import Outcome

_READING = ("incidents", "silences", "outbox")


def order(invocation: Invocation, command: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The answer to an order. Raises MonitordError if it could not be carried out."""
    require_file(invocation)
    if invocation.environment.get("SUDO_USER"):
        arguments["by"] = invocation.environment["SUDO_USER"]
    # The store is found without the rest of the configuration: a fault elsewhere in it is no reason why nobody could
    # silence anything at night.
    store = f"{SQLITE_PREFIX}{read_hook_place(invocation.config, invocation.environment).store}"
    answer = request(candidate_paths(store, invocation.environment), command, invocation.config, arguments)
    if answer is None:
        answer = asyncio.run(_without_daemon(invocation, load_configuration(invocation), command, arguments))
    if not answer.get("ok"):
        raise MonitordError(str(answer.get("message") or "the daemon gave no answer; see its log"))
    return answer


async def _without_daemon(
    invocation: Invocation, configuration: Configuration, command: str, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Carry out an order on the store. It is made by the daemon alone, so that it is the daemon's."""
    # Loaded here because an order that a daemon takes needs none of them.
    from monitord.cycle.cycle import Cycle  # noqa: PLC0415
    from monitord.cycle.settings import RoundSettings  # noqa: PLC0415
    from monitord.mailroom import MAILROOM_COMMANDS, Mailroom  # noqa: PLC0415
    from monitord.orders import OrderError, Orders  # noqa: PLC0415
    from monitord.store.opening import store_path  # noqa: PLC0415
    from monitord.store.store import Store  # noqa: PLC0415

    if not store_path(configuration.store).exists():
        raise MonitordError(f"there is no store {store_path(configuration.store)} yet; it is made when monitord runs")
    store = await Store.open(configuration.store, now=invocation.now, exclusive=command not in _READING)
    asked = Request(command, arguments, this_user())
    try:
        if command in MAILROOM_COMMANDS:
            if command not in _READING:
                await store.release_leases(invocation.now())  # of a daemon that runs no longer
            return await Mailroom(store, invocation.now, lambda: None).handlers[command](asked)
        cycle = Cycle(
            RoundSettings(
                configuration.timeout,
                configuration.policy,
                {},
                (),
                {(target.host, target.port): target for target in configuration.targets},
                configuration.windows,
            ),
            prober=_Nobody(),
            store=store,
            watcher=_Nobody(),
            now=invocation.now,
            incidents=await store.load_incidents(),
            streaks=await store.load_streaks(),
            silences=await store.load_silences(invocation.now()),
        )
        return await Orders(cycle, store, invocation.now).handlers[command](asked)
    except OrderError as error:
        return {"ok": False, "message": str(error)}
    finally:
        await store.close()


class _Nobody:
    """Stands where a daemon has its prober and those that are told; what goes wrong is in the answer."""

    async def observe(self, target: object, *, timeout: object) -> tuple[Observation, ...]:  # noqa: ASYNC109
        """Nothing is probed."""
        del target, timeout
        return ()

    def round_done(self, outcome: Outcome) -> None:
        """There are no rounds."""

    def changed(self, steps: Sequence[Transition]) -> None:
        """It is in the store."""

    def recorded(self, error: MonitordError | None) -> None:
        """The answer says it."""

    def queued(self, messages: Sequence[Message]) -> None:
        """The daemon will send them."""
