"""The door through which commands speak to a running daemon: one JSON line each way over a Unix socket.

Only root and the daemon's own user may connect (mode 0600). A request names the configuration file that it is about; a
daemon that runs another one refuses, so that with two daemons on one host nobody speaks to the wrong one. Who asks is
what the kernel says (SO_PEERCRED), never what the request says.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monitord.errors import MonitordError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

SOCKET_NAME = "monitord.sock"
_SYSTEM_RUNTIME_DIRECTORY = Path("/run/monitord")
_LONGEST_REQUEST = 64 * 1024
_LONGEST_ANSWER = 16 * 1024 * 1024  # every fault of a large configuration
_TRANSFER_SECONDS = 10.0  # for a request to arrive, and for an answer to be taken
_CLIENT_SECONDS = 130.0
_CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group
_ROOT = 0


class ControlError(MonitordError):
    """The control socket cannot be opened, or a daemon gave no answer on it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The user who asks."""

    user: int

    @property
    def name(self) -> str:
        """The user's name, or number where there is none. May take a while: it is looked up."""
        try:
            return pwd.getpwuid(self.user).pw_name
        except (KeyError, OSError):
            return str(self.user)

    def named(self, claimed: str | None) -> str:
        """Who it is for a log. Root may have been somebody else before, who is ``claimed`` by the request."""
        return f"{claimed} as {self.name}" if claimed and self.user == _ROOT else self.name


@dataclass(frozen=True, slots=True)
class Request:
    """A command with its arguments, as they came: JSON of any shape. ``peer`` is who asks."""

    command: str
    arguments: Mapping[str, Any]
    peer: Peer


def this_user() -> Peer:
    """Who runs this process."""
    return Peer(os.geteuid())


def listening_path(store_url: str, environ: Mapping[str, str]) -> Path:
    """Where a daemon listens: in its runtime directory if it has one, else beside its store."""
    if environ.get("RUNTIME_DIRECTORY"):
        return Path(environ["RUNTIME_DIRECTORY"].split(":")[0]) / SOCKET_NAME
    return _beside(store_url) or _SYSTEM_RUNTIME_DIRECTORY / SOCKET_NAME


def candidate_paths(store_url: str, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where a daemon with this store may be listening, most specific first."""
    system = _SYSTEM_RUNTIME_DIRECTORY / SOCKET_NAME
    return tuple(dict.fromkeys(filter(None, (_beside(store_url), listening_path(store_url, environ), system))))


def request(
    paths: tuple[Path, ...], command: str, config: Path, arguments: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Ask the daemon that runs ``config``: its answer (``ok`` and ``message``), or None where none is running.

    Raises ControlError if a daemon is there but does not answer, or may not be asked by this user.
    """
    for path in paths:
        asked = {"command": command, "config": str(config.resolve()), "arguments": dict(arguments or {})}
        answer = _ask(path, asked)
        if answer is not None and not answer.get("other"):
            return answer
    return None


class ControlServer:
    """The daemon's end: answers each request by the handler of its command."""

    def __init__(
        self, path: Path, config: Path, handlers: Mapping[str, Callable[[Request], Awaitable[dict[str, Any]]]]
    ) -> None:
        """``handlers`` give ``{"ok": …, "message": …}`` and more for each command."""
        self._path = path
        self._config = str(config.resolve())
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises ControlError if the socket cannot be made."""
        try:
            listener = _bind(self._path)
        except OSError as error:
            raise ControlError(
                f"cannot listen on the control socket {self._path}: {error.strerror or error}"
            ) from error
        # start_unix_server would look its address up again, which led through a descriptor that is closed by now.
        self._server = await asyncio.start_server(self._accept, sock=listener, limit=_LONGEST_REQUEST)

    async def stop(self) -> None:
        """Close the socket and remove it; whoever is still connected is cut off."""
        if self._server is not None:
            self._server.close()
            serving = list(self._serving)
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)
            await self._server.wait_closed()
            self._path.unlink(missing_ok=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, ValueError):  # a client that leaves, is too slow, or sends too much
                async with asyncio.timeout(_TRANSFER_SECONDS):
                    line = await reader.readline()
                answer = await self._answer(line, _peer(writer))
                async with asyncio.timeout(_TRANSFER_SECONDS):
                    writer.write(json.dumps(answer).encode() + b"\n")
                    writer.close()
                    await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def _answer(self, line: bytes, peer: Peer) -> dict[str, Any]:
        try:
            asked = json.loads(line)
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            return {"ok": False, "message": "this is no request: one JSON object in one line is expected"}
        if asked.get("config") != self._config:
            return {"ok": False, "other": True, "message": f"this daemon runs {self._config}"}
        command, arguments = str(asked.get("command")), asked.get("arguments", {})
        handler = self._handlers.get(command)
        if handler is None:
            return {"ok": False, "message": f"this daemon does not know the command {asked.get('command')!r}"}
        if not isinstance(arguments, dict):
            return {"ok": False, "message": "the arguments of a request are one JSON object"}
        try:
            return await handler(Request(command, arguments, peer))
        except MonitordError as error:
            return {"ok": False, "message": str(error)}


def _beside(store_url: str) -> Path | None:
    parts = urlsplit(store_url)
    if not parts.scheme.startswith("sqlite") or not parts.path.startswith("//"):
        return None
    return Path(parts.path[1:]).with_suffix(".sock")


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A path short enough for a socket address (108 bytes), by way of a descriptor of its directory."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        # A socket left by a killed daemon is in the way; the store's lock has shown that no other daemon uses it.
        path.unlink(missing_ok=True)
        with _short(path) as address:
            mask = os.umask(0o177)
            try:
                listener.bind(address)
            finally:
                os.umask(mask)
    except BaseException:
        listener.close()
        raise
    return listener


def _peer(writer: asyncio.StreamWriter) -> Peer:
    connection = writer.get_extra_info("socket")
    _, user, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return Peer(user)


def _ask(path: Path, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(_CLIENT_SECONDS)
            with _short(path) as address:
                connection.connect(address)
            connection.sendall(json.dumps(asked).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer = json.loads(lines.readline(_LONGEST_ANSWER))
            if not isinstance(answer, dict):
                raise ControlError(f"the daemon at {path} gave no answer (it is of another kind); see its log")
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return None
    except PermissionError as error:
        raise ControlError(f"may not speak to the daemon at {path}; run this as root") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ControlError(f"the daemon at {path} gave no answer ({error}); see its log") from error
    return answer
