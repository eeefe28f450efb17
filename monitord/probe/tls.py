"""A TLS handshake that looks: whatever chain the server presents is seen, whether or not anyone would trust it.

Three things differ from a client that wants to talk:

1. Nothing is verified, and old ciphers and keys are put up with: a bad chain must be seen to be judged.
2. What the server sends is bounded, and cannot make us compute for long: it may be hostile.
3. The chain is read however the handshake ends. A server that then demands a client certificate, sends an alert or
   goes silent has already shown what the apps would judge.

No callback is ever given to OpenSSL: callbacks need executable memory, which a hardened service may not map.
"""

from __future__ import annotations

import re
from contextlib import suppress

from OpenSSL import SSL, crypto

from monitord.pinning.observation import Failure, FailureReason
from monitord.probe.stage import Seen

MAX_CERTIFICATES = 20
MAX_CERTIFICATE_BYTES = 64 * 1024
MAX_READ = 1024 * 1024

_OUTPUT_SIZE = 4 * 1024  # that much memory is taken for each piece
_BEGINNING = 24
_TLS_RECORD_TYPES = range(20, 25)
_DER_LIBRARIES = ("asn1 encoding routines", "x509 certificate routines")
_BAD_CERTIFICATE_FRAMES = ("cert length mismatch",)
_TOO_LARGE = ("excessive message size",)
# How OpenSSL words an alert from the peer: "tls alert handshake failure" (older: "sslv3 alert handshake failure"),
# "tlsv1 alert protocol version", "tlsv13 alert certificate required", and a few without the word.
_ALERT = re.compile(r"(?:sslv3|ssl/tls|tls|tlsv1|tlsv13)(?P<word> alert)? (?P<name>[a-z ]+)")
_ALERTS_WITHOUT_THE_WORD = (
    "unsupported extension",
    "certificate unobtainable",
    "unrecognized name",
    "bad certificate status response",
    "bad certificate hash value",
)


class Handshake:
    """One handshake as a client: the last ``Stage`` of a connection. No bytes make it raise.

    What was seen is its ``result()``, whether or not it has ended.
    """

    __slots__ = ("_beginning", "_connection", "_received", "ended", "failure", "name")

    def __init__(self, context: SSL.Context, server_name: str | None) -> None:
        """A handshake that announces ``server_name`` (ASCII, no IP address), or no name."""
        self.name = "the TLS handshake"
        self.ended = False
        self.failure: Failure | None = None
        self._received = 0
        self._beginning = b""
        self._connection = SSL.Connection(context, None)
        if server_name is not None:
            self._connection.set_tlsext_host_name(server_name.encode("ascii"))
        self._connection.set_connect_state()
        self._advance()

    @property
    def rest(self) -> bytes:
        """Nothing is handed on: this is the last stage."""
        return b""

    def output(self) -> bytes:
        """The bytes to send now; they are handed out once."""
        pieces: list[bytes] = []
        with suppress(SSL.WantReadError):
            while not pieces or len(pieces[-1]) == _OUTPUT_SIZE:
                pieces.append(self._connection.bio_read(_OUTPUT_SIZE))
        return b"".join(pieces)

    def receive(self, data: bytes) -> None:
        """Take in bytes from the server; ignored once ended."""
        if self.ended or not data:
            return
        self._received += len(data)
        if self._received > MAX_READ:
            self.fail(Failure(FailureReason.TOO_LARGE, "the server sent more than 1 MB and no complete handshake"))
            return
        if len(self._beginning) < _BEGINNING:
            self._beginning += data[: _BEGINNING - len(self._beginning)]
        self._connection.bio_write(data)
        self._advance()

    def closed(self) -> None:
        """Take in that the server has closed the connection; ignored once ended."""
        self.fail(Failure(FailureReason.RESET, "the server closed the connection during the TLS handshake"))

    def fail(self, failure: Failure) -> None:
        """End it for a reason outside the TLS protocol; ignored once ended."""
        if not self.ended:
            self.ended = True
            self.failure = failure

    def result(self) -> Seen:
        """What was seen up to now. Caps on the chain are applied here: an oversized one is not handed on."""
        chain = self._connection.get_peer_cert_chain() or ()
        if len(chain) > MAX_CERTIFICATES:
            detail = f"the server sent {len(chain)} certificates, more than {MAX_CERTIFICATES}"
            return Seen(failure=Failure(FailureReason.TOO_LARGE, detail))
        # Through OpenSSL's own encoder, which keeps the signed part as it was sent: cryptography refuses odd ones.
        certificates = tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate) for certificate in chain)
        size = sum(map(len, certificates))
        if size > MAX_CERTIFICATE_BYTES:
            detail = f"the server sent {size} bytes of certificates, more than {MAX_CERTIFICATE_BYTES}"
            return Seen(failure=Failure(FailureReason.TOO_LARGE, detail))
        if not certificates:
            return Seen(failure=self.failure)
        return Seen(
            certificates, self.failure, self._connection.get_protocol_version_name(), self._connection.get_cipher_name()
        )

    def _advance(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            self.fail(self._failure(error))
            return
        self.ended = True
        with suppress(SSL.Error):
            self._connection.shutdown()

    def _failure(self, error: SSL.Error) -> Failure:
        """The failure for what OpenSSL reports; its texts are constants, only the beginning quotes the server."""
        if isinstance(error, SSL.ZeroReturnError):
            return Failure(FailureReason.TLS_ALERT, "the server sent the alert close_notify during the handshake")
        faults = error.args[0] if error.args and isinstance(error.args[0], list) else []
        alert = _alert_name(faults)
        if alert is not None:
            return Failure(FailureReason.TLS_ALERT, f"the server sent the alert {alert}")
        reasons = [reason for _, _, reason in faults]
        text = reasons[0] if reasons else "unknown fault"
        if any(reason in _TOO_LARGE for reason in reasons):
            return Failure(FailureReason.TOO_LARGE, f"the server sent a TLS message beyond all bounds ({text})")
        if self._connection.get_peer_cert_chain() is None and any(
            library in _DER_LIBRARIES or reason in _BAD_CERTIFICATE_FRAMES for library, _, reason in faults
        ):
            return Failure(FailureReason.CERTIFICATE_UNREADABLE, f"the certificates sent are broken DER ({text})")
        if self._beginning and self._beginning[0] not in _TLS_RECORD_TYPES:
            start = repr(self._beginning).removeprefix("b")
            return Failure(FailureReason.TLS_PROTOCOL, f"the server does not speak TLS here, it began with {start}")
        return Failure(FailureReason.TLS_PROTOCOL, f"the server broke the TLS protocol ({text})")


def _alert_name(faults: list[tuple[str, str, str]]) -> str | None:
    """The alert of the server that OpenSSL reports, as RFC 8446 spells it; None if there is none."""
    for _, _, reason in faults:
        alert = _ALERT.fullmatch(reason)
        if alert and (alert["word"] or alert["name"] in _ALERTS_WITHOUT_THE_WORD):
            return alert["name"].replace(" ", "_")
    # In the TLS part of OpenSSL only alerts have no text, those whose number it does not know.
    return "unknown" if ("SSL routines", "", "") in faults else None
