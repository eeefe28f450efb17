"""The service manager's side of the daemon: readiness, reload, status and watchdog (sd_notify(3)), and nothing else.

Without ``NOTIFY_SOCKET`` every call does nothing. No call raises: a monitor must not stop because the one who watches
it cannot be told so.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SEND_SECONDS = 1.0


class ServiceManager:
    """Tells systemd how the daemon is doing."""

    def __init__(self, environ: Mapping[str, str], *, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Read where and how often to report from ``environ``; ``monotonic_ns`` is CLOCK_MONOTONIC."""
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._monotonic_ns = monotonic_ns
        self.watchdog_seconds = _watchdog_seconds(environ)
        """Seconds within which systemd wants a sign of life, or None when it wants none."""

    def ready(self) -> None:
        """Say that start, or a reload, is over."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that a reload begins; ``ready`` ends it, also when the new configuration was refused."""
        # One datagram: systemd matches the time with the reload it asked for, and waits for ever without it.
        self._send("RELOADING=1", f"MONOTONIC_USEC={self._monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the daemon is on its way out."""
        self._send("STOPPING=1")

    def status(self, sentence: str) -> None:
        """Show this sentence in ``systemctl status``."""
        self._send("STATUS=" + "".join(c if c.isprintable() else " " for c in sentence))

    async def keep_watchdog(self, progressing: Callable[[], bool]) -> None:
        """Send a sign of life at half of the watchdog's time, as long as ``progressing`` says that work goes on.

        Ends at once where no watchdog is wanted; else runs until it is cancelled. An error of ``progressing`` counts
        as no progress.
        """
        if self.watchdog_seconds is None:
            return
        while True:
            if _holds(progressing):
                self._send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_seconds / 2)

    def _send(self, *assignments: str) -> None:
        if self._address is None:
            return
        message = "\n".join(assignments).encode("utf-8", "replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.settimeout(_SEND_SECONDS)
                channel.sendto(message, self._address)
        except OSError:
            pass  # Nobody listens any more; the watchdog or the start timeout will say so.


def _address(path: str) -> str | bytes | None:
    if path.startswith("@"):
        return b"\0" + os.fsencode(path[1:])
    return path if path.startswith("/") else None


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    meant_for = environ.get("WATCHDOG_PID", "")
    if meant_for and meant_for != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdigit() and int(microseconds)):
        return None
    return int(microseconds) / 1_000_000


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:  # noqa: BLE001 - whatever is wrong with the check, it does not show progress
        return False
