from __future__ import annotations

import asyncio
import re
import threading
from contextlib import suppress

import aiohttp
import pytest

from monitord.web.server import Health, WebError, WebServer
from tests.web.listening import PATIENCE, Lines, Renderer, body, client, serving, sources


async def test_metrics_are_served_as_rendered() -> None:
    """Body and content type are the renderer's, which is told what the scraper accepts."""
    renderer = Renderer()
    accept = {"Accept": "application/openmetrics-text"}
    async with serving(sources(renderer)) as server, client(server) as session:
        answer = await session.get("/metrics", headers=accept)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert await answer.read() == renderer.body
    assert renderer.calls == ["application/openmetrics-text"]


async def test_a_large_scrape_is_compressed_for_who_takes_it() -> None:
    """The same bytes with gzip and without, and HEAD tells the length of either."""
    renderer = Renderer(b"monitord_up 1\n" * 100_000)
    async with serving(sources(renderer)) as server, client(server) as session:
        for offered, coding in (("gzip;q=1, br", "gzip"), ("identity", None), ("gzip;q=0", None)):
            headers = {"Accept-Encoding": offered}
            async with session.get("/metrics", headers=headers) as answer:
                assert answer.headers.get("Content-Encoding") == coding
                assert answer.headers["Vary"] == "Accept, Accept-Encoding"
                assert await answer.read() == renderer.body
                length = answer.headers["Content-Length"]
            assert (int(length) < len(renderer.body) / 100) == (coding == "gzip")
            async with session.head("/metrics", headers=headers) as answer:
                assert answer.headers["Content-Length"] == length


async def test_rendering_leaves_the_event_loop_free() -> None:
    """While a scrape is rendered in its thread, other pages answer."""
    renderer = Renderer()
    renderer.gate.clear()
    async with serving(sources(renderer)) as server, client(server) as session:
        scrape = asyncio.create_task(body(session, "/metrics"))
        await asyncio.to_thread(renderer.begun.acquire)
        assert "tick" in await body(session, "/-/healthy")
        assert not scrape.done()
        renderer.gate.set()
        assert await scrape == "monitord_up 1\n"
    assert threading.get_ident() not in renderer.threads


async def test_scrapes_at_the_same_time_share_a_rendering() -> None:
    """Several Prometheus servers that scrape at once cost one rendering, also when one of them leaves."""
    renderer = Renderer()
    renderer.gate.clear()
    async with serving(sources(renderer)) as server, client(server) as session:
        leaving = asyncio.create_task(body(session, "/metrics"))
        await asyncio.to_thread(renderer.begun.acquire)
        scrapes = [asyncio.create_task(body(session, "/metrics")) for _ in range(5)]
        await body(session, "/-/healthy")
        leaving.cancel()
        renderer.gate.set()
        assert await asyncio.gather(*scrapes) == ["monitord_up 1\n"] * 5
        assert len(renderer.calls) < 6
        before = len(renderer.calls)
        await body(session, "/metrics")
        assert len(renderer.calls) == before + 1


async def test_too_many_formats_at_once_are_refused() -> None:
    """A client cannot queue renderings without end by asking for ever other formats."""
    renderer = Renderer()
    renderer.gate.clear()
    async with serving(sources(renderer)) as server, client(server) as session:

        async def scrape(number: int) -> int:
            async with session.get("/metrics", headers={"Accept": f"text/{number}"}) as answer:
                return answer.status

        scrapes = [asyncio.create_task(scrape(number)) for number in range(8)]
        answers = asyncio.as_completed(scrapes)
        refused = [await next(answers) for _ in range(4)]
        renderer.gate.set()
        served = [await answer for answer in answers]
    assert (refused, served) == ([503] * 4, [200] * 4)


