from __future__ import annotations

import asyncio
import os
import socket
import uuid
from typing import TYPE_CHECKING

import pytest

from monitord.systemd import ServiceManager

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Listener:
    """systemd's end of the notification socket."""

    def __init__(self, address: str | bytes) -> None:
        """Listen at ``address``."""
        self.channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.channel.bind(address)

    def received(self) -> list[bytes]:
        """Every datagram that has come in so far."""
        found = []
        while True:
            try:
                found.append(self.channel.recv(4096))
            except BlockingIOError:
                return found


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    """A listener at ``notify`` in the test's directory."""
    listening = Listener(os.fspath(tmp_path / "notify"))
    yield listening
    listening.channel.close()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment that systemd gives."""
    return {"NOTIFY_SOCKET": os.fspath(tmp_path / "notify")}


def test_each_message_is_one_datagram(listener: Listener, environ: dict[str, str]) -> None:
    """Readiness, status and stopping are told as sd_notify(3) spells them."""
    manager = ServiceManager(environ)
    manager.ready()
    manager.status("3 endpoints, all well")
    manager.stopping()
    assert listener.received() == [b"READY=1", b"STATUS=3 endpoints, all well", b"STOPPING=1"]


def test_a_reload_carries_its_time_in_the_same_datagram(listener: Listener, environ: dict[str, str]) -> None:
    """Without the time beside it, systemd would wait for ever."""
    manager = ServiceManager(environ, monotonic_ns=lambda: 12_345_678_999)
    manager.reloading()
    manager.ready()
    assert listener.received() == [b"RELOADING=1\nMONOTONIC_USEC=12345678", b"READY=1"]


def test_a_status_cannot_smuggle_another_message(listener: Listener, environ: dict[str, str]) -> None:
    """Line ends and surrogates in a status are blanks: a message is one line."""
    ServiceManager(environ).status("bad\nWATCHDOG=trigger\0\ud800")
    assert listener.received() == [b"STATUS=bad WATCHDOG=trigger  "]


def test_an_abstract_socket_is_found() -> None:
    """An address that begins with @ lies in the abstract namespace."""
    name = f"monitord-{uuid.uuid4()}"
    listening = Listener(b"\0" + name.encode())
    try:
        ServiceManager({"NOTIFY_SOCKET": "@" + name}).ready()
        assert listening.received() == [b"READY=1"]
    finally:
        listening.channel.close()


@pytest.mark.parametrize(
    "address", ["", "relative/path", "vsock:2:1234", "/nonexistent/notify", "@nobody-listens-here"]
)
async def test_without_a_listener_nothing_happens(address: str) -> None:
    """A missing, unknown or dead socket is no error for any call."""
    manager = ServiceManager({"NOTIFY_SOCKET": address})
    manager.ready()
    manager.reloading()
    manager.status("well")
    manager.stopping()
    await manager.keep_watchdog(lambda: True)


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        pytest.param("120000000", str(os.getpid()), 120.0, id="for this process"),
        ("120000000", None, 120.0),
        ("500000", "", 0.5),
        pytest.param("120000000", str(os.getpid() + 1), None, id="for another process"),
        (None, None, None),
        ("0", None, None),
        ("soon", None, None),
        ("²", None, None),
    ],
)
def test_the_watchdog_time_is_read_from_the_environment(
    usec: str | None, pid: str | None, seconds: float | None
) -> None:
    """Microseconds, if they are meant for this process; anything unreadable is no watchdog."""
    environ = {name: value for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)) if value is not None}
    assert ServiceManager(environ).watchdog_seconds == seconds


async def test_the_watchdog_is_fed_only_while_work_goes_on(listener: Listener, environ: dict[str, str]) -> None:
    """No progress, and a check that fails, send nothing; progress sends a sign of life."""
    answers: Iterator[bool] = iter([False, True, False])
    asked_enough = asyncio.Event()

    def progressing() -> bool:
        try:
            return next(answers)
        except StopIteration:
            asked_enough.set()
            raise

    manager = ServiceManager({**environ, "WATCHDOG_USEC": "2000"})
    keeping = asyncio.create_task(manager.keep_watchdog(progressing))
    async with asyncio.timeout(10):
        await asked_enough.wait()
    assert not keeping.done()
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert listener.received() == [b"WATCHDOG=1"]
