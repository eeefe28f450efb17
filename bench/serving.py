"""The TLS server that is measured against: as cheap as Python can have it, in a process of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from monitord import pki

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

HOST = "h0.bench.example"
_THREADS = 8
_PATIENCE = struct.pack("ll", 2, 0)


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that runs: its process, port on 127.0.0.1, the root of its chain in PEM, and the pin of its leaf."""

    pid: int
    port: int
    root: bytes
    pin: str


@contextlib.contextmanager
def serving(port: int = 0) -> Iterator[Serving]:
    """A server for every name below ``bench.example``, with a leaf and an intermediate, both EC P-256, on any port."""
    root = pki.issue("Bench Root")
    intermediate = pki.issue("Bench Intermediate", issuer=root)
    leaf = pki.issue("bench", issuer=intermediate, names=["*.bench.example"])
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_serve, args=(theirs, port, leaf, intermediate), daemon=True)
    server.start()
    try:
        yield Serving(server.pid or 0, ours.recv(), root.pem, str(leaf.certificate.pin))
    finally:
        server.terminate()
        server.join()


def _serve(pipe: Connection, port: int, leaf: pki.Issued, intermediate: pki.Issued) -> None:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(x509.load_pem_x509_certificate(leaf.pem))
    context.add_extra_chain_cert(x509.load_pem_x509_certificate(intermediate.pem))
    context.use_privatekey(load_pem_private_key(leaf.key_pem, None))  # type: ignore[arg-type]  # an EC key
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET)
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    for _ in range(_THREADS):
        threading.Thread(target=_answer, args=(listener, context), daemon=True).start()
    pipe.send(listener.getsockname()[1])
    pipe.poll(None)


def _answer(listener: socket.socket, context: SSL.Context) -> None:
    while True:
        accepted, _ = listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
        connection = SSL.Connection(context, accepted)
        connection.set_accept_state()
        with contextlib.suppress(SSL.Error, OSError):
            connection.do_handshake()
            connection.recv(1)
        accepted.close()
