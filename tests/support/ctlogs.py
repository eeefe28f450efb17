"""Logs of Certificate Transparency on loopback, by both interfaces: real signatures, real trees, and bad manners."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from typing import TYPE_CHECKING, ClassVar, Self

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from monitord import pki
from monitord.config.signals import CtLog, CtLogKind
from tests.support.ctentries import sized
from tests.support.merkle import Tree, hash_of_leaf

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.acmeserver import Handler
    from tests.support.ctentries import Entry

_WIDTH = 256
_TILE_NUMBER = re.compile(r"(x\d{3}/)*\d{3}")


class LocalLog:
    """A log that shows ``entries``, or the first ``published`` of them, under a tree head signed at ``now``.

    All may be changed at any time; the list of entries may grow, and to change one is to put another list.
    ``answers`` has handlers by the beginning of a path, to be asked instead; ``calls`` are the paths of all requests
    in their order, with the query. ``signer`` signs in place of the log's own key; ``root`` is shown in place of the
    true one.
    """

    kind: ClassVar[CtLogKind]
    head_path: ClassVar[str]
    entries_path: ClassVar[str]

    def __init__(self, now: datetime, *entries: Entry, key: pki.PrivateKey | None = None) -> None:
        """A log that is not listening yet."""
        self.now = now
        self.entries = list(entries)
        self.published: int | None = None
        self.key = key or pki.new_key()
        self.signer = self.key
        self.root: bytes | None = None
        self.answers: dict[str, Handler] = {}
        self.calls: list[str] = []
        self.port = 0
        self._tree: tuple[list[Entry], int, Tree] | None = None

    async def __aenter__(self) -> Self:
        """Listen on a free port, or again on the one it had."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drop every connection and stop listening."""
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """What the paths of the interface are put behind."""
        return f"http://127.0.0.1:{self.port}/2026/"

    @property
    def spki(self) -> bytes:
        """The DER of the log's key."""
        return self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def log(self) -> CtLog:
        """The log as a configuration names it, with its key."""
        return CtLog(self.url, self.kind, self.spki, "Test Log")

    @property
    def size(self) -> int:
        """How many entries the tree head has."""
        return len(self.entries) if self.published is None else self.published

    @property
    def tree(self) -> Tree:
        """The tree over all entries."""
        if self._tree is None or self._tree[0] is not self.entries or self._tree[1] != len(self.entries):
            self._tree = self.entries, len(self.entries), Tree([hash_of_leaf(entry.leaf) for entry in self.entries])
        return self._tree[2]

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970."""
        return int(self.now.timestamp() * 1000)

    def head_signature(self) -> bytes:
        """The DigitallySigned over the TreeHeadSignature (RFC 6962 section 3.5)."""
        signed = b"\0\1" + self.timestamp.to_bytes(8) + self.size.to_bytes(8) + self.shown_root
        if isinstance(self.signer, rsa.RSAPrivateKey):
            return b"\4\1" + sized(2, self.signer.sign(signed, padding.PKCS1v15(), hashes.SHA256()))
        assert isinstance(self.signer, ec.EllipticCurvePrivateKey)
        return b"\4\3" + sized(2, self.signer.sign(signed, ec.ECDSA(hashes.SHA256())))

    @property
    def shown_root(self) -> bytes:
        """The root that the tree head has."""
        return self.tree.root(self.size) if self.root is None else self.root

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/2026/")
        self.calls.append(request.path_qs.removeprefix("/2026/"))
        for beginning, handler in self.answers.items():
            if path.startswith(beginning):
                return await handler(request)
        return self._answer(path, request)

    def head(self) -> str:
        """The tree head as it is shown."""
        raise NotImplementedError

    def _answer(self, path: str, request: web.Request) -> web.StreamResponse:
        raise NotImplementedError


class Rfc6962Log(LocalLog):
    """By RFC 6962 section 4; ``most`` is how many entries an answer has at most."""

    kind = CtLogKind.RFC6962
    head_path, entries_path = "ct/v1/get-sth", "ct/v1/get-entries"
    most = 1000

    def head(self) -> str:
        """The signed tree head (RFC 6962 section 4.3)."""
        answer = {
            "tree_size": self.size,
            "timestamp": self.timestamp,
            "sha256_root_hash": _base64(self.shown_root),
            "tree_head_signature": _base64(self.head_signature()),
        }
        return json.dumps(answer)

    def _answer(self, path: str, request: web.Request) -> web.StreamResponse:
        number = {name: int(value) for name, value in request.query.items()}
        match path.removeprefix("ct/v1/"):
            case "get-sth":
                return web.Response(text=self.head(), content_type="application/json")
            case "get-entries" if number["start"] <= number["end"] and number["start"] < self.size:
                end = min(number["end"] + 1, number["start"] + self.most, self.size)
                return web.json_response({"entries": [_shown(entry) for entry in self.entries[number["start"] : end]]})
            case "get-entry-and-proof" if number["leaf_index"] < number["tree_size"] <= self.size:
                path_to_root = self.tree.path(number["leaf_index"], number["tree_size"])
                entry = _shown(self.entries[number["leaf_index"]])
                return web.json_response(entry | {"audit_path": [_base64(node) for node in path_to_root]})
        return web.Response(status=400)


class TiledLog(LocalLog):
    """By static-ct-api; ``partial`` False: there are no partial tiles where the full ones are."""

    kind = CtLogKind.TILED
    head_path, entries_path = "checkpoint", "tile/data"
    origin = "log.example.test/2026"
    partial = True
    witnesses: tuple[str, ...] = ("\u2014 witness.example.test/w1 " + base64.b64encode(b"k" * 4 + b"s" * 72).decode(),)

    @property
    def log(self) -> CtLog:
        """The log as a configuration names it, with its key and origin."""
        return CtLog(self.url, self.kind, self.spki, "Test Log", self.origin)

    def head(self) -> str:
        """The tree head as a note with the log's signature among others."""
        text = f"{self.origin}\n{self.size}\n{_base64(self.shown_root)}\n"
        log_id = hashlib.sha256(self.spki).digest()
        key_id = hashlib.sha256(self.origin.encode() + b"\n\x05" + log_id).digest()[:4]
        signature = _base64(key_id + self.timestamp.to_bytes(8) + self.head_signature())
        lines = (*self.witnesses, f"\u2014 {self.origin} {signature}")
        return text + "\n" + "".join(f"{line}\n" for line in lines)

    def _answer(self, path: str, request: web.Request) -> web.StreamResponse:  # noqa: ARG002 - as its sibling has it
        if path == "checkpoint":
            return web.Response(text=self.head())
        if path.startswith("issuer/"):
            found = {hashlib.sha256(der).hexdigest(): der for entry in self.entries for der in entry.issuers}
            der = found.get(path.removeprefix("issuer/"))
            return web.Response(status=404) if der is None else web.Response(body=der)
        tile = self._tile(path.removeprefix("tile/"))
        if tile is None:
            return web.Response(status=404)
        # Compressed whether the client asks for it or not, as the specification allows.
        return web.Response(body=gzip.compress(tile), headers={"content-encoding": "gzip"})

    def _tile(self, path: str) -> bytes | None:
        level, _, rest = path.partition("/")
        rest, _, width = rest.partition(".p/")
        if not _TILE_NUMBER.fullmatch(rest):
            return None
        index = int(rest.replace("x", "").replace("/", ""))
        depth = 0 if level == "data" else int(level)
        first, last = index * _WIDTH, index * _WIDTH + int(width or _WIDTH)
        available = len(self.entries) >> 8 * depth
        if last > available or (width and not self.partial and (index + 1) * _WIDTH <= available):
            return None
        if level == "data":
            return b"".join(entry.tile_leaf for entry in self.entries[first:last])
        span = 1 << 8 * depth
        return b"".join(self.tree.root_of(number * span, (number + 1) * span) for number in range(first, last))


def _shown(entry: Entry) -> dict[str, str]:
    return {"leaf_input": _base64(entry.leaf), "extra_data": _base64(entry.extra_data)}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
