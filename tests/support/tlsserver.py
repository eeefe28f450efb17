"""Real servers on loopback: ``TlsServer`` presents any chain and can swap it; ``LocalServer`` misbehaves on purpose.

Each is a context manager with ``port`` and ``addresses``; leaving it ends every connection and thread.
"""

from __future__ import annotations

import socket
import ssl
import struct
import tempfile
import threading
from base64 import encodebytes
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.pki import Issued

    Behaviour = Callable[[socket.socket, threading.Event], None]

LOOPBACK = ("127.0.0.1", "::1")
_PATIENCE = 10.0
_PACE = 0.01
_BIND_ATTEMPTS = 20


class LocalServer:
    """Listens on the same port of each address and plays ``behaviours`` in order on every connection, then closes it.

    A behaviour gets the connected socket and an event that is set when it should end. Each connection has a thread.
    ``port`` 0 takes a free one; ``connections`` counts those accepted.
    """

    def __init__(self, *behaviours: Behaviour, addresses: Sequence[str] = LOOPBACK, port: int = 0) -> None:
        """A server that is not listening yet."""
        self.addresses = tuple(addresses)
        self.port = port
        self.connections = 0
        self._behaviours = behaviours
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._listeners: list[socket.socket] = []
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Listen and serve."""
        self._listen()
        for listener in self._listeners:
            self._start(self._accept, listener)
        return self

    def __exit__(self, *_: object) -> None:
        """End every connection, wait for the threads and close."""
        self._stopping.set()
        with self._changed:
            for sock in (*self._listeners, *self._open):
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)  # wakes a thread that is blocked on it; closing does not
        while alive := [thread for thread in self._threads if thread.is_alive()]:  # an accepting one may start another
            for thread in alive:
                thread.join()
        for listener in self._listeners:
            listener.close()

    def wait_for_connections(self, count: int) -> None:
        """Block until ``count`` connections were accepted since the start."""
        self._wait(lambda: self.connections >= count, f"{count} connections")

    def _wait(self, reached: Callable[[], bool], what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(reached, _PATIENCE):
                raise AssertionError(f"no {what} within {_PATIENCE} s")

    def _listen(self) -> None:
        for _ in range(_BIND_ATTEMPTS):
            with ExitStack() as bound:
                port = self.port
                try:
                    for address in self.addresses:
                        listener = bound.enter_context(_listener(address, port))
                        port = listener.getsockname()[1]
                        self._listeners.append(listener)
                except OSError:  # the port that was free on the first address is taken on another
                    self._listeners.clear()
                    if self.port:
                        raise
                    continue
                self.port = port
                bound.pop_all()
                return
        raise AssertionError("no port is free on all addresses")

    def _start(self, work: Callable[[socket.socket], None], sock: socket.socket) -> None:
        thread = threading.Thread(target=work, args=(sock,), daemon=True)
        with self._changed:
            self._threads = [*(thread for thread in self._threads if thread.is_alive()), thread]
            thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                if self._stopping.is_set():
                    sock.close()
                    return
                self._open.add(sock)
                self.connections += 1
                self._changed.notify_all()
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError):
            for behave in self._behaviours:
                behave(sock, self._stopping)
        with self._changed:
            self._open.discard(sock)
            sock.close()


@dataclass(frozen=True)
class Site:
    """What a server presents: a leaf with its key, then these certificates in this order.

    ``other`` is presented instead to clients that prefer its type of key.
    """

    leaf: Issued
    extra: Sequence[Certificate] = field(default_factory=tuple)
    other: Site | None = None


class TlsServer(LocalServer):
    """A TLS server that presents ``leaf`` and then ``extra``, whatever they are; ``present`` swaps them.

    ``other`` is what it has beside that for clients of another type of key. ``sites`` maps SNI names to what is
    presented for them instead. ``tls`` is "1.2" (only that) or "1.3" (both). ``before`` is played before TLS begins.
    ``demand_client_certificate`` refuses clients that bring none, or one that was not issued by ``client_authority``.
    ``handshakes`` counts completed handshakes; ``names`` are the SNI names received (None: none sent), ``clients`` the
    DER of the client certificates, ``resumed`` tells if any session was resumed.
    """

    def __init__(
        self,
        leaf: Issued,
        *extra: Certificate,
        other: Site | None = None,
        sites: Mapping[str, Site] | None = None,
        tls: str = "1.3",
        before: Sequence[Behaviour] = (),
        demand_client_certificate: bool = False,
        client_authority: Issued | None = None,
        addresses: Sequence[str] = LOOPBACK,
        port: int = 0,
    ) -> None:
        """A server that is not listening yet."""
        super().__init__(*before, self._talk, addresses=addresses, port=port)
        self.handshakes = 0
        self.names: list[str | None] = []
        self.clients: list[bytes | None] = []
        self.resumed = False
        self._tls = tls
        self._demand_client_certificate = demand_client_certificate
        self._client_authority = client_authority or leaf
        self._sites = {name: self._context(site) for name, site in (sites or {}).items()}
        self._default = self._context(Site(leaf, extra, other))

    def present(self, leaf: Issued, *extra: Certificate, other: Site | None = None) -> None:
        """From the next connection on, present these certificates instead."""
        self._default = self._context(Site(leaf, extra, other))

    def wait_for_handshakes(self, count: int) -> None:
        """Block until ``count`` handshakes were completed since the start."""
        self._wait(lambda: self.handshakes >= count, f"{count} handshakes")

    def _talk(self, sock: socket.socket, _: threading.Event) -> None:
        with self._default.wrap_socket(sock.dup(), server_side=True) as connection:
            with self._changed:
                self.handshakes += 1
                self.clients.append(connection.getpeercert(binary_form=True))
                self.resumed = self.resumed or bool(connection.session_reused)
                self._changed.notify_all()
            while connection.recv(4096):
                pass

    def _context(self, site: Site) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # weak keys may be presented too
        if self._tls == "1.2":
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        for one in (site, site.other):
            if one is not None:
                _load(context, one)
        if self._demand_client_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self._client_authority.certificate.der)
        context.sni_callback = self._choose
        return context

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        self.names.append(name)
        if name in self._sites:
            connection.context = self._sites[name]


def _load(context: ssl.SSLContext, site: Site) -> None:
    with tempfile.NamedTemporaryFile() as file:
        chain = b"".join(_pem(certificate) for certificate in (site.leaf.certificate, *site.extra))
        Path(file.name).write_bytes(chain + site.leaf.key_pem)
        context.load_cert_chain(file.name)


def say_nothing(_: socket.socket, stopping: threading.Event) -> None:
    """Accept, and never send a byte."""
    stopping.wait()


def read_greeting(sock: socket.socket, _: threading.Event) -> None:
    """Read the first bytes of the client. Unread bytes would turn a later close into a reset."""
    sock.recv(65536)


def reset(sock: socket.socket, _: threading.Event) -> None:
    """Drop the connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def drip(sock: socket.socket, stopping: threading.Event) -> None:
    """Send one byte at a time of a TLS record that takes minutes to be complete."""
    for byte in _records(b"\x02\x00\x3f\xfc" + bytes(0x3FFC)):
        sock.sendall(bytes((byte,)))
        if stopping.wait(_PACE):
            return


