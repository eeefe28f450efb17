"""The whole daemon under load: CPU per probe beside that of a bare handshake, punctuality, memory.

One TLS server in a process of its own answers for all names; the daemon probes every endpoint each 10 seconds. What is
measured is the daemon's process as the kernel accounts for it, and its own /metrics.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from OpenSSL import SSL

from monitord import pki
from monitord.demo.servers import TlsServer

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

INTERVAL = 10
_HANDSHAKES = 500
_TICKS = os.sysconf("SC_CLK_TCK")


def measure(seconds: int, endpoints: int) -> None:
    """Run the daemon on ``endpoints`` endpoints for ``seconds`` and print what it cost."""
    root = pki.issue("Bench Root")
    intermediate = pki.issue("Bench Intermediate", issuer=root)
    leaf = pki.issue("bench", issuer=intermediate, names=["*.bench.example"])
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs, leaf, intermediate), daemon=True)
    server.start()
    port = ours.recv()
    with tempfile.TemporaryDirectory(prefix="monitord-bench-") as name:
        directory = Path(name)
        (directory / "root.pem").write_bytes(root.pem)
        (directory / "monitord.yaml").write_text(_configuration(directory, endpoints, port, str(leaf.certificate.pin)))
        bare = _bare_handshake_seconds(port)
        with (directory / "log").open("wb") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "monitord", "-c", str(directory / "monitord.yaml"), "run"], stderr=log
            )
        try:
            _watch(daemon.pid, directory / "log", seconds, endpoints, bare)
        finally:
            daemon.terminate()
            daemon.wait()
            server.terminate()


def _serve(pipe: Connection, leaf: pki.Issued, intermediate: pki.Issued) -> None:
    with TlsServer(leaf, intermediate) as server:
        pipe.send(server.port)
        pipe.poll(None)


def _configuration(directory: Path, endpoints: int, port: int, pin: str) -> str:
    domains = "\n".join(
        f'  - {{host: h{number}.bench.example, connect_to: ["127.0.0.1:{port}"], pins: ["{pin}"]}}'
        for number in range(endpoints)
    )
    return (
        f"interval: {INTERVAL}s\ntrust: {{default: bench, bench: root.pem}}\n"
        f"store: sqlite:///{directory}/monitord.db\nweb: {{listen: 127.0.0.1:0}}\ndomains:\n{domains}\n"
    )


def _bare_handshake_seconds(port: int) -> float:
    """CPU seconds of one bare TLS handshake by OpenSSL in a process without anything else."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    began = time.process_time()
    for _ in range(_HANDSHAKES):
        with socket.create_connection(("127.0.0.1", port)) as plain:
            connection = SSL.Connection(context, plain)
            connection.set_tlsext_host_name(b"h0.bench.example")
            connection.set_connect_state()
            connection.do_handshake()
    return (time.process_time() - began) / _HANDSHAKES


def _watch(pid: int, log: Path, seconds: int, endpoints: int, bare: float) -> None:
    port = _port(log)
    time.sleep(INTERVAL)  # the first round of each endpoint, and whatever is only done once
    cpu, probes, memory = _cpu_seconds(pid), _probes(port), _rss(pid)
    time.sleep(seconds)
    cpu, memory_after = _cpu_seconds(pid) - cpu, _rss(pid)
    each = _probes_each(port)
    done = sum(each.values()) - probes
    print(f"endpoints {endpoints}, interval {INTERVAL} s, watched for {seconds} s: {done:.0f} probes")
    print(f"probes per endpoint: {min(each.values()):.0f} to {max(each.values()):.0f}")
    print(f"endpoints without a probe: {endpoints - len(each)}")
    for bound in ("0.5", "1.0", "5.0"):
        print(f"started at most {bound} s late: {_lag_within(port, bound):.1%}")
    print(f"CPU per probe of the whole daemon / bare OpenSSL handshake: {cpu / done / bare:.2f}")
    print(f"memory at the end / at the beginning: {memory_after / memory:.3f}")


def _port(log: Path) -> int:
    for _ in range(200):
        found = re.search(r"127\.0\.0\.1:(\d+)", log.read_text())
        if found:
            return int(found[1])
        time.sleep(0.1)
    raise SystemExit(f"the daemon did not start:\n{log.read_text()}")


def _metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


def _probes_each(port: int) -> dict[str, float]:
    found = re.findall(r'^monitord_probes_total{host="([^"]+)"[^}]*} (\S+)$', _metrics(port), re.MULTILINE)
    return {host: float(value) for host, value in found}


def _probes(port: int) -> float:
    return sum(_probes_each(port).values())


def _lag_within(port: int, bound: str) -> float:
    page = _metrics(port)
    inside = re.search(rf'^monitord_probe_lag_seconds_bucket{{le="{re.escape(bound)}"}} (\S+)$', page, re.MULTILINE)
    total = re.search(r"^monitord_probe_lag_seconds_count (\S+)$", page, re.MULTILINE)
    return float(inside[1]) / float(total[1]) if inside and total else float("nan")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _rss(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
