"""Asking servers politely: when, in which order, and what becomes of failures."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from monitord.pinning.revocation import RevocationUnclear
from monitord.signals.fetch import FetchFault, origin_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

MOST_FAULTS = 10
"""How many sentences one poll comes to."""
PATIENCE_SECONDS = 600.0
"""After this long no further question is begun in a poll: the watch cuts polls off somewhat later."""

_SOONEST, _LEFT_OVER, _DOUBLINGS = timedelta(hours=1), timedelta(minutes=5), 10


class Askable(Protocol):
    """Something that a server is asked about. ``due`` None: it never was."""

    due: datetime | None
    failures: int

    @property
    def url(self) -> str:
        """Where to ask."""

    @property
    def title(self) -> str:
        """What is asked for, in a sentence."""

    def fail(self, due: datetime, fault: str | None) -> None:
        """Note one more failure, when to try again, and what to say of it."""


A = TypeVar("A", bound=Askable)


async def ask_by_server(
    due: Sequence[A], ask: Callable[[A], Awaitable[None]], now: datetime, every: timedelta, *, at_once: int
) -> None:
    """Ask all that is due, each server one question after the other, some servers at once.

    ``ask`` raises FetchFault or RevocationUnclear, which becomes a failure with a sentence. A server that cannot be
    reached is spared its other questions.
    """
    servers: dict[str, list[A]] = defaultdict(list)
    for one in due:
        servers[origin_of(one.url)].append(one)
    turn = asyncio.Semaphore(at_once)
    end = asyncio.get_running_loop().time() + PATIENCE_SECONDS

    async def ask_server(questions: Sequence[A]) -> None:
        async with turn:
            for index, one in enumerate(questions):
                if asyncio.get_running_loop().time() > end:
                    return
                if not await _reaches(one, ask, now, every, waiting=len(questions) - index - 1):
                    for spared in questions[index + 1 :]:
                        spared.fail(now + _pause(spared, every), None)
                    return

    await asyncio.gather(*(ask_server(questions) for questions in servers.values()))


async def _reaches(
    one: A, ask: Callable[[A], Awaitable[None]], now: datetime, every: timedelta, *, waiting: int
) -> bool:
    """Ask one question; whether its server can be reached. ``waiting`` is how many more there are for it."""
    title, pause = one.title, _pause(one, every)
    try:
        await ask(one)
    except RevocationUnclear as error:
        one.fail(now + pause, f"{title} {error}")
    except FetchFault as error:
        more = f"; {waiting} more questions to it wait" if waiting and error.temporary else ""
        one.fail(now + pause, f"{title} cannot be had: {error}{more}")
        return not error.temporary
    return True


def is_due(due: datetime | str | None, now: datetime, every: timedelta) -> bool:
    """Whether something is to be asked (again); also when the clock was set back since ``due`` was noted."""
    moment = datetime.fromisoformat(due) if isinstance(due, str) else due
    return moment is None or moment <= now or moment > now + max(every, _SOONEST)


def due_after(until: datetime | None, now: datetime, every: timedelta) -> datetime:
    """When to ask again after an answer that holds until then: as usual, or sooner, but never within the hour."""
    return max(min(now + every, until or now + every), now + _SOONEST)


def next_time(dues: Sequence[datetime | None], now: datetime, every: timedelta) -> datetime:
    """When the first of these is due; what is due already was left over, and its turn comes a little later."""
    waiting = [due for due in dues if due is not None and not is_due(due, now, every)]
    return min([now + every, *waiting, *([now + _LEFT_OVER] if len(waiting) < len(dues) else [])])


def unused(state: Mapping[str, Any], prefixes: tuple[str, ...], now: datetime, every: timedelta) -> dict[str, None]:
    """Notes under keys with these prefixes about what was not asked for long: it is no longer there to be asked."""
    return {
        key: None
        for key, noted in state.items()
        if key.startswith(prefixes) and datetime.fromisoformat(noted["due"]) + every < now
    }


def join(faults: Sequence[str], most: int = 3) -> tuple[str, ...]:
    """The first few of some like faults, and how many more there are."""
    more = len(faults) - most
    return (*faults[:most], *([f"and {more} more like this"] if more > 0 else []))


def _pause(one: Askable, every: timedelta) -> timedelta:
    """How long to wait after one more failure: an hour, doubled each time, never longer than usual."""
    return min(_SOONEST * (1 << min(one.failures, _DOUBLINGS)), every)
