from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord import pki
from monitord.pinning.certificate import parse_certificate
from monitord.pinning.evidence import RenewalWindow
from monitord.pinning.target import Target
from monitord.signals.acmedirectories import PUBLIC_CAS, PublicCa
from monitord.signals.ari import MOST_IN_A_POLL, PAUSE, AriSource
from monitord.signals.fetch import Fetcher
from monitord.signals.source import SourceName, Subject
from tests.support.acmeserver import AcmeServer, certificate_id_of, rfc3339, say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.signals.source import Poll

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
START, END = NOW + 30 * DAY, NOW + 32 * DAY
NO_HTTPS = "has a renewalInfo in its ACME directory that is no https URL; check its URL in signals.ari.directories"
LATER = 1.05
"""Each wait is at most this many times as long, so that many leaves do not come back together."""

ROOT = pki.issue("Test Root")
ISSUER = pki.issue("Test Issuer", issuer=ROOT)
KEY = pki.new_key()


def leaf_for(host: str = "api.example.test", issuer: pki.Issued = ISSUER, **options: Any) -> Certificate:
    """A leaf in the middle of its 90 days."""
    dates = {"not_before": NOW - 30 * DAY, "not_after": NOW + 60 * DAY}
    return pki.issue(host, issuer=issuer, names=[host], key=KEY, **(dates | options)).certificate


def issuer_of(organization: str) -> pki.Issued:
    """An intermediate whose name has this organization."""
    key = pki.new_key()
    name = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization), x509.NameAttribute(NameOID.COMMON_NAME, "X1")]
    )
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(pki.EARLY).not_valid_after(pki.LATE)
    built = builder.sign(KEY, hashes.SHA256())
    return pki.Issued(parse_certificate(built.public_bytes(serialization.Encoding.DER)), key)


def serving(leaf: Certificate, *hosts: str) -> list[Subject]:
    """Endpoints at these hosts, all with this leaf."""
    return [Subject(Target(host), ((leaf, ISSUER.certificate),)) for host in hosts or ("api.example.test",)]


class Watch:
    """What the daemon does with a source: keeps its state, as JSON, and asks it again."""

    def __init__(self, source: AriSource) -> None:
        self.source = source
        self.state: dict[str, Any] = {}

    async def poll(self, subjects: Sequence[Subject], now: datetime = NOW) -> Poll:
        """One poll, after which the state is what it says."""
        poll = await self.source.poll(subjects, self.state, now)
        self.state |= json.loads(json.dumps(dict(poll.state)))
        self.state = {key: value for key, value in self.state.items() if value is not None}
        return poll


def watch(server: AcmeServer, *more: AcmeServer, **options: Any) -> Watch:
    """A source for these servers, as configured directories."""
    urls = [one.url for one in (server, *more)]
    return Watch(AriSource(urls, Fetcher(tls=server.trust), **({"public": ()} | options)))


def windows(poll: Poll) -> list[tuple[str, RenewalWindow]]:
    """The windows that were learned, with their hosts."""
    return [(one.host, one.fact) for one in poll.learned if isinstance(one.fact, RenewalWindow)]


def waits(poll: Poll, wait: timedelta, now: datetime = NOW) -> bool:
    """Whether the source wants to be left alone for so long, or a twentieth longer."""
    return now + wait <= poll.next_at <= now + wait * LATER


@pytest.fixture
async def server() -> AsyncIterator[AcmeServer]:
    """An ACME server that knows no certificate yet."""
    async with AcmeServer(ROOT) as listening:
        yield listening


@pytest.fixture
async def other() -> AsyncIterator[AcmeServer]:
    """A second one."""
    async with AcmeServer(ROOT) as listening:
        yield listening


