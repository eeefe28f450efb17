from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from monitord.__about__ import __version__
from monitord.config.addresspolicy import AddressPolicy
from monitord.config.receivers import WebhookSettings
from monitord.config.secret import Secret
from monitord.notify.fault import DeliveryError, DeliveryFault
from monitord.notify.webhook import WebhookSender
from tests.notify import events
from tests.notify.events import NOW, delivery
from tests.notify.rough import RoughServer, drip, say_and_close, stay_silent
from tests.support.sinks import ReceivedCall, WebhookSink, accept

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from pathlib import Path

    from tests.notify.rough import Behaviour
    from tests.support.sinks import Answer

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDKAlkK2dQyQE="
OLD_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
DEADLINE = 0.3


def reach(url: str, secret: str | None = None, timeout: float = 30.0, **more: Any) -> WebhookSettings:
    """Settings for this URL."""
    return WebhookSettings(Secret(url), secret=Secret(secret) if secret else None, timeout=timeout, **more)


def answer(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """A webhook that always answers this."""

    async def respond(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers)

    return respond


async def fault_of(sender: WebhookSender) -> DeliveryError:
    """The error of one attempt."""
    with pytest.raises(DeliveryError) as caught:
        await sender.send(delivery(), NOW)
    return caught.value


def verified(call: ReceivedCall, secret: str = SECRET) -> Any:
    """The body, by the reference implementation's check of the signature."""
    # The reference implementation wants a timestamp of the last five minutes, by its own clock.
    return Webhook(secret).verify(call.body, dict(call.headers))


async def test_a_signature_passes_the_reference_implementation() -> None:
    """A receiver that uses the library of Standard Webhooks accepts the call."""
    now = datetime.now(UTC)
    async with WebhookSink() as sink:
        await WebhookSender(reach(sink.url, SECRET)).send(delivery(), now)
    (call,) = sink.calls
    assert verified(call) == events.MISMATCH
    assert call.method == "POST"
    assert call.headers["webhook-id"] == delivery().id
    assert call.headers["webhook-timestamp"] == str(int(now.timestamp()))
    assert call.headers["content-type"] == "application/json"
    assert call.headers["user-agent"] == f"monitord/{__version__}"


async def test_while_a_secret_is_changed_both_sides_may_go_first() -> None:
    """The reference implementation accepts the call by the old secret and by the new one, and by no other."""
    async with WebhookSink() as sink:
        settings = reach(sink.url, SECRET, retiring=(Secret(OLD_SECRET),))
        await WebhookSender(settings).send(delivery(), datetime.now(UTC))
    (call,) = sink.calls
    assert len(call.headers["webhook-signature"].split(" ")) == 2
    assert verified(call, SECRET) == verified(call, OLD_SECRET) == events.MISMATCH
    with pytest.raises(WebhookVerificationError):
        verified(call, "whsec_" + "A" * 44)


async def test_without_a_secret_the_call_is_unsigned() -> None:
    """Id and timestamp are there all the same."""
    async with WebhookSink() as sink:
        await WebhookSender(reach(sink.url)).send(delivery(), NOW)
    (call,) = sink.calls
    assert "webhook-signature" not in call.headers
    assert call.headers["webhook-id"] == delivery().id
    assert json.loads(call.body) == events.MISMATCH


async def test_a_repeat_has_the_same_id_and_body() -> None:
    """A receiver can tell a repeat by its id; only the timestamp and the signature are of the attempt."""
    async with WebhookSink() as sink:
        sender = WebhookSender(reach(sink.url, SECRET))
        await sender.send(delivery(), NOW)
        await sender.send(delivery(attempts=1), NOW + timedelta(minutes=5))
    first, second = sink.calls
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 300
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_a_redirect_is_a_failure_and_not_followed() -> None:
    """A login page that answers 200 behind a redirect has not taken the alert."""
    async with WebhookSink(answer(302, {"Location": "/login"})) as sink:
        error = await fault_of(WebhookSender(reach(sink.url)))
    assert error.fault is DeliveryFault.REDIRECT
    assert not error.permanent
    assert len(sink.calls) == 1


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (304, DeliveryFault.REDIRECT),
        (400, DeliveryFault.REJECTED),
        (401, DeliveryFault.AUTH),
        (403, DeliveryFault.AUTH),
        (404, DeliveryFault.REJECTED),
        (429, DeliveryFault.THROTTLED),
        (499, DeliveryFault.REJECTED),
        (500, DeliveryFault.SERVER_ERROR),
        (503, DeliveryFault.SERVER_ERROR),
        (999, DeliveryFault.SERVER_ERROR),
    ],
)
async def test_only_2xx_is_success(status: int, fault: DeliveryFault) -> None:
    """Every other status is a failure to be tried again, with its own reason."""
    async with WebhookSink(answer(status)) as sink:
        error = await fault_of(WebhookSender(reach(sink.url)))
    assert (error.fault, error.permanent, error.retry_after) == (fault, False, None)


