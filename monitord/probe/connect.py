"""A TCP connection to one address, and what its faults are called."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from typing import TYPE_CHECKING

from monitord.pinning.observation import Failure, FailureReason
from monitord.probe.readiness import WRITE

if TYPE_CHECKING:
    from monitord.probe.readiness import Readiness

_REASONS = {
    errno.ECONNREFUSED: FailureReason.REFUSED,
    errno.ECONNRESET: FailureReason.RESET,
    errno.ECONNABORTED: FailureReason.RESET,
    errno.EPIPE: FailureReason.RESET,
    errno.ETIMEDOUT: FailureReason.TIMEOUT,
}
_STREAM = int(socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
_ABORT = struct.pack("ii", 1, 0)


def begin_to_connect(address: str, port: int) -> socket.socket:
    """A non-blocking socket that connects to an IP literal, which may have a zone, or has. Raises OSError."""
    family, sockaddr = _place(address, port)
    sock = socket.socket(family, _STREAM)
    try:
        fault = sock.connect_ex(sockaddr)
        if fault and fault not in (errno.EINPROGRESS, errno.EINTR):
            raise OSError(fault, os.strerror(fault))
    except BaseException:
        sock.close()
        raise
    return sock


async def connect(address: str, port: int, readiness: Readiness) -> socket.socket:
    """A connected socket like that of ``begin_to_connect``. Raises OSError."""
    sock = begin_to_connect(address, port)
    try:
        await _attempted(sock, readiness)
        fault = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if fault:
            raise OSError(fault, os.strerror(fault))
    except BaseException:
        sock.close()
        raise
    return sock


def _place(address: str, port: int) -> tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]:
    """What a socket needs to connect there. Only a zone has to be looked up."""
    if "%" in address:
        (family, _, _, _, sockaddr), *_ = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
        return family, sockaddr
    return (socket.AF_INET6 if ":" in address else socket.AF_INET), (address, port)


async def _attempted(sock: socket.socket, readiness: Readiness) -> None:
    """Wait for the end of a connection attempt."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    descriptor = sock.fileno()
    readiness.watch(descriptor, WRITE, lambda _: None if ended.done() else ended.set_result(None))
    try:
        await ended
    finally:
        readiness.forget(descriptor)


def disconnect(sock: socket.socket, *, abort: bool) -> None:
    """Close; ``abort`` drops what the kernel still holds, so that a server that stalls leaves nothing behind."""
    if abort:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    sock.close()


def failure_of(error: OSError, phase: str, budget: float) -> Failure:
    """The failure that an OSError means; ``phase`` is what was going on, ``budget`` the deadline in seconds."""
    if isinstance(error, TimeoutError) and error.errno is None:
        return Failure(FailureReason.TIMEOUT, f"{phase} took longer than {budget:.3g} s")
    # Whatever else stops a connection, a local limit or filter included, means that the server could not be reached.
    reason = _REASONS.get(error.errno or 0, FailureReason.UNREACHABLE)
    known = error.errno is not None and error.errno > 0
    return Failure(reason, f"{phase} failed: {os.strerror(error.errno or 0) if known else error}")
