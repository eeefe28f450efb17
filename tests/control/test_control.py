"""The control socket: its answers, whom it lets in, where it is, and what it does with those who speak nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest

from monitord.control import (
    SOCKET_NAME,
    ControlError,
    ControlServer,
    Peer,
    Request,
    candidate_paths,
    listening_path,
    request,
    this_user,
)
from monitord.errors import MonitordError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


_AS_NOBODY = """
import os, sys
from pathlib import Path
from monitord.control import ControlError, request
os.chdir(sys.argv[1])
os.chmod(".", 0o755)
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    print(request((Path("monitord.sock"),), "reload", Path("monitord.yaml")))
except ControlError as error:
    print(error)
"""


async def reload(_request: Request) -> dict[str, Any]:
    """Answer as a daemon does."""
    return {"ok": True, "message": "reloaded"}


async def break_down(_request: Request) -> dict[str, Any]:
    """Take for ever."""
    await asyncio.Event().wait()
    return {}


async def list_faults(_request: Request) -> dict[str, Any]:
    """Answer with a line that is longer than any request may be."""
    return {"ok": False, "message": "a fault\n" * 100_000}


async def repeat(request: Request) -> dict[str, Any]:
    """Answer with what was asked, and by whom."""
    return {"ok": True, "command": request.command, "arguments": request.arguments, "user": request.peer.user}


async def refuse(_request: Request) -> dict[str, Any]:
    """Have a reason not to."""
    raise MonitordError("there is no such thing")


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Path]:
    """The socket of a server that answers for tmp_path/monitord.yaml."""
    path = tmp_path / SOCKET_NAME
    handlers = {"reload": reload, "hang": break_down, "faults": list_faults, "repeat": repeat, "refuse": refuse}
    server = ControlServer(path, tmp_path / "monitord.yaml", handlers)
    await server.start()
    yield path
    await server.stop()
    assert not path.exists()


async def ask(path: Path, command: str = "reload", **arguments: object) -> dict[str, Any] | None:
    """The answer to a command about the configuration beside the socket."""
    return await asyncio.to_thread(request, (path,), command, path.with_name("monitord.yaml"), arguments)


async def say(path: Path, data: bytes) -> bytes:
    """Everything that the server answers to these bytes."""
    reader, writer = await asyncio.open_unix_connection(path)
    with contextlib.suppress(OSError):  # it may hang up before it has read everything
        writer.write(data)
        await writer.drain()
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_a_command_is_answered_by_its_handler(door: Path) -> None:
    """The client gets what the handler gave."""
    assert await ask(door) == {"ok": True, "message": "reloaded"}


async def test_arguments_and_who_asks_reach_the_handler(door: Path) -> None:
    """What the request says of the user counts for nothing: the kernel knows."""
    answer = await ask(door, "repeat", hosts=["a"], seconds=1.5, user=12345)
    expected = {"hosts": ["a"], "seconds": 1.5, "user": 12345}
    assert answer == {"ok": True, "command": "repeat", "arguments": expected, "user": os.geteuid()}


async def test_a_reason_not_to_is_the_answer(door: Path) -> None:
    """The sentence of a fault reaches the person who asked."""
    assert await ask(door, "refuse") == {"ok": False, "message": "there is no such thing"}


async def test_arguments_of_another_shape_are_refused(door: Path) -> None:
    """They are a mapping or nothing."""
    asked = {"command": "repeat", "config": str(door.with_name("monitord.yaml")), "arguments": ["a"]}
    answer = json.loads(await say(door, json.dumps(asked).encode() + b"\n"))
    assert answer == {"ok": False, "message": "the arguments of a request are one JSON object"}


def test_a_user_is_named_as_the_log_wants_it() -> None:
    """By name, or number where there is none; of root only, who it was before is believed."""
    assert this_user().user == os.geteuid()
    assert Peer(0).named(None) == "root"
    assert Peer(0).named("ann") == "ann as root"
    assert Peer(987_654).named("ann") == "987654"


async def test_an_answer_may_be_long(door: Path) -> None:
    """Every fault of a large configuration arrives."""
    answer = await ask(door, "faults")
    assert answer is not None
    assert len(answer["message"].splitlines()) == 100_000


async def test_an_unknown_command_is_said_to_be_one(door: Path) -> None:
    """A newer client learns that this daemon is older."""
    assert await ask(door, "dance") == {"ok": False, "message": "this daemon does not know the command 'dance'"}


async def test_a_daemon_with_another_configuration_is_passed_over(door: Path) -> None:
    """It says whose it is, and the client goes on to the next candidate."""
    other = door.with_name("other.yaml")
    assert await asyncio.to_thread(request, (door,), "reload", other) is None
    answer = json.loads(await say(door, json.dumps({"command": "reload", "config": str(other)}).encode() + b"\n"))
    assert answer == {"ok": False, "other": True, "message": f"this daemon runs {door.with_name('monitord.yaml')}"}


async def test_a_configuration_is_known_by_any_of_its_names(door: Path) -> None:
    """A link to the configuration is the configuration."""
    link = door.with_name("link.yaml")
    link.symlink_to("monitord.yaml")
    assert await asyncio.to_thread(request, (door,), "reload", link) == {"ok": True, "message": "reloaded"}


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"reload\n",
        b"\xff\xfe\x00\n",
        b"[1, 2]\n",
        b'"reload"\n',
        b"[" * 60_000 + b"\n",
        b'{"command": {"a": 1}, "config": ["b"]}\n',
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_nonsense_is_refused_in_one_sentence(door: Path, data: bytes) -> None:
    """The line is answered, the connection ended, and the next command works."""
    answer = json.loads(await say(door, data))
    assert answer["ok"] is False
    assert await ask(door) == {"ok": True, "message": "reloaded"}


async def test_a_line_without_end_is_cut_off(door: Path) -> None:
    """More than any request needs is not kept in memory, and the next command works."""
    assert await say(door, b"x" * 10_000_000) == b""
    assert await ask(door) == {"ok": True, "message": "reloaded"}


async def test_who_keeps_silent_holds_up_nobody(tmp_path: Path) -> None:
    """Half a line, no line, a command that hangs: others are served meanwhile, and the server stops at once."""
    path = tmp_path / SOCKET_NAME
    server = ControlServer(path, tmp_path / "monitord.yaml", {"reload": reload, "hang": break_down})
    await server.start()
    asked = json.dumps({"command": "hang", "config": str(tmp_path / "monitord.yaml")}).encode() + b"\n"
    async with contextlib.AsyncExitStack() as stack:
        readers = []
        for data in (b"", b'{"comm', asked):
            reader, writer = await asyncio.open_unix_connection(path)
            stack.callback(writer.close)
            writer.write(data)
            readers.append(reader)
        assert await ask(path) == {"ok": True, "message": "reloaded"}
        await server.stop()
        for reader in readers:
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""


async def test_a_client_that_leaves_is_no_matter(door: Path) -> None:
    """It hangs up before its answer comes; the next command works."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(door))
        client.sendall(
            json.dumps({"command": "faults", "config": str(door.with_name("monitord.yaml"))}).encode() + b"\n"
        )
    assert await ask(door) == {"ok": True, "message": "reloaded"}


