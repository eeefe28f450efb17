"""What servers with STARTTLS say before TLS, and an HTTP proxy: enough of each for a client to go on."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from monitord.pinning.target import StartTls
from tests.support.tlsserver import LocalServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    Turns = tuple[tuple[bytes, bytes], ...]

_PATIENCE = 10.0
_LDAP_OID = b"1.3.6.1.4.1.1466.20037"


def ldap_answer(code: int, text: bytes = b"") -> bytes:
    """An ExtendedResponse to message 1, with lengths in the long form, as Active Directory writes them."""
    fields = bytes((0x0A, 1, code)) + b"\x04\x00" + b"\x04" + bytes((len(text),)) + text + b"\x8a\x16" + _LDAP_OID
    response = b"\x78\x84" + len(fields).to_bytes(4) + fields
    return b"\x30\x84" + (3 + len(response)).to_bytes(4) + b"\x02\x01\x01" + response


_XMPP_STREAM = (
    b"<?xml version='1.0'?><stream:stream to=\"api.example.test\" version='1.0' xmlns='jabber:client' "
    b"xmlns:stream='http://etherx.jabber.org/streams'>"
)
_XMPP_FEATURES = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' from='api.example.test' id='1>2' version='1.0' "
    b"xmlns:stream='http://etherx.jabber.org/streams'><stream:features>"
    b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
    b"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
    b"</stream:features>"
)
_XMPP_REQUEST = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
_XMPP_PROCEED = b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

# What the client says, and what is answered. The last answer is the go-ahead.
TURNS: dict[StartTls, Turns] = {
    StartTls.SMTP: (
        (b"", b"220-mail.example.test ESMTP\r\n220 no spam, please\r\n"),
        (b"EHLO monitord.invalid\r\n", b"250-mail.example.test\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"),
        (b"STARTTLS\r\n", b"220 2.0.0 Ready to start TLS\r\n"),
    ),
    StartTls.IMAP: (
        (b"", b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready.\r\n"),
        (b"A1 STARTTLS\r\n", b"* CAPABILITY IMAP4rev1\r\nA1 OK Begin TLS negotiation now.\r\n"),
    ),
    StartTls.POP3: ((b"", b"+OK ready.\r\n"), (b"STLS\r\n", b"+OK Begin TLS negotiation now.\r\n")),
    StartTls.FTP: (
        (b"", b"220-Welcome\r\n  to this server,\r\n220-\r\n220 and ready.\r\n"),
        (b"AUTH TLS\r\n", b"234 Proceed with negotiation.\r\n"),
    ),
    StartTls.LDAP: ((bytes.fromhex("301d02010177188016") + _LDAP_OID, ldap_answer(0)),),
    StartTls.POSTGRES: ((bytes.fromhex("0000000804d2162f"), b"S"),),
    StartTls.XMPP: ((_XMPP_STREAM, _XMPP_FEATURES), (_XMPP_REQUEST, _XMPP_PROCEED)),
}


class HttpProxy(LocalServer):
    """An HTTP proxy for CONNECT alone: ``requests`` are what it was sent, up to the empty line.

    It connects to ``upstream`` whatever it is asked for, and then says ``answer``, in one piece with the first bytes
    from there if ``greedy``. Without ``upstream`` it says its answer and hangs up.
    """

    def __init__(
        self,
        upstream: tuple[str, int] | None,
        answer: bytes = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n",
        *,
        greedy: bool = False,
        addresses: Sequence[str] = ("127.0.0.1",),
    ) -> None:
        super().__init__(self._forward, addresses=addresses)
        self.requests: list[bytes] = []
        self._upstream = upstream
        self._answer = answer
        self._greedy = greedy

    def _forward(self, sock: socket.socket, _: threading.Event) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            piece = sock.recv(4096)
            if not piece:
                return
            request += piece
        self.requests.append(request)
        if self._upstream is None:
            sock.sendall(self._answer)
            return
        with socket.create_connection(self._upstream, timeout=_PATIENCE) as there:
            sock.sendall(self._answer + (there.recv(4096) if self._greedy else b""))
            back = threading.Thread(target=_pump, args=(there, sock), daemon=True)
            back.start()
            _pump(sock, there)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what arrives until it ends, and then the end."""
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for sock in (source, sink):
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
