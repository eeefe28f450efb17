"""Pages, forms and API together: everything that shows or changes what monitord knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.web.api import Api
from monitord.web.forms import Forms
from monitord.web.pages import Pages
from monitord.web.render import Renderer
from monitord.web.tokens import Tokens

if TYPE_CHECKING:
    from aiohttp import web

    from monitord.web.sources import Knowledge


class Site:
    """All of it; close it when done."""

    def __init__(self, knowledge: Knowledge, version: str) -> None:
        """``version`` is shown."""
        tokens = Tokens(knowledge.now)
        self._pages = Pages(knowledge, Renderer(version), tokens)
        self._api = Api(knowledge, version)
        self._forms = Forms(knowledge, knowledge.operations, tokens) if knowledge.operations else None

    def close(self) -> None:
        """Make no more pages."""
        self._pages.close()
        self._api.close()

    def routes(self) -> list[web.RouteDef]:
        """Where what is."""
        return [*self._pages.routes(), *self._api.routes(), *(self._forms.routes() if self._forms else ())]