class TestWindow:
    """What is learned from answers."""

    async def test_each_host_that_serves_the_leaf_learns_the_window(self, server: AcmeServer) -> None:
        """One question, however many endpoints there are; a host with two ports is one host."""
        leaf = leaf_for()
        server.suggest(leaf, START, END, "https://ca.example/why")
        subjects = [
            *serving(leaf, "a.example.test", "b.example.test"),
            Subject(Target("a.example.test", 8443), ((leaf,),)),
        ]
        poll = await watch(server).poll(subjects)
        window = RenewalWindow(leaf.sha256, START, END, NOW, "https://ca.example/why", None)
        assert windows(poll) == [("a.example.test", window), ("b.example.test", window)]
        assert (poll.faults, server.asked) == ((), [certificate_id_of(leaf)])

    async def test_the_certificate_is_called_as_in_the_standard(self, server: AcmeServer) -> None:
        """RFC 9773 section 4.1: key identifier and content of the serial, its leading zero kept, without padding."""
        authority = x509.AuthorityKeyIdentifier(bytes.fromhex("69885b6b87464041e1b37b847ba0ae2cde01c8d4"), None, None)
        leaf = leaf_for(extra=[(authority, False)], serial=0x87654321)
        await watch(server).poll(serving(leaf))
        assert server.calls == ["/directory", "/acme/renewal-info/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"]

    async def test_an_unchanged_answer_is_not_new(self, server: AcmeServer) -> None:
        """It says when the window was first seen."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        watching = watch(server)
        first = await watching.poll(serving(leaf))
        again = await watching.poll(serving(leaf), first.next_at)
        assert windows(again) == windows(first)
        assert len(server.asked) == 2

    async def test_a_window_that_moves_says_where_it_was(self, server: AcmeServer) -> None:
        """Into the past is a forced reissue, which can only be seen by where it was before."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        watching = watch(server)
        later = (await watching.poll(serving(leaf))).next_at
        server.suggest(leaf, later - HOUR, later - HOUR / 2, "https://ca.example/incident")
        ((_, window),) = windows(await watching.poll(serving(leaf), later))
        assert (window.learned_at, window.previous_start) == (later, START)
        assert (window.start, window.explanation) == (
            (later - HOUR).replace(microsecond=0),
            "https://ca.example/incident",
        )

    async def test_renew_at_once_counted_from_the_servers_clock_is_one_demand(self, server: AcmeServer) -> None:
        """Boulder answers "an hour ago" each time: that must not pass for a window that moved again."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        watching = watch(server)
        moved = (await watching.poll(serving(leaf))).next_at
        server.suggest(leaf, moved - HOUR, moved - HOUR / 2)
        demand = await watching.poll(serving(leaf), moved)
        later = demand.next_at
        server.suggest(leaf, later - HOUR, later - HOUR / 2)
        again = await watching.poll(serving(leaf), later)
        assert windows(again) == windows(demand)
        assert windows(again)[0][1].previous_start == START

    async def test_an_open_window_that_slides_is_one_demand_but_not_one_that_shrinks(self, server: AcmeServer) -> None:
        """Some servers open it at any time until tomorrow; a CA that then wants it by tonight says something new."""
        leaf = leaf_for()
        server.suggest(leaf, NOW - 10 * DAY, NOW + DAY)
        watching = watch(server)
        first = await watching.poll(serving(leaf))
        server.suggest(leaf, first.next_at - 10 * DAY, first.next_at + DAY)
        second = await watching.poll(serving(leaf), first.next_at)
        assert windows(second) == windows(first)
        server.suggest(leaf, second.next_at - HOUR, second.next_at + HOUR)
        ((_, window),) = windows(await watching.poll(serving(leaf), second.next_at))
        assert (window.learned_at, window.previous_start) == (second.next_at, NOW - 10 * DAY)

    async def test_renew_at_once_is_news_where_a_renewal_was_overdue(self, server: AcmeServer) -> None:
        """A window that passed unused stays where it is; one that is suddenly an hour ago is a demand."""
        leaf = leaf_for()
        server.suggest(leaf, NOW - 4 * DAY, NOW - 2 * DAY)
        watching = watch(server)
        later = (await watching.poll(serving(leaf))).next_at
        server.suggest(leaf, later - HOUR, later - HOUR / 2)
        ((_, window),) = windows(await watching.poll(serving(leaf), later))
        assert (window.learned_at, window.previous_start) == (later, NOW - 4 * DAY)

    async def test_a_window_that_comes_back_from_the_past_has_moved(self, server: AcmeServer) -> None:
        """The CA took its demand back."""
        leaf = leaf_for()
        server.suggest(leaf, NOW - HOUR, NOW - HOUR / 2)
        watching = watch(server)
        later = (await watching.poll(serving(leaf))).next_at
        server.suggest(leaf, START, END)
        ((_, window),) = windows(await watching.poll(serving(leaf), later))
        assert (window.start, window.learned_at, window.previous_start) == (START, later, NOW - HOUR)

    async def test_an_explanation_that_comes_later_does_not_make_the_window_new(self, server: AcmeServer) -> None:
        """It is told all the same."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        watching = watch(server)
        later = (await watching.poll(serving(leaf))).next_at
        server.suggest(leaf, START, END, "https://ca.example/why")
        ((_, window),) = windows(await watching.poll(serving(leaf), later))
        assert (window.learned_at, window.explanation) == (NOW, "https://ca.example/why")

    async def test_a_host_that_begins_to_serve_a_known_leaf_learns_at_once(self, server: AcmeServer) -> None:
        """Without another question; the others are not told again."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        watching = watch(server)
        await watching.poll(serving(leaf, "a.example.test"))
        poll = await watching.poll(serving(leaf, "a.example.test", "b.example.test"), NOW + MINUTE)
        assert [(host, window.learned_at) for host, window in windows(poll)] == [("b.example.test", NOW)]
        assert windows(await watching.poll(serving(leaf, "a.example.test", "b.example.test"), NOW + 2 * MINUTE)) == []
        assert len(server.asked) == 1

    async def test_two_leaves_of_one_host_have_windows_of_their_own(self, server: AcmeServer) -> None:
        """As where RSA and ECDSA are served."""
        one, two = leaf_for(), leaf_for()
        server.suggest(one, START, END)
        server.suggest(two, START + DAY, END + DAY)
        poll = await watch(server).poll([Subject(Target("api.example.test"), ((one,), (two, ISSUER.certificate)))])
        assert {window.certificate: window.start for _, window in windows(poll)} == {
            one.sha256: START,
            two.sha256: START + DAY,
        }


class TestWhen:
    """When is asked again."""

    @pytest.mark.parametrize(
        ("retry_after", "wait"),
        [
            ("21600", 6 * HOUR),
            ("120", 2 * MINUTE),
            ("0", MINUTE),
            ("59", MINUTE),
            ("86400", DAY),
            ("315360000", DAY),
            ("9" * 500, DAY),
            ("Sun, 01 Mar 2026 15:00:00 GMT", 3 * HOUR),
            ("Sun, 01 Mar 2016 15:00:00 GMT", MINUTE),
            ("Fri, 01 Mar 2126 15:00:00 GMT", DAY),
            ("-5", 6 * HOUR),
            ("1.5", 6 * HOUR),
            ("soon", 6 * HOUR),
            ("", 6 * HOUR),
            (None, 6 * HOUR),
        ],
    )
    async def test_retry_after_counts_between_a_minute_and_a_day(
        self, server: AcmeServer, retry_after: str | None, wait: timedelta
    ) -> None:
        """What is neither seconds nor a date is as if it were missing: six hours."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        server.retry_after = retry_after
        poll = await watch(server).poll(serving(leaf))
        assert waits(poll, wait)
        assert (len(windows(poll)), poll.faults) == (1, ())

    async def test_only_what_is_due_is_asked(self, server: AcmeServer) -> None:
        """A poll that comes early costs nothing, and changes nothing of the state."""
        first, second = leaf_for("a.example.test"), leaf_for("b.example.test")
        for leaf in (first, second):
            server.suggest(leaf, START, END)
        watching = watch(server)
        poll = await watching.poll(serving(first))
        subjects = [*serving(first), *serving(second)]
        await watching.poll(subjects, NOW + HOUR)
        early = await watching.poll(subjects, poll.next_at - timedelta(seconds=1))
        assert server.asked == [certificate_id_of(first), certificate_id_of(second)]
        assert (early.learned, early.state, early.next_at) == ((), {}, poll.next_at)
        await watching.poll(subjects, poll.next_at)
        assert server.asked[2:] == [certificate_id_of(first)]

    async def test_many_leaves_do_not_come_back_together(self, server: AcmeServer) -> None:
        """Each at its own time, the same in each run, up to a twentieth late."""
        leaves = [leaf_for() for _ in range(8)]
        times = []
        for leaf in leaves:
            server.suggest(leaf, START, END)
            poll = await watch(server).poll(serving(leaf))
            assert (await watch(server).poll(serving(leaf))).next_at == poll.next_at
            times.append(poll.next_at)
        assert len(set(times)) == len(leaves)
        assert all(NOW + 6 * HOUR <= time <= NOW + 6 * HOUR * LATER for time in times)

    async def test_errors_of_the_server_are_tried_again_soon_and_then_each_six_hours(self, server: AcmeServer) -> None:
        """1, 2, 4, 8, 16 minutes, then six hours, until it answers: then all is as if nothing had been."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        server.renewal_info = say(503)
        watching, now = watch(server), NOW
        for wait in (MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE, 16 * MINUTE, 6 * HOUR, 6 * HOUR):
            poll = await watching.poll(serving(leaf), now)
            assert poll.faults == (f"{server.base} answered with status 503, asked for api.example.test",)
            assert waits(poll, wait, now)
            now = poll.next_at
        server.renewal_info = None
        poll = await watching.poll(serving(leaf), now)
        assert (len(windows(poll)), poll.faults) == (1, ())
        assert waits(poll, 6 * HOUR, now)
        server.renewal_info = say(500)
        assert waits(await watching.poll(serving(leaf), poll.next_at), MINUTE, poll.next_at)

    @pytest.mark.parametrize(("status", "wait"), [(429, "1800"), (503, "1800")])
    async def test_a_server_that_asks_for_more_patience_gets_it(
        self, server: AcmeServer, status: int, wait: str
    ) -> None:
        """Retry-After of an error counts if it is longer than what would be waited anyway."""
        leaf = leaf_for()
        server.renewal_info = say(status, headers={"Retry-After": wait})
        assert waits(await watch(server).poll(serving(leaf)), 30 * MINUTE)

    async def test_a_leaf_that_is_no_longer_served_is_not_asked_about(self, server: AcmeServer) -> None:
        """Nor is one that has expired, served or not."""
        old, new = leaf_for(), leaf_for()
        server.suggest(old, START, END)
        server.suggest(new, START + 60 * DAY, END + 60 * DAY)
        watching = watch(server)
        poll = await watching.poll(serving(old))
        await watching.poll(serving(new), poll.next_at)
        assert server.asked == [certificate_id_of(old), certificate_id_of(new)]
        await watching.poll(serving(new), new.not_after + timedelta(seconds=1))
        assert len(server.asked) == 2

    async def test_the_state_keeps_a_leaf_for_a_day_after_it_was_served(self, server: AcmeServer) -> None:
        """An endpoint that is away for an hour must not make a forced reissue look like a first answer."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        watching = watch(server)
        first = await watching.poll(serving(leaf))
        assert (await watching.poll([], NOW + HOUR)).next_at == NOW + HOUR + DAY
        back = await watching.poll(serving(leaf), first.next_at)
        assert windows(back) == windows(first)
        await watching.poll([], NOW + DAY)
        await watching.poll([], NOW + 2 * DAY)
        assert watching.state == {}

    async def test_a_clock_that_was_wrong_does_not_silence_the_source(self, server: AcmeServer) -> None:
        """What was put off to 2036 is asked within about a day."""
        leaf = leaf_for(not_after=NOW + 4000 * DAY)
        server.suggest(leaf, START, END)
        watching = watch(server)
        await watching.poll(serving(leaf), NOW + 3650 * DAY)
        poll = await watching.poll(serving(leaf))
        assert poll.next_at <= NOW + 1.1 * DAY
        await watching.poll(serving(leaf), poll.next_at)
        assert len(server.asked) == 2


