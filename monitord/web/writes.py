"""Who may change something: somebody who is known, and who asked for it on a page of ours.

A browser sends a login or a client certificate along with whatever page has it ask, so that being known is not enough:
the request must come from a page of the same origin, or from no page at all (Sec-Fetch-Site, else Origin).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitord.web.access import VISITOR, Refusal
from monitord.web.answers import plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from monitord.web.access import Visitor

    Reload = Callable[[], Awaitable[tuple[bool, str]]]

_UNKNOWN = "Only who is known may change something: web.config_file needs basic_auth_users or client certificates."
_FOREIGN = "This was asked for by a page of another site."
_OFF = "Reloading by HTTP is off; web.reload: true turns it on."


def permitted(request: web.Request) -> Visitor:
    """Who asks. Raises Refusal where that is not known, or where another site has a browser ask."""
    visitor = request[VISITOR]
    if visitor is None:
        raise Refusal(plain(_UNKNOWN, HTTPStatus.FORBIDDEN))
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    ours = site in ("same-origin", "none") if site is not None else origin is None or _netloc(origin) == request.host
    if not ours:
        raise Refusal(plain(_FOREIGN, HTTPStatus.FORBIDDEN))
    return visitor


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


class Reloading:
    """Answers ``POST /-/reload``; ``reload`` None: that is off."""

    def __init__(self, reload: Reload | None) -> None:
        """``reload`` gives whether it succeeded, and a sentence."""
        self._reload = reload

    async def answer(self, request: web.Request) -> web.Response:
        """Have the configuration read again, and say what became of it; 500 if it was refused, as in Prometheus."""
        if self._reload is None:
            return plain(_OFF, HTTPStatus.FORBIDDEN)
        permitted(request)
        ok, message = await self._reload()
        return plain(message, HTTPStatus.OK if ok else HTTPStatus.INTERNAL_SERVER_ERROR)
