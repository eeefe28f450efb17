"""An ACME server as far as renewal information goes (RFC 9773): a directory and renewalInfo, over TLS on loopback."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web
from cryptography import x509

from monitord import pki
from tests.support.sinks import server_tls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from monitord.pinning.certificate import Certificate

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def certificate_id_of(leaf: Certificate) -> str:
    """The CertID of RFC 9773 section 4.1, by another reader of certificates than monitord's."""
    parsed = x509.load_der_x509_certificate(leaf.der)
    authority = parsed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    assert authority is not None
    serial = parsed.serial_number.to_bytes(parsed.serial_number.bit_length() // 8 + 1)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (authority, serial))


def rfc3339(moment: datetime) -> str:
    """The moment as Boulder writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def say(status: int = 200, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> Handler:
    """A handler that always answers this."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        content = body.encode() if isinstance(body, str) else body
        return web.Response(status=status, body=content, headers=headers)

    return answer


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What renewalInfo answers about a certificate."""

    start: datetime
    end: datetime
    explanation: str | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The RenewalInfo object (RFC 9773 section 4.2)."""
        document: dict[str, Any] = {"suggestedWindow": {"start": rfc3339(self.start), "end": rfc3339(self.end)}}
        return document if self.explanation is None else document | {"explanationURL": self.explanation}


class AcmeServer:
    """Answers about the certificates in ``suggestions``, by CertID, and 404 about others.

    All may be changed at any time: ``retry_after`` is the header, None for none; ``directory`` replaces the document
    of that name; ``renewal_info`` is asked instead of answering about a certificate. ``calls`` are the paths of all
    requests in their order, ``asked`` the CertIDs among them. ``trust`` is for those who call.
    """

    def __init__(self, root: pki.Issued | None = None) -> None:
        """A server that is not listening yet, with a certificate by ``root``, else by an authority of its own."""
        root = root or pki.issue("ACME Server Root")
        self._tls = server_tls(pki.issue("127.0.0.1", issuer=root, names=["127.0.0.1"]))
        self.trust = ssl.create_default_context(cadata=root.pem.decode())
        self.suggestions: dict[str, Suggestion] = {}
        self.retry_after: str | None = "21600"
        self.directory: Handler | None = None
        self.renewal_info: Handler | None = None
        self.calls: list[str] = []
        self.port = 0
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drop every connection and stop listening."""
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The URL of the directory."""
        return f"{self.base}/directory"

    @property
    def base(self) -> str:
        """Scheme, host and port."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def document(self) -> dict[str, Any]:
        """The directory (RFC 8555 section 7.1.1, RFC 9773 section 3)."""
        names = ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange")
        resources = {name: f"{self.base}/acme/{name}" for name in names}
        return resources | {"renewalInfo": f"{self.base}/acme/renewal-info", "meta": {"website": self.base}}

    @property
    def asked(self) -> list[str]:
        """The CertIDs that were asked for, in order."""
        return [path.rpartition("/")[2] for path in self.calls if path.startswith("/acme/renewal-info/")]

    def suggest(self, leaf: Certificate, start: datetime, end: datetime, explanation: str | None = None) -> None:
        """Answer this about a certificate from now on."""
        self.suggestions[certificate_id_of(leaf)] = Suggestion(start, end, explanation)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(request.path)
        if request.path == "/directory":
            return await self.directory(request) if self.directory else web.json_response(self.document)
        if self.renewal_info:
            return await self.renewal_info(request)
        suggestion = self.suggestions.get(request.path.removeprefix("/acme/renewal-info/"))
        if suggestion is None or request.method != "GET":
            problem = {"type": "urn:ietf:params:acme:error:malformed", "status": 404, "detail": "Certificate not found"}
            return web.json_response(problem, status=404, content_type="application/problem+json")
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        return web.json_response(suggestion.document, headers=headers)