async def test_a_receiver_that_is_gone_is_left_alone() -> None:
    """After 410 nothing is sent, and nothing is given up: a new sender, as after a reload, finds the messages."""
    async with WebhookSink(answer(410)) as sink:
        sender = WebhookSender(reach(sink.url))
        first, second = await fault_of(sender), await fault_of(sender)
        assert len(sink.calls) == 1
        sink.answer = accept
        await WebhookSender(reach(sink.url)).send(delivery(), NOW)
    assert [(error.fault, error.permanent) for error in (first, second)] == [(DeliveryFault.GONE, False)] * 2
    assert "until its URL is corrected" in str(second)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta()),
        ("9" * 5000, timedelta(hours=24)),
        (format_datetime(NOW + timedelta(hours=1), usegmt=True), timedelta(hours=1)),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), timedelta()),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), timedelta(hours=24)),
        ("Mon, 02 Mar 2026 00:06:07", timedelta(minutes=1)),
        ("soon", None),
        ("-5", None),
        ("Mon, 02 Mar 99999 00:00:00 GMT", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_passed_on(status: int, header: str, expected: timedelta | None) -> None:
    """Seconds and dates are understood, up to a day; nonsense is as if nothing was said."""
    async with WebhookSink(answer(status, {"Retry-After": header})) as sink:
        error = await fault_of(WebhookSender(reach(sink.url)))
    assert error.retry_after == expected


@pytest.mark.parametrize("status", [200, 500])
async def test_an_endless_response_counts_by_its_status(status: int) -> None:
    """A flood is cut off, and what the status said stands."""
    cut_off = asyncio.Event()

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        finally:
            cut_off.set()

    async with WebhookSink(flood) as sink:
        sender = WebhookSender(reach(sink.url))
        if status == 200:
            await sender.send(delivery(), NOW)
        else:
            assert (await fault_of(sender)).fault is DeliveryFault.SERVER_ERROR
        async with asyncio.timeout(10):
            await cut_off.wait()


async def test_a_body_that_never_ends_does_not_undo_the_success() -> None:
    """After a 200 the deadline ends the reading, not the delivery."""

    async def stall(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    async with WebhookSink(stall) as sink:
        await WebhookSender(reach(sink.url, timeout=DEADLINE)).send(delivery(), NOW)
    assert len(sink.calls) == 1


async def test_a_receiver_that_never_answers_is_given_up() -> None:
    """The deadline bounds the whole attempt."""

    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with WebhookSink(hang) as sink:
        error = await fault_of(WebhookSender(reach(sink.url, timeout=DEADLINE)))
    assert error.fault is DeliveryFault.TIMEOUT


@pytest.mark.parametrize(
    "behave", [drip(b"HTTP/1.1 100 Continue\r\n\r\n"), drip(b"x", first=b"HTTP/1.1 200 OK\r\nX: ")]
)
async def test_headers_that_drip_are_given_up(behave: Behaviour) -> None:
    """A server that sends a little now and then, but never a whole answer, does not outlive the deadline."""
    async with RoughServer(behave) as server:
        error = await fault_of(WebhookSender(reach(f"http://127.0.0.1:{server.port}/", timeout=DEADLINE)))
    assert error.fault is DeliveryFault.TIMEOUT


@pytest.mark.parametrize("said", [b"", b"220 mail.example.com ESMTP\r\n", b"HTTP/1.1 200 OK\r\nbroken\r\n\r\n"])
async def test_what_is_not_http_is_a_failure(said: bytes) -> None:
    """Silence and other protocols are no success."""
    async with RoughServer(say_and_close(said, after=b"\r\n\r\n")) as server:
        error = await fault_of(WebhookSender(reach(f"http://127.0.0.1:{server.port}/")))
    assert error.fault is DeliveryFault.PROTOCOL


async def test_a_closed_port_is_refused() -> None:
    """No listener is its own reason."""
    async with RoughServer(stay_silent) as server:
        port = server.port
    error = await fault_of(WebhookSender(reach(f"http://127.0.0.1:{port}/")))
    assert error.fault is DeliveryFault.REFUSED
    assert f"http://127.0.0.1:{port}" in str(error)


async def test_a_name_that_does_not_exist_is_a_dns_fault() -> None:
    """A wrong host name is told from a dead host."""
    error = await fault_of(WebhookSender(reach("http://webhook.invalid/")))
    assert error.fault is DeliveryFault.DNS


@pytest.mark.parametrize("url", ["http://1.1.1/", "http://ю:ю@127.0.0.1:1/"])
async def test_a_url_that_cannot_be_sent_is_explained(url: str) -> None:
    """What passes as a URL and yet cannot be used is a fault like others, not a bug."""
    error = await fault_of(WebhookSender(reach(url)))
    assert error.fault is DeliveryFault.PROTOCOL
    assert "URL" in str(error)
    assert "ю" not in str(error)


async def test_a_certificate_that_is_not_trusted_is_a_tls_fault(loopback_tls: ssl.SSLContext) -> None:
    """Nothing is sent to a server that cannot show who it is."""
    async with WebhookSink(tls=loopback_tls) as sink:
        error = await fault_of(WebhookSender(reach(sink.url)))
    assert error.fault is DeliveryFault.TLS
    assert sink.calls == []


async def test_a_private_authority_is_trusted(loopback_tls: ssl.SSLContext, ca_file: Path) -> None:
    """A webhook of one's own network, with a certificate of one's own."""
    async with WebhookSink(tls=loopback_tls) as sink:
        await WebhookSender(reach(sink.url, ca_file=ca_file)).send(delivery(), NOW)
    assert len(sink.calls) == 1


async def test_a_ca_file_that_is_missing_is_a_tls_fault(tmp_path: Path) -> None:
    """The error names the file."""
    error = await fault_of(WebhookSender(reach("https://127.0.0.1:1/", ca_file=tmp_path / "gone.pem")))
    assert error.fault is DeliveryFault.TLS
    assert "gone.pem" in str(error)


async def test_https_to_a_plain_port_is_a_tls_fault() -> None:
    """A scheme that does not fit the port is explained, not dumped."""
    async with WebhookSink() as sink:
        error = await fault_of(WebhookSender(reach(sink.url.replace("http:", "https:"))))
    assert error.fault is DeliveryFault.TLS


async def test_credentials_in_the_url_are_sent_as_basic_auth() -> None:
    """The usual way to give a password to a webhook behind a proxy."""
    async with WebhookSink() as sink:
        await WebhookSender(reach(sink.url.replace("://", "://user:pa55@"))).send(delivery(), NOW)
    assert sink.calls[0].headers["authorization"] == "Basic dXNlcjpwYTU1"


async def test_a_token_or_a_login_is_sent_along() -> None:
    """Receivers behind an API gateway want to know who calls; own headers are for the rest."""
    async with WebhookSink() as sink:
        await WebhookSender(reach(sink.url, bearer_token=Secret("t0ken"))).send(delivery(), NOW)
        await WebhookSender(reach(sink.url, username="Ö", password=Secret("pa55:"))).send(delivery(), NOW)
        own = {"X-Api-Key": Secret("k3y"), "User-Agent": Secret("ops")}
        await WebhookSender(reach(sink.url, headers=own)).send(delivery(), NOW)
    assert [call.headers.get("authorization") for call in sink.calls] == ["Bearer t0ken", "Basic w5Y6cGE1NTo=", None]
    assert (sink.calls[2].headers["x-api-key"], sink.calls[2].headers["user-agent"]) == ("k3y", "ops")


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://localhost:{port}/", AddressPolicy(private=False)),
        ("http://127.0.0.1:{port}/", AddressPolicy(private=False)),
        ("http://localhost:{port}/", AddressPolicy(private=False, networks=(ip_network("10.0.0.0/8"),))),
    ],
)
async def test_an_address_that_the_policy_forbids_is_not_connected_to(url: str, addresses: AddressPolicy) -> None:
    """Whatever the name: what counts is the address that the socket would go to."""
    allowed = AddressPolicy(private=False, networks=(ip_network("127.0.0.0/8"),))
    async with WebhookSink() as sink:
        settings = reach(url.format(port=sink.port), addresses=allowed)
        object.__setattr__(settings, "addresses", addresses)  # a literal address is refused when it is configured
        error = await fault_of(WebhookSender(settings))
        assert sink.calls == []
        await WebhookSender(reach(url.format(port=sink.port), addresses=allowed)).send(delivery(), NOW)
    assert error.fault is DeliveryFault.REFUSED
    assert "is private; list its network in allow_private" in str(error)


