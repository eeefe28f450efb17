"""Signatures on certificates: does this key's signature stand on that certificate (RFC 5280, RFC 4055, RFC 5758)?"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

from monitord.pinning import der
from monitord.pinning.certificate import KeyType

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from monitord.pinning.certificate import Certificate

_MD5_RSA, _SHA1_RSA, _SHA1_ECDSA = "1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1"
_PSS = "1.2.840.113549.1.1.10"
_RSA_HASHES: dict[str, hashes.HashAlgorithm] = {
    _MD5_RSA: hashes.MD5(),  # noqa: S303 - to recognise, not to trust: weak_signature() tells
    _SHA1_RSA: hashes.SHA1(),  # noqa: S303
    "1.2.840.113549.1.1.11": hashes.SHA256(),
    "1.2.840.113549.1.1.12": hashes.SHA384(),
    "1.2.840.113549.1.1.13": hashes.SHA512(),
    "1.2.840.113549.1.1.14": hashes.SHA224(),
}
_ECDSA_HASHES: dict[str, hashes.HashAlgorithm] = {
    _SHA1_ECDSA: hashes.SHA1(),  # noqa: S303
    "1.2.840.10045.4.3.1": hashes.SHA224(),
    "1.2.840.10045.4.3.2": hashes.SHA256(),
    "1.2.840.10045.4.3.3": hashes.SHA384(),
    "1.2.840.10045.4.3.4": hashes.SHA512(),
}
_PSS_HASHES: dict[str, hashes.HashAlgorithm] = {
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
_SIGNATURE_KINDS = {
    "1.2.840.113549.1.1.": KeyType.RSA,
    "1.2.840.10045.4.": KeyType.ECDSA,
    "1.3.101.112": KeyType.ED25519,
}
_COMPRESSED = (b"\x02", b"\x03")
_WEAK = {_MD5_RSA: "MD5", _SHA1_RSA: "SHA-1", _SHA1_ECDSA: "SHA-1"}


@lru_cache(maxsize=65536)
def signed_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the issuer's key made the signature on the certificate.

    False as well for algorithms and keys that cannot be checked (DSA, unnamed curves): no client of today builds a
    path over them. Signatures never change, so the answers are remembered, a bounded number of them.
    """
    return _holds(issuer.spki, certificate.signature_algorithm, certificate.signature, certificate.tbs)


def signature_holds(spki: bytes, algorithm: bytes, signature: bytes, signed: bytes) -> bool:
    """Whether the key in this SubjectPublicKeyInfo made the signature on these bytes.

    ``algorithm`` is the DER of the AlgorithmIdentifier. False as well for what cannot be checked.
    """
    key = _public_key(spki)
    if key is None:
        return False
    try:
        _verify(key, algorithm, signature, signed)
    except (InvalidSignature, UnsupportedAlgorithm, der.DerError, ValueError, TypeError):
        return False
    return True


# Beside ``signed_by``, since imagined certificates (``imagine``) are many and their signatures those of a few real
# ones. Not for what is asked once and may be large, such as a revocation list: what was signed is kept with the answer.
_holds = lru_cache(maxsize=8192)(signature_holds)


def weak_signature(certificate: Certificate) -> str | None:
    """The name of the broken hash that the certificate is signed with, if it is."""
    try:
        return _WEAK.get(_algorithm(certificate.signature_algorithm)[0])
    except der.DerError:
        return None


def rsa_bits(certificate: Certificate) -> int | None:
    """The size of the certificate's RSA key in bits; None for other keys and for keys that cannot be read."""
    key = _public_key(certificate.spki)
    return key.key_size if isinstance(key, rsa.RSAPublicKey) else None


def key_bits(certificate: Certificate) -> int | None:
    """The size of an RSA or EC key in bits; None for others."""
    key = _public_key(certificate.spki)
    return key.key_size if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else None


