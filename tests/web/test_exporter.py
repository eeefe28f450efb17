from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.target import Target
from tests.web.listening import Examined, body, client, serving, sources

if TYPE_CHECKING:
    import aiohttp

API = Target("api.example.com", trust=("test",))
MAIL = Target("mail.example.com", 8443, trust=("test",))
TWO = (Target("two.example.com", 8443, trust=("test",)), Target("two.example.com", 9443, trust=("test",)))


async def probe(session: aiohttp.ClientSession, query: str, **headers: str) -> tuple[int, str]:
    """Status and text of one probe."""
    async with session.get(f"/probe{query}", headers=headers) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("query", "endpoint"),
    [
        ("?target=api.example.com", "api.example.com:443"),
        ("?target=API.example.com.:443&module=tls_connect", "api.example.com:443"),
        ("?target=mail.example.com", "mail.example.com:8443"),
        ("?target=two.example.com:9443", "two.example.com:9443"),
        ("?target=api.example.com:8443", "api.example.com:8443"),
        ("?target=other.example.com", "other.example.com:443"),
        ("?target=[2001:db8::1]:8443", "[2001:db8::1]:8443"),
        ("?target=b%C3%BCcher.example", "xn--bcher-kva.example:443"),
    ],
)
async def test_the_target_is_whom_the_name_stands_for(query: str, endpoint: str) -> None:
    """A registered one at the port that is named, at 443, or at the only one that it has; else a stranger."""
    examiner = Examined(API, MAIL, *TWO)
    async with serving(sources(examiner=examiner)) as server, client(server) as session:
        status, text = await probe(session, query)
    assert (status, "probe_success 0.0" in text) == (200, True)
    assert [target.endpoint for target, _ in examiner.asked] == [endpoint]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "One target is needed: /probe?target=HOST[:PORT]"),
        ("?target=", "One target is needed: /probe?target=HOST[:PORT]"),
        ("?target=a.example&target=b.example", "One target is needed: /probe?target=HOST[:PORT]"),
        ("?target=https://a.example/", "target 'https://a.example/' is a URL; write only the host name"),
        ("?target=a.example:0", "target 'a.example:0' has no port from 1 to 65535 after the colon"),
        ("?target=a%0Ab", "target 'a\\nb' has blanks in it; write only the host name"),
        (
            "?target=two.example.com",
            "two.example.com is registered at several ports; name one: two.example.com:8443 or two.example.com:9443",
        ),
    ],
)
async def test_what_is_no_target_is_said(query: str, said: str) -> None:
    """400 and a sentence, and nobody is connected to."""
    examiner = Examined(*TWO)
    async with serving(sources(examiner=examiner)) as server, client(server) as session:
        assert await probe(session, query) == (400, f"{said}\n")
    assert examiner.asked == []


async def test_strangers_can_be_refused() -> None:
    """With web.probe: registered nobody has monitord connect elsewhere."""
    examiner = Examined(API, strangers=False)
    async with serving(sources(examiner=examiner)) as server, client(server) as session:
        assert (await probe(session, "?target=api.example.com"))[0] == 200
        assert (await probe(session, "?target=api.example.com:22"))[0] == 403
        assert (await probe(session, "?target=127.0.0.1"))[0] == 403
    assert [target for target, _ in examiner.asked] == [API]


@pytest.mark.parametrize(
    ("header", "budget"), [("3", 2.5), ("120", 5.0), ("0.2", 0.1), ("nan", 5.0), ("x", 5.0), ("-1", 0.1)]
)
async def test_the_scraper_is_answered_before_it_gives_up(header: str, budget: float) -> None:
    """What it waits, less half a second; never more than the configured timeout."""
    examiner = Examined(API)
    name = "X-Prometheus-Scrape-Timeout-Seconds"
    async with serving(sources(examiner=examiner)) as server, client(server) as session:
        await probe(session, "?target=api.example.com", **{name: header})
    assert examiner.asked == [(API, budget)]


async def test_only_so_many_look_at_once() -> None:
    """The others wait for as long as they may, then are sent away; other pages go on."""
    examiner = Examined(API)
    examiner.gate.clear()
    async with serving(sources(examiner=examiner)) as server, client(server) as session:
        first = [asyncio.create_task(probe(session, "?target=api.example.com")) for _ in range(20)]
        for _ in first:
            await examiner.begun.acquire()
        late = await probe(session, "?target=api.example.com", **{"X-Prometheus-Scrape-Timeout-Seconds": "0.6"})
        assert late == (503, "Too many probes at once; try again later.\n")
        assert "tick" in await body(session, "/-/healthy")
        waiting = asyncio.create_task(probe(session, "?target=api.example.com"))
        examiner.gate.set()
        assert [status for status, _ in await asyncio.gather(*first, waiting)] == [200] * 21
    assert len(examiner.asked) == 21


async def test_openmetrics_is_given_to_who_asks_for_it() -> None:
    """With its own end."""
    async with serving(sources(examiner=Examined(API))) as server, client(server) as session:
        headers = {"Accept": "application/openmetrics-text;version=1.0.0"}
        async with session.get("/probe?target=api.example.com", headers=headers) as answer:
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
            assert (await answer.text()).endswith("\n# EOF\n")


async def test_the_reasoning_is_shown_without_what_a_terminal_would_obey() -> None:
    """What others said is escaped."""
    async with serving(sources(examiner=Examined(API))) as server, client(server) as session:
        status, text = await probe(session, "?target=api.example.com&debug=true")
    assert status == 200
    assert "nobody \\x1b[2J listens" in text
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "\nMetrics that would have been returned:\n# HELP probe_success" in text
