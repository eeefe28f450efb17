"""The same facts for programs: ``/api/v1``, JSON; errors are problems as in RFC 9457.

Lists are arrays. What is not on this page of a list is found by the Link header (RFC 8288); X-Total-Count is how many
there are. Nothing is changed through the API.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from monitord.errors import MonitordError
from monitord.pinning.incident import IncidentKind, IncidentState, Severity
from monitord.pinning.pins import PinSet
from monitord.pinning.report import incident_entry, prediction_entry, silence_entry, timestamp, verdict_entry
from monitord.pinning.verdict import PinSetVerdict, Verdict
from monitord.web.answers import problem
from monitord.web.finding import find
from monitord.web.openapi import description
from monitord.web.query import LIMIT, MOST_PAGES, QueryError, parse_choice, parse_number, parse_query
from monitord.web.words import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitord.pinning.incident import Incident
    from monitord.pinning.target import Target
    from monitord.web.fleet import Entry, Snapshot
    from monitord.web.sources import Knowledge

    Listed = tuple[list[dict[str, Any]], int]

_PAST = timedelta(days=30)
_NOT_YET = "it has not been looked at yet"


class Api:
    """Answers requests for JSON; what takes time is done in a thread."""

    def __init__(self, knowledge: Knowledge, version: str) -> None:
        """``version`` is that of monitord, for the description."""
        self._knowledge = knowledge
        self._described = json.dumps(description(version))
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="api")

    def close(self) -> None:
        """Answer no more."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def routes(self) -> list[web.RouteDef]:
        """Where what is."""
        return [
            web.get("/api/v1/domains", self.domains),
            web.get("/api/v1/domains/{place}", self.domain),
            web.get("/api/v1/incidents", self.incidents),
            web.get("/api/v1/silences", self.silences),
            web.get("/api/v1/openapi.json", self.openapi),
        ]

    async def openapi(self, _request: web.Request) -> web.Response:
        """The description of all this."""
        return web.Response(text=self._described, content_type="application/json")

    async def domains(self, request: web.Request) -> web.Response:
        """A short form of each endpoint that is asked for."""
        knowledge = self._knowledge
        snapshot, now = knowledge.fleet.snapshot(), knowledge.now()
        try:
            query = parse_query(request.query)
            limit = parse_number("limit", request.query.get("limit", ""), 1, LIMIT, default=LIMIT)
        except QueryError as error:
            return problem(str(error), HTTPStatus.BAD_REQUEST)
        begin = (query.page - 1) * limit

        def listed() -> Listed:
            found = query.sorted(one for one in snapshot.entries if query.matches(one, now))
            return [_summary(one, snapshot) for one in found[begin : begin + limit]], len(found)

        return await self._list(request, listed, query.page, limit)

    async def domain(self, request: web.Request) -> web.Response:
        """What ``check --json`` says, as the last round found it: one object for each pin set."""
        asked = request.match_info["place"]
        found = find(self._knowledge.fleet.snapshot(), asked)
        if not found.entries:
            return problem(found.complaint or f"{asked[:200]} is not registered", HTTPStatus.NOT_FOUND)
        return await self._json(lambda: [entry for one in found.entries for entry in _verdicts(one)])

    async def incidents(self, request: web.Request) -> web.Response:
        """Incidents, the loudest first, and of these the oldest."""
        parameters = request.query
        try:
            state = parse_choice("state", parameters.get("state", ""), ("all", *IncidentState), IncidentState.FIRING)
            kind = parse_choice("kind", parameters.get("kind", ""), tuple(IncidentKind), "")
            severity = parse_choice("severity", parameters.get("severity", ""), tuple(Severity), "")
            limit = parse_number("limit", parameters.get("limit", ""), 1, LIMIT, default=LIMIT)
            page = parse_number("page", parameters.get("page", ""), 1, MOST_PAGES, default=1)
        except QueryError as error:
            return problem(str(error), HTTPStatus.BAD_REQUEST)
        try:
            found = await self._found(state)
        except MonitordError as error:
            return problem(str(error), HTTPStatus.SERVICE_UNAVAILABLE)
        host = parameters.get("host", "").lower().removesuffix(".")
        found = [
            one
            for one in found
            if kind in ("", one.key.kind) and severity in ("", one.severity) and host in ("", one.key.host)
        ]
        quiet = self._knowledge.quiet(found)
        begin = (page - 1) * limit

        def listed() -> Listed:
            loudest = list(Severity)
            ordered = sorted(found, key=lambda one: (loudest.index(one.severity), one.since, one.key))
            return [incident_entry(one, quiet.get(one.key)) for one in ordered[begin : begin + limit]], len(found)

        return await self._list(request, listed, page, limit)

    async def silences(self, _request: web.Request) -> web.Response:
        """The silences in force, those that end first first."""
        silences = self._knowledge.silences()  # here, since what keeps them belongs to the event loop
        return await self._json(lambda: [silence_entry(one) for one in silences])

    async def _found(self, state: str) -> list[Incident]:
        """Open incidents, those that ended in the last 30 days, or both."""
        knowledge = self._knowledge
        found = [one for several in knowledge.fleet.snapshot().incidents.values() for one in several]
        if state == IncidentState.FIRING:
            return found
        ended = await knowledge.archive.load_ended(knowledge.now() - _PAST)
        return list(ended) if state == IncidentState.RESOLVED else [*found, *ended]

    async def _list(self, request: web.Request, listed: Callable[[], Listed], page: int, limit: int) -> web.Response:
        """One page of a list, with the way to the others."""
        total = 0

        def made() -> list[dict[str, Any]]:
            nonlocal total
            found, total = listed()
            return found

        response = await self._json(made)
        response.headers["X-Total-Count"] = str(total)
        last = max(1, -(-total // limit))
        others = (("first", 1), ("prev", page - 1), ("next", page + 1), ("last", last))
        links = [
            f'<{request.rel_url.update_query(page=number)}>; rel="{name}"'
            for name, number in others
            if name in ("first", "last") or 1 <= number <= last
        ]
        response.headers["Link"] = ", ".join(links)
        return response

    async def _json(self, made: Callable[[], Any]) -> web.Response:
        text = await asyncio.get_running_loop().run_in_executor(self._executor, lambda: json.dumps(made()))
        return web.Response(text=text, content_type="application/json")


def _summary(entry: Entry, snapshot: Snapshot) -> dict[str, Any]:
    target, first = entry.target, entry.first
    judged = {ruling.verdict.pinset: ruling.verdict for ruling in entry.rulings}
    return {
        "host": target.host,
        "port": target.port,
        "state": entry.state.value,
        "why": entry.why,
        "labels": dict(target.labels),
        "pinsets": [
            {
                "pinset": pinset.name,
                "client": pinset.client.value,
                "verdict": judged[pinset].verdict.value if pinset in judged else None,
                "reason": judged[pinset].reason if pinset in judged else None,
            }
            for pinset in _pinsets(target)
        ],
        "last_look": timestamp(entry.outcome.at) if entry.outcome else None,
        "next_failure": {"pinset": first.pinset, **prediction_entry(first)} if first else None,
        "incidents": [one.id for one in snapshot.incidents.get(entry.endpoint, ())],
        "details": f"/api/v1/domains/{place(target)}",
    }


def _pinsets(target: Target) -> tuple[PinSet, ...]:
    """Those that are registered or, where none is, the one under which trust alone is judged."""
    return target.pinsets or (PinSet("default", trust=target.trust),)


def _verdicts(entry: Entry) -> Iterator[dict[str, Any]]:
    """One object for each pin set; before the first round nothing can be said of any."""
    for ruling in entry.rulings:
        yield verdict_entry(ruling.verdict, ruling.predictions)
    if entry.outcome is None:
        for pinset in _pinsets(entry.target):
            unseen = PinSetVerdict(entry.target, pinset, Verdict.UNDETERMINED, _NOT_YET, pinset.trust[0], (), ())
            yield verdict_entry(unseen)
