"""TLS servers for many chains at once: a port for each case, all served by a few threads."""

from __future__ import annotations

import selectors
import socket
import ssl
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from monitord.pki import pem_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.system.differential.case import Case

_PATIENCE = 20.0
_THREADS = 8
_ANSWER = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


class ChainServers:
    """A context manager that presents each case's chain on a port of its own; ``ports`` are in the cases' order."""

    def __init__(self, cases: Sequence[Case]) -> None:
        """Servers that are not listening yet."""
        self.ports: list[int] = []
        self._cases = cases
        self._selector = selectors.DefaultSelector()
        self._workers = ThreadPoolExecutor(_THREADS)
        self._acceptor = threading.Thread(target=self._accept)
        self._awake, self._waker = socket.socketpair()

    def __enter__(self) -> Self:
        """Listen and serve."""
        self._selector.register(self._awake, selectors.EVENT_READ)
        for case in self._cases:
            listener = socket.create_server(("127.0.0.1", 0), backlog=16)
            self.ports.append(listener.getsockname()[1])
            self._selector.register(listener, selectors.EVENT_READ, _context(case))
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening and wait for the connections to end."""
        self._waker.close()
        self._acceptor.join()
        self._workers.shutdown()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # only sockets are registered
        self._selector.close()

    def _accept(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                connection, _ = key.fileobj.accept()  # type: ignore[union-attr]  # only sockets are registered
                self._workers.submit(_answer, connection, key.data)


def _answer(connection: socket.socket, context: ssl.SSLContext) -> None:
    """Shake hands and answer one request; a client that refuses the chain just goes away."""
    connection.settimeout(_PATIENCE)
    with suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as secured:
        if secured.recv(65536):
            secured.sendall(_ANSWER)


def _context(case: Case) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # weak keys may be presented too
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(pem_of(*case.chain) + case.leaf.key_pem)
        context.load_cert_chain(file.name)
    return context
