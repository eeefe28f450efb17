"""Webhooks by the Standard Webhooks specification 1.0.0 (standardwebhooks.com)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING

import aiohttp

from monitord.__about__ import __version__
from monitord.config.receivers import decode_webhook_secret
from monitord.notify.fault import DeliveryError, DeliveryFault, Receipt
from monitord.notify.payload import write_payload
from monitord.notify.wording import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.config.receivers import WebhookSettings
    from monitord.outbox import Delivery

LONGEST_RETRY_AFTER = timedelta(hours=24)
_RESPONSE_LIMIT = 64 * 1024
_REJECTIONS: Mapping[int, DeliveryFault] = MappingProxyType(
    {HTTPStatus.UNAUTHORIZED: DeliveryFault.AUTH, HTTPStatus.FORBIDDEN: DeliveryFault.AUTH}
)


class WebhookSender:
    """Calls one webhook. Each attempt has a connection of its own, so that no attempt dies of a stale one."""

    def __init__(self, settings: WebhookSettings, tls: ssl.SSLContext | None = None) -> None:
        """A sender for these settings; ``tls`` replaces the system's idea of whom to trust."""
        self._settings = settings
        self._tls = tls
        self._key = decode_webhook_secret(settings.secret) if settings.secret else None

    async def send(self, delivery: Delivery, now: datetime) -> Receipt:
        """Post the event; ``now`` is the time of the attempt. Only a 2xx status counts as delivered.

        Redirects are not followed and proxies of the environment not used. A status counts as soon as it is there,
        whatever becomes of the response's body, of which at most 64 KB are read. 410 is permanent. ``Retry-After`` of
        429 and 5xx is passed on, up to 24 hours. Raises DeliveryError.
        """
        body = write_payload(delivery.body)
        origin = self._settings.origin
        try:
            status, retry_after = await self._post(body, self._headers(delivery.id, body, now))
        except TimeoutError:
            sentence = f"webhook {origin} did not answer within {self._settings.timeout:g} s"
            raise DeliveryError(DeliveryFault.TIMEOUT, sentence) from None
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            fault, cause = _explain(error)
            # "from None": the text of aiohttp's errors may hold the whole URL.
            raise DeliveryError(fault, plain(f"webhook {origin}: {cause}")) from None
        return _judge_status(status, retry_after, origin, now)

    def _headers(self, identifier: str, body: bytes, now: datetime) -> dict[str, str]:
        timestamp = str(int(now.timestamp()))
        headers = {
            "content-type": "application/json",
            "user-agent": f"monitord/{__version__}",
            "webhook-id": identifier,
            "webhook-timestamp": timestamp,
        }
        if self._key is not None:
            signed = f"{identifier}.{timestamp}.".encode() + body
            digest = hmac.new(self._key, signed, hashlib.sha256).digest()
            headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode("ascii")
        return headers

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, str | None]:
        """The status of the response and its ``Retry-After``."""
        deadline = asyncio.get_running_loop().time() + self._settings.timeout
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, ssl=self._tls or True),
            timeout=aiohttp.ClientTimeout(),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        ) as session:
            async with asyncio.timeout_at(deadline):
                response = await session.post(
                    self._settings.url.reveal(), data=body, headers=headers, allow_redirects=False
                )
            with suppress(TimeoutError, aiohttp.ClientError):
                async with asyncio.timeout_at(deadline):
                    await _skim(response)
            response.close()
            return response.status, response.headers.get("Retry-After")


async def _skim(response: aiohttp.ClientResponse) -> None:
    """Read a usual response to its end, out of courtesy to the server, but not an endless one."""
    read = 0
    while read < _RESPONSE_LIMIT and (chunk := await response.content.read(_RESPONSE_LIMIT - read)):
        read += len(chunk)


def _judge_status(status: int, retry_after: str | None, origin: str, now: datetime) -> Receipt:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Receipt()
    said = f"webhook {origin} answered {status}"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        sentence = f"{said}, a redirect, which is never followed; configure the final URL"
        raise DeliveryError(DeliveryFault.REDIRECT, sentence)
    if status == HTTPStatus.GONE:
        sentence = f"{said}: it wants no more messages; remove the receiver or correct its URL"
        raise DeliveryError(DeliveryFault.GONE, sentence, permanent=True)
    throttled = status == HTTPStatus.TOO_MANY_REQUESTS
    if throttled or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        fault = DeliveryFault.THROTTLED if throttled else DeliveryFault.SERVER_ERROR
        raise DeliveryError(fault, said, retry_after=_parse_retry_after(retry_after, now))
    raise DeliveryError(_REJECTIONS.get(status, DeliveryFault.REJECTED), said)


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


def _explain(error: aiohttp.ClientError | OSError | UnicodeError) -> tuple[DeliveryFault, str]:
    """The fault behind an error of aiohttp, and a cause in words that do not come from the URL."""
    fault, cause = DeliveryFault.PROTOCOL, f"its answer is not HTTP ({type(error).__name__})"
    match error:
        case aiohttp.ClientConnectorDNSError():
            fault, cause = DeliveryFault.DNS, "its host name cannot be resolved"
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or "it does not verify"
            fault, cause = DeliveryFault.TLS, f"its certificate is not trusted: {reason}"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            reason = getattr(error, "reason", "") or "no reason given"
            fault, cause = DeliveryFault.TLS, f"the TLS handshake failed: {reason}"
        case aiohttp.ClientConnectorError():
            fault, cause = DeliveryFault.REFUSED, f"no connection: {error.strerror or 'refused'}"
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            cause = "it closed the connection without an answer"
        case aiohttp.InvalidURL() | UnicodeError():
            cause = "its URL cannot be used; write it in ASCII, with escapes where needed"
    return fault, cause