def signature_strength(certificate: Certificate) -> int:
    """The bits of the hash that the certificate is signed with; 0 where there is none to be told."""
    try:
        oid, parameters = _algorithm(certificate.signature_algorithm)
        if oid == _PSS:
            return _pss_hash(parameters).digest_size * 8
        chosen = _RSA_HASHES.get(oid) or _ECDSA_HASHES.get(oid)
    except (der.DerError, UnsupportedAlgorithm):
        return 0
    return chosen.digest_size * 8 if chosen else 0


def key_fits_signature(issuer: Certificate, certificate: Certificate) -> bool:
    """Whether the issuer's key is of the kind that the certificate's signature was made with; nothing is verified."""
    try:
        oid = _algorithm(certificate.signature_algorithm)[0]
    except der.DerError:
        return False
    kinds = [kind for prefix, kind in _SIGNATURE_KINDS.items() if oid.startswith(prefix)]
    return issuer.key_type in kinds


def compressed_point(certificate: Certificate) -> bool:
    """Whether the key is an EC point in compressed form (SEC 1 section 2.3.3), which few libraries read."""
    return certificate.key_type is KeyType.ECDSA and _starts_compressed(certificate.spki)


@lru_cache(maxsize=8192)
def _starts_compressed(spki: bytes) -> bool:
    try:
        parts = list(der.read_element(spki).children())
    except der.DerError:
        return False
    return len(parts) > 1 and parts[1].content[1:2] in _COMPRESSED


def usable_key(certificate: Certificate) -> bool:
    """Whether the public key is of a kind that TLS clients of today can use at all."""
    key = _public_key(certificate.spki)
    return isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) and not (
        isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < 224  # noqa: PLR2004 - P-192 and smaller
    )


def named_curve(certificate: Certificate) -> bool:
    """Whether an EC key gives its curve by name, as it must (RFC 5480 section 2.1.1); True for other keys."""
    if certificate.key_type is not KeyType.ECDSA:
        return True
    algorithm = next(der.read_element(certificate.spki).children())
    return [part.tag for part in algorithm.children()] == [der.OID, der.OID]


@lru_cache(maxsize=8192)
def _public_key(spki: bytes) -> PublicKeyTypes | None:
    try:
        return serialization.load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


@lru_cache(maxsize=512)
def _algorithm(identifier: bytes) -> tuple[str, bytes]:
    parts = list(der.read_element(identifier).children())
    oid = der.dotted_oid(der.expect(parts[0] if parts else None, der.OID, "the signature algorithm").content)
    return oid, parts[1].raw if len(parts) > 1 else b""


def _verify(key: PublicKeyTypes, algorithm: bytes, signature: bytes, signed: bytes) -> None:
    oid, parameters = _algorithm(algorithm)
    if isinstance(key, rsa.RSAPublicKey):
        if oid == _PSS:
            chosen = _pss_hash(parameters)
            key.verify(signature, signed, padding.PSS(padding.MGF1(chosen), padding.PSS.AUTO), chosen)
        else:
            key.verify(signature, signed, padding.PKCS1v15(), _known(_RSA_HASHES, oid))
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, signed, ec.ECDSA(_known(_ECDSA_HASHES, oid)))
    elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        key.verify(signature, signed)
    else:
        raise UnsupportedAlgorithm("a kind of key that no client builds paths over")


def _known(table: dict[str, hashes.HashAlgorithm], oid: str) -> hashes.HashAlgorithm:
    if oid not in table:
        raise UnsupportedAlgorithm(f"signature algorithm {oid}")
    return table[oid]


def _pss_hash(parameters: bytes) -> hashes.HashAlgorithm:
    """The hash named in RSASSA-PSS-params (RFC 4055 section 3.1); its default, SHA-1, is not accepted."""
    for part in der.expect(der.read_element(parameters), der.SEQUENCE, "the PSS parameters").children():
        if part.tag == 0xA0:  # noqa: PLR2004 - [0] hashAlgorithm
            algorithm = next(der.read_element(part.content).children(), None)
            return _known(_PSS_HASHES, der.dotted_oid(der.expect(algorithm, der.OID, "the PSS hash").content))
    raise UnsupportedAlgorithm("RSASSA-PSS with its default hash SHA-1")
