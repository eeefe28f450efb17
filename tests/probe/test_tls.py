from __future__ import annotations

import contextlib
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from OpenSSL._util import lib

from monitord.pinning.observation import Failure, FailureReason
from monitord.pki import issue, new_key, pem_of
from monitord.probe.contexts import Contexts
from monitord.probe.tls import Handshake
from tests.probe.conftest import HOST
from tests.support.tlsserver import alert, http_answer, server_hello_with

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.probe.conftest import Authority

CONTEXT = Contexts().get()
# The property tests take the authority, which never changes, from a fixture.
PROPERTY = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])


def fed(pieces: Sequence[bytes]) -> Handshake:
    """A handshake after these bytes arrived."""
    handshake = Handshake(CONTEXT, HOST)
    for piece in pieces:
        handshake.output()
        handshake.receive(piece)
    return handshake


def server_for(authority: Authority, version: ssl.TLSVersion) -> Callable[[bytes], bytes]:
    """A real server of one TLS version that answers a client's greeting with its first flight."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "chain.pem")
        file.write_bytes(pem_of(*authority.chain) + authority.leaf.key_pem)
        context.load_cert_chain(file)

    def answer(greeting: bytes) -> bytes:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        connection = context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(greeting)
        try:
            connection.do_handshake()
        except ssl.SSLWantReadError:
            return outgoing.read()
        raise AssertionError("the server needs no client")

    return answer


def assert_sound(handshake: Handshake) -> None:
    """It ended with a failure, or goes on waiting; whatever it says it saw is consistent."""
    seen = handshake.result()
    assert seen.failure is None or isinstance(seen.failure, Failure)
    assert bool(seen.certificates) == (seen.tls_version is not None)
    handshake.output()
    handshake.receive(b"more")


@PROPERTY
@given(pieces=st.lists(st.binary(max_size=300), max_size=8))
@example(pieces=[http_answer()])
@example(pieces=[alert(40), alert(0)])
@example(pieces=[b"\x16\x03\x03\x00\x00" * 100])
@example(pieces=[b"\x80\x2e\x01\x03\x01"])
def test_no_bytes_make_it_raise(pieces: list[bytes]) -> None:
    """Whatever a server sends, the outcome is a value."""
    assert_sound(fed(pieces))


@PROPERTY
@given(
    records=st.lists(
        st.tuples(
            st.sampled_from([20, 21, 22, 23, 24]), st.sampled_from([0, 1, 2, 11, 12, 14, 22]), st.binary(max_size=200)
        ),
        max_size=6,
    ),
    with_chain=st.booleans(),
)
def test_well_framed_nonsense_does_not_make_it_raise(
    authority: Authority, records: list[tuple[int, int, bytes]], *, with_chain: bool
) -> None:
    """Records and messages with sound headers and any content, also after a chain, end in a value."""
    opening = [server_hello_with(*(certificate.der for certificate in authority.chain))] if with_chain else []
    pieces = []
    for record_type, message_type, content in records:
        message = bytes((message_type,)) + len(content).to_bytes(3) + content
        pieces.append(bytes((record_type, 3, 3)) + len(message).to_bytes(2) + message)
    handshake = fed([*opening, *pieces])
    assert_sound(handshake)
    if with_chain:
        assert handshake.result().certificates == tuple(certificate.der for certificate in authority.chain)


@PROPERTY
@given(
    version=st.sampled_from([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 3000),
)
def test_a_damaged_flight_does_not_make_it_raise(
    authority: Authority, version: ssl.TLSVersion, changes: list[tuple[int, int]], cut: int
) -> None:
    """The flight of a real server, cut in two anywhere and with bytes changed anywhere, ends in a value."""
    handshake = Handshake(CONTEXT, HOST)
    flight = bytearray(server_for(authority, version)(handshake.output()))
    for position, byte in changes:
        flight[position % len(flight)] = byte
    handshake.receive(bytes(flight[:cut]))
    handshake.receive(bytes(flight[cut:]))
    assert_sound(handshake)


def test_one_byte_at_a_time_is_enough(authority: Authority) -> None:
    """How the flight is cut into pieces does not matter."""
    handshake = Handshake(CONTEXT, HOST)
    for byte in server_for(authority, ssl.TLSVersion.TLSv1_3)(handshake.output()):
        handshake.receive(bytes((byte,)))
    assert handshake.ended
    assert handshake.failure is None
    assert handshake.result().certificates == tuple(certificate.der for certificate in authority.chain)


def test_reading_ends_at_the_cap(authority: Authority) -> None:
    """More than 1 MB, even of messages that TLS says to ignore, is too much; the chain before it is kept."""
    ignored = b"\x16\x03\x03\x00\x04\x00\x00\x00\x00"
    handshake = fed([server_hello_with(authority.leaf.certificate.der)])
    while not handshake.ended:
        handshake.receive(ignored * 1000)
    assert handshake.failure is not None
    assert handshake.failure.reason is FailureReason.TOO_LARGE
    assert handshake.result().certificates == (authority.leaf.certificate.der,)


def test_the_first_failure_stays() -> None:
    """What ended the handshake is not overwritten by what happens afterwards."""
    handshake = fed([alert(40)])
    handshake.fail(Failure(FailureReason.TIMEOUT, "late"))
    assert handshake.result().failure == Failure(FailureReason.TLS_ALERT, "the server sent the alert handshake_failure")


def test_an_old_signature_is_put_up_with() -> None:
    """A server that can only sign with SHA-1, which OpenSSL refuses by default, still shows its chain."""
    leaf = issue("leaf", names=[HOST], key=new_key("rsa"))
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    context.use_certificate(x509.load_der_x509_certificate(leaf.certificate.der))
    context.use_privatekey(leaf.key)
    assert lib.SSL_CTX_set1_sigalgs_list(context._context, b"RSA+SHA1") == 1
    server = SSL.Connection(context, None)
    server.set_accept_state()
    handshake = Handshake(CONTEXT, HOST)
    while not handshake.ended:
        server.bio_write(handshake.output())
        with contextlib.suppress(SSL.WantReadError):
            server.do_handshake()
        handshake.receive(server.bio_read(65536))
    assert handshake.failure is None
    assert handshake.result().certificates == (leaf.certificate.der,)
