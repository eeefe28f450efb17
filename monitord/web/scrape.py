"""``/metrics``: rendered and compressed off the event loop, shared by those who ask at the same time."""

from __future__ import annotations

import asyncio
import zlib
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING

from monitord.web.answers import Pieces, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp import web

    Render = Callable[[str], tuple[Sequence[bytes], str]]
    Made = tuple[Sequence[bytes], str, bool]  # the last: whether it is compressed

_MAX_RENDERINGS = 4
_WORTH_COMPRESSING = 4096
_GZIP = zlib.MAX_WBITS | 16


class Scrape:
    """Answers scrapes; ``render`` takes the Accept header, gives pieces and content type, and is called in a thread."""

    def __init__(self, render: Render) -> None:
        """Nothing is rendered yet."""
        self._render = render
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metrics")
        self._renderings: dict[tuple[str, bool], asyncio.Future[Made]] = {}

    def close(self) -> None:
        """Render nothing more."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Render, or take part in a rendering of the same format that is under way."""
        key = (request.headers.get("Accept", ""), _takes_gzip(request))
        rendering = self._renderings.get(key)
        if rendering is None:
            if len(self._renderings) >= _MAX_RENDERINGS:
                return plain("Too many scrapes at once; try again later.", HTTPStatus.SERVICE_UNAVAILABLE)
            rendering = asyncio.get_running_loop().run_in_executor(self._executor, self._made, *key)
            self._renderings[key] = rendering
            rendering.add_done_callback(lambda _: self._renderings.pop(key, None))
        # Shielded: a client that leaves must not take the rendering from the others.
        pieces, content_type, compressed = await asyncio.shield(rendering)
        response = Pieces(pieces, content_type)
        response.headers["Vary"] = "Accept, Accept-Encoding"
        if compressed:
            response.headers["Content-Encoding"] = "gzip"
        return response

    def _made(self, accept: str, takes_gzip: bool) -> Made:  # noqa: FBT001 - an executor's call
        pieces, content_type = self._render(accept)
        if takes_gzip and sum(map(len, pieces)) >= _WORTH_COMPRESSING:
            return _gzipped(pieces), content_type, True
        return pieces, content_type, False


def _takes_gzip(request: web.Request) -> bool:
    offered = request.headers.get("Accept-Encoding", "").lower()
    codings = {part.partition(";")[0].strip(): part.partition(";")[2].replace(" ", "") for part in offered.split(",")}
    return "gzip" in codings and codings["gzip"] not in ("q=0", "q=0.0", "q=0.00", "q=0.000")


def _gzipped(pieces: Sequence[bytes]) -> list[bytes]:
    """Compressed at once, and little: names repeat so much that more effort gains nothing."""
    packer = zlib.compressobj(level=1, wbits=_GZIP)
    return [packed for packed in (*(packer.compress(piece) for piece in pieces), packer.flush()) if packed]
