"""The real clients: what OkHttp and curl do when they connect to a case's server."""

from __future__ import annotations

import base64
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Self

from monitord.pki import pem_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.system.differential.case import Case

_JARS = ("/usr/share/java/okhttp.jar", "/usr/share/java/okio.jar")
_SOURCE = Path(__file__).with_name("OkHttpPins.java")
_WORKERS = 2 * (os.cpu_count() or 1)
_CURL_PINS_DIFFER = 90
_CURL_REFUSES = 60
_PATIENCE = "20"


class Outcome(StrEnum):
    """What became of a connection; listed from best to worst."""

    OK = "ok"
    REFUSED = "refused"
    PIN_MISMATCH = "pin_mismatch"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a client did, with its own words."""

    outcome: Outcome
    detail: str


class OkHttp:
    """A JVM with OkHttp, for as long as the context lasts; ``directory`` takes the compiled program."""

    def __init__(self, directory: Path) -> None:
        """A program that is not compiled yet."""
        self._directory = directory
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Compile and start."""
        class_path = os.pathsep.join((*_JARS, str(self._directory)))
        compiling = ["javac", "-cp", class_path, "-d", str(self._directory), str(_SOURCE)]
        subprocess.run(compiling, check=True)
        # Much is run once and little often: the quick compiler alone is faster here.
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", class_path, _SOURCE.stem, str(_WORKERS)]
        self._errors = self._running.enter_context(Path(self._directory, "stderr").open("w+"))
        self._program = self._running.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True)
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End of input ends the program."""
        self._running.close()

    def connect(self, cases: Sequence[Case], ports: Sequence[int]) -> list[Seen]:
        """What OkHttp does at each port."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        for index, (case, port) in enumerate(zip(cases, ports, strict=True)):
            anchors = ",".join(base64.b64encode(anchor.der).decode() for anchor in case.anchors)
            pins = ",".join(f"{pattern}={pin}" for pattern, some in case.patterns for pin in some)
            print(index, case.host, port, anchors, pins, sep="\t", file=self._program.stdin)
        self._program.stdin.flush()
        found: dict[int, Seen] = {}
        while len(found) < len(cases):
            line = self._program.stdout.readline()
            if not line:
                raise AssertionError(f"the Java program ended: {Path(self._errors.name).read_text()}")
            number, outcome, detail = line.rstrip("\n").split("\t", 2)
            if outcome not in list(Outcome):
                raise AssertionError(f"OkHttp could not be asked about {cases[int(number)].title}: {detail}")
            found[int(number)] = Seen(Outcome(outcome), detail)
        return [found[index] for index in range(len(cases))]


class Curl:
    """curl, a process for each connection; ``directory`` takes the trust stores."""

    def __init__(self, directory: Path) -> None:
        """Nothing is running between connections."""
        self._directory = directory
        self._no_more = directory / "empty"
        self._no_more.mkdir()

    def connect(self, cases: Sequence[Case], ports: Sequence[int]) -> list[Seen]:
        """What curl does at each port."""
        with ThreadPoolExecutor(_WORKERS) as workers:
            return list(workers.map(self._connect, cases, ports))

    def _connect(self, case: Case, port: int) -> Seen:
        store = self._directory / f"{port}.pem"
        store.write_bytes(pem_of(*case.anchors))
        # The distribution's own store would be read as well: an empty directory stands for it.
        command = ["curl", "--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", _PATIENCE]
        command += ["--output", os.devnull, "--cacert", str(store), "--capath", str(self._no_more)]
        command += ["--connect-to", f"::127.0.0.1:{port}"]
        if case.pins:
            command += ["--pinnedpubkey", ";".join(str(pin).replace("/", "//", 1) for pin in case.pins)]
        done = subprocess.run([*command, f"https://{case.host}/"], capture_output=True, text=True, check=False)
        store.unlink()
        detail = done.stderr.partition("\n")[0]
        if done.returncode == 0:
            return Seen(Outcome.OK, detail)
        if done.returncode == _CURL_PINS_DIFFER:
            return Seen(Outcome.PIN_MISMATCH, detail)
        if done.returncode == _CURL_REFUSES:
            return Seen(Outcome.REFUSED, detail)
        raise AssertionError(f"curl could not be asked about {case.title}: exit {done.returncode}, {detail}")
