"""The settings of TLS handshakes: for a leaf of any key, and for one type of key only.

A server with an RSA and an ECDSA certificate chooses by the signature algorithms that the client offers, in TLS 1.2
also by the cipher suites. pyOpenSSL has no public call for the former, but its binding to OpenSSL has one. That it is
there and works is tested before it is relied on, by reading what would be sent. Without it, one type of key is asked
for by cipher suites alone, hence in TLS 1.2 only.

OpenSSL signs with these algorithms too. So a client certificate is not shown if its key is of another type than the one
that is asked for; the server has shown its chain before that.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_der_private_key
from OpenSSL import SSL

from monitord.errors import MonitordError
from monitord.pinning.certificate import KeyType

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitord.pinning.target import ClientCertificate

    SetAlgorithms = Callable[[SSL.Context, bytes], bool]

# No DHE: the server chooses the group, and one of 10,000 bits keeps the event loop busy for a second. The clients
# that enforce pins do not offer it either. SECLEVEL=0 admits small keys and SHA-1 signatures.
_CIPHERS = b"DEFAULT:!kDHE:!PSK:!SRP%s:@SECLEVEL=0"
# The order in which mobile clients offer them; OpenSSL's own begins with AES-256, whose SHA-384 costs more.
_TLS13_CIPHERS = b"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
# What the mobile clients offer (Conscrypt, Secure Transport, BoringSSL before its hybrid group). OpenSSL would add
# X25519MLKEM768, which costs a quarter of the whole handshake: the group has no bearing on the chain that is shown.
_GROUPS = b"X25519:P-256:P-384:P-521"
_MOST_CONTEXTS = 300
_SIGNATURE_ALGORITHMS = 13  # the number of the extension


@dataclass(frozen=True, slots=True)
class _Offer:
    """What asks for a leaf of one type of key.

    ``without`` takes the cipher suites of other keys away. ``algorithms`` are signature algorithms by their numbers in
    the protocol, spelled as OpenSSL does; the first is offered in any case.
    """

    without: bytes
    algorithms: dict[int, bytes]


# TLS 1.3 does not allow these for the handshake, but the issuers in the chain use them, and some servers look at that.
_PKCS1 = {
    0x0401: b"rsa_pkcs1_sha256",
    0x0501: b"rsa_pkcs1_sha384",
    0x0601: b"rsa_pkcs1_sha512",
    0x0201: b"RSA+SHA1",
}
_OFFERS = {
    KeyType.RSA: _Offer(
        without=b":!aECDSA",
        algorithms={
            0x0804: b"rsa_pss_rsae_sha256",
            0x0805: b"rsa_pss_rsae_sha384",
            0x0806: b"rsa_pss_rsae_sha512",
            0x0809: b"rsa_pss_pss_sha256",
            0x080A: b"rsa_pss_pss_sha384",
            0x080B: b"rsa_pss_pss_sha512",
            **_PKCS1,
        },
    ),
    KeyType.ECDSA: _Offer(
        without=b":!aRSA",
        algorithms={
            0x0403: b"ecdsa_secp256r1_sha256",
            0x0503: b"ecdsa_secp384r1_sha384",
            0x0603: b"ecdsa_secp521r1_sha512",
            0x0203: b"ECDSA+SHA1",
            **_PKCS1,
        },
    ),
}

SEPARABLE = tuple(_OFFERS)  # the types of key that can be asked for alone


class ClientCertificateUnusable(MonitordError):  # noqa: N818 - reads as what happened
    """OpenSSL does not take the client certificate or its key."""


class Contexts:
    """Shared settings, each made when first asked for: making them is costly beside using them.

    ``set_algorithms`` sets the signature algorithms of a context, and says whether it did. ``limitation`` is a sentence
    for the log if it does not do what it should, else None.
    """

    def __init__(self, set_algorithms: SetAlgorithms | None = None) -> None:
        """Settings by the calls that pyOpenSSL has, tested here."""
        self._set_algorithms = set_algorithms or _set_algorithms
        self._made: OrderedDict[tuple[KeyType | None, ClientCertificate | None], SSL.Context] = OrderedDict()
        self._by_algorithms = True
        self._by_algorithms = all(self._works(key_type) for key_type in _OFFERS)

    @property
    def limitation(self) -> str | None:
        """What cannot be seen with this version of pyOpenSSL, as a sentence."""
        if self._by_algorithms:
            return None
        return (
            "pyOpenSSL does not let signature algorithms be set, so of a server that has an RSA and an ECDSA "
            "certificate the second is only seen if the server takes TLS 1.2"
        )

    def get(self, wanted: KeyType | None = None, client_certificate: ClientCertificate | None = None) -> SSL.Context:
        """The context that accepts leaves of one type of key, one of SEPARABLE; None: of any.

        Raises ClientCertificateUnusable.
        """
        key = wanted, client_certificate
        context = self._made.get(key)
        if context is None:
            context = self._made[key] = self._new(wanted, client_certificate)
            if len(self._made) > _MOST_CONTEXTS:
                self._made.popitem(last=False)
        else:
            self._made.move_to_end(key)
        return context

    def _new(self, wanted: KeyType | None, client_certificate: ClientCertificate | None) -> SSL.Context:
        offer = _OFFERS[wanted] if wanted else _Offer(b"", {})
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(_CIPHERS % offer.without)
        context.set_tls13_ciphersuites(_TLS13_CIPHERS)
        _set_groups(context)
        context.set_verify(SSL.VERIFY_NONE)
        # A resumed session carries no chain.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_LEGACY_SERVER_CONNECT | SSL.OP_NO_COMPRESSION)
        if offer.algorithms and not (
            self._by_algorithms and self._set_algorithms(context, b":".join(offer.algorithms.values()))
        ):
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
        if client_certificate:
            _use(context, client_certificate)
        return context

    def _works(self, wanted: KeyType) -> bool:
        """Whether the greeting that a context makes offers nothing but what was set."""
        offered = _offered_algorithms(_greeting(self.get(wanted)))
        known = list(_OFFERS[wanted].algorithms)
        works = known[0] in offered and offered <= set(known)
        if not works:
            self._made.clear()
        return works


def _set_algorithms(context: SSL.Context, algorithms: bytes) -> bool:
    """Set signature algorithms through pyOpenSSL's binding, which is not public; whether that was possible."""
    library = getattr(SSL, "_lib", None)
    try:
        done = library.SSL_CTX_set1_sigalgs_list(context._context, algorithms)  # type: ignore[union-attr]  # noqa: SLF001 - as above
        library.ERR_clear_error()  # type: ignore[union-attr]  # what is left there would be taken for a later fault
    except AttributeError:
        return False
    return bool(done == 1)