def flood(sock: socket.socket, _: threading.Event) -> None:
    """Send garbage for as long as anybody takes it."""
    while True:
        sock.sendall(b"\xf0" * 65536)


def flood_hello_requests(sock: socket.socket, _: threading.Event) -> None:
    """Send messages that a client of TLS 1.2 must ignore, without end."""
    while True:
        sock.sendall(_records(bytes(4)) * 5000)


def send(data: bytes) -> Behaviour:
    """Send these bytes."""

    def behave(sock: socket.socket, _: threading.Event) -> None:
        sock.sendall(data)

    return behave


def converse(*turns: tuple[bytes, bytes]) -> Behaviour:
    """Wait for the first of each pair to arrive, exactly, and send the second."""

    def behave(sock: socket.socket, _: threading.Event) -> None:
        for expected, answer in turns:
            arrived = b""
            while len(arrived) < len(expected):
                arrived += sock.recv(len(expected) - len(arrived)) or _nothing_more()
            assert arrived == expected
            sock.sendall(answer)

    return behave


def http_answer() -> bytes:
    """What a web server without TLS answers to a TLS client."""
    return b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"


def alert(number: int) -> bytes:
    """A fatal alert, unencrypted."""
    return b"\x15\x03\x03\x00\x02\x02" + bytes((number,))


def server_hello_with(*certificates: bytes) -> bytes:
    """The first records of a TLS 1.2 server, up to its Certificate message, which holds exactly these bytes."""
    hello = (
        b"\x03\x03" + bytes(32) + b"\x00"  # version, random, no session
        b"\xc0\x2b\x00"  # ECDHE-ECDSA-AES128-GCM-SHA256, no compression
        b"\x00\x09\xff\x01\x00\x01\x00\x00\x17\x00\x00"  # renegotiation_info, extended_master_secret
    )
    entries = b"".join(len(certificate).to_bytes(3) + certificate for certificate in certificates)
    return _records(_message(2, hello)) + _records(_message(11, len(entries).to_bytes(3) + entries))


def _nothing_more() -> bytes:
    raise ConnectionError("the client has gone")


def _message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3) + body


def _records(handshake: bytes) -> bytes:
    pieces = [handshake[start : start + 16384] for start in range(0, len(handshake), 16384)]
    return b"".join(b"\x16\x03\x03" + len(piece).to_bytes(2) + piece for piece in pieces)


def _listener(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


def _pem(certificate: Certificate) -> bytes:
    body = encodebytes(certificate.der)
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"
