"""The pages for people: all endpoints, one endpoint, incidents. Server-rendered, without scripts."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from aiohttp import web

from monitord.errors import MonitordError
from monitord.pinning.incident import Severity
from monitord.web.access import VISITOR
from monitord.web.detail import Detail, answer, events, parts
from monitord.web.finding import find
from monitord.web.forms import NOTICES
from monitord.web.opened import Incidents, OpenIncident, placed, told
from monitord.web.overview import overview, plural
from monitord.web.query import Query, QueryError, parse_query
from monitord.web.render import FAVICON, Frame, Renderer
from monitord.web.words import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from monitord.pinning.incident import Incident
    from monitord.web.fleet import Entry, Snapshot
    from monitord.web.sources import Knowledge
    from monitord.web.tokens import Tokens

_Result = TypeVar("_Result")

_RENDERERS = 2
_PAST = timedelta(days=90)
_ENDED = timedelta(days=30)
_MOST_OPEN = 100
_MOST_ENDED = 100
_LOUDEST_FIRST = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


class Pages:
    """Answers requests for pages; they are made in threads of their own."""

    def __init__(self, knowledge: Knowledge, renderer: Renderer, tokens: Tokens) -> None:
        """``tokens`` are what forms carry."""
        self._knowledge = knowledge
        self._renderer = renderer
        self._tokens = tokens
        self._executor = ThreadPoolExecutor(max_workers=_RENDERERS, thread_name_prefix="pages")

    def close(self) -> None:
        """Make no more pages."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def routes(self) -> list[web.RouteDef]:
        """Where the pages are."""
        return [
            web.get("/", self.all),
            web.get("/domains/{place}", self.domain),
            web.get("/incidents", self.incidents),
            web.get("/favicon.svg", self.favicon),
        ]

    async def favicon(self, _request: web.Request) -> web.Response:
        """The sign in the browser's tab."""
        return web.Response(text=FAVICON, content_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})

    async def all(self, request: web.Request) -> web.Response:
        """Every endpoint, or those that are searched for."""
        snapshot, frame = self._knowledge.fleet.snapshot(), self._frame(request, "./", "endpoints")
        if not snapshot.entries:
            return await self._page("empty.html", frame)
        try:
            query, status = parse_query(request.query), HTTPStatus.OK
        except QueryError as error:
            query, status = Query(), HTTPStatus.BAD_REQUEST
            frame = self._frame(request, "./", "endpoints", notice=f"This search cannot be understood: {error}.")

        def made() -> str:
            return self._renderer.html("overview.html", frame, page=overview(snapshot, query, frame.now))

        return self._renderer.response(await self._in_thread(made), status)

    async def domain(self, request: web.Request) -> web.Response:
        """One endpoint."""
        snapshot, frame = self._knowledge.fleet.snapshot(), self._frame(request, "../", "domain")
        asked = request.match_info["place"]
        found = find(snapshot, asked)
        entry = found.one
        if entry is None and found.entries:
            targets = [one.target for one in found.entries]
            title = f"{targets[0].host} is registered at {plural(len(targets), 'port')}"
            return await self._page("message.html", frame, title=title, sentences=(), targets=targets)
        if entry is None:
            title, said = f"{asked[:200]} is not registered.", found.complaint
            sentences = [f"{said}."] if said else ["To register it: monitord add HOST[:PORT]"]
            page = await self._page("message.html", frame, title=title, sentences=sentences, targets=())
            page.set_status(HTTPStatus.NOT_FOUND)
            return page
        return await self._detail(entry, snapshot, frame)

    async def incidents(self, request: web.Request) -> web.Response:
        """What is open, what is quiet, and what was."""
        knowledge, frame = self._knowledge, self._frame(request, "./", "incidents")
        snapshot = knowledge.fleet.snapshot()
        fault, ended = "", []
        try:
            ended = list(await knowledge.archive.load_ended(frame.now - _ENDED))
        except MonitordError as error:
            fault = str(error)
        opened = sorted(
            (one for several in snapshot.incidents.values() for one in several),
            key=lambda one: (
                _LOUDEST_FIRST.index(one.severity),
                one.handling.acknowledged is not None,
                one.since,
                one.key,
            ),
        )
        page = Incidents(
            *told(opened),
            incidents=self._opened(opened[:_MOST_OPEN]),
            more=max(0, len(opened) - _MOST_OPEN),
            silences=knowledge.silences(),
            ended=[placed(one) for one in reversed(ended[-_MOST_ENDED:])],
            fault=fault,
        )
        return await self._page("incidents.html", frame, page=page)

    async def _detail(self, entry: Entry, snapshot: Snapshot, frame: Frame) -> web.Response:
        knowledge, (host, port) = self._knowledge, entry.endpoint
        beside, fault = knowledge.beside(entry.target), ""
        try:
            changes = await knowledge.archive.verdict_changes(host, port)
            steps = await knowledge.archive.transitions_of(host, port, frame.now - _PAST)
        except MonitordError as error:
            changes, steps, fault = (), (), str(error)
        opened = self._opened(snapshot.incidents.get(entry.endpoint, ()))

        def made() -> str:
            judged = {one.verdict.pinset for one in entry.rulings}
            page = Detail(
                entry,
                place(entry.target),
                *answer(entry, frame.now),
                parts=parts(entry, beside, frame.now),
                others=[pinset for pinset in entry.target.pinsets if pinset not in judged],
                incidents=opened,
                events=events(changes, steps, beside.history),
                fault=fault,
            )
            return self._renderer.html("domain.html", frame, page=page)

        return self._renderer.response(await self._in_thread(made))

    def _opened(self, incidents: Iterable[Incident]) -> list[OpenIncident]:
        several = list(incidents)
        quiet = self._knowledge.quiet(several)
        return [placed(one, quiet.get(one.key)) for one in several]

    def _frame(self, request: web.Request, root: str, here: str, notice: str = "") -> Frame:
        visitor = request[VISITOR]
        writes = visitor is not None and self._knowledge.operations is not None
        token = self._tokens.issue(visitor) if visitor and writes else ""
        done = NOTICES.get(request.query.get("done", ""), "")
        return Frame(root, here, self._knowledge.now(), visitor, token, notice or done)

    async def _page(self, template: str, frame: Frame, **values: Any) -> web.Response:  # noqa: ANN401
        return self._renderer.response(await self._in_thread(lambda: self._renderer.html(template, frame, **values)))

    async def _in_thread(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
