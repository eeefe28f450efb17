"""Real places for alerts to arrive at, on loopback: a mail server and a webhook, each an async context manager."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from email.message import EmailMessage

    from monitord.pki import Issued

    Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PATIENCE = 90.0


def server_tls(issued: Issued) -> ssl.SSLContext:
    """A server's TLS context for this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(issued.pem + issued.key_pem)
        context.load_cert_chain(file.name)
    return context


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A mail as it arrived: envelope, content, and how the client had introduced itself."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    encrypted: bool
    username: str | None
    greeted_as: str

    @property
    def message(self) -> EmailMessage:
        """The parsed content."""
        return email.message_from_bytes(self.content, policy=email.policy.default)

    def part(self, subtype: str) -> str:
        """The text of the part of this type, ``plain`` or ``html``, with plain line ends."""
        body = self.message.get_body((subtype,))
        assert body is not None
        return cast("str", body.get_content()).replace("\r\n", "\n")


class SmtpSink:
    """A mail server.

    ``starttls`` is offered, ``implicit`` TLS is demanded on connecting; with neither all is in clear. ``login`` is
    the name and password that AUTH wants (offered in clear too, as careless servers do). ``replies`` maps a recipient,
    or ``DATA``, to the reply that it gets instead of acceptance.
    """

    def __init__(
        self,
        *,
        starttls: ssl.SSLContext | None = None,
        implicit: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
        replies: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        """A mail server that is not listening yet."""
        self.host = host
        self.port = 0
        self.mails: list[ReceivedMail] = []
        self.logins: list[bool] = []
        self.login = login
        self.replies = dict(replies or {})
        self._starttls = starttls
        self._implicit = implicit
        self._arrived = asyncio.Condition()
        self._sessions: list[SMTP] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, self.host, 0, ssl=self._implicit)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drop every connection and stop listening."""
        assert self._server is not None
        self._server.close()
        for session in self._sessions:
            if session.transport is not None:
                cast("asyncio.WriteTransport", session.transport).abort()
            if session._handler_coroutine is not None:
                session._handler_coroutine.cancel()
                with suppress(asyncio.CancelledError):
                    await session._handler_coroutine
        await self._server.wait_closed()

    async def wait_for(self, count: int) -> list[ReceivedMail]:
        """The mails, once there are this many."""
        async with asyncio.timeout(_PATIENCE), self._arrived:
            await self._arrived.wait_for(lambda: len(self.mails) >= count)
        return self.mails

    def _protocol(self) -> SMTP:
        session = SMTP(
            _Handler(self),
            hostname="sink.test",
            tls_context=self._starttls,
            authenticator=self._authenticate,
            auth_require_tls=False,
            auth_exclude_mechanism=() if self.login else ("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )
        self._sessions.append(session)
        return session

    def _authenticate(self, _server: SMTP, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        good = self.login == (data.login.decode(), data.password.decode())
        self.logins.append(good)
        return AuthResult(success=good, handled=good, auth_data=data.login.decode())

    async def take(self, mail: ReceivedMail) -> None:
        """Keep a mail and tell those who wait for it."""
        async with self._arrived:
            self.mails.append(mail)
            self._arrived.notify_all()


class _Handler:
    def __init__(self, sink: SmtpSink) -> None:
        self._sink = sink

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if address in self._sink.replies:
            return self._sink.replies[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if "DATA" in self._sink.replies:
            return self._sink.replies["DATA"]
        assert server.transport is not None
        await self._sink.take(
            ReceivedMail(
                sender=envelope.mail_from,
                recipients=tuple(envelope.rcpt_tos),
                content=envelope.content,
                encrypted=server.transport.get_extra_info("sslcontext") is not None,
                username=session.auth_data if session.authenticated else None,
                greeted_as=session.host_name,
            )
        )
        return "250 OK"


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """A request that a webhook got."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


async def accept(_request: web.Request) -> web.StreamResponse:
    """The usual answer of a webhook: 204."""
    return web.Response(status=204)


class WebhookSink:
    """A webhook. ``answer`` may be replaced at any time; the call is kept before it is answered.

    An answer is cancelled when the caller goes away.
    """

    def __init__(self, answer: Answer = accept, *, tls: ssl.SSLContext | None = None) -> None:
        """A webhook that is not listening yet."""
        self.answer = answer
        self.calls: list[ReceivedCall] = []
        self.port = 0
        self._tls = tls
        self._arrived = asyncio.Condition()
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)

    @property
    def url(self) -> str:
        """Where to call it."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/hook"

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drop every connection and stop listening."""
        await self._runner.cleanup()

    async def wait_for(self, count: int) -> list[ReceivedCall]:
        """The calls, once there are this many."""
        async with asyncio.timeout(_PATIENCE), self._arrived:
            await self._arrived.wait_for(lambda: len(self.calls) >= count)
        return self.calls

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        call = ReceivedCall(request.method, request.path_qs, request.headers.copy(), await request.read())
        async with self._arrived:
            self.calls.append(call)
            self._arrived.notify_all()
        return await self.answer(request)
