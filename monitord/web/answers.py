"""The kinds of answer that pages have in common."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.abc import AbstractStreamWriter

_SLICE = 256 * 1024
_FIRST_ERROR = 400
_KEPT = ("Allow", "WWW-Authenticate")


def plain(text: str, status: int = 200) -> web.Response:
    """One sentence for people and machines."""
    return web.Response(text=text + "\n", status=status)


def problem(detail: str, status: int) -> web.Response:
    """What is wrong, as programs read it (RFC 9457)."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status), "detail": detail}
    return web.Response(text=json.dumps(content), status=status, content_type="application/problem+json")


def as_problem(response: web.StreamResponse) -> web.StreamResponse:
    """A sentence about what is wrong as a problem; every other answer as it is."""
    if (
        not isinstance(response, web.Response)
        or response.status < _FIRST_ERROR
        or response.content_type != "text/plain"
    ):
        return response
    found = problem((response.text or "").strip(), response.status)
    found.headers.update({name: value for name, value in response.headers.items() if name in _KEPT})
    return found


class Pieces(web.StreamResponse):
    """A large body in pieces, of which no more is taken up at a time than the client takes."""

    def __init__(self, pieces: Sequence[bytes], content_type: str) -> None:
        """The body is the pieces, one after the other."""
        super().__init__(headers={hdrs.CONTENT_TYPE: content_type})
        self._pieces = pieces
        self.content_length = sum(map(len, pieces))

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Remember whether only the headers are asked for."""
        if request.method == hdrs.METH_HEAD:
            self._pieces = ()
        return await super().prepare(request)

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the pieces in slices: writing one waits until the client has taken most of those before."""
        pieces, self._pieces = self._pieces, ()
        for piece in pieces:
            view = memoryview(piece)
            for begin in range(0, len(view), _SLICE):
                await self.write(view[begin : begin + _SLICE])
                await asyncio.sleep(0)  # where the client takes everything at once, writing never yields
        await super().write_eof(data)
