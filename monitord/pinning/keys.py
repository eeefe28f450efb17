"""The public keys in a file of any usual kind, to be pinned: certificates, requests, keys, PKCS#12.

A pin is a hash over a SubjectPublicKeyInfo, so wherever a file holds one, its bytes are taken as they are. Where a file
holds a private key only, the SubjectPublicKeyInfo is the one that a certificate for it will usually carry: named
curve, uncompressed point, and the algorithm of the PKCS#8 wrapping (an RSASSA-PSS key stays one).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from monitord.errors import MonitordError
from monitord.pinning import der
from monitord.pinning.certificate import Certificate, CertificateUnreadable, parse_certificate
from monitord.pinning.names import display_name
from monitord.pinning.pins import Pin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from monitord.pinning.der import Element

_PEM = re.compile(rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>.*?)-----END (?P=label)-----", re.DOTALL)
_RSA = "1.2.840.113549.1.1.1"
_RSA_PSS = "1.2.840.113549.1.1.10"
_PKCS12_VERSION = b"\x03"
_PAIR, _TRIPLE = 2, 3
_LONG_FORM = 0x80


class KeysUnreadable(MonitordError):  # noqa: N818 - as CertificateUnreadable
    """There is no public key in the bytes, or it cannot be got at."""


class PasswordNeeded(KeysUnreadable):
    """The private key or the PKCS#12 file is encrypted, and no password was given."""


class KeyHolder(StrEnum):
    """What a public key was found in."""

    CERTIFICATE = "certificate"
    REQUEST = "csr"
    PUBLIC_KEY = "public_key"
    PRIVATE_KEY = "private_key"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as found: ``spki`` is the DER of its SubjectPublicKeyInfo.

    ``subject`` is for people, None for bare keys. ``certificate`` is there if the key was found in one.
    """

    holder: KeyHolder
    spki: bytes
    subject: str | None = None
    certificate: Certificate | None = None

    @property
    def pin(self) -> Pin:
        """The pin of the key."""
        return Pin(hashlib.sha256(self.spki).digest())


def public_keys_in(data: bytes, password: bytes | None = None) -> list[PublicKey]:
    """The keys in a file's bytes, in order: PEM blocks of every usual kind, or one DER structure.

    A private key is left out where the same file has a certificate for it. Raises PasswordNeeded where something is
    encrypted and ``password`` is None, KeysUnreadable for everything else that cannot be read.
    """
    blocks = list(_PEM.finditer(data))
    if blocks or b"-----BEGIN " in data:
        found = [key for block in blocks for key in _in_block(block, password)]
    else:
        found = _in_der(data, password)
    if not found:
        raise KeysUnreadable("there is no certificate, request or key in it")
    certified = {key.spki for key in found if key.certificate}
    return [key for key in found if key.holder is not KeyHolder.PRIVATE_KEY or key.spki not in certified]


def _in_block(block: re.Match[bytes], password: bytes | None) -> list[PublicKey]:
    label = block["label"].decode("ascii")
    if label.endswith("PRIVATE KEY"):
        return [_private_key(block.group(), label, password)]
    if label not in _READERS:
        return []  # parameters, CRLs and other things that hold no key to pin
    try:
        encoded = base64.b64decode(b"".join(block["body"].split()), validate=True)
        return [_READERS[label](encoded)]
    except (binascii.Error, ValueError) as error:
        raise KeysUnreadable(f"the PEM block {label} is not valid base64: {error}") from error
    except der.DerError as error:
        raise KeysUnreadable(f"the PEM block {label} cannot be read: {error}") from error
    except CertificateUnreadable as error:
        raise KeysUnreadable(f"the PEM block {label} is {error}") from error


def _in_der(data: bytes, password: bytes | None) -> list[PublicKey]:
    """Try each kind of structure; a certificate first, because only that is never mistaken for another."""
    for reader in (_certificate, _request, _public_key):
        try:
            return [reader(data)]
        except (der.DerError, CertificateUnreadable):
            continue
    if _is_pkcs12(data):
        return list(_pkcs12(data, password))
    try:
        return [_private_key(data, "PRIVATE KEY", password)]
    except PasswordNeeded:
        raise
    except KeysUnreadable as error:
        if _is_encrypted_key(data):
            raise
        raise KeysUnreadable("it is no certificate, request, key or PKCS#12 file, neither PEM nor DER") from error


def _certificate(data: bytes) -> PublicKey:
    certificate = parse_certificate(data)
    return PublicKey(KeyHolder.CERTIFICATE, certificate.spki, certificate.display_subject, certificate)


def _request(data: bytes) -> PublicKey:
    """A certification request (RFC 2986); its signature is not checked, the key is what counts."""
    outer = der.expect(der.read_element(data), der.SEQUENCE, "the request")
    fields = der.expect(next(outer.children(), None), der.SEQUENCE, "the request's content").children()
    der.expect(next(fields, None), der.INTEGER, "the request's version")
    subject = der.expect(next(fields, None), der.SEQUENCE, "the request's subject")
    key = _public_key(der.expect(next(fields, None), der.SEQUENCE, "the request's key").raw)
    return PublicKey(KeyHolder.REQUEST, key.spki, display_name(subject.raw))


def _public_key(data: bytes) -> PublicKey:
    """A SubjectPublicKeyInfo: an algorithm with its identifier, and a bit string, nothing else."""
    parts = list(der.expect(der.read_element(data), der.SEQUENCE, "the public key").children())
    if len(parts) != _PAIR:
        raise der.DerError("a public key has two parts")
    algorithm = der.expect(parts[0], der.SEQUENCE, "the key's algorithm")
    der.expect(next(algorithm.children(), None), der.OID, "the key's algorithm")
    der.expect(parts[1], der.BIT_STRING, "the key's bits")
    return PublicKey(KeyHolder.PUBLIC_KEY, data)


def _rsa_public_key(data: bytes) -> PublicKey:
    """The bare RSA key of PKCS#1, in the wrapping that certificates have."""
    for number in der.expect(der.read_element(data), der.SEQUENCE, "the public key").children():
        der.expect(number, der.INTEGER, "the RSA key")
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    return PublicKey(KeyHolder.PUBLIC_KEY, _sequence(algorithm + _bit_string(data)))


