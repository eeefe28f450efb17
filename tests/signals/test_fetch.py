from __future__ import annotations

import asyncio
import gzip
import ssl
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from monitord import pki
from monitord.__about__ import __version__
from monitord.signals.fetch import Fetcher, FetchFault, origin_of
from tests.notify.rough import RoughServer, drip, say_and_close, stay_silent
from tests.support.sinks import WebhookSink, server_tls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.notify.rough import Behaviour
    from tests.support.sinks import Answer

ROOT = pki.issue("Test Root")
HERE = pki.issue("127.0.0.1", issuer=ROOT, names=["127.0.0.1"])


def trust() -> ssl.SSLContext:
    """What trusts the servers of these tests."""
    return ssl.create_default_context(cadata=ROOT.pem.decode())


def answering(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    """A server that always answers this."""

    async def respond(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers=headers)

    return respond


async def fault_of(url: str, fetcher: Fetcher | None = None, limit: int = 1000) -> FetchFault:
    """The fault that asking there ends in."""
    with pytest.raises(FetchFault) as caught:
        await (fetcher or Fetcher(tls=trust())).get(url, limit=limit)
    return caught.value


async def test_an_answer_has_status_headers_and_body() -> None:
    """Whatever the status; headers by their lower-case names. The server learns who asks."""
    async with WebhookSink(answering(404, b"nothing", {"Retry-After": "5"})) as server:
        answer = await Fetcher().get(server.url, limit=7, headers={"accept": "application/json"})
    assert (answer.status, answer.headers["retry-after"], answer.body) == (404, "5", b"nothing")
    (call,) = server.calls
    assert (call.method, call.headers["accept"]) == ("GET", "application/json")
    assert call.headers["user-agent"] == f"monitord/{__version__}"


async def test_a_post_carries_its_body_over_tls() -> None:
    """As OCSP needs it."""
    async with WebhookSink(answering(200, b"yes"), tls=server_tls(HERE)) as server:
        answer = await Fetcher(tls=trust()).post(server.url, b"\x30\x00", limit=10, headers={"content-type": "x/y"})
    assert (answer.status, answer.body) == (200, b"yes")
    (call,) = server.calls
    assert (call.method, call.body, call.headers["content-type"]) == ("POST", b"\x30\x00", "x/y")


async def test_an_answer_beyond_the_limit_is_cut_off() -> None:
    """One byte more is too much, and asking again would not help."""
    async with WebhookSink(answering(200, b"x" * 1001)) as server:
        fault = await fault_of(server.url)
    assert str(fault) == f"{origin_of(server.url)} answered with more than 1000 bytes"
    assert not fault.temporary


async def test_an_endless_answer_is_cut_off() -> None:
    """It counts as too long, not as slow."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n"
    async with RoughServer(drip(b"x" * 1000, first=head)) as server:
        fault = await fault_of(f"http://127.0.0.1:{server.port}/")
    assert str(fault).endswith("answered with more than 1000 bytes")


async def test_a_compressed_answer_is_not_unpacked_beyond_reason() -> None:
    """200 MB of zeros in 200 KB must not fill the memory."""
    bomb = gzip.compress(b"\0" * 200_000_000, 1)
    async with WebhookSink(answering(200, bomb, {"content-encoding": "gzip"})) as server:
        tracemalloc.start()
        try:
            fault = await fault_of(server.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert str(fault).endswith("answered with more than 1000 bytes")
    assert peak < 50_000_000


@pytest.mark.parametrize(
    ("behaviour", "complaint", "temporary"),
    [
        (stay_silent, "did not answer within 0.3 s", True),
        (drip(b"HTTP/1.1 100 Continue\r\n\r\n"), "did not answer within 0.3 s", True),
        (say_and_close(b""), "closed the connection before its answer was complete", True),
        (
            say_and_close(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"),
            "closed the connection before its answer was complete",
            True,
        ),
        (say_and_close(b"220 mail.example.test ESMTP\r\n"), "sent something that is not HTTP", False),
    ],
)
async def test_a_server_of_few_manners(behaviour: Behaviour, complaint: str, temporary: bool) -> None:
    """One deadline for the whole exchange, and a cause in words."""
    async with RoughServer(behaviour) as server:
        fault = await fault_of(f"http://127.0.0.1:{server.port}/", Fetcher(timeout=0.3))
    assert str(fault) == f"http://127.0.0.1:{server.port} {complaint}"
    assert fault.temporary is temporary


async def test_a_certificate_that_is_not_trusted() -> None:
    """It lasts, and the sentence says what is wrong with it."""
    async with WebhookSink(tls=server_tls(HERE)) as server:
        fault = await fault_of(server.url, Fetcher())
    assert str(fault).startswith(f"{origin_of(server.url)} has a certificate that this system does not trust: ")
    assert not fault.temporary


async def test_a_server_without_tls() -> None:
    """The reason is OpenSSL's."""
    async with WebhookSink() as server:
        fault = await fault_of(server.url.replace("http:", "https:"))
    assert "does not complete the TLS handshake: " in str(fault)
    assert fault.temporary


async def test_nobody_listens() -> None:
    """That may be over soon."""
    fault = await fault_of("http://127.0.0.1:1/")
    assert str(fault).startswith("http://127.0.0.1:1 cannot be connected to: ")
    assert fault.temporary


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "a URL without scheme or host cannot be asked: write its URL as https://HOST/PATH"),
        ("/directory", "a URL without scheme or host cannot be asked: write its URL as https://HOST/PATH"),
        ("ftp://ca.example/", "ftp://ca.example cannot be asked: write its URL as https://HOST/PATH"),
        ("http://[::1", "a URL that cannot be read cannot be asked: write its URL as https://HOST/PATH"),
        ("http://ca.example:99999/", "a URL that cannot be read cannot be asked: write its URL as https://HOST/PATH"),
    ],
)
async def test_what_is_no_url(url: str, sentence: str) -> None:
    """A fault like others, and a lasting one."""
    fault = await fault_of(url)
    assert (str(fault), fault.temporary) == (sentence, False)


