"""A rate of rounds held: what monitord does of what is due each second, how late, and what it takes for that.

It is what a million endpoints each 15 minutes come to, done by fewer of them more often, all at the server of the
bench, which runs beside monitord on the same machine and takes its part of it. Each stage asks for more. What is due
begins to be counted when every endpoint has been looked at and nothing waits any more, or after a while.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.load import INTERVAL, configured
from bench.process import cpu_seconds, resident_bytes, running
from bench.serving import serving

if TYPE_CHECKING:
    from bench.process import Monitord

RATES = (500, 800, 1111, 1400)
_SECONDS = 60
_PATIENCE = 300
_AT_ONCE = 100
_SETTLED_SECONDS = 2.0
_SETTLED_LOOKS = 2
_LOOK_SECONDS = 10  # each look is a scrape of tens of megabytes, which monitord does not get for nothing
_OVERDUE = "monitord_probe_overdue_seconds"


@dataclass(frozen=True, slots=True)
class _Moment:
    """What had been done, and taken, up to a moment."""

    at: float
    rounds: float
    good: float
    cpu: float
    server: float


def measure(*rates: int) -> None:
    """Print a row for each rate."""
    print("| asked for, a second | done | matching | waits at most | monitord, of a core | CPU of one, ms | the "
          "server, of a core | memory |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for rate in rates or RATES:
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(serving())
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="monitord-bench-")))
            (directory / "root.pem").write_bytes(server.root)
            file = directory / "monitord.yaml"
            bounds = f"probing: {{concurrency: {_AT_ONCE}, per_address: {_AT_ONCE}, per_network: {_AT_ONCE}}}\n"
            file.write_text(bounds + configured(directory, rate * INTERVAL, server))
            monitord = stack.enter_context(running(file))
            _settle(monitord, rate * INTERVAL)
            before, late = _moment(monitord, server.pid), 0.0
            while time.monotonic() - before.at < _SECONDS:
                time.sleep(_LOOK_SECONDS)
                late = max(late, monitord.value(_OVERDUE))
            print(_row(rate, before, _moment(monitord, server.pid), late, resident_bytes(monitord.pid)), flush=True)
    print()


def _row(rate: int, before: _Moment, after: _Moment, late: float, memory: int) -> str:
    took, rounds = after.at - before.at, after.rounds - before.rounds
    cpu = after.cpu - before.cpu
    matching = f"{after.good / (rate * INTERVAL):.1%}"
    shares = f"{cpu / took:.2f} | {cpu / max(1, rounds) * 1000:.2f} | {(after.server - before.server) / took:.2f}"
    return f"| {rate} | {rounds / took:.0f} | {matching} | {late:.1f} s | {shares} | {memory / 1e6:.0f} MB |"


def _settle(monitord: Monitord, endpoints: int) -> None:
    """Wait for the first rounds, which cost more, and until it has caught up with what came due meanwhile."""
    deadline = time.monotonic() + _PATIENCE
    quiet = 0
    while quiet < _SETTLED_LOOKS and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        settled = monitord.value("monitord_probe_success") == endpoints and monitord.value(_OVERDUE) < _SETTLED_SECONDS
        quiet = quiet + 1 if settled else 0


def _moment(monitord: Monitord, server: int) -> _Moment:
    return _Moment(
        time.monotonic(),
        monitord.value("monitord_probe_lag_seconds_count"),
        monitord.value("monitord_pin_match"),
        cpu_seconds(monitord.pid),
        cpu_seconds(server),
    )
