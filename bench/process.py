"""A monitord that is measured: the kernel's account of its process, and its own pages."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICKS = os.sysconf("SC_CLK_TCK")
_PATIENCE = 1800.0


def cpu_seconds(pid: int) -> float:
    """CPU that the process has had, in user mode and in the kernel, to a hundredth."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_bytes(pid: int) -> int:
    """Its memory that is in RAM."""
    found = re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def descriptors(pid: int) -> int:
    """How many files and sockets it has open."""
    return len([*Path(f"/proc/{pid}/fd").iterdir()])


def threads(pid: int) -> int:
    """How many threads it has."""
    return len([*Path(f"/proc/{pid}/task").iterdir()])


@dataclass(frozen=True, slots=True)
class Monitord:
    """A daemon that runs. ``started`` is how many seconds it took until it was ready."""

    pid: int
    port: int
    started: float

    def get(self, path: str) -> bytes:
        """What it answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=120) as answer:
            return bytes(answer.read())

    def value(self, name: str) -> float:
        """The sum of all series that begin with these characters; 0 where there is none."""
        found = re.findall(rf"^{re.escape(name)}\S* (\S+)$", self.get("/metrics").decode(), re.MULTILINE)
        return sum(map(float, found))

    def lag_within(self, page: str, bound: str) -> float:
        """Which part of all rounds began at most so many seconds late, by a page of metrics."""
        del self
        inside = re.search(rf'^monitord_probe_lag_seconds_bucket{{le="{re.escape(bound)}"}} (\S+)$', page, re.MULTILINE)
        total = re.search(r"^monitord_probe_lag_seconds_count (\S+)$", page, re.MULTILINE)
        return float(inside[1]) / float(total[1]) if inside and total and float(total[1]) else float("nan")


@contextlib.contextmanager
def running(configuration: Path) -> Iterator[Monitord]:
    """Run monitord with this configuration, from when it is ready; it listens on any free port."""
    log = configuration.with_suffix(".log")
    began = time.monotonic()
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "monitord", "-c", str(configuration), "run"], stdout=output, stderr=output
        )
    try:
        port = _port(daemon, log)
        yield Monitord(daemon.pid, port, time.monotonic() - began)
    finally:
        daemon.terminate()
        daemon.wait()


def _port(daemon: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and daemon.poll() is None:
        # Warnings about each endpoint may come before it.
        found = re.search(r'"listen": ?"127\.0\.0\.1:(\d+)"|listen=127\.0\.0\.1:(\d+)', log.read_text())
        if found:
            port = int(found[1] or found[2])
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=60).close()
                return port
        time.sleep(0.1)
    raise SystemExit(f"the daemon did not start:\n{log.read_text()[-4000:]}")