async def test_a_token_in_the_url_is_in_no_sentence() -> None:
    """Only scheme, host and port are, and neither cause nor context of the error tells more."""
    async with WebhookSink(answering(200, b"x" * 9)) as server:
        url = f"http://user:secret@127.0.0.1:{server.port}/secret?token=secret"
        for asked, limit in ((url, 1), ("http://127.0.0.1:1/secret", 9), (f"ftp://127.0.0.1/{'secret' * 99}", 9)):
            fault = await fault_of(asked, limit=limit)
            assert "secret" not in str(fault)
            assert fault.__suppress_context__ or fault.__context__ is None


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://ca.example/a?b#c", "https://ca.example"),
        ("https://user:password@ca.example:8443/", "https://ca.example:8443"),
        ("http://[2001:db8::1]:80/", "http://[2001:db8::1]:80"),
        ("https://ca\x1bc.example/", "https://ca\\x1bc.example"),
        ("https://" + "a" * 300 + "/", "https://" + "a" * 100),
        ("https://ca.example:port/", "a URL that cannot be read"),
        ("//ca.example/", "a URL without scheme or host"),
    ],
)
def test_an_origin_is_safe_to_print(url: str, origin: str) -> None:
    """Whoever wrote the URL: bounded, escaped, and without what may be a secret."""
    assert origin_of(url) == origin


class TestRedirects:
    """Where a server sends those who ask."""

    async def test_a_get_follows_three(self) -> None:
        """Relative or absolute; the fourth is a fault that lasts."""
        hops = 3

        async def onward(request: web.Request) -> web.StreamResponse:
            hop = int(request.query.get("hop", "0"))
            if hop == hops:
                return web.Response(text="arrived")
            return web.Response(status=302, headers={"Location": f"/hook?hop={hop + 1}"})

        async with WebhookSink(onward, tls=server_tls(HERE)) as server:
            assert (await Fetcher(tls=trust()).get(server.url, limit=100)).body == b"arrived"
            hops = 4
            fault = await fault_of(server.url)
            assert str(fault) == f"{origin_of(server.url)} is where more than 3 redirects lead"
            assert not fault.temporary

    @pytest.mark.parametrize("location", ["http://127.0.0.1:1/", "file:///etc/passwd", "http://[::1", "data:,"])
    async def test_none_is_followed_out_of_https(self, location: str) -> None:
        """What was asked for over https is not to come from somewhere that anybody could write into."""
        async with WebhookSink(answering(301, headers={"Location": location}), tls=server_tls(HERE)) as server:
            fault = await fault_of(server.url)
        assert str(fault) == f"{origin_of(server.url)} redirects to what is no https URL, which is not followed"
        assert not fault.temporary

    async def test_another_origin_does_not_see_the_callers_headers(self) -> None:
        """They may hold a token; the same origin does see them again."""
        async with WebhookSink(answering(200)) as elsewhere, WebhookSink() as server:

            async def onward(request: web.Request) -> web.StreamResponse:
                location = elsewhere.url if request.query else "/hook?again=1"
                return web.Response(status=307, headers={"Location": location})

            server.answer = onward
            await Fetcher().get(server.url, limit=100, headers={"authorization": "Bearer secret"})
        assert [call.headers.get("authorization") for call in server.calls] == ["Bearer secret"] * 2
        assert [call.headers.get("authorization") for call in elsewhere.calls] == [None]

    async def test_a_post_is_not_carried_on(self) -> None:
        """Its redirect is an answer like any other, and so is a redirect to nowhere."""
        async with WebhookSink(answering(302, headers={"Location": "/elsewhere"})) as server:
            assert (await Fetcher().post(server.url, b"", limit=10)).status == 302
            server.answer = answering(302)
            assert (await Fetcher().get(server.url, limit=10)).status == 302
        assert len(server.calls) == 2

    async def test_one_deadline_holds_for_all_hops(self) -> None:
        """A server that redirects to one that is silent has not won time."""
        async with RoughServer(stay_silent) as silent:
            location = f"http://127.0.0.1:{silent.port}/"
            async with WebhookSink(answering(302, headers={"Location": location})) as server:
                fault = await fault_of(server.url, Fetcher(timeout=0.3))
        assert str(fault) == f"http://127.0.0.1:{silent.port} did not answer within 0.3 s"


async def test_only_a_few_are_asked_at_once() -> None:
    """The others wait for their turn."""
    under_way, most, full = 0, 0, asyncio.Event()

    async def respond(_request: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 2:
            full.set()
        await full.wait()
        under_way -= 1
        return web.Response()

    async with WebhookSink(respond) as server:
        fetcher = Fetcher(concurrency=2)
        await asyncio.gather(*(fetcher.get(server.url, limit=10) for _ in range(6)))
    assert (len(server.calls), most) == (6, 2)
