"""What the demo watches and what it sends to: a TLS server whose certificate can be swapped, a mail and a webhook sink.

Each runs in threads of its own on 127.0.0.1 and keeps what it received for the story to look at.
"""

from __future__ import annotations

import contextlib
import json
import queue
import socketserver
import ssl
import tempfile
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitord.pki import Issued

LOOPBACK = "127.0.0.1"
_HANDSHAKE_SECONDS = 5.0


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class Running:
    """A server in a thread, for as long as its ``with`` block lasts."""

    def __init__(self, server: socketserver.TCPServer) -> None:
        """Run this server."""
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def port(self) -> int:
        """The port on 127.0.0.1 that it listens on."""
        return int(self._server.socket.getsockname()[1])

    def __enter__(self) -> Self:
        """Start it."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class TlsServer(Running):
    """Presents a certificate and whatever stands behind it; ``serve`` swaps both between two connections."""

    def __init__(self, *chain: Issued) -> None:
        """A server that presents ``chain``, leaf first."""
        self._context = self._context_of(chain)
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.settimeout(_HANDSHAKE_SECONDS)
                with contextlib.suppress(OSError), owner._context.wrap_socket(self.request, server_side=True) as tls:
                    tls.recv(1)

        super().__init__(_Server((LOOPBACK, 0), Handler))

    def serve(self, *chain: Issued) -> None:
        """Present this chain from the next connection on."""
        self._context = self._context_of(chain)

    @staticmethod
    def _context_of(chain: tuple[Issued, ...]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "chain-and-key.pem"
            file.touch(mode=0o600)
            file.write_bytes(b"".join(issued.pem for issued in chain) + chain[0].key_pem)
            context.load_cert_chain(file)
        return context


class WebhookSink(Running):
    """Takes webhooks: ``received`` yields (headers, body as sent) in the order of arrival."""

    def __init__(self) -> None:
        """A sink that answers 204 to every POST."""
        received: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        self.received = received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                received.put(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(HTTPStatus.NO_CONTENT)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Keep the story's output readable."""

        super().__init__(ThreadingHTTPServer((LOOPBACK, 0), Handler))

    def next_event(self, seconds: float) -> tuple[dict[str, str], bytes, dict[str, Any]]:
        """The next webhook: headers, raw body, parsed body. Raises queue.Empty if none comes in time."""
        headers, body = self.received.get(timeout=seconds)
        return headers, body, json.loads(body)


class MailSink(Running):
    """Takes mail by SMTP (RFC 5321, the few commands a client needs): ``received`` yields whole messages."""

    _ANSWERS: ClassVar[dict[str, str]] = {
        "EHLO": "250 monitord demo",
        "HELO": "250 monitord demo",
        "MAIL": "250 sender ok",
        "RCPT": "250 recipient ok",
        "RSET": "250 forgotten",
        "NOOP": "250 ok",
    }

    def __init__(self) -> None:
        """A sink that accepts everything."""
        received: queue.Queue[bytes] = queue.Queue()
        self.received = received
        answers = self._ANSWERS

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                say: Callable[[str], Any] = lambda line: self.wfile.write(line.encode() + b"\r\n")  # noqa: E731
                say("220 monitord demo")
                for line in self.rfile:
                    verb = line[:4].decode("ascii", "replace").upper()
                    if verb == "DATA":
                        say("354 go on")
                        lines = iter(self.rfile.readline, b".\r\n")
                        received.put(b"".join(text.removeprefix(b".") for text in lines))
                        say("250 taken")
                    elif verb == "QUIT":
                        say("221 bye")
                        return
                    else:
                        say(answers.get(verb, "502 not known"))

        super().__init__(_Server((LOOPBACK, 0), Handler))
