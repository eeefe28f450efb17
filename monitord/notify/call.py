"""One HTTP call to a webhook: to whom, within which time, and what its answer means. What is in it is others' matter.

Redirects are not followed, proxies of the environment not used, and no cookies kept. Every address is held against the
receiver's policy in the moment of connecting, so that a name cannot be made to point elsewhere after a check. Of the
answer at most 64 KB are read. No error shows a credential, also not one that the server sent back.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import aiohttp

from monitord.__about__ import __version__
from monitord.notify.fault import DeliveryError, DeliveryFault
from monitord.notify.plain import plain
from monitord.notify.trust import CaFileError, ServerTrust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from monitord.config.addresspolicy import AddressPolicy
    from monitord.config.receivers import WebhookSettings

    AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]

LONGEST_RETRY_AFTER = timedelta(hours=24)
_RESPONSE_LIMIT = 64 * 1024
GONE_ADVICE = "it is left alone, and messages wait, until its URL is corrected or the receiver removed by a reload"
_QUOTED = 200
_LEAST_TOKEN = 6  # shorter parts of a URL are words such as "hook", and hiding them would hide what was said
_REJECTIONS: Mapping[int, DeliveryFault] = MappingProxyType(
    {HTTPStatus.UNAUTHORIZED: DeliveryFault.AUTH, HTTPStatus.FORBIDDEN: DeliveryFault.AUTH}
)


@dataclass(frozen=True, slots=True)
class Call:
    """What is to be sent where, with which headers beside those that every call has."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: the status, how long it asks to be left alone, and its text where that is for people."""

    status: int
    retry_after: str | None
    text: str


