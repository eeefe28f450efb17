"""What very many registered endpoints cost: until monitord is ready, in memory, at a scrape, and in punctuality.

Endpoints are in files that the configuration includes, all at the server of the bench, each with the same two pins. How
often they are probed follows from how many there are, so that the machine can do it: at most ``RATE`` rounds a second,
which is also how fast the first rounds come.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.load import SPARE
from bench.process import cpu_seconds, resident_bytes, running
from bench.serving import serving

if TYPE_CHECKING:
    from bench.process import Monitord
    from bench.serving import Serving

RATE = 100
_WATCHED_SECONDS = 30
_PER_FILE = 50_000
_SCRAPES = 3
_BASE = 1
_MOST_SCRAPED = 200_000  # a million have 220 MB of metrics, which nobody scrapes at once
_ROUNDS = "monitord_probe_lag_seconds_count"


def measure(*endpoints: int) -> None:
    """Print a row for each number of endpoints."""
    print("| endpoints | ready after | memory | an endpoint, over the base | rounds a second | a scrape | its size "
          "| another answer meanwhile | begun within 1 s, 5 s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    with serving() as server:
        base = 0
        for number in (_BASE, *endpoints):
            with (
                tempfile.TemporaryDirectory(prefix="monitord-bench-") as name,
                running(_configured(Path(name), number, server)) as monitord,
            ):
                resident = resident_bytes(monitord.pid)
                base = base or resident
                print(_row(monitord, number, resident, base), flush=True)
    print()


def _row(monitord: Monitord, number: int, resident: int, base: int) -> str:
    each = f"{(resident - base) / number:.0f} B" if number > _BASE else "-"
    ready = f"{monitord.started:.1f} s, {cpu_seconds(monitord.pid):.1f} s CPU"
    at_work = _at_work(monitord) if number <= _MOST_SCRAPED else "| - " * 5 + "|"
    return f"| {number:,} | {ready} | {resident / 1e6:.0f} MB | {each} {at_work}"


def _at_work(monitord: Monitord) -> str:
    began, rounds = time.monotonic(), monitord.value(_ROUNDS)
    time.sleep(_WATCHED_SECONDS)
    rate = (monitord.value(_ROUNDS) - rounds) / (time.monotonic() - began)
    took, size, other = min(_scrape(monitord) for _ in range(_SCRAPES))
    page = monitord.get("/metrics").decode()
    late = ", ".join(f"{monitord.lag_within(page, bound):.1%}" for bound in ("1.0", "5.0"))
    return f"| {rate:.0f} | {took:.2f} s | {size / 1e6:.1f} MB | {other * 1000:.0f} ms | {late} |"


def _scrape(monitord: Monitord) -> tuple[float, int, float]:
    """Seconds of a scrape, its size, and the longest that a small question had to wait for its answer meanwhile."""
    with contextlib.closing(Waiting(monitord)) as waiting:
        began = time.perf_counter()
        size = len(monitord.get("/metrics"))
        took = time.perf_counter() - began
    return took, size, waiting.longest


class Waiting:
    """Asks whether monitord is healthy, again and again, in a process of its own."""

    def __init__(self, monitord: Monitord) -> None:
        """Begin to ask."""
        self._longest = multiprocessing.Value("d", 0.0)
        self._process = multiprocessing.Process(target=_ask, args=(monitord, self._longest), daemon=True)
        self._process.start()
        time.sleep(0.3)
        self._longest.value = 0.0

    @property
    def longest(self) -> float:
        """Seconds of the slowest answer."""
        return float(self._longest.value)

    def close(self) -> None:
        """Stop asking."""
        self._process.terminate()
        self._process.join()


def _ask(monitord: Monitord, longest: object) -> None:
    while True:
        began = time.perf_counter()
        monitord.get("/-/healthy")
        longest.value = max(longest.value, time.perf_counter() - began)  # type: ignore[attr-defined]
        time.sleep(0.005)


def _configured(directory: Path, endpoints: int, server: Serving) -> Path:
    (directory / "root.pem").write_bytes(server.root)
    (directory / "domains.d").mkdir()
    for first in range(0, endpoints, _PER_FILE):
        entries = [
            f'- {{host: h{number}.bench.example, connect_to: ["127.0.0.1:{server.port}"], pins: ["{server.pin}", '
            f'"{SPARE}"]}}\n'
            for number in range(first, min(endpoints, first + _PER_FILE))
        ]
        (directory / "domains.d" / f"{first:07}.yaml").write_text("".join(entries))
    file = directory / "monitord.yaml"
    file.write_text(
        f"interval: {max(10, endpoints // RATE)}s\ntrust: {{default: bench, bench: root.pem}}\n"
        f"store: sqlite:///{directory}/monitord.db\nweb: {{listen: 127.0.0.1:0}}\ninclude: [domains.d/*.yaml]\n"
    )
    return file
