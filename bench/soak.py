"""A soak: monitord at work for minutes, while servers say nothing, come and go, and change certificates; does it grow?

Each minute a row: memory, descriptors, threads, tasks, and rounds. The last lines say by how much the second half of
the time differs from the first, once everything has been probed a few times.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from bench.load import SPARE
from bench.process import cpu_seconds, descriptors, resident_bytes, running, threads
from bench.serving import serving

if TYPE_CHECKING:
    from bench.process import Monitord
    from bench.serving import Serving

_GOOD, _SILENT, _FICKLE = 500, 5, 20
_INTERVAL = 10
_WARM_UP_SECONDS = 60


def measure(minutes: int) -> None:
    """Watch monitord for so many minutes and print what it takes."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving())
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=4096))
        with socket.create_server(("127.0.0.1", 0)) as gone:
            fickle = gone.getsockname()[1]
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="monitord-bench-")))
        file = _configured(directory, server, silent.getsockname()[1], fickle)
        monitord = stack.enter_context(running(file))
        print("| minute | memory, MB | descriptors | threads | tasks | rounds | CPU, s | store, KB |")
        print("|---|---|---|---|---|---|---|---|")
        time.sleep(_WARM_UP_SECONDS)
        rows = [_row(monitord, 0, directory)]
        for minute in range(1, minutes + 1):
            with serving(fickle) if minute % 2 else contextlib.nullcontext():  # with another certificate each time
                time.sleep(60)
            rows.append(_row(monitord, minute, directory))
        early, late = rows[: len(rows) // 2 + 1], rows[len(rows) // 2 :]
        for name, column in (("memory", 0), ("descriptors", 1), ("threads", 2), ("tasks", 3)):
            ratio = mean(row[column] for row in late) / mean(row[column] for row in early)
            print(f"{name}: the second half / the first half: {ratio:.3f}")
    print()


def _row(monitord: Monitord, minute: int, directory: Path) -> tuple[float, float, float, float]:
    memory, files, running_threads = resident_bytes(monitord.pid), descriptors(monitord.pid), threads(monitord.pid)
    tasks = monitord.value("monitord_tasks")
    rounds, cpu = monitord.value("monitord_probes_total"), cpu_seconds(monitord.pid)
    taken = f"{memory / 1e6:.1f} | {files} | {running_threads} | {tasks:.0f}"
    store = sum(one.stat().st_size for one in directory.glob("monitord.db*"))
    print(
        f"| {minute} | {taken} | {rounds:.0f} | {cpu:.1f} | {store / 1000:.0f} |",
        flush=True,
    )
    return memory, files, running_threads, tasks


def _configured(directory: Path, server: Serving, silent: int, fickle: int) -> Path:
    def entry(name: str, port: int) -> str:
        return (
            f'  - {{host: {name}.bench.example, connect_to: ["127.0.0.1:{port}"], pins: ["{server.pin}", "{SPARE}"]}}\n'
        )

    (directory / "root.pem").write_bytes(server.root)
    file = directory / "monitord.yaml"
    domains = [
        *(entry(f"h{number}", server.port) for number in range(_GOOD)),
        *(entry(f"silent{number}", silent) for number in range(_SILENT)),
        *(entry(f"fickle{number}", fickle) for number in range(_FICKLE)),
    ]
    file.write_text(
        f"interval: {_INTERVAL}s\ntimeout: 2s\ntrust: {{default: bench, bench: root.pem}}\n"
        f"store: sqlite:///{directory}/monitord.db\nweb: {{listen: 127.0.0.1:0}}\ndomains:\n{''.join(domains)}"
    )
    return file
