"""A scrape of ten thousand endpoints: how long it takes, and for how long it holds the event loop up."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPConnection

from monitord import pki
from monitord.logs import get_logger
from monitord.metrics.exposition import Metrics
from monitord.pinning.judge import judge
from monitord.pinning.observation import Observation
from monitord.pinning.outcome import Outcome, Streaks
from monitord.pinning.pins import Pin, PinSet
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.web.server import Health, Sources, WebServer

NOW = datetime(2026, 3, 1, tzinfo=UTC)
_SCRAPES = 5
_BEAT = 0.001


def measure(endpoints: int) -> None:
    """Scrape a listener with so many endpoints, plain and compressed, and print what it took."""
    asyncio.run(_measure(endpoints))


async def _measure(endpoints: int) -> None:
    metrics = Metrics("bench")
    began = time.perf_counter()
    _fill(metrics, endpoints)
    print(f"{endpoints} endpoints, taken in within {time.perf_counter() - began:.2f} s")
    well = Health(ok=True, sentence="well")
    server = WebServer("127.0.0.1", 0, Sources(metrics.render, lambda: well, lambda: well, "bench"), get_logger())
    await server.start()
    try:
        # The scraper must not share our interpreter lock.
        with ProcessPoolExecutor(1) as scraper:
            for coding in ("identity", "gzip"):
                await _report(server.port, coding, scraper)
    finally:
        await server.stop()


async def _report(port: int, coding: str, scraper: ProcessPoolExecutor) -> None:
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(scraper, _scrape, port, coding)
    stalls: list[float] = []
    beating = asyncio.create_task(_beat(stalls))
    took = [await loop.run_in_executor(scraper, _scrape, port, coding) for _ in range(_SCRAPES)]
    seconds = sorted(second for second, _ in took)[_SCRAPES // 2]
    scraping = max(stalls)
    stalls.clear()
    await asyncio.sleep(seconds * _SCRAPES)
    beating.cancel()
    print(
        f"scrape, {coding}: {took[0][1] / 1e6:.1f} MB in {seconds:.3f} s (median of {_SCRAPES}), longest stall of the "
        f"event loop {scraping * 1000:.0f} ms (idle for as long: {max(stalls) * 1000:.0f} ms)"
    )


async def _beat(stalls: list[float]) -> None:
    """Note how much later than asked for each short sleep ends."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(_BEAT)
        stalls.append(time.perf_counter() - began - _BEAT)


def _scrape(port: int, coding: str) -> tuple[float, int]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    connection.request("GET", "/metrics", headers={"Accept-Encoding": coding})
    size = len(connection.getresponse().read())
    took = time.perf_counter() - began
    connection.close()
    return took, size


def _fill(metrics: Metrics, endpoints: int) -> None:
    root = pki.issue("Bench Root")
    intermediate = pki.issue("Bench Intermediate", issuer=root)
    leaf = pki.issue("bench", issuer=intermediate, names=["*.bench.example"])
    pins = (leaf.certificate.pin, Pin(bytes(32)))
    stores = {"bench": TrustStore("bench", [root.certificate])}
    targets = [
        Target(f"h{number}.bench.example", labels={"team": "a"}, pinsets=(PinSet("app", pins=pins, trust=("bench",)),))
        for number in range(endpoints)
    ]
    metrics.set_targets(targets)
    seen = Observation(NOW, "192.0.2.1", 443, (leaf.certificate, intermediate.certificate))
    for target in targets:
        metrics.record(Outcome(target, NOW, (seen,), tuple(judge(target, [seen], stores, NOW)), (), Streaks()))
