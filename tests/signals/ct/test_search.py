from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitord.config.secret import Secret
from monitord.pinning.target import Target
from monitord.signals.ct.search import SearchSource
from monitord.signals.fetch import Fetcher
from monitord.signals.ledger import Ledger
from monitord.signals.source import SourceName, Subject
from tests.notify.rough import RoughServer, say_and_close
from tests.signals.ct.conftest import HOST, ISSUERS, NOW, facts, issued, logged, watching
from tests.signals.ct.test_logs import DAY, HOUR, Watch
from tests.support.acmeserver import say
from tests.support.ctlogs import Rfc6962Log
from tests.support.ctsearch import IssuanceSearch
from tests.support.polling import Polled
from tests.support.sinks import WebhookSink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from monitord.signals.source import Poll

PACE = timedelta(seconds=40)
EVERY = 6 * HOUR


@pytest.fixture
async def service() -> AsyncIterator[IssuanceSearch]:
    """A service that knows of no issuance yet."""
    async with IssuanceSearch() as listening:
        yield listening


class Searching(Polled):
    """A search at this service, and its memory."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(SearchSource(url, Fetcher(timeout=5), **options))
        self.now = NOW

    async def next(self, *hosts: str, at: datetime | None = None) -> Poll:
        """One poll, at a time or when the last one wanted."""
        self.now = at or self.now
        poll = await self.poll(watching(*hosts), self.now)
        self.now = poll.next_at
        return poll

    async def to_the_end(self, *hosts: str) -> list[Poll]:
        """Polls until nothing is due for longer than the pace."""
        polls = []
        while True:
            begun = self.now
            polls.append(await self.next(*hosts))
            if self.now > begun + PACE:
                return polls


async def test_what_was_issued_for_a_name_is_told(service: IssuanceSearch) -> None:
    """Asked as the API wants to be asked: the name alone, wildcards that match it, and the certificates."""
    one = issued()
    service.add(one.certificate, HOST)
    service.add(issued("other.example.test").certificate, "other.example.test")
    search = Searching(service.url)
    assert search.source.name is SourceName.CT_SEARCH
    poll = await search.next()
    assert logged(poll) == [(HOST, (one.certificate,))]
    (fact,) = facts(poll)
    assert fact.source == f"Certificate Transparency, by the search at {service.origin}"
    assert fact.learned_at == NOW
    assert (poll.faults, poll.next_at) == ((), NOW + PACE)
    assert service.asked == [
        {
            "domain": [HOST],
            "include_subdomains": ["false"],
            "match_wildcards": ["true"],
            "expand": ["dns_names", "issuer", "cert_der"],
        }
    ]
    assert service.tokens == [None]


async def test_pages_are_turned_until_there_is_none(service: IssuanceSearch) -> None:
    """Each from the last issuance of the one before; then from there on, over a restart too."""
    service.page = 2
    ones = [issued() for _ in range(5)]
    for one in ones:
        service.add(one.certificate, HOST)
    search = Searching(service.url)
    polls = await search.to_the_end()
    assert [len(poll.learned) for poll in polls] == [2, 2, 1, 0]
    assert [asked.get("after") for asked in service.asked] == [None, ["1001"], ["1003"], ["1004"]]
    assert polls[-1].next_at == NOW + 3 * PACE + EVERY
    late = issued()
    service.add(late.certificate, HOST)
    restarted = Searching(service.url)
    restarted.state = search.state
    poll = await restarted.next(at=search.now)
    assert (logged(poll), service.asked[-1]["after"]) == ([(HOST, (late.certificate,))], ["1004"])


async def test_the_certificate_says_what_it_covers(service: IssuanceSearch) -> None:
    """Not the answer around it; a wildcard is found for each host that it covers."""
    wildcard, wrong = issued("*.example.test"), issued("evil.test")
    service.add(wildcard.certificate, "*.example.test")
    service.add(wrong.certificate, HOST)
    poll = await Searching(service.url).next(HOST, "www.example.test")
    assert logged(poll) == [(HOST, (wildcard.certificate,)), ("www.example.test", (wildcard.certificate,))]


async def test_what_has_expired_is_no_news(service: IssuanceSearch) -> None:
    """Though the service should not tell it."""
    service.add(issued(not_before=NOW - 90 * DAY, not_after=NOW - HOUR).certificate, HOST)
    poll = await Searching(service.url).next()
    assert (poll.learned, poll.faults) == ((), ())


async def test_names_take_turns(service: IssuanceSearch) -> None:
    """One request in forty seconds, whichever waits longest; each is asked for again after its interval."""
    hosts = ("a.example.test", "b.example.test", "c.example.test")
    search = Searching(service.url, interval=HOUR)
    for _ in range(3):
        begun = search.now
        await search.next(*hosts)
        assert search.now >= begun + PACE
    assert sorted(service.names) == list(hosts)
    assert search.now == NOW + HOUR
    for _ in range(3):
        await search.next(*hosts)
    assert service.names[3:] == service.names[:3]


async def test_asked_too_early_it_asks_nothing(service: IssuanceSearch) -> None:
    """Because an endpoint was added, say; the new name is asked for, the others wait."""
    search = Searching(service.url)
    first = await search.next()
    early = await search.next(at=NOW + PACE / 2)
    assert (len(service.asked), early.next_at) == (1, NOW + EVERY)
    assert first.next_at == NOW + EVERY
    await search.next(HOST, "new.example.test", at=NOW + PACE)
    assert service.names == [HOST, "new.example.test"]


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "localhost"])
async def test_what_no_public_certificate_has_is_not_asked_for(service: IssuanceSearch, host: str) -> None:
    """Addresses, and names of one label, would only tell the service about the inside of a network."""
    poll = await Searching(service.url).next(host)
    assert (service.asked, poll.learned, poll.faults, poll.next_at) == ([], (), (), NOW + EVERY)
    assert (await Searching(service.url).poll([], NOW)).faults == ()


async def test_a_host_that_is_registered_anew_learns_again(service: IssuanceSearch) -> None:
    """What was known about it is gone when it is taken off."""
    service.add(issued().certificate, HOST)
    search = Searching(service.url)
    assert len((await search.next()).learned) == 1
    await search.next("other.example.test")
    assert len([key for key in search.state if key.startswith("name:")]) == 1
    assert len((await search.next(HOST, "other.example.test")).learned) == 1


async def test_what_a_log_shows_too_is_one_fact_with_its_issuers(service: IssuanceSearch) -> None:
    """The service gives the certificate alone, the log its issuers."""
    one = issued()
    async with Rfc6962Log(NOW) as log:
        reading = Watch(log)
        await reading.next()
        log.entries.append(one.logged_first)
        shown = await reading.next()
    service.add(one.certificate, HOST)
    found = await Searching(service.url).next()
    for polls in ((shown, found), (found, shown)):
        ledger = Ledger()
        for poll in polls:
            ledger.take_in("any", poll.learned)
        (fact,) = ledger.signals_for(Target(HOST)).logged
        assert fact.chain == (one.certificate, *ISSUERS)


class TestToken:
    """What the service knows its customer by."""

    async def test_it_is_sent_to_the_service(self, service: IssuanceSearch) -> None:
        """As a bearer token."""
        service.token = "open sesame"
        service.add(issued().certificate, HOST)
        poll = await Searching(service.url, token=Secret("open sesame")).next()
        assert (len(poll.learned), service.tokens) == (1, ["Bearer open sesame"])

    async def test_it_is_not_carried_on_to_others(self, service: IssuanceSearch) -> None:
        """Whom a redirect names does not see it."""
        async with WebhookSink(say(200, "[]")) as elsewhere:
            service.answer = say(307, headers={"Location": elsewhere.url})
            poll = await Searching(service.url, token=Secret("open sesame")).next()
        assert poll.faults == ()
        assert [call.headers.get("authorization") for call in elsewhere.calls] == [None]

    @pytest.mark.parametrize(
        ("status", "body"),
        [(401, "{}"), (403, "{}"), (429, "{}"), (500, "{}"), (404, "{}"), (200, "junk"), (200, "[5]"), (302, "")],
    )
    async def test_it_stands_in_no_fault_and_no_state(self, service: IssuanceSearch, status: int, body: str) -> None:
        """Nor does one in the URL."""
        service.answer = say(status, body)
        search = Searching(service.url + "?key=open-sesame", token=Secret("open sesame"))
        poll = await search.next()
        (fault,) = poll.faults
        assert "sesame" not in fault + json.dumps(search.state)
        assert service.asked[0]["key"] == ["open-sesame"]

    async def test_one_that_cannot_be_sent_is_a_sentence(self, service: IssuanceSearch) -> None:
        """A line end in the middle of it, say."""
        poll = await Searching(service.url, token=Secret("open\r\nsesame: yes")).next()
        assert len(poll.faults) == 1
        assert "sesame" not in poll.faults[0]
        assert service.asked == []


class TestRefusals:
    """What the service answers instead, and how long it is left alone."""

    @pytest.mark.parametrize(
        ("status", "retry_after", "wait", "advice"),
        [
            (429, None, HOUR, "; with a token it may be asked more often"),
            (429, "120", timedelta(minutes=2), "; with a token it may be asked more often"),
            (429, "Sun, 01 Mar 2026 15:00:00 GMT", 3 * HOUR, "; with a token it may be asked more often"),
            (429, "99999999", DAY, "; with a token it may be asked more often"),
            (429, "soon", HOUR, "; with a token it may be asked more often"),
            (401, None, HOUR, "; it wants a token"),
            (402, None, HOUR, "; it wants a token"),
            (403, None, HOUR, "; it wants a token"),
            (500, None, timedelta(minutes=10), ""),
            (503, "1800", timedelta(minutes=30), ""),
        ],
    )
    async def test_the_whole_service_is_left_alone(
        self, service: IssuanceSearch, status: int, retry_after: str | None, wait: timedelta, advice: str
    ) -> None:
        """Not only about this name, and over a restart; then it goes on where it was."""
        service.answer = say(status, headers={} if retry_after is None else {"Retry-After": retry_after})
        service.add(issued().certificate, HOST)
        search = Searching(service.url)
        poll = await search.next(HOST, "www.example.test")
        assert poll.faults == (f"the search for certificates: {service.origin} answered with status {status}{advice}",)
        assert (poll.learned, poll.next_at) == ((), NOW + wait)
        restarted = Searching(service.url)
        restarted.state = search.state
        idle = await restarted.next(HOST, "www.example.test", at=NOW + wait - timedelta(seconds=1))
        assert (idle.next_at, idle.faults, dict(idle.state), len(service.asked)) == (NOW + wait, (), {}, 1)
        service.answer = None
        restarted.now = NOW + wait
        polls = await restarted.to_the_end(HOST, "www.example.test")
        assert sum(len(poll.learned) for poll in polls) == 1
        assert not [fault for poll in polls for fault in poll.faults]

    async def test_a_token_that_is_refused_is_to_be_checked(self, service: IssuanceSearch) -> None:
        """By whoever reads the sentence."""
        service.token = "right"
        poll = await Searching(service.url, token=Secret("wrong")).next()
        assert poll.faults[0].endswith("answered with status 401; check the token")
        service.answer = say(429)
        poll = await Searching(service.url, token=Secret("right")).next()
        assert poll.faults[0].endswith("answered with status 429")

    async def test_a_name_that_is_refused_is_asked_for_later(self, service: IssuanceSearch) -> None:
        """The others in their turn; and from its beginning, for it may be its last issuance that is not known."""
        service.add(issued().certificate, HOST)
        search = Searching(service.url)
        await search.to_the_end()
        service.answer = say(400, '{"code": "bad_parameter"}')
        begun = search.now
        poll = await search.next()
        assert poll.faults == (f"the search for certificates of {HOST}: {service.origin} answered with status 400",)
        assert poll.next_at == begun + EVERY
        assert service.asked[-1]["after"] == ["1000"]
        service.answer = None
        poll = await search.next()
        assert (len(poll.learned), "after" in service.asked[-1]) == (1, False)

    async def test_one_name_that_the_service_fails_at_holds_no_other_up(self, service: IssuanceSearch) -> None:
        """Each failure is about another name."""
        service.answer = say(500)
        search = Searching(service.url)
        for _ in range(3):
            await search.next("a.example.test", "b.example.test", "c.example.test")
        assert sorted(service.names) == ["a.example.test", "b.example.test", "c.example.test"]

    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            ("<html>", "is not JSON"),
            ("[" * 100_000, "is not JSON"),
            ("{}", "is not a list of issuances"),
            ("[5]", "is not a list of issuances"),
            ("[{}]", "has an issuance without id"),
            ('[{"id": ""}]', "has an issuance without id"),
            ('[{"id": true}]', "has an issuance without id"),
            ('[{"id": "' + "9" * 300 + '"}]', "has an issuance without id"),
            (json.dumps([{"id": "1"}] * 10_001), "has more than 10000 issuances"),
        ],
    )
    async def test_an_answer_that_is_none(self, service: IssuanceSearch, body: str, sentence: str) -> None:
        """It is asked again ten minutes later."""
        service.answer = say(body=body)
        poll = await Searching(service.url).next()
        assert poll.faults == (f"the search for certificates: the answer of {service.origin} {sentence}",)
        assert poll.next_at == NOW + timedelta(minutes=10)

    async def test_an_answer_without_end(self) -> None:
        """It is cut off."""
        head = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n"
        async with RoughServer(say_and_close(head + b"[", after=b"\r\n\r\n")) as server:
            poll = await Searching(f"http://127.0.0.1:{server.port}/v1/issuances").next()
        assert "closed the connection before its answer was complete" in poll.faults[0]

    async def test_nobody_there(self) -> None:
        """The service is left alone for ten minutes, whatever names there are."""
        search = Searching("http://127.0.0.1:1/v1/issuances")
        poll = await search.next(HOST, "www.example.test")
        assert poll.faults[0].startswith("the search for certificates: http://127.0.0.1:1 cannot be connected to")
        assert poll.next_at == NOW + timedelta(minutes=10)


async def test_certificates_that_cannot_be_read_are_counted(service: IssuanceSearch) -> None:
    """The others count, and what comes next is asked for."""
    good = issued()
    for broken in ("junk", base64.b64encode(b"junk").decode(), 5, None):
        service.add(good.certificate, HOST)["cert_der"] = broken
    service.add(good.certificate, HOST)
    poll = await Searching(service.url).next()
    assert logged(poll) == [(HOST, (good.certificate,))]
    assert poll.faults == (f"{service.origin} gave 4 certificates for {HOST} that cannot be read",)


async def test_a_service_that_says_when_to_come_again_is_listened_to(service: IssuanceSearch) -> None:
    """If that is later than the interval."""
    service.retry_after = "7200"
    assert (await Searching(service.url, interval=HOUR).next()).next_at == NOW + 2 * HOUR
    assert (await Searching(service.url, interval=3 * HOUR).next()).next_at == NOW + 3 * HOUR


async def test_an_id_may_be_a_number(service: IssuanceSearch) -> None:
    """It is opaque, and given back as it came."""
    service.add(issued().certificate, HOST)["id"] = 77
    search = Searching(service.url)
    await search.to_the_end()
    assert service.asked[-1]["after"] == ["77"]


@pytest.mark.parametrize("kept", [5, "junk", {"due": 5, "after": 5}, {"due": "2026-02-01T00:00:00", "after": None}])
async def test_what_was_kept_badly_is_asked_for_from_the_beginning(service: IssuanceSearch, kept: Any) -> None:
    """Another version may have kept it."""
    search = Searching(service.url)
    await search.next()
    search.state = dict.fromkeys(search.state, kept) | {"pause": kept}
    await search.next(at=NOW + HOUR)
    assert len(service.asked) == 2
    assert "after" not in service.asked[-1]


async def test_the_server_name_is_asked_for(service: IssuanceSearch) -> None:
    """It is what the certificate must carry."""
    subject = Subject(Target("origin.example.test", server_name="cdn.example.test"))
    await Searching(service.url).poll([subject], NOW)
    assert service.names == ["cdn.example.test"]
