"""The HTTP listener. It shows what others know, holds no state, and lets no client hold it up."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, cast

from aiohttp import web

from monitord.errors import MonitordError
from monitord.web.access import VISITOR, Access, Refusal
from monitord.web.answers import as_problem, plain
from monitord.web.scrape import Scrape
from monitord.web.site import Site
from monitord.web.writes import Reloading

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from monitord.web.exporter import Exporter
    from monitord.web.following import Following
    from monitord.web.sources import Knowledge
    from monitord.web.writes import Reload

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ANSWER_SECONDS = 30.0  # to prepare an answer
_SEND_SECONDS = 30.0  # for the client to take it
_IDLE_SECONDS = 75.0  # between two requests, and for a request line with all headers to arrive
_USER_TIMEOUT_MS = 60_000  # a closed connection whose peer takes no bytes is given up by the kernel
_BACKLOG = 128
_LARGEST_FORM = 64 * 1024
_API = "/api/"
_HANDSHAKE_SECONDS = 10.0
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class WebError(MonitordError):
    """The listener cannot be opened."""


class Log(Protocol):
    """Where faults of our own are written."""

    def error(self, event: str, **details: object) -> object:
        """Write one line; ``exc_info`` in the details adds the traceback."""


@dataclass(frozen=True, slots=True)
class Health:
    """An answer to "are you well?" with one sentence that says why."""

    ok: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Sources:
    """What the pages show; what is None is not there.

    ``metrics`` takes the Accept header and gives the pieces of the body and its content type; it is called in a thread
    of its own.
    ``healthy`` says whether work goes on, ``ready`` whether it has begun; both are called on the event loop. ``reload``
    reads the configuration anew. ``knowledge`` is for the pages and the API.
    """

    metrics: Callable[[str], tuple[Sequence[bytes], str]]
    healthy: Callable[[], Health]
    ready: Callable[[], Health]
    version: str
    exporter: Exporter | None = None
    reload: Reload | None = None
    knowledge: Knowledge | None = None


class WebServer:
    """One listener for all pages; ``start`` opens it, ``stop`` closes it."""

    def __init__(  # noqa: PLR0913 - deadlines have defaults
        self,
        host: str,
        port: int,
        sources: Sources,
        log: Log,
        *,
        following: Following | None = None,
        send_seconds: float = _SEND_SECONDS,
        idle_seconds: float = _IDLE_SECONDS,
        drain_seconds: float = 5.0,
    ) -> None:
        """Prepare a listener on ``host`` ("" for all addresses) and ``port`` (0 for any free one).

        ``following`` has its TLS and logins; without it there are none. ``drain_seconds`` is the time that answers
        under way get when it stops; the other two bound slow clients.
        """
        self._host = host
        self._port = port
        self._sources = sources
        self._log = log
        self._access = Access(following)
        self._context = following.context if following else None
        self._send_seconds = send_seconds
        self._scrape = Scrape(sources.metrics)
        self._site = Site(sources.knowledge, sources.version) if sources.knowledge else None
        self._listener: asyncio.Server | None = None
        # Broken requests are the clients' fault, and aiohttp would log a traceback for each; our own faults are
        # logged by _guard.
        silent = logging.Logger("web")  # noqa: LOG001 - a registered one would be shared state
        silent.addHandler(logging.NullHandler())
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=silent,
            keepalive_timeout=idle_seconds,
            shutdown_timeout=drain_seconds,
        )

    @property
    def port(self) -> int:
        """The port that is listened on; before ``start`` the one asked for."""
        if self._listener is not None and self._listener.sockets:
            bound: int = self._listener.sockets[0].getsockname()[1]
            return bound
        return self._port

    async def start(self) -> None:
        """Open the listener. Raises WebError where the address cannot be used."""
        await self._runner.setup()
        protocols = cast("web.Server", self._runner.server)  # there is one after setup
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                protocols,
                self._host or None,
                self._port,
                backlog=_BACKLOG,
                ssl=self._context,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._context else None,
            )
        except OSError as error:
            await self.stop()
            shown = f"[{self._host}]" if ":" in self._host else self._host
            # A resolver's errors have negative numbers of their own; asyncio wraps the others in a longer sentence.
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise WebError(
                f"cannot listen on {shown}:{self._port} ({reason}); free that address or change web.listen"
            ) from error
        for listening in self._listener.sockets:
            # Accepted connections inherit it.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)

    async def stop(self) -> None:
        """Stop listening, let answers under way end within the drain time, then cut the rest off. May be repeated."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()
        self._scrape.close()
        if self._site is not None:
            self._site.close()
        self._access.close()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._guard], client_max_size=_LARGEST_FORM)
        application.on_response_prepare.append(self._harden)
        application.router.add_get("/metrics", self._scrape.answer)
        if self._sources.exporter is not None:
            application.router.add_get("/probe", self._sources.exporter.answer)
        if self._site is not None:
            application.router.add_routes(self._site.routes())
        application.router.add_get("/-/healthy", self._healthy)
        application.router.add_get("/-/ready", self._ready)
        application.router.add_post("/-/reload", Reloading(self._sources.reload).answer)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer within a deadline, whatever happens, and send the answer within another."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                request[VISITOR] = await self._access.admit(request)
                response = await handler(request)
        except Refusal as refusal:
            response = refusal.response
        except web.HTTPException as refusal:
            response = plain(refusal.text or refusal.reason, refusal.status)
            response.headers.update({name: value for name, value in refusal.headers.items() if name == "Allow"})
        except TimeoutError:
            response = plain("This takes too long now; try again later.", HTTPStatus.SERVICE_UNAVAILABLE)
        except Exception as error:  # noqa: BLE001 - the listener outlives any fault of a page
            self._log.error("a page could not be made", path=request.path, exc_info=error)
            response = plain("An internal error happened; the log says more.", HTTPStatus.INTERNAL_SERVER_ERROR)
        if request.path.startswith(_API):
            response = as_problem(response)
        try:
            async with asyncio.timeout(self._send_seconds):
                await response.prepare(request)
                await response.write_eof()
        except (TimeoutError, asyncio.CancelledError):
            # Closing would wait for the client to take what is buffered.
            if request.transport is not None:
                request.transport.abort()
            raise
        return response

    async def _harden(self, _request: web.Request, response: web.StreamResponse) -> None:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.update({name: value for name, value in self._access.headers.items() if value})
        response.headers.popall("Server", None)

    async def _healthy(self, _request: web.Request) -> web.Response:
        return _health(self._sources.healthy())

    async def _ready(self, _request: web.Request) -> web.Response:
        return _health(self._sources.ready())


def _health(health: Health) -> web.Response:
    return plain(health.sentence, HTTPStatus.OK if health.ok else HTTPStatus.SERVICE_UNAVAILABLE)
