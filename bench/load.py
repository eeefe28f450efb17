"""CPU per probe, side by side: the whole of monitord, blackbox_exporter, and bare handshakes by OpenSSL.

All look at one TLS server, at the same rate and at the same time, so that whatever else the machine does hits them
alike. What is compared is what the kernel accounts for each process, so the server and whoever asks blackbox_exporter
cost nothing here. blackbox_exporter does a TCP probe with TLS, its cheapest look at a certificate, and is asked over
connections that are kept. monitord judges, forecasts, records and renders its metrics, all at its pace.
"""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from OpenSSL import SSL

from bench.process import cpu_seconds, resident_bytes, running
from bench.serving import HOST, serving
from monitord.probe.contexts import Contexts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.process import Monitord
    from bench.serving import Serving

INTERVAL = 10
_PROGRAM = "prometheus-blackbox-exporter"
_CALLERS = 4
_WINDOWS = 5
SPARE = "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


@dataclass(slots=True)
class Contestant:
    """Who looks: CPU used and looks done until now, and what each look cost in each window."""

    name: str
    cpu: Callable[[], float]
    done: Callable[[], float]
    costs: list[float]


def measure(seconds: int, endpoints: int) -> None:
    """Compare for so many seconds, with ``endpoints`` looks each 10 seconds, and print the ratios."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="monitord-bench-")))
        (directory / "root.pem").write_bytes(server.root)
        configuration = directory / "monitord.yaml"
        configuration.write_text(configured(directory, endpoints, server))
        monitord = stack.enter_context(running(configuration))
        rate = endpoints / INTERVAL
        them = [
            Contestant(
                "monitord", lambda: cpu_seconds(monitord.pid), lambda: monitord.value("monitord_probes_total"), []
            ),
            stack.enter_context(_bare("bare OpenSSL, the settings of monitord", server.port, rate, settings=True)),
            stack.enter_context(_bare("bare OpenSSL, its own settings", server.port, rate, settings=False)),
        ]
        if shutil.which(_PROGRAM):
            them.append(stack.enter_context(_blackbox(directory, server, rate)))
        else:
            print(f"without blackbox_exporter: apt install {_PROGRAM} to have it measured too\n")
        time.sleep(3 * INTERVAL)  # the first rounds of each endpoint, and whatever is only done once
        memory = resident_bytes(monitord.pid)
        for _ in range(_WINDOWS):
            before = [(one.cpu(), one.done()) for one in them]
            time.sleep(seconds / _WINDOWS)
            for one, (cpu, done) in zip(them, before, strict=True):
                one.costs.append((one.cpu() - cpu) / max(1, one.done() - done))
        _report(them, monitord, seconds, endpoints, resident_bytes(monitord.pid) / memory)


def configured(directory: Path, endpoints: int, server: Serving) -> str:
    """A configuration with so many endpoints, each with a pin that matches and a spare one."""
    rest = f'connect_to: ["127.0.0.1:{server.port}"], pins: ["{server.pin}", "{SPARE}"]'
    domains = "\n".join(f"  - {{host: h{number}.bench.example, {rest}}}" for number in range(endpoints))
    return (
        f"interval: {INTERVAL}s\ntrust: {{default: bench, bench: root.pem}}\n"
        f"store: sqlite:///{directory}/monitord.db\nweb: {{listen: 127.0.0.1:0}}\ndomains:\n{domains}\n"
    )


def _report(them: list[Contestant], monitord: Monitord, seconds: int, endpoints: int, growth: float) -> None:
    ours = them[0]
    print(f"{endpoints} endpoints each {INTERVAL} s for {seconds} s, in {_WINDOWS} windows\n")
    print("| who looks | CPU per look, ms: least, median | monitord is, least and median |")
    print("|---|---|---|")
    for one in them:
        ratios = f"{min(ours.costs) / min(one.costs):.2f}, {median(ours.costs) / median(one.costs):.2f}"
        print(f"| {one.name} | {min(one.costs) * 1000:.2f}, {median(one.costs) * 1000:.2f} | {ratios} |")
    page = monitord.get("/metrics").decode()
    late = ", ".join(f"{monitord.lag_within(page, bound):.1%} within {bound} s" for bound in ("0.5", "1.0", "5.0"))
    print(f"\nmonitord began its rounds: {late}; its memory grew by a factor of {growth:.3f}\n")


@contextlib.contextmanager
def _bare(name: str, port: int, rate: float, *, settings: bool) -> Iterator[Contestant]:
    """Handshakes in a process of their own that does nothing else, with the settings of monitord or OpenSSL's own."""
    done = multiprocessing.Value("Q", 0)
    process = multiprocessing.Process(target=_handshakes, args=(port, rate, settings, done), daemon=True)
    process.start()
    try:
        yield Contestant(name, lambda: cpu_seconds(process.pid or 0), lambda: float(done.value), [])
    finally:
        process.terminate()
        process.join()


