from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import aiohttp
import pytest

from monitord.errors import MonitordError
from monitord.pinning.incident import IncidentKind
from monitord.pinning.quiet import Scope
from monitord.web.access import Visitor
from monitord.web.tokens import Tokens
from tests.web.fleets import NOW, Company, twenty
from tests.web.listening import body, client, serving, sources
from tests.web.logins import hashed
from tests.web.test_access import followed
from tests.web.test_pages import Outline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ONE = f"{1:016x}"
USERS = {"alice": hashed("correct"), "bob": hashed("bob")}


@pytest.fixture
def company() -> Company:
    """Twenty endpoints with three open incidents."""
    return twenty()


@pytest.fixture
async def browser(company: Company, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who is logged in."""
    following = followed(tmp_path, basic_auth_users=USERS)
    login = {"Authorization": aiohttp.encode_basic_auth("alice", "correct")}
    async with (
        serving(sources(knowledge=company.knowledge()), following=following) as server,
        client(server, headers=login) as session,
    ):
        yield session


async def token_on(session: aiohttp.ClientSession, path: str = "/incidents") -> str:
    """What the forms of a page carry."""
    (token,) = set(re.findall(r'name="token" value="([^"]+)"', await body(session, path)))
    return str(token)


async def posted(session: aiohttp.ClientSession, path: str, **fields: str) -> tuple[int, str]:
    """Status of a post, and where it leads or what it says."""
    async with session.post(path, data={"back": "", **fields}, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location") or await answer.text()


@pytest.mark.parametrize(
    ("path", "fields", "order", "leads"),
    [
        (
            f"/incidents/{ONE}/acknowledge",
            {"reason": " on it "},
            ("acknowledge", ONE, "alice", "on it"),
            "acknowledged",
        ),
        (f"/incidents/{ONE}/acknowledge", {}, ("acknowledge", ONE, "alice", ""), "acknowledged"),
        (f"/incidents/{ONE}/unacknowledge", {}, ("unacknowledge", ONE, "alice"), "unacknowledged"),
        (
            f"/incidents/{ONE}/silence",
            {"for": "4h", "reason": "we move"},
            (
                "silence",
                Scope(("payments.example.com:443",), kinds=frozenset({IncidentKind.PIN_MISMATCH})),
                timedelta(hours=4),
                "alice",
                "we move",
            ),
            "silenced",
        ),
        ("/silences/5113ce/end", {}, ("unsilence", "5113ce", "alice"), "unsilenced"),
    ],
)
async def test_forms_do_what_they_say_and_lead_back(
    company: Company,
    browser: aiohttp.ClientSession,
    path: str,
    fields: dict[str, str],
    order: tuple[object, ...],
    leads: str,
) -> None:
    """In the name of who is logged in; the page says what was done."""
    token = await token_on(browser)
    status, location = await posted(browser, path, token=token, **fields)
    assert (status, location) == (303, f"../../incidents?done={leads}")
    assert company.orders.given == [order]
    status, location = await posted(browser, path, token=token, **{**fields, "back": "payments.example.com"})
    assert (status, location) == (303, f"../../domains/payments.example.com?done={leads}")
    page = Outline(await body(browser, location.removeprefix("../..")))
    assert re.search("acknowledge|silence", page.text)
    status, location = await posted(browser, path, token=token, **{**fields, "back": "//evil.example/"})
    assert (status, location) == (303, f"../../incidents?done={leads}")


async def test_a_post_without_a_token_of_ours_does_nothing(company: Company, browser: aiohttp.ClientSession) -> None:
    """None, another's, one of another day: also where the browser says nothing of the page that it comes from."""
    good = await token_on(browser)
    stale = Tokens(lambda: NOW - timedelta(hours=30)).issue(Visitor("alice"))
    for token in ("", "x", good[:-1], f"{good}0", stale, f"-1{good}"):
        status, said = await posted(browser, f"/incidents/{ONE}/acknowledge", token=token)
        assert (status, said) == (403, "This form is out of date. Go back, reload the page, and try again.\n")
    headers = {"Sec-Fetch-Site": "cross-site"}
    async with browser.post(f"/incidents/{ONE}/acknowledge", data={"token": good}, headers=headers) as answer:
        assert answer.status == 403
    login = {"Authorization": aiohttp.encode_basic_auth("bob", "bob")}
    async with browser.post(f"/incidents/{ONE}/acknowledge", data={"token": good}, headers=login) as answer:
        assert answer.status == 403
    async with browser.post(f"/incidents/{ONE}/acknowledge", json={"token": good}) as answer:
        assert answer.status == 415
    async with browser.get(f"/incidents/{ONE}/acknowledge") as answer:
        assert answer.status == 405
    assert company.orders.given == []


def test_a_token_is_good_for_a_day_and_one_visitor() -> None:
    """Not before its time, and not with another key."""
    clock = [NOW]
    tokens = Tokens(lambda: clock[0])
    token = tokens.issue(Visitor("alice"))
    assert tokens.accepts(token, Visitor("alice"))
    assert not tokens.accepts(token, Visitor("bob"))
    assert not Tokens(lambda: NOW).accepts(token, Visitor("alice"))
    clock[0] = NOW + timedelta(hours=24)
    assert tokens.accepts(token, Visitor("alice"))
    clock[0] = NOW + timedelta(hours=25)
    assert not tokens.accepts(token, Visitor("alice"))
    clock[0] = NOW - timedelta(hours=1)
    assert not tokens.accepts(token, Visitor("alice"))


@pytest.mark.parametrize(
    ("path", "fields", "status", "said"),
    [
        (f"/incidents/{ONE}/silence", {"for": "4h"}, 400, "A silence needs a reason, for whoever looks next.\n"),
        (f"/incidents/{ONE}/silence", {"for": "4", "reason": "x"}, 400, "for: '4' is not a duration; write it like"),
        ("/incidents/ffff/silence", {"for": "4h", "reason": "x"}, 404, "This incident is not open any more.\n"),
    ],
)
async def test_what_a_form_lacks_is_said(
    company: Company, browser: aiohttp.ClientSession, path: str, fields: dict[str, str], status: int, said: str
) -> None:
    """And nothing is done."""
    found, text = await posted(browser, path, token=await token_on(browser), **fields)
    assert (found, text.startswith(said)) == (status, True)
    assert company.orders.given == []


async def test_what_cannot_be_done_is_said(company: Company, browser: aiohttp.ClientSession) -> None:
    """In the sentence of who could not do it."""
    company.orders._fault = MonitordError("no incident 0001 is open; to see which are: monitord incidents")
    status, said = await posted(browser, f"/incidents/{ONE}/acknowledge", token=await token_on(browser))
    assert (status, said) == (409, "No incident 0001 is open; to see which are: monitord incidents.\n")


@pytest.mark.parametrize(
    ("data", "charset"), [(b"token=\xff", "utf-8"), (b"token=x", "nope")], ids=["no UTF-8", "no such charset"]
)
async def test_what_no_form_sends_is_refused(browser: aiohttp.ClientSession, data: bytes, charset: str) -> None:
    """With a sentence, and no traceback in the log."""
    headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
    async with browser.post(f"/incidents/{ONE}/acknowledge", data=data, headers=headers) as answer:
        assert (answer.status, await answer.text()) == (400, "This is not what forms send.\n")


async def test_too_much_is_refused(browser: aiohttp.ClientSession) -> None:
    """A form is short."""
    fields = {"token": await token_on(browser), "reason": "x" * 100_000}
    assert (await posted(browser, f"/incidents/{ONE}/acknowledge", **fields))[0] == 413


async def test_who_is_not_known_sees_no_forms_and_can_post_nothing(company: Company) -> None:
    """Where there are no logins, the page says how to do it on the host."""
    async with serving(sources(knowledge=company.knowledge())) as server, client(server) as session:
        for path in ("/incidents", "/domains/payments.example.com"):
            assert '<form method="post"' not in await body(session, path)
        assert "monitord ack ID" in await body(session, "/incidents")
        token = Tokens(lambda: datetime.now(UTC)).issue(Visitor(""))
        status, said = await posted(session, f"/incidents/{ONE}/acknowledge", token=token)
        assert (status, said.startswith("Only who is known may change something")) == (403, True)
    assert company.orders.given == []
