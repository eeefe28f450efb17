"""``/probe``: a look at one target now, for Prometheus to scrape as it scrapes blackbox_exporter.

Whoever may ask can have monitord connect somewhere, so the looks are few at a time, each has a deadline, and what is
found out is no more than a TLS handshake shows. ``web.probe: registered`` allows registered targets alone.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from monitord.config.faults import UnfitError
from monitord.config.hosts import parse_endpoint
from monitord.pinning.target import DEFAULT_PORT
from monitord.web.answers import plain
from monitord.web.reasoning import reasoning

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from monitord.pinning.examination import Examination
    from monitord.pinning.target import Target

    Render = Callable[[Examination, str], tuple[Sequence[bytes], str]]

_AT_ONCE = 20
_MOST_WAITING = 200
_SCRAPE_TIMEOUT = "X-Prometheus-Scrape-Timeout-Seconds"
_TIMEOUT_OFFSET = 0.5  # for the answer to arrive, as in blackbox_exporter
_MOST_SECONDS = 28.0  # less than the listener gives any answer
_LEAST_SECONDS = 0.1
_ANY_PORT = 0


class Examiner(Protocol):
    """Who looks."""

    @property
    def timeout(self) -> float:
        """Seconds that a look may take."""

    def find(self, host: str, port: int | None) -> Sequence[Target]:
        """The registered targets of this host, at this port or at any."""

    def stranger(self, host: str, port: int) -> Target | None:
        """A target that is not registered; None if only registered ones may be looked at."""

    async def examine(self, target: Target, budget: float) -> Examination:
        """Look, within so many seconds; never raises for what the network does."""


class Exporter:
    """Answers ``/probe``."""

    def __init__(self, examiner: Examiner, render: Render) -> None:
        """``render`` makes the series of a look, given the Accept header."""
        self._examiner = examiner
        self._render = render
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The series of one look or, with ``debug=true``, how they came about."""
        target = self._target(request)
        if isinstance(target, web.Response):
            return target
        clock = asyncio.get_running_loop().time
        budget, began = self._budget(request), clock()
        waits = self._places.locked()
        try:
            async with self._place(budget):
                seen = await self._examiner.examine(target, max(_LEAST_SECONDS, budget - (clock() - began) * waits))
        except TimeoutError:
            return plain("Too many probes at once; try again later.", HTTPStatus.SERVICE_UNAVAILABLE)
        registered = bool(self._examiner.find(target.host, target.port))
        if request.query.get("debug") == "true":
            pieces, _ = self._render(seen, "")
            return web.Response(text=reasoning(seen, b"".join(pieces).decode(), registered=registered))
        pieces, content_type = self._render(seen, request.headers.get("Accept", ""))
        return web.Response(body=b"".join(pieces), headers={"Content-Type": content_type})

    def _target(self, request: web.Request) -> Target | web.Response:
        """Whom to look at, or why that cannot be said."""
        given = request.query.getall("target", [])
        if len(given) != 1 or not given[0]:
            return plain("One target is needed: /probe?target=HOST[:PORT]", HTTPStatus.BAD_REQUEST)
        try:
            host, port = parse_endpoint(given[0], _ANY_PORT)
        except UnfitError as error:
            return plain(f"target {error}", HTTPStatus.BAD_REQUEST)
        registered = self._examiner.find(host, port or None)
        usual = [target for target in registered if target.port == (port or DEFAULT_PORT)]
        if usual or len(registered) == 1:
            return (usual or list(registered))[0]
        if registered:
            ports = " or ".join(target.endpoint for target in registered)
            return plain(f"{host} is registered at several ports; name one: {ports}", HTTPStatus.BAD_REQUEST)
        stranger = self._examiner.stranger(host, port or DEFAULT_PORT)
        if stranger is None:
            return plain(
                f"{host} is not registered, and web.probe allows registered targets alone", HTTPStatus.FORBIDDEN
            )
        return stranger

    def _budget(self, request: web.Request) -> float:
        """What the configuration allows, and less where the scraper, or the listener, waits for less."""
        try:
            scrape = float(request.headers.get(_SCRAPE_TIMEOUT, "inf"))
        except ValueError:
            scrape = float("inf")
        return max(_LEAST_SECONDS, min(self._examiner.timeout, scrape - _TIMEOUT_OFFSET, _MOST_SECONDS))

    @asynccontextmanager
    async def _place(self, budget: float) -> AsyncIterator[None]:
        """A place among those who look. Raises TimeoutError if there is none in time."""
        if self._waiting >= _MOST_WAITING:
            raise TimeoutError
        self._waiting += 1
        try:
            async with asyncio.timeout(budget):
                await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()
