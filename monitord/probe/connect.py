"""A TCP connection to one address, and what its faults are called."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct

from monitord.pinning.observation import Failure, FailureReason

_REASONS = {
    errno.ECONNREFUSED: FailureReason.REFUSED,
    errno.ECONNRESET: FailureReason.RESET,
    errno.ECONNABORTED: FailureReason.RESET,
    errno.EPIPE: FailureReason.RESET,
    errno.ETIMEDOUT: FailureReason.TIMEOUT,
}
_ABORT = struct.pack("ii", 1, 0)


async def connect(address: str, port: int) -> socket.socket:
    """A connected, non-blocking socket to an IP literal, which may have a zone. Raises OSError."""
    family, kind, protocol, _, sockaddr = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


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