def _set_groups(context: SSL.Context) -> None:
    """Set the groups for the key exchange, by a call that is not public either. Without it OpenSSL's own do as well."""
    library = getattr(SSL, "_lib", None)
    with suppress(AttributeError):
        library.SSL_CTX_set1_curves_list(context._context, _GROUPS)  # type: ignore[union-attr]  # noqa: SLF001 - as above
        library.ERR_clear_error()  # type: ignore[union-attr]  # as above


def _use(context: SSL.Context, client_certificate: ClientCertificate) -> None:
    try:
        leaf, *issuers = map(x509.load_der_x509_certificate, client_certificate.chain)
        context.use_certificate(leaf)
        for issuer in issuers:
            context.add_extra_chain_cert(issuer)
        context.use_privatekey(load_der_private_key(client_certificate.key, None))  # type: ignore[arg-type]  # else TypeError
    except (SSL.Error, ValueError, TypeError) as error:
        raise ClientCertificateUnusable("OpenSSL does not take the client certificate with its key") from error


def _greeting(context: SSL.Context) -> bytes:
    """The first bytes of a client with these settings."""
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return connection.bio_read(65536)
    raise AssertionError("a handshake needs two")


def _offered_algorithms(greeting: bytes) -> set[int]:
    """The signature algorithms in a ClientHello (RFC 8446 section 4.1.2), which is our own and sound."""
    rest = greeting[5 + 4 + 2 + 32 :]  # behind the headers of record and message, version and random
    for width in (1, 2, 1):  # session id, cipher suites, compression methods
        rest = rest[width + int.from_bytes(rest[:width]) :]
    rest = rest[2:]
    while rest:
        number, size = int.from_bytes(rest[:2]), int.from_bytes(rest[2:4])
        if number == _SIGNATURE_ALGORITHMS:
            codes = rest[6 : 4 + size]
            return {int.from_bytes(codes[at : at + 2]) for at in range(0, len(codes), 2)}
        rest = rest[4 + size :]
    return set()
