"""A service that searches Certificate Transparency by name, in the form of SSLMate's CT Search API (v1)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

if TYPE_CHECKING:
    from monitord.pinning.certificate import Certificate
    from tests.support.acmeserver import Handler


@dataclass
class IssuanceSearch:
    """Finds ``issuances``, a page at a time; ``token`` is what it wants to see, None for nothing.

    ``answer`` is asked instead while it is there. ``asked`` are the parameters of each request, ``tokens`` what was
    sent as authorization. ``retry_after`` is the header of an answer without issuances.
    """

    page: int = 100
    token: str | None = None
    answer: Handler | None = None
    retry_after: str | None = None
    issuances: list[tuple[tuple[str, ...], dict[str, Any]]] = field(default_factory=list)
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_get("/v1/issuances", self._find)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where issuances are asked for."""
        return f"{self.origin}/v1/issuances"

    @property
    def names(self) -> list[str]:
        """The names that were asked for, in order."""
        return [one["domain"][0] for one in self.asked]

    def add(self, certificate: Certificate, *names: str) -> dict[str, Any]:
        """Have a certificate for these names; what is known of it may be changed."""
        record = {
            "id": str(1000 + len(self.issuances)),
            "tbs_sha256": "00" * 32,
            "cert_sha256": certificate.sha256.hex(),
            "dns_names": list(names),
            "pubkey_sha256": certificate.spki_sha256.hex(),
            "not_before": certificate.not_before.isoformat(),
            "not_after": certificate.not_after.isoformat(),
            "revoked": False,
            "cert_der": base64.b64encode(certificate.der).decode(),
        }
        self.issuances.append((names, record))
        return record

    async def _find(self, request: web.Request) -> web.StreamResponse:
        query = {name: request.query.getall(name) for name in request.query}
        self.asked.append(query)
        self.tokens.append(request.headers.get("authorization"))
        if self.answer is not None:
            return await self.answer(request)
        if self.token is not None and self.tokens[-1] != f"Bearer {self.token}":
            return web.json_response({"code": "unauthorized", "message": "no such key"}, status=401)
        wildcards = query.get("match_wildcards") == ["true"]
        wanted = {query["domain"][0]} | ({"*." + query["domain"][0].partition(".")[2]} if wildcards else set())
        after = int(query.get("after", ["0"])[0])
        found = [record for names, record in self.issuances if wanted & set(names) and int(str(record["id"])) > after]
        shown = [
            {name: value for name, value in record.items() if name not in _EXPANDED or name in query.get("expand", [])}
            for record in found[: self.page]
        ]
        headers = {"Retry-After": self.retry_after} if self.retry_after and not shown else {}
        return web.json_response(shown, headers=headers)


_EXPANDED = ("cert_der", "dns_names", "issuer")
