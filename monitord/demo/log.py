"""A log of Certificate Transparency for the demo: it takes certificates and shows them by RFC 6962, on 127.0.0.1."""

from __future__ import annotations

import base64
import json
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from monitord import pki
from monitord.demo.servers import LOOPBACK, Running
from monitord.pinning.merkle import Frontier, leaf_hash
from monitord.pinning.treehead import TreeHead

_SHA256_ECDSA = b"\4\3"  # the header of a DigitallySigned (RFC 5246 section 4.7)
_TIMESTAMPED_X509 = b"\0\0"
_NO_EXTENSIONS = b"\0\0"


class LogServer(Running):
    """An empty log; ``key`` is its public key as a log list has it."""

    def __init__(self) -> None:
        """A log with a key of its own."""
        self._signer = pki.issue("Demo Log")
        self._leaves: list[bytes] = []
        self._extra: list[bytes] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                answer = owner._answer(parts.path.rpartition("/")[2], parse_qs(parts.query))
                body = json.dumps(answer).encode()
                self.send_response(HTTPStatus.OK if answer else HTTPStatus.NOT_FOUND)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep the story's output readable."""

        super().__init__(ThreadingHTTPServer((LOOPBACK, 0), Handler))

    @property
    def key(self) -> str:
        """The SubjectPublicKeyInfo, in base64."""
        return base64.b64encode(self._signer.certificate.spki).decode()

    def add(self, *chain: pki.Issued) -> None:
        """Log the first certificate, issued by the next (RFC 6962 section 3.4)."""
        ders = [one.certificate.der for one in chain]
        issuers = b"".join(len(der).to_bytes(3) + der for der in ders[1:])
        entry = b"\0\0" + len(ders[0]).to_bytes(3) + ders[0] + _NO_EXTENSIONS
        self._extra.append(len(issuers).to_bytes(3) + issuers)
        self._leaves.append(_TIMESTAMPED_X509 + _now().to_bytes(8) + entry)

    def _answer(self, question: str, query: dict[str, list[str]]) -> dict[str, Any]:
        if question == "get-sth":
            return self._head()
        if question != "get-entries":
            return {}
        first, last = int(query["start"][0]), int(query["end"][0]) + 1
        pairs = zip(self._leaves[first:last], self._extra[first:last], strict=False)
        return {
            "entries": [
                {"leaf_input": base64.b64encode(leaf).decode(), "extra_data": base64.b64encode(extra).decode()}
                for leaf, extra in pairs
            ]
        }

    def _head(self) -> dict[str, Any]:
        tree = Frontier().extended(map(leaf_hash, self._leaves))
        head = TreeHead(tree.size, tree.root, _now())
        signature = pki.sign(self._signer.key, head.signed)
        signed = _SHA256_ECDSA + len(signature).to_bytes(2) + signature
        return {
            "tree_size": head.size,
            "timestamp": head.timestamp,
            "sha256_root_hash": base64.b64encode(head.root).decode(),
            "tree_head_signature": base64.b64encode(signed).decode(),
        }


def _now() -> int:
    return int(time.time() * 1000)
