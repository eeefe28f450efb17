"""What the forms of the pages do: acknowledge and silence incidents. Then the browser is led back to the page."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from monitord.config.faults import UnfitError
from monitord.config.times import parse_duration
from monitord.errors import MonitordError
from monitord.pinning.quiet import Scope
from monitord.pinning.target import format_endpoint
from monitord.web.access import Refusal
from monitord.web.answers import plain
from monitord.web.finding import find
from monitord.web.words import place, sentence
from monitord.web.writes import permitted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from monitord.pinning.incident import Incident
    from monitord.web.access import Visitor
    from monitord.web.sources import Knowledge, Operations
    from monitord.web.tokens import Tokens

NOTICES = {
    "acknowledged": "The incident is acknowledged.",
    "unacknowledged": "The acknowledgement is taken back.",
    "silenced": "Nobody is told of it until the silence ends.",
    "unsilenced": "The silence has ended.",
}
_LONGEST_REASON = 200
_STALE = "This form is out of date. Go back, reload the page, and try again."


class Forms:
    """Answers posts of forms."""

    def __init__(self, knowledge: Knowledge, operations: Operations, tokens: Tokens) -> None:
        """``tokens`` are those that the pages put into the forms."""
        self._knowledge = knowledge
        self._operations = operations
        self._tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        """Where the forms lead."""
        return [
            web.post("/incidents/{incident}/acknowledge", self.acknowledge),
            web.post("/incidents/{incident}/unacknowledge", self.unacknowledge),
            web.post("/incidents/{incident}/silence", self.silence),
            web.post("/silences/{silence}/end", self.unsilence),
        ]

    async def acknowledge(self, request: web.Request) -> web.Response:
        """Somebody has seen the incident."""
        visitor, fields = await self._posted(request)
        reason = fields.get("reason", "").strip()[:_LONGEST_REASON]
        await _done(self._operations.acknowledge(request.match_info["incident"], visitor.name, reason))
        return self._back(fields, "../../", "acknowledged")

    async def unacknowledge(self, request: web.Request) -> web.Response:
        """Somebody takes that back."""
        visitor, fields = await self._posted(request)
        await _done(self._operations.unacknowledge(request.match_info["incident"], visitor.name))
        return self._back(fields, "../../", "unacknowledged")

    async def silence(self, request: web.Request) -> web.Response:
        """Nobody is told of incidents of this kind at this endpoint for a while."""
        visitor, fields = await self._posted(request)
        incident = self._incident(request.match_info["incident"])
        reason = fields.get("reason", "").strip()[:_LONGEST_REASON]
        if not reason:
            raise Refusal(plain("A silence needs a reason, for whoever looks next.", HTTPStatus.BAD_REQUEST))
        try:
            length = parse_duration(fields.get("for", ""))
        except UnfitError as error:
            raise Refusal(plain(f"for: {error}", HTTPStatus.BAD_REQUEST)) from error
        key = incident.key
        hosts = (format_endpoint(key.host, key.port),) if key.host else ()
        await _done(self._operations.silence(Scope(hosts, kinds=frozenset({key.kind})), length, visitor.name, reason))
        return self._back(fields, "../../", "silenced")

    async def unsilence(self, request: web.Request) -> web.Response:
        """People are told again."""
        visitor, fields = await self._posted(request)
        await _done(self._operations.unsilence(request.match_info["silence"], visitor.name))
        return self._back(fields, "../../", "unsilenced")

    def _incident(self, identifier: str) -> Incident:
        for several in self._knowledge.fleet.snapshot().incidents.values():
            for one in several:
                if one.id == identifier:
                    return one
        raise Refusal(plain("This incident is not open any more.", HTTPStatus.NOT_FOUND))

    async def _posted(self, request: web.Request) -> tuple[Visitor, Mapping[str, str]]:
        """Who posted, and the fields. Raises Refusal unless the form is one of ours."""
        visitor = permitted(request)
        if request.content_type != "application/x-www-form-urlencoded":
            raise Refusal(plain("This takes what forms send.", HTTPStatus.UNSUPPORTED_MEDIA_TYPE))
        try:
            posted = await request.post()
        except (LookupError, UnicodeDecodeError) as error:
            raise Refusal(plain("This is not what forms send.", HTTPStatus.BAD_REQUEST)) from error
        fields = {name: value for name, value in posted.items() if isinstance(value, str)}
        if not self._tokens.accepts(fields.get("token", ""), visitor):
            raise Refusal(plain(_STALE, HTTPStatus.FORBIDDEN))
        return visitor, fields

    def _back(self, fields: Mapping[str, str], root: str, done: str) -> web.Response:
        """To the page that the form was on: that of an endpoint, or that of all incidents."""
        entry = find(self._knowledge.fleet.snapshot(), fields.get("back", "")).one
        page = f"domains/{place(entry.target)}" if entry else "incidents"
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={hdrs.LOCATION: f"{root}{page}?done={done}"})


async def _done(work: Awaitable[None]) -> None:
    """Raises Refusal with the sentence of what could not be done."""
    try:
        await work
    except MonitordError as error:
        raise Refusal(plain(sentence(str(error)), HTTPStatus.CONFLICT)) from error