async def test_what_a_server_says_of_its_refusal_is_quoted() -> None:
    """The administrator reads the reason in monitord's log; a web page is not quoted."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        if request.path == "/json":
            return web.json_response({"message": "Event object is invalid", "errors": ["'x' is missing"]}, status=400)
        if request.path == "/page":
            return web.Response(status=400, text="<h1>no</h1>", content_type="text/html")
        return web.Response(status=400, text="invalid_blocks\r\n\x1b[2J" + "x" * 999)

    async with WebhookSink(refuse) as sink:
        base = sink.url.removesuffix("/hook")
        said = [str(await fault_of(WebhookSender(reach(base + path)))) for path in ("/text", "/json", "/page")]
    assert said[0].startswith(f"webhook {base} answered 400 (invalid_blocks  \\u{{1b}}[2Jxxx")
    assert len(said[0]) < 300
    assert said[1:] == [
        f"webhook {base} answered 400 (Event object is invalid; 'x' is missing)",
        f"webhook {base} answered 400",
    ]


words = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=12, max_size=20)


@settings(deadline=None, max_examples=50)
@given(password=words, token=words, path=words, status=st.sampled_from([302, 400, 401, 410, 429, 500, None]))
def test_no_error_shows_what_is_secret(password: str, token: str, path: str, status: int | None) -> None:
    """No credential is in any error, whatever went wrong, also if the server says all of them back."""

    async def echo(request: web.Request) -> web.StreamResponse:
        told = [request.headers.get(name, "") for name in ("authorization", "x-api-key")]
        headers = {"Location": f"http://u:{password}@127.0.0.1/{token}"}
        return web.Response(status=status or 200, headers=headers, text="".join([request.path_qs, *told, path, token]))

    async def attempt(**more: Any) -> DeliveryError:
        async with WebhookSink(echo) as sink:
            login = "" if more else f"u:{password}@"
            scheme = "https:" if status is None else "http:"
            url = f"{scheme}//{login}127.0.0.1:{sink.port}/hook/{path}?token={token}"
            return await fault_of(WebhookSender(reach(url, SECRET, **more)))

    for more in (
        {},
        {"bearer_token": Secret(password)},
        {"username": "u", "password": Secret(password)},
        {"headers": {"X-Api-Key": Secret(password)}},
    ):
        error = asyncio.run(attempt(**more))
        shown = f"{error} {error!r}"
        basic = base64.b64encode(f"u:{password}".encode()).decode()
        assert not any(secret in shown for secret in (password, token, path, basic, SECRET, SECRET[6:]))
