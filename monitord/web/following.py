"""``web.config_file`` as it is at the moment: whoever renews a certificate or takes a user off need tell nobody."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Protocol, Self

from monitord.config.faults import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from monitord.config.webfile import WebFile

    Stamp = tuple[tuple[int, int, int] | None, ...]


class Log(Protocol):
    """Where it is written that the file was read anew, or could not be."""

    def info(self, event: str, **details: object) -> object:
        """Write one line."""

    def error(self, event: str, **details: object) -> object:
        """Write one line."""


class Following:
    """What the file and those that it names say, read anew when one of them has changed.

    Looking whether they have costs a few microseconds, so that it is done at each connection and each request. A faulty
    file changes nothing: the one before stays in force. Whether TLS is spoken at all is decided at the start.
    """

    def __init__(self, load: Callable[[], WebFile], log: Log) -> None:
        """Read for the first time. Raises ConfigurationError."""
        self._load = load
        self._log = log
        self._file = load()
        self._stamp = _stamp(self._file.files)
        self._tls = self._file.tls

    @property
    def file(self) -> WebFile:
        """What is in force."""
        if _stamp(self._file.files) != self._stamp:
            self._read()
        return self._file

    @property
    def context(self) -> ssl.SSLContext | None:
        """For a listener: one that takes up each connection as the file says then; None where no TLS is spoken."""
        return None if self._tls is None else _FollowingContext(self._current)

    def _current(self) -> ssl.SSLContext:
        tls = self.file.tls or self._tls
        if tls is None:
            raise RuntimeError("there is a context only where TLS was spoken at the start")
        self._tls = tls
        return tls.context

    def _read(self) -> None:
        stamp = _stamp(self._file.files)  # from before reading: a change meanwhile is noticed the next time
        try:
            fresh = self._load()
        except ConfigurationError as error:
            self._stamp = stamp
            for fault in error.faults:
                self._log.error("web.config_file has changed and is faulty; what was there stays", fault=str(fault))
            return
        if (fresh.tls is None) != (self._tls is None):
            self._log.error("web.config_file turns TLS on or off; restart monitord for that to take effect")
        self._stamp = stamp if fresh.files == self._file.files else _stamp(fresh.files)
        self._file = fresh
        self._log.info("web.config_file has changed and is followed")


class _FollowingContext(ssl.SSLContext):
    """Makes the TLS object of each new connection with the context that is in force then."""

    _current: Callable[[], ssl.SSLContext]

    def __new__(cls, _current: Callable[[], ssl.SSLContext]) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, current: Callable[[], ssl.SSLContext]) -> None:
        self._current = current

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:  # noqa: ANN401 - as it is called
        return self._current().wrap_bio(*args, **options)


def _stamp(files: tuple[Path, ...]) -> Stamp:
    found: list[tuple[int, int, int] | None] = []
    for path in files:
        try:
            status = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)
