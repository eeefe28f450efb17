"""What receivers that take for ever cost the others: one daemon with a good receiver alone, one that has bad ones too.

Both watch the same endpoints at the same time. Every few seconds the certificate of some is changed, and the webhook of
each daemon notes when it hears of it. The bad receivers are a mail server that never greets, one that greets by a byte
each second, and a webhook that never answers.
"""

from __future__ import annotations

import contextlib
import json
import socketserver
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from bench.process import cpu_seconds, running
from monitord import pki
from monitord.demo.servers import LOOPBACK, Running, TlsServer

if TYPE_CHECKING:
    from bench.process import Monitord

INTERVAL = 5
_TOGETHER = 3
_SPARE = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
_GRACE = 20.0


class Arrivals(Running):
    """A webhook that notes when it heard of each host."""

    def __init__(self) -> None:
        """A webhook that answers at once."""
        heard: dict[str, float] = {}
        self.heard = heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if body["type"] == "pin_mismatch.firing":
                    heard.setdefault(body["data"]["host"], time.monotonic())
                self.send_response(HTTPStatus.NO_CONTENT)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        super().__init__(ThreadingHTTPServer((LOOPBACK, 0), Handler))


class Tarpit(Running):
    """Takes connections and says ``drip`` each second, or nothing, for ever; ``open`` is how many it holds."""

    def __init__(self, drip: bytes) -> None:
        """A tarpit."""
        owner = self
        self.open = 0
        self.over = threading.Event()

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                owner.open += 1
                self.request.settimeout(1.0)
                with contextlib.suppress(ConnectionError):
                    while not owner.over.is_set():
                        try:
                            if not self.request.recv(4096):
                                break
                        except TimeoutError:
                            self.request.sendall(drip)
                owner.open -= 1

        server = socketserver.ThreadingTCPServer((LOOPBACK, 0), Handler)
        server.daemon_threads = True
        super().__init__(server)


@dataclass
class Side:
    """One of the two daemons, and what became of it."""

    name: str
    hook: Arrivals
    daemon: Monitord | None = None
    rounds: float = 0
    delays: list[float] = field(default_factory=list)


def measure(seconds: int) -> None:
    """Let both run for so many seconds, and print their figures side by side."""
    waves = max(seconds // INTERVAL, 1)
    root = pki.issue("Bench Root")
    leaves = [pki.issue("bench", issuer=root, names=["*.bench.example"]) for _ in range(2)]
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="monitord-bench-")))
        servers = [stack.enter_context(TlsServer(leaves[0])) for _ in range(waves)]
        pits = [stack.enter_context(Tarpit(drip)) for drip in (b"", b"2", b"")]
        for pit in pits:
            stack.callback(pit.over.set)
        sides = [Side(name, stack.enter_context(Arrivals())) for name in ("alone", "beside 3 tarpits")]
        for side in sides:
            home = directory / side.name.replace(" ", "-")
            home.mkdir()
            (home / "root.pem").write_bytes(root.pem)
            bad = pits if side is sides[1] else []
            path = home / "monitord.json.yaml"
            path.write_text(json.dumps(_configuration(home, servers, str(leaves[0].certificate.pin), side.hook, bad)))
            side.daemon = stack.enter_context(running(path))
        time.sleep(2 * INTERVAL)  # everything was seen once
        daemons = [side.daemon for side in sides if side.daemon]
        for side, daemon in zip(sides, daemons, strict=True):
            side.rounds = daemon.value("monitord_probes_total")
        swapped = []
        for server in servers:
            swapped.append(time.monotonic())
            server.serve(leaves[1])
            time.sleep(INTERVAL)
        for side, daemon in zip(sides, daemons, strict=True):
            side.rounds = daemon.value("monitord_probes_total") - side.rounds
        _wait(sides, waves * _TOGETHER)
        for side in sides:
            side.delays = [
                side.hook.heard[host] - swapped[number]
                for number in range(waves)
                for host in _hosts(number)
                if host in side.hook.heard
            ]
        _report(sides, waves * _TOGETHER, sum(pit.open for pit in pits))


def _hosts(wave: int) -> list[str]:
    return [f"w{wave}-{number}.bench.example" for number in range(_TOGETHER)]


def _configuration(home: Path, servers: list[TlsServer], pin: str, hook: Arrivals, bad: list[Tarpit]) -> dict[str, Any]:
    def mail(number: int, pit: Tarpit) -> dict[str, Any]:
        smtp = {"host": LOOPBACK, "port": pit.port, "tls": "none", "timeout": "60s"}
        return {"name": f"mail{number}", "email": {"to": ["a@b.example"], "from": "m@b.example", "smtp": smtp}}

    def webhook(name: str, port: int) -> dict[str, Any]:
        return {"name": name, "webhook": {"url": f"http://{LOOPBACK}:{port}/", "timeout": "60s"}}

    tarpits = [mail(0, bad[0]), mail(1, bad[1]), webhook("hanging", bad[2].port)] if bad else []
    return {
        "interval": f"{INTERVAL}s",
        "trust": {"default": "bench", "bench": "root.pem"},
        "store": f"sqlite:///{home}/monitord.db",
        "web": {"listen": f"{LOOPBACK}:0"},
        "alerts": {"group_wait": "0s"},
        "receivers": [*tarpits, webhook("good", hook.port)],
        "domains": [
            {"host": host, "connect_to": [f"{LOOPBACK}:{server.port}"], "pins": [pin, _SPARE]}
            for wave, server in enumerate(servers)
            for host in _hosts(wave)
        ],
    }


def _wait(sides: list[Side], events: int) -> None:
    """Until everything has been heard of, for a while."""
    deadline = time.monotonic() + _GRACE
    while time.monotonic() < deadline and any(len(side.hook.heard) < events for side in sides):
        time.sleep(0.1)


def _report(sides: list[Side], events: int, held: int) -> None:
    def row(name: str, *values: str) -> None:
        print(f"{name:<44}" + "".join(f"{value:>20}" for value in values))

    row("", *(side.name for side in sides))
    row(f"alerts that arrived, of {events}", *(str(len(side.delays)) for side in sides))
    for name, of in (
        ("median", median),
        ("95 %", lambda delays: quantiles(delays, n=20, method="inclusive")[-1]),
        ("slowest", max),
    ):
        row(f"from the change to the alert: {name}", *(f"{of(side.delays):.2f} s" for side in sides))
    daemons = [side.daemon for side in sides if side.daemon]
    pages = [daemon.get("/metrics").decode() for daemon in daemons]
    row("rounds meanwhile", *(f"{side.rounds:.0f}" for side in sides))
    for bound in ("0.5", "1.0"):
        shares = [daemon.lag_within(page, bound) for daemon, page in zip(daemons, pages, strict=True)]
        row(f"rounds that began at most {bound} s late", *(f"{share:.1%}" for share in shares))
    row("CPU of the daemon", *(f"{cpu_seconds(daemon.pid):.1f} s" for daemon in daemons))
    row("attempts that hang at the end", "0", str(held))