class TestUnusableAnswers:
    """Whatever a server sends is a fault in a sentence."""

    @pytest.mark.parametrize(
        ("body", "complaint"),
        [
            ("", "answered with what is not JSON instead of renewal information"),
            ("<html>login</html>", "answered with what is not JSON instead of renewal information"),
            ("[" * 16_000, "answered with what is not JSON instead of renewal information"),
            ("9" * 16_000, "answered with what is not JSON instead of renewal information"),
            (b"\xff\xfe\x00", "answered with what is not JSON instead of renewal information"),
            ("null", "answered with JSON that is not renewal information"),
            ('["suggestedWindow"]', "answered with JSON that is not renewal information"),
            ("{}", "answered without a suggestedWindow"),
            ('{"suggestedWindow": "now"}', "answered without a suggestedWindow"),
            ('{"suggestedWindow": {}}', "answered with a window whose start is not a time as in RFC 3339"),
            (
                '{"suggestedWindow": {"start": 1772366400, "end": 1772452800}}',
                "answered with a window whose start is not a time as in RFC 3339",
            ),
            (" " * 20_000 + "{}", "answered with more than 16384 bytes"),
        ],
    )
    async def test_a_body_that_makes_no_sense(self, server: AcmeServer, body: str | bytes, complaint: str) -> None:
        """It lasts: the next question is six hours later."""
        server.renewal_info = say(200, body)
        poll = await watch(server).poll(serving(leaf_for()))
        assert poll.faults == (f"{server.base} {complaint}, asked for api.example.test",)
        assert (poll.learned) == (())
        assert waits(poll, 6 * HOUR)

    @pytest.mark.parametrize(
        ("start", "end", "complaint"),
        [
            (rfc3339(END), rfc3339(START), "that ends before it starts, which RFC 9773 calls invalid"),
            (rfc3339(START), rfc3339(START), "that ends before it starts, which RFC 9773 calls invalid"),
            ("2026-03-31", rfc3339(END), "whose start is not a time as in RFC 3339"),
            ("2026-03-31T12:00:00", rfc3339(END), "whose start is not a time as in RFC 3339"),
            ("20260331T120000Z", rfc3339(END), "whose start is not a time as in RFC 3339"),
            ("2026-W14-2T12:00:00Z", rfc3339(END), "whose start is not a time as in RFC 3339"),
            ("٢٠٢٦-03-31T12:00:00Z", rfc3339(END), "whose start is not a time as in RFC 3339"),
            ("2026-02-30T12:00:00Z", rfc3339(END), "whose start is not a time that exists"),
            ("2026-03-31T12:00:00+24:00", rfc3339(END), "whose start is not a time that exists"),
            ("0001-01-01T00:00:00+01:00", rfc3339(END), "whose start is not a time that exists"),
            ("0001-01-01T00:00:00Z", rfc3339(END), "whose start is in a year before 2000 or after 2199"),
            (rfc3339(START), "9999-12-31T23:59:59Z", "whose end is in a year before 2000 or after 2199"),
        ],
    )
    async def test_a_window_that_is_none(self, server: AcmeServer, start: str, end: str, complaint: str) -> None:
        """``end`` must lie behind ``start``, and both must be times of RFC 3339."""
        server.renewal_info = say(200, json.dumps({"suggestedWindow": {"start": start, "end": end}}))
        poll = await watch(server).poll(serving(leaf_for()))
        assert poll.faults == (f"{server.base} answered with a window {complaint}, asked for api.example.test",)
        assert (poll.learned) == (())
        assert waits(poll, 6 * HOUR)

    @pytest.mark.parametrize(
        "text",
        ["2026-03-31T12:00:00.123456789Z", "2026-03-31t12:00:00z", "2026-03-31T14:00:00+02:00", "2026-03-31 12:00:00Z"],
    )
    async def test_every_spelling_of_rfc_3339(self, server: AcmeServer, text: str) -> None:
        """Fractions as long as Go's, small letters, other zones."""
        leaf = leaf_for()
        server.renewal_info = say(200, json.dumps({"suggestedWindow": {"start": text, "end": rfc3339(END)}}))
        ((_, window),) = windows(await watch(server).poll(serving(leaf)))
        assert (window.start, window.end) == (START, END)

    @pytest.mark.parametrize(
        "explanation",
        [
            "",
            "javascript:alert(1)",
            "ca.example/why",
            "https://",
            "https://ca.example/\u001b[2J",
            7,
            ["https://ca.example"],
            "https://ca.example/" + "a" * 1000,
            "https://user@ca.example/",
            "http://[::1",
            "https://ca.exämple/",
        ],
    )
    async def test_an_explanation_that_is_no_web_page_is_left_out(
        self, server: AcmeServer, explanation: object
    ) -> None:
        """It ends up in alerts and on pages. The window counts all the same."""
        document = {"suggestedWindow": {"start": rfc3339(START), "end": rfc3339(END)}, "explanationURL": explanation}
        server.renewal_info = say(200, json.dumps(document))
        poll = await watch(server).poll(serving(leaf_for()))
        ((_, window),) = windows(poll)
        assert (window.explanation, poll.faults) == (None, ())

    @pytest.mark.parametrize("status", [201, 204, 304, 400, 401, 403])
    async def test_other_statuses_last(self, server: AcmeServer, status: int) -> None:
        """At a directory that is configured, somebody should know."""
        server.renewal_info = say(status)
        poll = await watch(server).poll(serving(leaf_for()))
        assert poll.faults == (f"{server.base} answered with status {status}, asked for api.example.test",)
        assert waits(poll, 6 * HOUR)

    async def test_a_redirect_is_followed_but_not_for_ever(self, server: AcmeServer) -> None:
        """Nor out of https."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        elsewhere = f"/acme/renewal-info/{certificate_id_of(leaf)}"

        async def directory(_request: web.Request) -> web.StreamResponse:
            return web.json_response(server.document | {"renewalInfo": f"{server.base}/moved"})

        async def moved(request: web.Request) -> web.StreamResponse:
            if request.path.startswith("/moved/"):
                return web.Response(status=307, headers={"Location": elsewhere})
            return web.json_response(server.suggestions[certificate_id_of(leaf)].document)

        server.directory, server.renewal_info = directory, moved
        assert len(windows(await watch(server).poll(serving(leaf)))) == 1
        server.renewal_info = say(302, headers={"Location": elsewhere})
        poll = await watch(server).poll(serving(leaf))
        assert poll.faults == (f"{server.base} is where more than 3 redirects lead, asked for api.example.test",)
        assert waits(poll, 6 * HOUR)
        server.renewal_info = say(302, headers={"Location": "http://127.0.0.1/"})
        (fault,) = (await watch(server).poll(serving(leaf))).faults
        assert fault.startswith(f"{server.base} redirects to what is no https URL, which is not followed")

    async def test_a_server_that_does_not_answer_in_time(self, server: AcmeServer) -> None:
        """It is asked again soon; a fault of the moment."""

        async def hang(_request: web.Request) -> web.StreamResponse:
            await asyncio.Event().wait()
            raise AssertionError

        server.renewal_info = hang
        source = AriSource([server.url], Fetcher(tls=server.trust, timeout=0.5), public=())
        poll = await Watch(source).poll(serving(leaf_for()))
        assert poll.faults == (f"{server.base} did not answer within 0.5 s, asked for api.example.test",)
        assert waits(poll, MINUTE)

    async def test_a_fault_of_one_leaf_does_not_cost_the_others(self, server: AcmeServer) -> None:
        """What succeeded counts."""
        good, bad = leaf_for("good.example.test"), leaf_for("bad.example.test")

        async def answer(request: web.Request) -> web.StreamResponse:
            if request.path.endswith(certificate_id_of(bad)):
                return web.Response(status=500)
            return web.json_response({"suggestedWindow": {"start": rfc3339(START), "end": rfc3339(END)}})

        server.renewal_info = answer
        poll = await watch(server).poll([*serving(bad, "bad.example.test"), *serving(good, "good.example.test")])
        assert [host for host, _ in windows(poll)] == ["good.example.test"]
        assert poll.faults == (f"{server.base} answered with status 500, asked for bad.example.test",)

    async def test_a_fault_names_a_few_of_many_hosts(self, server: AcmeServer) -> None:
        """A sentence stays one that can be read."""
        server.renewal_info = say(500)
        poll = await watch(server).poll(serving(leaf_for(), *(f"{name}.test" for name in "abcde")))
        assert poll.faults == (f"{server.base} answered with status 500, asked for a.test, b.test, c.test and 2 more",)


class TestDirectories:
    """Which server is asked."""

    async def test_the_directory_is_read_once_a_day(self, server: AcmeServer) -> None:
        """And what it says then counts."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        watching = watch(server)
        poll = await watching.poll(serving(leaf))
        for _ in range(4):
            poll = await watching.poll(serving(leaf), poll.next_at)
        assert server.calls.count("/directory") == 2
        assert len(server.asked) == 5

    async def test_a_directory_that_cannot_be_read_again_does_not_stop_the_questions(self, server: AcmeServer) -> None:
        """What it said before goes on to count, and it is tried again soon."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        watching = watch(server)
        await watching.poll(serving(leaf))
        server.directory = say(500)
        poll = await watching.poll(serving(leaf), NOW + 2 * DAY)
        assert poll.faults == (f"the ACME directory at {server.base} answered with status 500",)
        assert len(windows(poll)) == 1

    @pytest.mark.parametrize(
        ("answer", "complaint", "wait"),
        [
            (say(404), "answered with status 404; check its URL in signals.ari.directories", 6 * HOUR),
            (
                say(200, "<html>"),
                "answered with what is not JSON instead of an ACME directory; check its URL in signals.ari.directories",
                6 * HOUR,
            ),
            (
                say(200, " " * 70_000),
                "answered with more than 65536 bytes; check its URL in signals.ari.directories",
                6 * HOUR,
            ),
            (
                say(200, '{"renewalInfo": "file:///etc/passwd"}'),
                NO_HTTPS,
                6 * HOUR,
            ),
            (
                say(200, '{"renewalInfo": "http://127.0.0.1/"}'),
                NO_HTTPS,
                6 * HOUR,
            ),
            (
                say(200, '{"renewalInfo": {}}'),
                NO_HTTPS,
                6 * HOUR,
            ),
            (say(502), "answered with status 502", MINUTE),
            (
                say(200, '{"newOrder": "https://ca.example/"}'),
                "has no renewalInfo: it cannot say when to renew, so take it out of signals.ari.directories",
                DAY,
            ),
        ],
    )
    async def test_a_directory_that_is_none(
        self, server: AcmeServer, answer: Any, complaint: str, wait: timedelta
    ) -> None:
        """Nothing is asked there; it is read again later."""
        server.directory = answer
        poll = await watch(server).poll(serving(leaf_for()))
        assert poll.faults == (f"the ACME directory at {server.base} {complaint}",)
        assert (server.asked, poll.next_at) == ([], NOW + wait)

    async def test_a_server_that_is_not_there(self, server: AcmeServer) -> None:
        """It is tried again soon, and the sentence says why there was no answer."""
        leaf = leaf_for()
        source = AriSource(["https://127.0.0.1:1/directory"], Fetcher(tls=server.trust), public=())
        poll = await Watch(source).poll(serving(leaf))
        (fault,) = poll.faults
        assert fault.startswith("the ACME directory at https://127.0.0.1:1 cannot be connected to:")
        assert poll.next_at == NOW + MINUTE

    async def test_all_configured_directories_are_tried_until_one_knows_the_leaf(
        self, server: AcmeServer, other: AcmeServer
    ) -> None:
        """That one is remembered, and the first is not asked again."""
        leaf = leaf_for()
        other.suggest(leaf, START, END)
        watching = watch(server, other)
        poll = await watching.poll(serving(leaf))
        assert (len(windows(poll)), poll.faults) == (1, ())
        await watching.poll(serving(leaf), NOW + 3 * DAY)
        assert (len(server.asked), len(other.asked)) == (1, 2)

    async def test_the_server_that_knew_the_issuer_is_asked_first_about_the_next_leaf(
        self, server: AcmeServer, other: AcmeServer
    ) -> None:
        """A renewed certificate does not begin the search anew."""
        old, new = leaf_for(), leaf_for()
        other.suggest(old, START, END)
        other.suggest(new, START, END)
        watching = watch(server, other)
        poll = await watching.poll(serving(old))
        await watching.poll(serving(new), poll.next_at)
        assert (len(server.asked), len(other.asked)) == (1, 2)

    async def test_a_leaf_that_nobody_knows_is_asked_about_once_a_day(
        self, server: AcmeServer, other: AcmeServer
    ) -> None:
        """404 is an answer and no fault: this CA did not issue it."""
        leaf = leaf_for()
        watching = watch(server, other)
        poll = await watching.poll(serving(leaf))
        assert (poll.learned, poll.faults) == ((), ())
        assert waits(poll, DAY)
        server.suggest(leaf, START, END)
        assert len(windows(await watching.poll(serving(leaf), poll.next_at))) == 1

    async def test_a_leaf_that_its_server_forgets_is_searched_anew(self, server: AcmeServer, other: AcmeServer) -> None:
        """As when a CA moves to another address. The window that was said stands until there is another."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        watching = watch(server, other)
        poll = await watching.poll(serving(leaf))
        server.suggestions.clear()
        other.suggest(leaf, START, END)
        lost = await watching.poll(serving(leaf), poll.next_at)
        assert (lost.learned, lost.next_at) == ((), poll.next_at + PAUSE)
        ((_, window),) = windows(await watching.poll(serving(leaf), lost.next_at))
        assert window.learned_at == NOW

    async def test_a_server_that_ends_the_service_is_not_asked_again(
        self, server: AcmeServer, other: AcmeServer
    ) -> None:
        """Others are, about what it knew."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        watching = watch(server, other)
        await watching.poll(serving(leaf))
        other.suggest(leaf, START, END)
        server.directory = say(200, "{}")
        ended = await watching.poll(serving(leaf), NOW + 2 * DAY)
        assert (len(ended.faults), ended.learned) == (1, ())
        assert len(windows(await watching.poll(serving(leaf), ended.next_at))) == 1
        assert (len(server.asked), len(other.asked)) == (1, 1)

    async def test_one_server_out_of_order_does_not_hide_another(self, server: AcmeServer, other: AcmeServer) -> None:
        """The fault is told, and the window as well."""
        leaf = leaf_for()
        server.renewal_info = say(500)
        other.suggest(leaf, START, END)
        poll = await watch(server, other).poll(serving(leaf))
        assert (len(windows(poll)), len(poll.faults)) == (1, 1)

    async def test_a_directory_that_is_taken_out_is_not_asked_again(
        self, server: AcmeServer, other: AcmeServer
    ) -> None:
        """What is kept about it goes as well."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        other.suggest(leaf, START, END)
        watching = watch(server, other)
        await watching.poll(serving(leaf))
        watching.source = watch(other).source
        await watching.poll(serving(leaf), NOW + 2 * DAY)
        assert (len(server.asked), len(other.asked)) == (1, 1)
        assert server.url not in json.dumps(watching.state)

    async def test_a_directory_is_configured_twice(self, server: AcmeServer) -> None:
        """It is asked once."""
        await watch(server, server).poll(serving(leaf_for()))
        assert len(server.asked) == 1