async def test_only_its_owner_may_connect(door: Path) -> None:
    """The socket is 0600, and another user is told what to do."""
    mode = os.stat(door).st_mode  # noqa: PTH116 - pathlib counts as blocking
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    if os.geteuid() != 0:
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _AS_NOBODY, str(door.parent), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert said.decode().strip() == "may not speak to the daemon at monitord.sock; run this as root"


async def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    """What a killed daemon left is no daemon, and not in the way of the next."""
    path = tmp_path / SOCKET_NAME
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert await ask(path) is None
    server = ControlServer(path, tmp_path / "monitord.yaml", {"reload": reload})
    await server.start()
    assert await ask(path) == {"ok": True, "message": "reloaded"}
    await server.stop()


async def test_the_directory_may_lie_deep(tmp_path: Path) -> None:
    """A path longer than the 108 bytes of a socket's address works at both ends."""
    path = tmp_path / ("d" * 100) / ("e" * 100) / SOCKET_NAME
    path.parent.mkdir(parents=True)
    server = ControlServer(path, path.with_name("monitord.yaml"), {"reload": reload})
    await server.start()
    assert await ask(path) == {"ok": True, "message": "reloaded"}
    await server.stop()
    assert not path.exists()


@pytest.mark.parametrize("name", ["none/monitord.sock", "x" * 200 + ".sock"])
async def test_a_socket_that_cannot_be_made_is_one_sentence(tmp_path: Path, name: str) -> None:
    """Without its directory, or with a name that no address can hold."""
    server = ControlServer(tmp_path / name, tmp_path / "monitord.yaml", {})
    with pytest.raises(ControlError, match=r"^cannot listen on the control socket .*: (?!None)") as caught:
        await server.start()
    assert str(tmp_path / name) in str(caught.value)
    await server.stop()


async def test_no_daemon_is_no_answer(tmp_path: Path) -> None:
    """Neither a missing socket nor a missing directory is a fault."""
    missing = (tmp_path / SOCKET_NAME, tmp_path / "none" / SOCKET_NAME)
    assert await asyncio.to_thread(request, missing, "reload", tmp_path / "monitord.yaml") is None


@pytest.mark.parametrize("answer", [b"", b"rubbish\n", b"[" * 60_000 + b"\n", b"\xff\n", b"[]\n"])
async def test_a_daemon_that_answers_nonsense_is_one_sentence(tmp_path: Path, answer: bytes) -> None:
    """Whatever sits at the socket, the client says where to look."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    path = tmp_path / SOCKET_NAME
    server = await asyncio.start_unix_server(talk, path)
    with pytest.raises(ControlError, match=r"gave no answer \(.*\); see its log$"):
        await ask(path)
    server.close()
    await server.wait_closed()


def test_where_a_daemon_listens() -> None:
    """In its runtime directory under systemd, else beside its store; a client tries all that may be."""
    store, runtime = "sqlite:////var/lib/monitord/monitord.db", {"RUNTIME_DIRECTORY": "/run/two:/run/other"}
    assert str(listening_path(store, {})) == "/var/lib/monitord/monitord.sock"
    assert str(listening_path(store, runtime)) == "/run/two/monitord.sock"
    assert [str(path) for path in candidate_paths(store, {})] == [
        "/var/lib/monitord/monitord.sock",
        "/run/monitord/monitord.sock",
    ]
    assert "/run/two/monitord.sock" in [str(path) for path in candidate_paths(store, runtime)]