def _handshakes(port: int, rate: float, settings: bool, done: object) -> None:  # noqa: FBT001 - arguments of a process
    context = Contexts().get() if settings else SSL.Context(SSL.TLS_CLIENT_METHOD)
    began = time.monotonic()
    number = 0
    while True:
        number += 1
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        with socket.create_connection(("127.0.0.1", port)) as plain:
            connection = SSL.Connection(context, plain)
            connection.set_tlsext_host_name(HOST.encode())
            connection.set_connect_state()
            connection.do_handshake()
        done.value = number  # type: ignore[attr-defined]


@contextlib.contextmanager
def _blackbox(directory: Path, server: Serving, rate: float) -> Iterator[Contestant]:
    """blackbox_exporter, asked at this rate."""
    file = directory / "blackbox.yml"
    file.write_text(
        "modules: {tls: {prober: tcp, timeout: 5s, tcp: {tls: true, tls_config: "
        f"{{ca_file: {directory / 'root.pem'}, server_name: {HOST}}}}}}}}}\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = free.getsockname()[1]
    with (directory / "blackbox.log").open("wb") as log:
        program = subprocess.Popen(
            [_PROGRAM, f"--config.file={file}", f"--web.listen-address=127.0.0.1:{listen}"], stdout=log, stderr=log
        )
    asked = Asked(listen, server.port, rate)
    try:
        asked.start()
        yield Contestant("blackbox_exporter", lambda: cpu_seconds(program.pid), lambda: float(asked.done), [])
    finally:
        asked.close()
        program.terminate()
        program.wait()


class Asked:
    """Asks blackbox_exporter at a rate, from a few threads, each on a connection that is kept."""

    def __init__(self, port: int, tls: int, rate: float) -> None:
        """Nothing was asked yet."""
        self.stop = threading.Event()
        self.done = 0
        self._port, self._rate = port, rate
        self._path = f"/probe?{urlencode({'module': 'tls', 'target': f'127.0.0.1:{tls}'})}"
        self._lock = threading.Lock()
        self._callers = [threading.Thread(target=self._run, daemon=True) for _ in range(_CALLERS)]

    def start(self) -> None:
        """Begin, once it answers and succeeds."""
        for _ in range(100):
            with contextlib.suppress(OSError):
                self._ask(http.client.HTTPConnection("127.0.0.1", self._port, timeout=10))
                break
            time.sleep(0.1)
        for caller in self._callers:
            caller.start()

    def close(self) -> None:
        """Ask no more, and wait for the answers that are under way."""
        self.stop.set()
        for caller in self._callers:
            caller.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        began = time.monotonic()
        number = 0
        while not self.stop.wait(max(0.0, began + number * _CALLERS / self._rate - time.monotonic())):
            number += 1
            self._ask(connection)
            with self._lock:
                self.done += 1

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", self._path)
        answer = connection.getresponse().read()
        if b"\nprobe_success 1" not in answer:
            raise SystemExit(f"blackbox_exporter's probe fails:\n{answer.decode()}")
