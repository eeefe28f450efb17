"""Templates to HTML. Whatever a value says is escaped, and what cannot be printed is shown as an escape."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from monitord.pinning.ahead import distance, when
from monitord.pinning.alike import match_of
from monitord.pinning.pins import Client
from monitord.pinning.printable import printable
from monitord.pinning.report import roles, timestamp
from monitord.web import words
from monitord.web.overview import plural
from monitord.web.query import Order

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.pins import PinSet
    from monitord.web.access import Visitor

FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">'
    '<path d="M12 2 4 5v6c0 5 3.4 9.3 8 11 4.6-1.7 8-6 8-11V5z" fill="#1557b0"/>'
    '<path d="m8.5 11.8 2.5 2.5 4.6-5" fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round"/></svg>\n'
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page has: the way to the root, which page it is, for whom, when, and what just happened.

    ``token`` is what forms must carry; "" where there are none.
    """

    root: str
    here: str
    now: datetime
    visitor: Visitor | None = None
    token: str = ""
    notice: str = ""


class Renderer:
    """Makes pages; may be used in any thread."""

    def __init__(self, version: str) -> None:
        """Read the templates."""
        style = resources.files("monitord.web").joinpath("templates", "style.css").read_text("utf-8")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self.policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        )
        self._environment = Environment(
            loader=PackageLoader("monitord.web", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_finalized,
            auto_reload=False,
        )
        self._environment.filters.update(_FILTERS)
        self._environment.globals.update(style=style, version=version)

    def html(self, template: str, frame: Frame, **values: Any) -> str:  # noqa: ANN401 - whatever the template shows
        """A page."""
        found = self._environment.get_template(template)
        return found.render(
            root=frame.root,
            here=frame.here,
            now=frame.now,
            visitor=frame.visitor,
            token=frame.token,
            notice=frame.notice,
            **values,
        )

    def response(self, text: str, status: int = 200) -> web.Response:
        """The answer with a page in it, which may use the style of the page and nothing else."""
        return web.Response(
            text=text, status=status, content_type="text/html", headers={"Content-Security-Policy": self.policy}
        )


def _finalized(value: object) -> object:
    """What a template writes: nothing for None, text without control characters and the like."""
    if value is None:
        return ""
    is_markup = hasattr(value, "__html__")
    return printable(value) if isinstance(value, str) and not is_markup else value


def _pin_of(certificate: Certificate, pinset: PinSet) -> str:
    return str(certificate.certificate_pin if pinset.client is Client.CERTIFICATE else certificate.pin)


def _label_text(labels: tuple[tuple[str, str], ...]) -> str:
    return " ".join(f"{name}={value}" for name, value in labels[:1])


_FILTERS = {
    "addresses": words.addresses,
    "ago": words.ago,
    "day": words.day,
    "distance": distance,
    "iso": timestamp,
    "label_text": _label_text,
    "last_day": words.last_day,
    "match": match_of,
    "only": frozenset,
    "order": Order,
    "pin_of": _pin_of,
    "place": words.place,
    "plural": plural,
    "prediction_state": words.prediction_state,
    "roles": roles,
    "ruling_state": words.ruling_state,
    "said_day": words.said_day,
    "scope": words.scope_words,
    "sentence": words.sentence,
    "severity_state": words.severity_state,
    "span": words.span,
    "standing_words": words.standing_words,
    "state_words": words.state_words,
    "then": words.then,
    "trend_paths": words.trend_paths,
    "utc": words.utc,
    "verdict_state": words.verdict_state,
    "when": when,
    "words": words.words,
}