class TestPublicCas:
    """CAs that are asked without being configured."""

    def public(self, server: AcmeServer) -> tuple[PublicCa, ...]:
        """A table in which this server is that of a public CA."""
        return (PublicCa(("Public CA", "Public CA Ltd"), server.url),)

    @pytest.mark.parametrize(
        ("organization", "asked"), [("Public CA", 1), ("public ca ltd", 1), ("(STAGING) Public CA", 0)]
    )
    async def test_the_organization_of_the_issuer_says_whom_to_ask(
        self, server: AcmeServer, organization: str, asked: int
    ) -> None:
        """Exactly that name, in letters of any case; others learn nothing of the certificate."""
        leaf = leaf_for(issuer=issuer_of(organization))
        source = AriSource([], Fetcher(tls=server.trust), public=self.public(server))
        await Watch(source).poll(serving(leaf))
        assert len(server.asked) == asked

    async def test_nobody_is_asked_where_that_is_not_wanted(self, server: AcmeServer) -> None:
        """An empty table: only what is configured, and without that nothing at all."""
        leaf = leaf_for(issuer=issuer_of("Public CA"))
        poll = await Watch(AriSource([], Fetcher(tls=server.trust), public=())).poll(serving(leaf))
        assert (server.calls, poll.state, poll.next_at) == ([], {}, NOW + DAY)

    async def test_the_public_ca_is_asked_before_a_configured_directory(
        self, server: AcmeServer, other: AcmeServer
    ) -> None:
        """Its name is on the certificate."""
        leaf = leaf_for(issuer=issuer_of("Public CA"))
        other.suggest(leaf, START, END)
        watching = watch(server, public=self.public(other))
        assert len(windows(await watching.poll(serving(leaf)))) == 1
        assert server.asked == []

    @pytest.mark.parametrize("status", [400, 403, 404])
    async def test_a_public_ca_that_does_not_want_to_say_is_no_fault(self, server: AcmeServer, status: int) -> None:
        """Nobody has configured it, and not all that bears its name was issued by ACME."""
        server.renewal_info = say(status)
        source = AriSource([], Fetcher(tls=server.trust), public=self.public(server))
        poll = await Watch(source).poll(serving(leaf_for(issuer=issuer_of("Public CA"))))
        assert (poll.faults) == (())
        assert waits(poll, DAY)

    async def test_a_public_ca_that_ends_the_service_is_no_fault(self, server: AcmeServer) -> None:
        """Its directory is looked at once a day."""
        server.directory = say(200, "{}")
        source = AriSource([], Fetcher(tls=server.trust), public=self.public(server))
        poll = await Watch(source).poll(serving(leaf_for(issuer=issuer_of("Public CA"))))
        assert (poll.faults, poll.next_at) == ((), NOW + DAY)

    def test_the_table_has_no_directory_twice(self) -> None:
        """And only https."""
        urls = [ca.directory for ca in PUBLIC_CAS]
        assert len(set(urls)) == len(urls)
        assert all(url.startswith("https://") for url in urls)


