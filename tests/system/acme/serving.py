"""A program: acme2certifier over TLS on loopback. ``python serving.py PORT CERTIFICATE`` prints the port, then serves.

It runs in an environment that has acme2certifier; its configuration is where $ACME_SRV_CONFIGFILE says.
"""

from __future__ import annotations

import ssl
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import make_server

if TYPE_CHECKING:
    from collections.abc import Iterable


def main() -> None:
    """Serve until terminated."""
    wsgi = import_module("acme2certifier.share.acme2certifier_wsgi")

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.url_scheme"] = "https"
        answer: Iterable[bytes] = wsgi.application(environ, start_response)
        return answer

    server = make_server("127.0.0.1", int(sys.argv[1]), application, handler_class=wsgi.get_handler_cls())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)  # noqa: T201 - how the tests learn it
    server.serve_forever()


if __name__ == "__main__":
    main()
