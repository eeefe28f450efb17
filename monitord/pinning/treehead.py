"""Signatures on tree heads of Certificate Transparency logs (RFC 6962 sections 2.1.4 and 3.5)."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from monitord.errors import MonitordError

HASH_SIZE = 32
_V1, _TREE_HASH = 0, 1
_SHA256, _RSA, _ECDSA = 4, 1, 3
_HEADER = 4


class LogKeyUnusable(MonitordError):  # noqa: N818 - it says what the key is
    """The bytes are no key that a log may have."""


@dataclass(frozen=True, slots=True)
class TreeHead:
    """How large a log's tree is and what it hashes to. ``timestamp`` is in milliseconds since 1970, as signed."""

    size: int
    root: bytes
    timestamp: int

    @property
    def signed(self) -> bytes:
        """What a log signs: the TreeHeadSignature of RFC 6962 section 3.5."""
        return bytes((_V1, _TREE_HASH)) + self.timestamp.to_bytes(8) + self.size.to_bytes(8) + self.root


def load_log_key(key: bytes) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    """The public key of a log, from the DER of its SubjectPublicKeyInfo; ECDSA on P-256 or RSA.

    Raises LogKeyUnusable for everything else (RFC 6962 section 2.1.4 allows nothing else).
    """
    try:
        loaded = serialization.load_der_public_key(key)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise LogKeyUnusable("not a public key; a log's key is the DER of its SubjectPublicKeyInfo") from None
    if isinstance(loaded, rsa.RSAPublicKey):
        return loaded
    if isinstance(loaded, ec.EllipticCurvePublicKey) and isinstance(loaded.curve, ec.SECP256R1):
        return loaded
    raise LogKeyUnusable("a log's key is ECDSA on P-256 or RSA, and this one is neither")


def signed_by_log(head: TreeHead, signature: bytes, key: bytes) -> bool:
    """Whether ``signature``, a TLS DigitallySigned with its header, is that of the log's ``key`` on this tree head.

    Raises LogKeyUnusable.
    """
    loaded = load_log_key(key)
    if len(signature) < _HEADER or int.from_bytes(signature[2:_HEADER]) != len(signature) - _HEADER:
        return False
    body = signature[_HEADER:]
    try:
        if isinstance(loaded, rsa.RSAPublicKey):
            if signature[:2] != bytes((_SHA256, _RSA)):
                return False
            loaded.verify(body, head.signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            if signature[:2] != bytes((_SHA256, _ECDSA)):
                return False
            loaded.verify(body, head.signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
