from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.observation import Failure, FailureReason
from monitord.probe.connect import begin_to_connect
from monitord.probe.contexts import Contexts
from monitord.probe.conversation import Conversation
from monitord.probe.readiness import Readiness
from monitord.probe.stage import Dialogue, Refused, read_exactly, read_until
from monitord.probe.tls import Handshake
from tests.probe.conftest import HOST
from tests.support.tlsserver import alert

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.probe.stage import Script, Stage

_PATIENCE = 20.0


def dialogue(script: Script) -> Dialogue:
    """A stage that follows this script."""
    return Dialogue("the test", FailureReason.STARTTLS, script)


async def hold(ours: socket.socket, *stages: Stage, seconds: float = _PATIENCE) -> Stage | None:
    """Say this over a socket, within so many seconds; what went on last."""
    ours.setblocking(False)
    with contextlib.closing(Readiness()) as readiness:
        conversation = Conversation(ours, iter(stages), readiness)
        try:
            await conversation.hold(asyncio.get_running_loop().time() + seconds)
        finally:
            stage = conversation.stage
    return stage


async def test_an_alert_is_read_although_sending_fails() -> None:
    """A server that refuses and goes before reading has still said why."""
    ours, theirs = socket.socketpair()
    with ours:
        theirs.sendall(alert(40))
        theirs.close()
        handshake = Handshake(Contexts().get(), HOST)
        await hold(ours, handshake)
    assert handshake.failure == Failure(FailureReason.TLS_ALERT, "the server sent the alert handshake_failure")


async def test_what_does_not_fit_is_sent_when_there_is_room() -> None:
    """More than any buffer holds arrives whole and once, when the server reads; what is said meanwhile comes behind."""
    long = bytes(range(256)) * 20_000

    def script(incoming: bytearray) -> Iterator[bytes]:
        yield long
        yield from read_exactly(incoming, 1)
        yield b"behind"
        yield from read_exactly(incoming, 1)

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(_PATIENCE)
        talking = asyncio.create_task(hold(ours, dialogue(script)))

        def serve() -> bytes:
            theirs.sendall(b"1")  # heard before all is said
            received = b""
            while not received.endswith(b"behind"):
                received += theirs.recv(1 << 20)
            theirs.sendall(b"2")
            return received

        assert await asyncio.to_thread(serve) == long + b"behind"
        stage = await talking
    assert stage is not None
    assert stage.failure is None


async def test_what_arrives_early_is_for_the_next_stage() -> None:
    """A server that goes on at once is understood, however few packets it needs; stages follow in order."""
    heard: list[bytes] = []

    def stage(question: bytes) -> Dialogue:
        def script(incoming: bytearray) -> Iterator[bytes]:
            yield question
            heard.append((yield from read_until(incoming, b";")))

        return dialogue(script)

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"one;two;")
        await hold(ours, stage(b"1"), stage(b"2"))
        assert theirs.recv(16) == b"12"
    assert heard == [b"one", b"two"]


async def test_a_stage_that_fails_is_the_last() -> None:
    """No word of the next stage is said to a server that refuses, and it is not even made."""

    def refuse(incoming: bytearray) -> Iterator[bytes]:
        yield from read_until(incoming, b";")
        raise Refused("it will not")

    def stages() -> Iterator[Stage]:
        yield dialogue(refuse)
        raise AssertionError("the next stage was asked for")

    ours, theirs = socket.socketpair()
    with ours, theirs, contextlib.closing(Readiness()) as readiness:
        ours.setblocking(False)
        theirs.sendall(b"no;")
        conversation = Conversation(ours, stages(), readiness)
        await conversation.hold(asyncio.get_running_loop().time() + _PATIENCE)
    assert conversation.stage is not None
    assert conversation.stage.failure == Failure(FailureReason.STARTTLS, "it will not")


async def test_a_server_that_says_nothing_costs_the_deadline() -> None:
    """That is told from an error of the connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        await hold(ours, Handshake(Contexts().get(), HOST), seconds=0.05)


async def test_an_error_of_a_stage_reaches_who_waits() -> None:
    """A fault of our own is an exception where it can be told, not a wait for the deadline."""

    def script(incoming: bytearray) -> Iterator[bytes]:
        yield from read_exactly(incoming, 1)
        raise ZeroDivisionError

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"x")
        with pytest.raises(ZeroDivisionError):
            await hold(ours, dialogue(script))


async def test_a_refused_connection_is_told_before_anything_is_said() -> None:
    """Nothing is made for a server that cannot be connected to."""

    def stages() -> Iterator[Stage]:
        made.append(True)
        yield Handshake(Contexts().get(), HOST)

    made: list[bool] = []
    with socket.socket() as closed, contextlib.closing(Readiness()) as readiness:
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        with begin_to_connect(*closed.getsockname()) as sock:
            conversation = Conversation(sock, stages(), readiness)
            with pytest.raises(ConnectionRefusedError) as raised:
                await conversation.hold(asyncio.get_running_loop().time() + _PATIENCE)
    assert raised.value.errno == errno.ECONNREFUSED
    assert conversation.stage is None
    assert made == []


async def test_a_flood_lets_others_run() -> None:
    """Between two full reads the event loop gets its turn, though more could be read at once."""
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        ignored = b"\x16\x03\x03\x00\x04\x00\x00\x00\x00"
        sent = theirs.send(ignored * 8000)
        theirs.shutdown(socket.SHUT_WR)
        counting = asyncio.create_task(count_turns())
        await hold(ours, Handshake(Contexts().get(), HOST))
        counting.cancel()
    assert turns >= sent // (16 * 1024)
