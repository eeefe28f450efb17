from __future__ import annotations

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.pinning.incident import IncidentKind
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.pins import Pin
from monitord.store.faults import StoreError
from monitord.web.overview import overview
from monitord.web.query import Query
from monitord.web.render import Frame, Renderer
from tests.web.fleets import NOW, SPARE, Company, Watched, incident, issued, pinset, twenty
from tests.web.listening import body, client, serving, sources

if TYPE_CHECKING:
    import aiohttp

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = "<script>alert(1)</script>\"'>&\x1b[2J\u202e{{ 7 * 7 }}"
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
_VOID = {"meta", "link", "input", "br", "path", "rect", "line"}


class Outline(HTMLParser):
    """What a page is made of, checked for what breaks it: tags that are not closed, ids given twice."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.labelled: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []
        assert len(set(self.ids)) == len(self.ids)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a tag."""
        found = dict(attrs)
        self.tags.append(tag)
        self.attributes |= found.keys()
        self.links += [found[name] or "" for name in ("href", "action") if name in found]
        self.ids += [found["id"] or ""] if "id" in found else []
        self.labelled += [found[name] or "" for name in ("for", "aria-labelledby") if name in found]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a tag without content."""
        self.tags.append(tag)
        self.attributes |= dict(attrs).keys()

    def handle_endtag(self, tag: str) -> None:
        """A tag ends, and it must be the one that was opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Take in text."""
        self.text += data


async def page_of(company: Company, path: str, status: int = 200) -> str:
    """A page of this fleet."""
    async with (
        serving(sources(knowledge=company.knowledge())) as server,
        client(server) as session,
        session.get(path) as answer,
    ):
        assert (answer.status, answer.content_type) == (status, "text/html")
        return await answer.text()


@pytest.mark.parametrize(
    ("name", "path"),
    [("overview", "/"), ("failing", "/domains/payments.example.com"), ("incidents", "/incidents")],
)
async def test_pages_read_as_the_golden_files(name: str, path: str) -> None:
    """Everything but the style, which is looked at and not read."""
    page = _STYLE.sub("<style></style>", await page_of(twenty(), path))
    golden = GOLDEN / f"{name}.html"
    if os.environ.get("REGENERATE_GOLDEN"):
        golden.write_text(page, "utf-8")
    assert page == golden.read_text("utf-8")


@pytest.mark.parametrize(
    "path", ["/", "/?q=zzz", "/incidents", "/domains/api.example.com", "/domains/push.example.com:8443"]
)
async def test_pages_are_well_formed_and_their_links_lead_somewhere(path: str) -> None:
    """Without scripts and without styles in attributes, so that the policy holds; each label is about something."""
    async with serving(sources(knowledge=twenty().knowledge())) as server, client(server) as session:
        async with session.get(path) as answer:
            assert "script" not in answer.headers["Content-Security-Policy"]
            outline, base = Outline(await answer.text()), answer.url
        assert {"script", "iframe", "object", "base", "img"}.isdisjoint(outline.tags)
        assert not [name for name in outline.attributes if name.startswith("on") or name == "style"]
        assert set(outline.labelled) <= set(outline.ids)
        assert {base.join(type(base)(outline.links[number])).path for number in (2, 3)} == {"/"}
        for link in dict.fromkeys(outline.links):
            async with session.get(base.join(type(base)(link))) as answer:
                assert answer.status == 200, link


async def test_an_empty_monitor_says_how_to_start() -> None:
    """The command that registers the first endpoint."""
    page = await page_of(Company(), "/")
    assert "monitord add api.example.com" in page
    assert "<table" not in page


async def test_a_page_of_results_and_what_leads_to_the_next() -> None:
    """Filters go along when a page is turned or the order changed."""
    company = Company(*(Watched(f"h{number:03}.example.com", 1000 + number) for number in range(120)))
    page = Outline(await page_of(company, "/?q=example&sort=host"))
    assert "1–50 of 120 endpoints" in page.text  # noqa: RUF001 - a dash as people write it
    assert "?q=example&sort=host&page=2" in page.links
    assert "?q=example&sort=next" in page.links
    last = Outline(await page_of(company, "/?sort=host&page=3"))
    assert "101–120 of 120 endpoints" in last.text  # noqa: RUF001
    assert "?sort=host&page=2" in last.links
    assert "h119.example.com" in last.text
    assert "h100.example.com" in last.text


async def test_a_search_that_cannot_be_understood_is_said_and_shows_everything() -> None:
    """With the status of a mistake."""
    page = await page_of(twenty(), "/?state=bad", 400)
    assert "This search cannot be understood: state is to be one of failing," in page
    assert "payments.example.com" in page


@pytest.mark.parametrize(
    "place", ["none.example.com", "api.example.com:8443", "%3Cscript%3E", "a%00b", "..%2F..%2Fetc"]
)
async def test_what_is_not_registered_is_said(place: str) -> None:
    """404, and how to register it."""
    page = await page_of(twenty(), f"/domains/{place}", 404)
    assert "is not registered." in page
    assert "<script" not in page


async def test_a_host_at_several_ports_has_a_page_for_each() -> None:
    """The host alone stands for the usual port, or leads to the choice."""
    company = Company(Watched("a.example", 1, 8443), Watched("a.example", 2, 9443))
    page = Outline(await page_of(company, "/domains/a.example"))
    assert "a.example is registered at 2 ports" in page.text
    assert {"../domains/a.example:8443", "../domains/a.example:9443"} <= set(page.links)
    usual = Company(Watched("a.example", 1, 8443), Watched("a.example", 2))
    assert '<h1 id="host">a.example:443</h1>' in await page_of(usual, "/domains/a.example")
    six = Company(Watched("2001:db8::1", 3, 8443))
    page = Outline(await page_of(six, "/"))
    assert "./domains/%5B2001:db8::1%5D:8443" in page.links
    assert "[2001:db8::1]:8443" in await page_of(six, "/domains/%5B2001:db8::1%5D:8443")


async def test_a_history_that_cannot_be_read_costs_no_page() -> None:
    """The store is said to be at fault, and all else is there."""
    company = twenty()
    company.archive.fault = StoreError("store /x: the disk is full")
    page = await page_of(company, "/domains/payments.example.com")
    assert "Store /x: the disk is full." in page
    assert "pin mismatch" in page
    assert "Store /x: the disk is full." in await page_of(company, "/incidents")


async def test_what_others_say_is_shown_and_not_obeyed() -> None:
    """Labels, pin sets, subjects, failures, facts of incidents: no markup, no template, no control character."""
    one = Watched("api.example.com", 100, labels={"note": HOSTILE})
    company = Company(one.pinned(pinset(HOSTILE, one.root.certificate.pin, SPARE)))
    refused = Observation(NOW, "192.0.2.1", 443, failure=Failure(FailureReason.TLS_ALERT, HOSTILE))
    named = issued(HOSTILE, 900, one.intermediate, -1, 90, "api.example.com").certificate
    forged = Observation(NOW, "192.0.2.2", 443, (named, one.intermediate.certificate))
    company.fleet.record(one.seen(refused, forged, *one.seen().observations))
    opened = incident(one.target, IncidentKind.UNTRUSTED, HOSTILE, summary=HOSTILE, advice=HOSTILE)
    company.fleet.set_incidents([opened])
    for path in ("/", "/incidents", "/domains/api.example.com", "/?q=%3Cscript%3E&label=note%3D%3Cscript%3E"):
        page = await page_of(company, path)
        outline = Outline(page)
        assert "script" not in outline.tags
        assert not [character for character in page if not character.isprintable() and character != "\n"]
        assert "\\x1b[2J\\u202e{{ 7 * 7 }}" in outline.text or "?" in path


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_a_page(name: str, label: str) -> None:
    """Whatever users and servers write."""
    one = Watched("api.example.com", 100, labels={"note": label})
    company = Company(one.pinned(pinset(name, one.root.certificate.pin, SPARE)))
    company.fleet.record(one.seen())
    snapshot = company.fleet.snapshot()
    shown = overview(snapshot, Query(text=label), NOW)
    page = RENDERER.html("overview.html", Frame("./", "endpoints", NOW), page=shown)
    outline = Outline(page)
    assert all(character.isprintable() or character == "\n" for character in page)
    assert outline.tags.count("h1") == 1


RENDERER = Renderer("1.2.3")


async def test_every_state_of_a_pin_is_told() -> None:
    """What matches, what is a spare that is known, what nobody has seen, and what does not count for the client."""
    one = Watched("api.example.com", 100)
    leaf, intermediate = one.leaf.certificate.pin, one.intermediate.certificate.pin
    vain = replace(pinset("ios", client="apple"), pins=(), ca_pins=(leaf, intermediate, SPARE))  # type: ignore[arg-type]
    company = Company(one.pinned(vain))
    company.fleet.record(one.seen())
    text = Outline(await page_of(company, "/domains/api.example.com")).text
    assert "matches what is served" in text
    assert "no known certificate has it" in text
    assert "pinned, but does not count here" in text
    assert "✓ pin matches" in text


async def test_an_endpoint_without_pins_is_judged_by_its_chain() -> None:
    """The page says that there is nothing to match."""
    one = Watched("api.example.com", 100)
    company = Company(one)
    company.fleet.record(one.seen())
    text = Outline(await page_of(company, "/domains/api.example.com")).text
    assert "No pins registered" in text
    assert "no pins are registered" in text


async def test_an_endpoint_that_was_not_looked_at_says_so() -> None:
    """It has no verdict, no picture and no certificates."""
    one = Watched("api.example.com", 100)
    company = Company(one.pinned(pinset("app", Pin(b"\x01" * 32))))
    text = Outline(await page_of(company, "/domains/api.example.com")).text
    assert "It has not been looked at yet." in text
    assert "app, client okhttp" in text
    assert "In time" not in text


async def test_there_is_a_sign_for_the_tab() -> None:
    """Browsers ask for one; without it there is an error in their console."""
    async with serving(sources()) as server, client(server) as browser:
        async with browser.get("/favicon.svg") as answer:
            assert (answer.status, answer.content_type) == (200, "image/svg+xml")
        assert 'href="./favicon.svg"' in await body(browser, "/")


async def headers_of(session: aiohttp.ClientSession, path: str) -> str:
    """The policy of a page."""
    async with session.get(path) as answer:
        return answer.headers["Content-Security-Policy"]


async def test_the_style_is_allowed_by_its_hash_alone() -> None:
    """A browser applies that one and no other, and posts forms nowhere else."""
    async with serving(sources(knowledge=twenty().knowledge())) as server, client(server) as session:
        policy = await headers_of(session, "/")
        assert re.search(r"style-src 'sha256-[A-Za-z0-9+/=]{44}';", policy)
        assert "default-src 'none'" in policy
        assert "form-action 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'none'" in await headers_of(session, "/metrics")