class TestPoliteness:
    """What servers are spared."""

    async def test_few_questions_are_under_way_at_once(self, server: AcmeServer) -> None:
        """As many as were allowed, and no more."""
        leaves = [leaf_for(f"{number}.example.test") for number in range(6)]
        under_way, most, full = 0, 0, asyncio.Event()

        async def answer(_request: web.Request) -> web.StreamResponse:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            if under_way == 2:
                full.set()
            await full.wait()
            under_way -= 1
            return web.Response(status=404)

        server.renewal_info = answer
        await watch(server, concurrency=2).poll([one for leaf in leaves for one in serving(leaf)])
        assert (len(server.asked), most) == (6, 2)

    async def test_one_poll_asks_about_a_few_leaves_and_goes_on_a_little_later(self, server: AcmeServer) -> None:
        """So that a start with many endpoints is no wave, and no poll takes for ever."""
        subjects = [one for number in range(MOST_IN_A_POLL + 3) for one in serving(leaf_for(f"{number}.example.test"))]
        watching = watch(server)
        poll = await watching.poll(subjects)
        assert (len(server.asked), poll.next_at) == (MOST_IN_A_POLL, NOW + PAUSE)
        poll = await watching.poll(subjects, poll.next_at)
        assert len(set(server.asked)) == len(server.asked) == len(subjects)
        assert poll.next_at >= NOW + DAY

    async def test_a_poll_whose_time_is_up_leaves_the_rest_to_the_next(self, server: AcmeServer) -> None:
        """So that slow servers do not keep back what others have said."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        watching = watch(server, budget=0.0)
        poll = await watching.poll(serving(leaf))
        assert (server.asked, poll.faults, poll.next_at) == ([], (), NOW + PAUSE)
        watching.source = watch(server).source
        assert len(windows(await watching.poll(serving(leaf), poll.next_at))) == 1

    @pytest.mark.parametrize("status", [500, 503])
    async def test_a_server_that_fails_is_left_alone(self, server: AcmeServer, status: int) -> None:
        """After three failures in a row; the other questions count as failed with them."""
        server.renewal_info = say(status)
        leaves = [leaf_for(f"{number}.example.test") for number in range(20)]
        poll = await watch(server, concurrency=1).poll(
            [one for leaf in leaves for one in serving(leaf, leaf.sha256.hex())]
        )
        assert len(server.asked) == 3
        assert poll.faults[0].endswith("and 17 more")
        assert waits(poll, MINUTE)

    async def test_what_has_no_key_identifier_of_its_issuer_is_not_asked_about(self, server: AcmeServer) -> None:
        """There is no CertID without it; an extension that is there but empty or broken is none."""
        authority = x509.ObjectIdentifier("2.5.29.35")
        leaves = [
            leaf_for(without=[x509.AuthorityKeyIdentifier]),
            leaf_for(
                extra=[(x509.UnrecognizedExtension(authority, b"\x30\x00"), False)],
                without=[x509.AuthorityKeyIdentifier],
            ),
            leaf_for(
                extra=[(x509.UnrecognizedExtension(authority, b"\x30\x05"), False)],
                without=[x509.AuthorityKeyIdentifier],
            ),
        ]
        poll = await watch(server).poll([one for leaf in leaves for one in serving(leaf)])
        assert (server.calls, poll.learned, poll.faults, poll.state) == ([], (), (), {})

    async def test_an_endpoint_that_serves_nothing(self, server: AcmeServer) -> None:
        """Nothing is asked, and nothing kept."""
        poll = await watch(server).poll([Subject(Target("api.example.test"), ((),))])
        assert (server.calls, poll.state, poll.next_at) == ([], {}, NOW + DAY)


class TestState:
    """What is kept may come from elsewhere."""

    @settings(deadline=None, max_examples=40)
    @given(
        st.dictionaries(
            st.sampled_from(["known_by", "asking", "said", "told", "gone", "id", "reading", "renewal_info"]),
            st.recursive(
                st.none() | st.integers() | st.text(max_size=5) | st.just("2026-03-01T00:00:00+00:00"),
                lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["due", "start"]), inner),
                max_leaves=5,
            ),
        )
    )
    def test_a_state_that_cannot_be_read_is_as_if_it_were_not_there(self, value: Mapping[str, Any]) -> None:
        """Another version may have written it; what is there is asked about, and the rest goes."""

        async def go() -> None:
            async with AcmeServer(ROOT) as server:
                leaf = leaf_for()
                server.suggest(leaf, START, END)
                watching = watch(server)
                keys = (f"leaf:{leaf.sha256.hex()}", f"directory:{server.url}", "leaf:00", "strange")
                watching.state = {key: dict(value) for key in keys}
                poll = await watching.poll(serving(leaf))
                assert poll.faults == ()
                assert len(windows(poll)) == 1
                assert set(watching.state) == set(keys[:2])

        asyncio.run(go())

    async def test_leaves_that_are_gone_are_kept_in_bounds(self, server: AcmeServer) -> None:
        """An endpoint with another certificate at each probe does not fill the store."""
        leaf = leaf_for()
        server.suggest(leaf, START, END)
        watching = watch(server)
        await watching.poll(serving(leaf))
        known = watching.state[f"leaf:{leaf.sha256.hex()}"]
        watching.state |= {f"leaf:{number:064x}": known for number in range(1500)}
        await watching.poll(serving(leaf), NOW + MINUTE)
        assert len([key for key in watching.state if key.startswith("leaf:")]) == 1001

    def test_the_name(self) -> None:
        """By which the store keeps the state."""
        assert AriSource([], Fetcher()).name is SourceName.ARI