async def test_a_renderer_that_fails_is_logged_and_shown_without_details() -> None:
    """A bug costs one answer, not the listener, and tells the client nothing."""
    log = Lines()

    def failing(_accept: str) -> tuple[list[bytes], str]:
        raise RuntimeError("secret detail")

    async with serving(sources(failing), log) as server, client(server) as session:
        async with session.get("/metrics") as answer:
            assert answer.status == 500
            assert "secret" not in await answer.text()
        assert "tick" in await body(session, "/-/healthy")
    event, details = log.written[0]
    assert event == "a page could not be made"
    assert details["path"] == "/metrics"
    assert isinstance(details["exc_info"], RuntimeError)


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
@pytest.mark.parametrize(("ok", "status"), [(True, 200), (False, 503)])
async def test_health_is_a_status_and_a_sentence(path: str, ok: bool, status: int) -> None:
    """Machines read the status, people the sentence; the two pages do not depend on each other."""
    state = Health(ok, "the last tick was 200 s ago")
    other = Health(not ok, "something else")
    shown = sources(healthy=state, ready=other) if path == "/-/healthy" else sources(healthy=other, ready=state)
    async with serving(shown) as server, client(server) as session, session.get(path) as answer:
        assert answer.status == status
        assert await answer.text() == "the last tick was 200 s ago\n"
        assert answer.content_type == "text/plain"


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
async def test_head_gives_the_headers_alone(path: str) -> None:
    """HEAD answers as GET would, without the body."""
    async with serving(sources()) as server, client(server) as session:
        async with session.get(path) as full:
            length = len(await full.read())
        async with session.head(path) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Length"] == str(length)
            assert answer.headers["Content-Type"] == full.headers["Content-Type"]
            assert await answer.read() == b""


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/metrics/", 404), ("GET", "/../etc/passwd", 404), ("POST", "/metrics", 405)],
)
async def test_what_is_not_there_is_said_plainly(method: str, path: str, status: int) -> None:
    """Unknown paths and methods get their status and a line of text."""
    async with serving(sources()) as server, client(server) as session, session.request(method, path) as answer:
        assert answer.status == status
        assert answer.content_type == "text/plain"
        assert (status == 405) == ("Allow" in answer.headers)


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/nothing"])
async def test_every_answer_is_hardened(path: str) -> None:
    """Browsers run nothing and guess nothing, and no answer names the software behind it."""
    async with serving(sources()) as server, client(server) as session, session.get(path) as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in answer.headers


async def test_a_client_that_sends_too_slowly_is_cut_off() -> None:
    """Headers that never end hold a connection for no longer than the idle time."""
    async with serving(sources(), idle_seconds=0.2) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_a_client_that_takes_nothing_is_cut_off() -> None:
    """A scraper that stops reading does not keep its body in memory for ever; stopping waits for no longer."""
    body = b"x" * 50_000_000
    renderer = Renderer(body)
    async with serving(sources(renderer), send_seconds=0.2, drain_seconds=10 * PATIENCE) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.to_thread(renderer.begun.acquire)
        await server.stop()
        received = 0
        with suppress(ConnectionError):
            while chunk := await reader.read(1_000_000):
                received += len(chunk)
        assert received < len(body)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_garbage_is_answered_without_a_trace() -> None:
    """What is not HTTP gets an error and leaves nothing in the log."""
    log = Lines()
    async with serving(sources(), log) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"\x16\x03\x01\x02\x00 not http at all\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.")
    assert b" 400 " in answer.splitlines()[0]
    assert log.written == []


async def test_stopping_lets_answers_under_way_end() -> None:
    """A scrape that has begun is answered; then the port is closed."""
    renderer = Renderer()
    renderer.gate.clear()
    server = WebServer("127.0.0.1", 0, sources(renderer), Lines(), drain_seconds=PATIENCE)
    await server.start()
    port = server.port
    async with client(server) as session:
        scrape = asyncio.create_task(body(session, "/metrics"))
        await asyncio.to_thread(renderer.begun.acquire)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0)
        renderer.gate.set()
        assert await scrape == "monitord_up 1\n"
        await stopping
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await server.stop()


async def test_stopping_does_not_wait_for_ever() -> None:
    """An answer that does not end is cut off after the drain time."""
    renderer = Renderer()
    renderer.gate.clear()
    try:
        async with serving(sources(renderer), drain_seconds=0.1) as server, client(server) as session:
            scrape = asyncio.create_task(body(session, "/metrics"))
            await asyncio.to_thread(renderer.begun.acquire)
            await server.stop()
            with pytest.raises(aiohttp.ClientError):
                await scrape
    finally:
        renderer.gate.set()


async def test_a_port_in_use_is_said_in_one_sentence() -> None:
    """The error names the address and what to do."""
    async with serving(sources()) as server:
        other = WebServer("127.0.0.1", server.port, sources(), Lines())
        with pytest.raises(WebError) as caught:
            await other.start()
        assert str(caught.value) == (
            f"cannot listen on 127.0.0.1:{server.port} (Address already in use); free that address or change web.listen"
        )


async def test_an_address_of_another_machine_is_said_in_one_sentence() -> None:
    """Also a name that cannot be resolved and an address that is not ours are the user's to mend."""
    for host, shown in (("192.0.2.1", "192.0.2.1:0"), ("2001:db8::1", "[2001:db8::1]:0"), ("no name", "no name:0")):
        with pytest.raises(WebError, match=re.escape(f"cannot listen on {shown} (")):
            await WebServer(host, 0, sources(), Lines()).start()


async def test_ipv6_is_served() -> None:
    """A listener on ::1 answers there."""
    server = WebServer("::1", 0, sources(), Lines())
    await server.start()
    async with aiohttp.ClientSession(f"http://[::1]:{server.port}") as session:
        assert "tick" in await body(session, "/-/healthy")
    await server.stop()


async def test_the_port_is_the_one_asked_for_until_it_is_open() -> None:
    """Before the listener is open, port 0 stands for any."""
    server = WebServer("127.0.0.1", 0, sources(), Lines())
    assert server.port == 0
    await server.start()
    assert server.port != 0
    await server.stop()
