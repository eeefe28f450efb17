"""Handshakes over cores: the event loop beside threads that block and beside two processes, each with a loop.

What is compared is what ``probe/look.py`` does, on the same settings, against the same server. Threads carry the bytes
by blocking calls, which release the interpreter lock, as the binding to OpenSSL does.
"""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING

from bench.serving import HOST, serving
from monitord.probe.contexts import Contexts
from monitord.probe.look import Route, look
from monitord.probe.readiness import Readiness
from monitord.probe.tls import Handshake

if TYPE_CHECKING:
    from collections.abc import Callable

_HANDSHAKES = 1200
_AT_ONCE = 40
_REPEATS = 5
_SECONDS = 10.0
_READ_SIZE = 16 * 1024


def measure() -> None:
    """Print CPU and time of a handshake for each way, the best of some turns."""
    with serving() as server:
        ways: dict[str, Callable[[], float]] = {
            f"event loop, {_AT_ONCE} at once": lambda: loop(server.port, _HANDSHAKES),
            "2 threads": lambda: _threads(server.port, 2),
            "8 threads": lambda: _threads(server.port, 8),
            f"{_AT_ONCE} threads": lambda: _threads(server.port, _AT_ONCE),
            "2 processes with an event loop each": lambda: _processes(server.port, 2),
        }
        best: dict[str, tuple[float, float]] = {}
        for _ in range(_REPEATS):
            for name, way in ways.items():
                began = time.monotonic()
                cpu, took = way(), time.monotonic() - began
                before = best.get(name, (cpu, took))
                best[name] = (min(cpu, before[0]), min(took, before[1]))
    print("| handshakes by | CPU each, ms | a second, beside the server |")
    print("|---|---|---|")
    for name, (cpu, took) in best.items():
        print(f"| {name} | {cpu / _HANDSHAKES * 1000:.2f} | {_HANDSHAKES / took:.0f} |")
    print()


def loop(port: int, handshakes: int) -> float:
    """CPU seconds of so many looks by one event loop."""
    began = time.process_time()
    asyncio.run(_looks(port, handshakes))
    return time.process_time() - began


async def _looks(port: int, handshakes: int) -> None:
    route, context, readiness = Route("127.0.0.1", port, HOST, HOST), Contexts().get(), Readiness()

    async def several() -> None:
        for _ in range(handshakes // _AT_ONCE):
            seen, _ = await look(route, context, readiness, _SECONDS)
            if seen.failure:
                raise SystemExit(f"the server of the bench fails: {seen.failure}")

    await asyncio.gather(*(several() for _ in range(_AT_ONCE)))
    readiness.close()


def _threads(port: int, threads: int) -> float:
    context = Contexts().get()

    def one(_: int) -> None:
        with socket.create_connection(("127.0.0.1", port), _SECONDS) as sock:
            handshake = Handshake(context, HOST)
            while not handshake.ended:
                sock.sendall(handshake.output())
                data = sock.recv(_READ_SIZE)
                if data:
                    handshake.receive(data)
                else:
                    handshake.closed()
            sock.sendall(handshake.output())
            if handshake.result().failure:
                raise SystemExit("the server of the bench fails")

    began = time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(_HANDSHAKES)))
    return time.process_time() - began


def _processes(port: int, processes: int) -> float:
    with ProcessPoolExecutor(processes) as pool:
        return sum(pool.map(loop, [port] * processes, [_HANDSHAKES // processes] * processes))
