"""A small disk of its own, a tmpfs in a mount namespace: it can be filled or made read-only under who uses it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOLD = 'mount -t tmpfs -o size=3m,mode=700 none "$0" && echo mounted && exec sleep infinity'
_FILLER = "filler"


class Disk:
    """Three megabytes at ``place``, for who is started with ``command``; others see an empty directory there."""

    def __init__(self, place: Path) -> None:
        self.place = place

    async def __aenter__(self) -> Self:
        """Mount it, and hold it while nobody uses it."""
        self.place.mkdir()
        self._holder = await asyncio.create_subprocess_exec(
            "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _HOLD, str(self.place),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._holder.stdout is not None
        assert await self._holder.stdout.readline() == b"mounted\n"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of it, and with that of all that is on it."""
        self._holder.kill()
        await self._holder.wait()

    @property
    def command(self) -> Sequence[str]:
        """What stands before the arguments of a Python that sees the disk."""
        return (*self._enter, sys.executable)

    @property
    def seen(self) -> Path:
        """Where this process finds what is on the disk."""
        return Path(f"/proc/{self._holder.pid}/root{self.place}")

    def fill(self) -> None:
        """Leave no room."""
        with contextlib.suppress(OSError), (self.seen / _FILLER).open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))

    def empty(self) -> None:
        """Make room again."""
        (self.seen / _FILLER).unlink()

    async def remount(self, how: str) -> None:
        """Mount it ``ro`` or ``rw``; nobody may have a file on it open."""
        process = await asyncio.create_subprocess_exec(*self._enter, "mount", "-o", f"remount,{how}", str(self.place))
        assert await process.wait() == 0

    @property
    def _enter(self) -> Sequence[str]:
        return "nsenter", "--preserve-credentials", "--user", "--mount", "--target", str(self._holder.pid)
