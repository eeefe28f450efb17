"""Waiting for what another process does, which tells nobody when it is done: look again until it is, or give up."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_PACE = 0.05


async def eventually(look: Callable[[], Awaitable[T | None]], what: str, *, seconds: float = 90.0) -> T:
    """The first true value that ``look`` gives. Fails with ``what`` if there is none in time."""
    deadline = time.monotonic() + seconds
    while not (seen := await look()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}; last seen: {seen!r}"
        await asyncio.sleep(_PACE)
    return seen
