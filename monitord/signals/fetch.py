"""HTTP for the sources: one GET or POST with one deadline, a cap on the answer, and faults in sentences."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import aiohttp

from monitord.__about__ import __version__
from monitord.signals.source import SignalFault

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_REDIRECTS = 3
_SHOWN = 100
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchFault(SignalFault):
    """No answer could be had. ``temporary``: the same question may well be answered a little later."""

    def __init__(self, sentence: str, *, temporary: bool) -> None:
        """``sentence`` is for people and holds no secret."""
        super().__init__(sentence)
        self.temporary = temporary


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its status, its headers by lower-case name, and its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fetcher:
    """Asks servers, a few at a time; proxies of the environment are honoured, cookies are not kept.

    A GET follows up to three redirects, never from https to http, and shows the caller's headers to the first origin
    only, since they may hold a token. A redirect of a POST is an answer like any other.
    """

    def __init__(self, *, timeout: float = 30.0, concurrency: int = 4, tls: ssl.SSLContext | None = None) -> None:
        """``timeout`` is in seconds, for a whole exchange; ``tls`` replaces the system's idea of whom to trust."""
        self._timeout = timeout
        self._tls = tls
        self._turn = asyncio.Semaphore(concurrency)

    async def get(self, url: str, *, limit: int, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer to a GET, of at most ``limit`` bytes. Raises FetchFault; any status is an answer."""
        return await self._ask("GET", url, limit, headers or {}, None)

    async def post(self, url: str, body: bytes, *, limit: int, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer to a POST, of at most ``limit`` bytes. Raises FetchFault; any status is an answer."""
        return await self._ask("POST", url, limit, headers or {}, body)

    async def _ask(self, method: str, url: str, limit: int, headers: Mapping[str, str], body: bytes | None) -> Answer:
        try:
            async with self._turn, asyncio.timeout(self._timeout), self._session() as session:
                for _ in range(_MOST_REDIRECTS + 1):
                    answer = await _exchange(session, method, url, limit, headers, body)
                    onward = _onward(url, answer) if method == "GET" else None
                    if onward is None:
                        return answer
                    if urlsplit(onward)[:2] != urlsplit(url)[:2]:
                        headers = {}
                    url = onward
        except TimeoutError:
            raise FetchFault(f"{origin_of(url)} did not answer within {self._timeout:g} s", temporary=True) from None
        except (aiohttp.ClientError, OSError, UnicodeError, ValueError) as error:
            # "from None": the text of aiohttp's errors may hold the whole URL, and that a token.
            raise _explain(origin_of(url), error) from None
        raise FetchFault(f"{origin_of(url)} is where more than {_MOST_REDIRECTS} redirects lead", temporary=False)

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, ssl=self._tls or True),
            timeout=aiohttp.ClientTimeout(),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
            headers={"user-agent": f"monitord/{__version__}"},
        )


async def _exchange(
    session: aiohttp.ClientSession, method: str, url: str, limit: int, headers: Mapping[str, str], body: bytes | None
) -> Answer:
    async with session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
        read = bytearray()
        async for part in response.content.iter_chunked(64 * 1024):
            read += part
            if len(read) > limit:
                raise FetchFault(f"{origin_of(url)} answered with more than {limit} bytes", temporary=False)
        fields = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, fields, bytes(read))


def _onward(url: str, answer: Answer) -> str | None:
    """Where a redirect leads, None if the answer is none. Raises FetchFault where it must not be followed."""
    if answer.status not in _REDIRECTS or "location" not in answer.headers:
        return None
    try:
        onward = urljoin(url, answer.headers["location"])
        scheme = urlsplit(onward).scheme
    except ValueError:
        scheme = ""
    if scheme != "https" and (scheme != "http" or urlsplit(url).scheme == "https"):
        raise FetchFault(f"{origin_of(url)} redirects to what is no https URL, which is not followed", temporary=False)
    return onward


def _explain(where: str, error: aiohttp.ClientError | OSError | UnicodeError | ValueError) -> FetchFault:
    """An error of aiohttp in words that do not come from the URL."""
    cause, temporary = f"cannot be asked ({type(error).__name__})", True
    match error:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            cause = "cannot be reached through the proxy that the environment names"
        case aiohttp.ClientConnectorDNSError():
            cause = "has a name that cannot be resolved"
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or "it does not verify"
            cause, temporary = f"has a certificate that this system does not trust: {reason}", False
        case aiohttp.ClientSSLError() | ssl.SSLError():
            reason = getattr(getattr(error, "os_error", error), "reason", "") or "no reason is given"
            cause = f"does not complete the TLS handshake: {reason}"
        case aiohttp.ClientConnectorError():
            cause = f"cannot be connected to: {error.strerror or 'refused'}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | ConnectionError():
            cause = "closed the connection before its answer was complete"
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | UnicodeError():
            cause, temporary = "cannot be asked: write its URL as https://HOST/PATH", False
        case aiohttp.ClientResponseError():
            cause, temporary = "sent something that is not HTTP", False
    return FetchFault(f"{where} {cause}", temporary=temporary)


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, for sentences: the rest may hold a token. Bounded and escaped."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "a URL that cannot be read"
    if not parts.scheme or not parts.hostname:
        return "a URL without scheme or host"
    host = parts.hostname[:_SHOWN].encode("unicode_escape").decode("ascii")
    return f"{parts.scheme[:_SHOWN]}://" + (f"[{host}]" if ":" in host else host) + port