_READERS: dict[str, Callable[[bytes], PublicKey]] = {
    "CERTIFICATE": _certificate,
    "X509 CERTIFICATE": _certificate,
    "CERTIFICATE REQUEST": _request,
    "NEW CERTIFICATE REQUEST": _request,
    "PUBLIC KEY": _public_key,
    "RSA PUBLIC KEY": _rsa_public_key,
}


def _private_key(data: bytes, label: str, password: bytes | None) -> PublicKey:
    load: Callable[[bytes, bytes | None], PrivateKeyTypes] = serialization.load_der_private_key
    if label == "OPENSSH PRIVATE KEY":
        raise KeysUnreadable("it is an OpenSSH key, which no TLS server uses; convert it with: ssh-keygen -p -m PEM")
    if data.startswith(b"-----BEGIN "):
        load = serialization.load_pem_private_key
    try:
        key = _load(load, data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _private_key_fault(data, password) from error
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(KeyHolder.PRIVATE_KEY, _with_own_algorithm(data, spki))


def _load(
    load: Callable[[bytes, bytes | None], PrivateKeyTypes], data: bytes, password: bytes | None
) -> PrivateKeyTypes:
    try:
        return load(data, password)
    except TypeError:
        if password is None:
            raise
        return load(data, None)  # a password for a key that has none is no reason to refuse the key


def _private_key_fault(data: bytes, password: bytes | None) -> KeysUnreadable:
    if not _is_encrypted_key(data):
        return KeysUnreadable("the private key cannot be read")
    if password is None:
        return PasswordNeeded("the private key is encrypted; give its password")
    return KeysUnreadable("the private key cannot be decrypted; the password is wrong or the encryption is not known")


def _is_encrypted_key(data: bytes) -> bool:
    if data.startswith(b"-----BEGIN "):
        return b"ENCRYPTED PRIVATE KEY" in data or b"Proc-Type: 4,ENCRYPTED" in data
    try:
        parts = list(der.expect(der.read_element(data), der.SEQUENCE, "the key").children())
    except der.DerError:
        return False
    return [part.tag for part in parts] == [der.SEQUENCE, der.OCTET_STRING]


def _with_own_algorithm(data: bytes, spki: bytes) -> bytes:
    """The SubjectPublicKeyInfo with the algorithm that PKCS#8 names, where that is RSASSA-PSS in clear."""
    try:
        algorithm, bits = der.read_element(spki).children()
        body = _PEM.search(data)
        clear = base64.b64decode(b"".join(body["body"].split())) if body else data
        parts = list(der.read_element(clear).children())
        named = der.expect(parts[1], der.SEQUENCE, "the key's algorithm")  # what is encrypted has none in its place
        if (_identifier(named), _identifier(algorithm)) != (_RSA_PSS, _RSA):
            return spki
    except (der.DerError, ValueError, IndexError):
        return spki
    return _sequence(named.raw + bits.raw)


def _identifier(algorithm: Element) -> str:
    return der.dotted_oid(der.expect(next(algorithm.children(), None), der.OID, "the algorithm").content)


def _is_pkcs12(data: bytes) -> bool:
    """A PFX: version 3, content, and usually a MAC (RFC 7292); older tools write lengths that are not DER."""
    if data[:1] != bytes((der.SEQUENCE,)) or len(data) < _PAIR:
        return False
    length = data[1] & 0x7F if data[1] & _LONG_FORM else 0
    return data[_PAIR + length :].startswith(bytes((der.INTEGER, 1)) + _PKCS12_VERSION + bytes((der.SEQUENCE,)))


def _pkcs12(data: bytes, password: bytes | None) -> Iterator[PublicKey]:
    try:
        bundle = _open_pkcs12(data, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        if password is None:
            raise PasswordNeeded("the PKCS#12 file is encrypted; give its password") from error
        raise KeysUnreadable(
            "the PKCS#12 file cannot be opened; the password is wrong or its content is broken"
        ) from error
    held = [bundle.cert, *bundle.additional_certs]
    for certificate in [one.certificate for one in held if one]:
        try:
            yield _certificate(certificate.public_bytes(serialization.Encoding.DER))
        except CertificateUnreadable as error:
            raise KeysUnreadable(f"a certificate in the PKCS#12 file is {error}") from error
    if bundle.key:
        spki = bundle.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        yield PublicKey(KeyHolder.PRIVATE_KEY, spki)


def _open_pkcs12(data: bytes, password: bytes | None) -> pkcs12.PKCS12KeyAndCertificates:
    """Without a password, the empty one is tried as well: what "no password" means differs between tools."""
    try:
        return pkcs12.load_pkcs12(data, password)
    except ValueError:
        if password is not None:
            raise
        return pkcs12.load_pkcs12(data, b"")


def _sequence(content: bytes) -> bytes:
    return der.encode(der.SEQUENCE, content)


def _bit_string(content: bytes) -> bytes:
    return der.encode(der.BIT_STRING, b"\0" + content)