class Caller:
    """Makes calls for one receiver. Each has a connection of its own, so that none dies of a stale one."""

    def __init__(self, settings: WebhookSettings, what: str = "webhook") -> None:
        """A caller for these settings; ``what`` is what errors call that which is called."""
        self._settings = settings
        self._what = f"{what} {settings.origin}"
        self._trust = ServerTrust(settings.ca_file)
        self._secrets = sorted(set(_secrets(settings)), key=len, reverse=True)

    async def post(self, call: Call, now: datetime) -> None:
        """Make the call; returns if the status is 2xx.

        The timeout bounds the whole call. A status counts as soon as it is there, whatever becomes of the rest of the
        answer. ``Retry-After`` of 429 and 5xx is passed on, up to 24 hours; ``now`` is for those that
        are dates. Raises DeliveryError.
        """
        gate = _Gate(self._settings.addresses)
        try:
            answer = await self._post(call, gate)
        except TimeoutError:
            raise self._error(DeliveryFault.TIMEOUT, f"did not answer within {self._settings.timeout:g} s") from None
        except CaFileError as error:
            raise self._error(DeliveryFault.TLS, f"cannot be verified: {error}") from None
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            fault, cause = _explain(error, gate)
            # "from None": the text of aiohttp's errors may hold the whole URL.
            raise self._error(fault, cause) from None
        self._judge(answer, now)

    def _error(self, fault: DeliveryFault, cause: str, retry_after: timedelta | None = None) -> DeliveryError:
        return DeliveryError(fault, plain(f"{self._what} {cause}"), retry_after=retry_after)

    def _quoted(self, text: str) -> str:
        """What a server said, without what it may have repeated, at a length that people read."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return f" ({text if len(text) <= _QUOTED else text[: _QUOTED - 1] + '…'})" if text else ""

    async def _post(self, call: Call, gate: _Gate) -> Answer:
        loop, settings = asyncio.get_running_loop(), self._settings
        deadline = loop.time() + settings.timeout
        connector = aiohttp.TCPConnector(
            force_close=True,
            ssl=self._trust.context() if urlsplit(call.url).scheme == "https" else True,
            socket_factory=gate.open,
        )
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        ) as session:
            async with asyncio.timeout_at(deadline):
                headers = self._headers(call.headers)
                response = await session.request(
                    call.method, call.url, data=call.body or None, headers=headers, allow_redirects=False
                )
            read = bytearray()
            with suppress(TimeoutError, aiohttp.ClientError):
                async with asyncio.timeout_at(deadline):
                    await _skim(response, read)
            response.close()
            return Answer(response.status, response.headers.get("Retry-After"), _text(response, read))

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        settings = self._settings
        own = {"user-agent": f"monitord/{__version__}"}
        if settings.bearer_token is not None:
            own["authorization"] = f"Bearer {settings.bearer_token.reveal()}"
        elif settings.username is not None and settings.password is not None:
            own["authorization"] = f"Basic {_basic(settings.username, settings.password.reveal())}"
        extra = {name.lower(): value.reveal() for name, value in settings.headers.items()}
        return own | extra | dict(headers)

    def _judge(self, answer: Answer, now: datetime) -> None:
        """Raise DeliveryError unless the answer is a success."""
        status = answer.status
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        said = f"answered {status}{self._quoted(answer.text)}"
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            cause = f"answered {status}, a redirect, which is never followed; configure the final URL"
            raise self._error(DeliveryFault.REDIRECT, cause)
        if status == HTTPStatus.GONE:
            raise self._error(DeliveryFault.GONE, f"{said}: it wants no more messages; {GONE_ADVICE}")
        throttled = status == HTTPStatus.TOO_MANY_REQUESTS
        if throttled or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            fault = DeliveryFault.THROTTLED if throttled else DeliveryFault.SERVER_ERROR
            raise self._error(fault, said, _parse_retry_after(answer.retry_after, now))
        raise self._error(_REJECTIONS.get(status, DeliveryFault.REJECTED), said)


class _Gate:
    """Opens sockets to addresses that the policy allows, and remembers why it did not."""

    def __init__(self, addresses: AddressPolicy) -> None:
        self._addresses = addresses
        self.refused: list[str] = []

    def open(self, address: AddressInfo) -> socket.socket:
        """A socket for an address that is about to be connected to. Raises PermissionError."""
        family, kind, protocol, _, where = address
        host = str(where[0])
        if objection := self._addresses.objection(host):
            self.refused.append(f"{host} {objection}")
            raise PermissionError(objection)
        return socket.socket(family, kind, protocol)


async def _skim(response: aiohttp.ClientResponse, read: bytearray) -> None:
    """Read a usual answer to its end, out of courtesy to the server, but not an endless one."""
    while len(read) < _RESPONSE_LIMIT and (chunk := await response.content.read(_RESPONSE_LIMIT - len(read))):
        read.extend(chunk)


def _text(response: aiohttp.ClientResponse, read: bytearray) -> str:
    """What the answer says to people, if it is short text or the usual JSON of an error; never a web page."""
    if response.content_type not in ("text/plain", "application/json") or response.headers.get("Content-Encoding"):
        return ""
    text = bytes(read).decode("utf-8", "replace").strip()
    if response.content_type == "application/json":
        with suppress(ValueError, RecursionError):
            text = "; ".join(_strings(json.loads(text)))
    return text


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _strings(each)
        case list():
            for each in value:
                yield from _strings(each)


def _secrets(settings: WebhookSettings) -> Iterator[str]:
    """Every text that no error may show: credentials, and each part of the URL that may be one."""
    url = settings.url.reveal()
    parts = urlsplit(url)
    yield url
    for text in (parts.path, parts.query, *re.split(r"[/;,]", parts.path)):
        if len(text) >= _LEAST_TOKEN:
            yield from (text, unquote(text))
    yield from (value for _, value in parse_qsl(parts.query) if len(value) >= _LEAST_TOKEN)
    for part in re.split(r"[&;]", parts.query):  # as it is written, where a plus sign may be meant as one
        value = part.partition("=")[2] or part
        if len(value) >= _LEAST_TOKEN:
            yield from (value, unquote(value))
    yield from (unquote(text) for text in (parts.username, parts.password) if text and len(text) > 1)
    if parts.password is not None:
        yield _basic(unquote(parts.username or ""), unquote(parts.password))
    if settings.username is not None and settings.password is not None:
        yield _basic(settings.username, settings.password.reveal())
    own = (
        *settings.secrets,
        settings.bearer_token,
        settings.password,
        settings.routing_key,
        *settings.headers.values(),
    )
    for secret in own:
        if secret is not None:
            yield from {secret.reveal(), secret.reveal().removeprefix("whsec_")}


def _basic(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def _parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The wait in a ``Retry-After`` header (RFC 9110 section 10.2.3), between 0 and 24 hours, or None if unreadable."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        seconds = int(value[:10])  # ten digits are 300 years
        return min(timedelta(seconds=seconds), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(timedelta(), min(moment - now, LONGEST_RETRY_AFTER))


def _explain(error: aiohttp.ClientError | OSError | UnicodeError, gate: _Gate) -> tuple[DeliveryFault, str]:
    """The fault behind an error of aiohttp, and a cause in words that do not come from the URL."""
    fault, cause = DeliveryFault.PROTOCOL, f"does not answer in HTTP ({type(error).__name__})"
    match error:
        case aiohttp.ClientConnectorDNSError():
            fault, cause = DeliveryFault.DNS, "cannot be found: its host name cannot be resolved"
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or "it does not verify"
            fault, cause = DeliveryFault.TLS, f"has a certificate that is not trusted: {reason}"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            reason = getattr(error, "reason", "") or "no reason given"
            fault, cause = DeliveryFault.TLS, f"failed the TLS handshake: {reason}"
        case aiohttp.ClientConnectorError() if gate.refused:
            fault, cause = DeliveryFault.REFUSED, f"was not called: its address {'; '.join(gate.refused)}"
        case aiohttp.ClientConnectorError():
            fault, cause = DeliveryFault.REFUSED, f"cannot be connected to: {error.strerror or 'refused'}"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            cause = "closed the connection without an answer"
        case aiohttp.InvalidURL() | UnicodeError():
            cause = "has a URL that cannot be used; write it in ASCII, with escapes where needed"
    return fault, cause
