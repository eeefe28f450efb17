"""What stands around a daemon: an authority, TLS servers with certificates of it, places for alerts, a directory."""

from __future__ import annotations

import base64
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from standardwebhooks import Webhook

from monitord import pki
from tests.support.daemon import Daemon, write_config
from tests.support.sinks import ReceivedCall, SmtpSink, WebhookSink
from tests.support.tlsserver import LocalServer, TlsServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SPARE = f"sha256/{base64.b64encode(bytes(32)).decode()}"
"""A pin of no known key: a set without a spare would be an incident of its own."""
SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDKAlkK2dQyQE="


class Deployment:
    """Everything that one daemon needs, in a directory; ``async with`` starts the sinks and ends all that was started.

    ``registered`` are the entries of ``domains:`` by host, to be changed at will before ``configure`` writes them.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "monitord.yaml"
        self.store = f"sqlite:///{directory}/monitord.db"
        self.root = pki.issue("Test Root")
        self.intermediate = pki.issue("Test Intermediate", issuer=self.root)
        self.registered: dict[str, dict[str, Any]] = {}
        self.mail = SmtpSink()
        self.hook = WebhookSink()
        self._servers = ExitStack()
        self._sinks = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the sinks."""
        await self._sinks.enter_async_context(self.mail)
        await self._sinks.enter_async_context(self.hook)
        (self.directory / "root.pem").write_bytes(self.root.pem)
        (self.directory / "webhook-secret").write_text(SECRET, "utf-8")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the servers and the sinks."""
        self._servers.close()
        await self._sinks.aclose()

    def leaf(self, host: str) -> pki.Issued:
        """A new certificate with a key of its own, good for months."""
        now = datetime.now(UTC)
        begin, end = now - timedelta(days=1), now + timedelta(days=90)
        return pki.issue(host, issuer=self.intermediate, names=[host], not_before=begin, not_after=end)

    def serve(self, leaf: pki.Issued) -> TlsServer:
        """A server that presents this certificate with the intermediate."""
        server = TlsServer(leaf, self.intermediate.certificate, addresses=["127.0.0.1"])
        return self._servers.enter_context(server)

    def misbehave(self, server: LocalServer) -> LocalServer:
        """Start this server, which is to be made with one address."""
        return self._servers.enter_context(server)

    def register(self, host: str, port: int, *pins: pki.Issued, **more: Any) -> None:
        """Register a host that is served on this port of 127.0.0.1, with pins of these keys and a spare one."""
        held = [*(str(one.certificate.pin) for one in pins), SPARE]
        entry = {"host": host, "connect_to": [f"127.0.0.1:{port}"], "pins": held}
        self.registered[host] = {**entry, **more}

    def configure(self, **more: Any) -> Path:
        """Write the configuration: what is registered, the authority trusted, both sinks told of everything."""
        smtp = {"host": self.mail.host, "port": self.mail.port, "tls": "none"}
        receivers = [
            {"name": "mail", "email": {"to": ["ops@example.com"], "from": "monitord@example.com", "smtp": smtp}},
            {"name": "hook", "webhook": {"url": self.hook.url, "secret_file": "webhook-secret"}},
        ]
        content = {
            "trust": {"default": "test", "test": "root.pem"},
            "domains": list(self.registered.values()),
            "receivers": receivers,
        }
        return write_config(self.config, **{**content, **more})

    def daemon(self, *, environ: Mapping[str, str] | None = None) -> Daemon:
        """A daemon on this configuration, not started yet."""
        return Daemon(self.config, environ=environ)

    async def events(self, count: int) -> list[dict[str, Any]]:
        """The bodies of the first webhooks, once there are this many, each with its signature verified."""
        return [verified(call) for call in (await self.hook.wait_for(count))[:count]]

    async def event(self, is_wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The body of the first webhook of which this is true, whenever it comes."""
        count = 0
        while True:
            count += 1
            event = verified((await self.hook.wait_for(count))[count - 1])
            if is_wanted(event):
                return event


def verified(call: ReceivedCall) -> dict[str, Any]:
    """The body of a webhook, if the reference implementation finds its signature good."""
    body: dict[str, Any] = Webhook(SECRET).verify(call.body, dict(call.headers))
    return body
