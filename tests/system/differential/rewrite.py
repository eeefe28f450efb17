"""Certificates that the library at hand would not write: old versions, old hashes, unusual forms of keys."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from monitord.pinning import der
from monitord.pinning.certificate import parse_certificate
from monitord.pki import Issued

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.pinning.certificate import Certificate
    from monitord.pki import PrivateKey

_CONTEXT = 0xA0
_SPKI = 6
_PSS_KEY = bytes.fromhex("300b06092a864886f70d01010a")


class Signature(Enum):
    """How to sign; the value is the DER of the AlgorithmIdentifier."""

    ECDSA_SHA1 = bytes.fromhex("300906072a8648ce3d0401")
    ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
    RSA_SHA1 = bytes.fromhex("300d06092a864886f70d0101050500")
    RSA_SHA256 = bytes.fromhex("300d06092a864886f70d01010b0500")
    PSS_SHA256 = bytes.fromhex(
        "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
        "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
    )


def with_sha1(issued: Issued, signer: PrivateKey) -> Issued:
    """The same, its signature over a SHA-1 hash."""
    how = Signature.RSA_SHA1 if isinstance(signer, rsa.RSAPrivateKey) else Signature.ECDSA_SHA1
    return Issued(_signed(_fields(issued.certificate), signer, how), issued.key)


def with_pss(issued: Issued, signer: PrivateKey) -> Issued:
    """The same, signed with RSASSA-PSS."""
    return Issued(_signed(_fields(issued.certificate), signer, Signature.PSS_SHA256), issued.key)


def as_version_1(issued: Issued, signer: PrivateKey) -> Issued:
    """The same without extensions, as authorities were in the nineties."""
    fields = [field for field in _fields(issued.certificate) if field[0] & _CONTEXT != _CONTEXT]
    return Issued(_signed(fields, signer, _usual(signer)), issued.key)


def with_compressed_point(issued: Issued, signer: PrivateKey) -> Issued:
    """The same, the point of its EC key written in compressed form."""
    public = issued.key.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    point = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    return _with_key(issued, signer, next(_children(_spki(issued))), point, _usual(signer))


def with_pss_key(issued: Issued, signer: PrivateKey) -> Issued:
    """The same, its RSA key marked as one for RSASSA-PSS only; what it then signs must be signed so."""
    _, bits = _children(_spki(issued))
    how = Signature.PSS_SHA256 if signer is issued.key else _usual(signer)
    return _with_key(issued, signer, _PSS_KEY, der.read_element(bits).content[1:], how)


def _with_key(issued: Issued, signer: PrivateKey, algorithm: bytes, key: bytes, how: Signature) -> Issued:
    fields = _fields(issued.certificate)
    fields[_SPKI] = _tlv(der.SEQUENCE, algorithm, _tlv(der.BIT_STRING, b"\0", key))
    return Issued(_signed(fields, signer, how), issued.key)


def _spki(issued: Issued) -> bytes:
    return issued.key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _usual(signer: PrivateKey) -> Signature:
    return Signature.RSA_SHA256 if isinstance(signer, rsa.RSAPrivateKey) else Signature.ECDSA_SHA256


def _signed(fields: list[bytes], signer: PrivateKey, how: Signature) -> Certificate:
    """A certificate of these fields; the one that names the algorithm stands before the issuer."""
    position = 2 if fields[0][0] == _CONTEXT else 1
    tbs = _tlv(der.SEQUENCE, *fields[:position], how.value, *fields[position + 1 :])
    chosen = hashes.SHA1() if how in (Signature.ECDSA_SHA1, Signature.RSA_SHA1) else hashes.SHA256()  # noqa: S303 - old
    if isinstance(signer, rsa.RSAPrivateKey):
        scheme = padding.PSS(padding.MGF1(chosen), chosen.digest_size) if how is Signature.PSS_SHA256 else None
        signature = signer.sign(tbs, scheme or padding.PKCS1v15(), chosen)
    else:
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        signature = signer.sign(tbs, ec.ECDSA(chosen))
    return parse_certificate(_tlv(der.SEQUENCE, tbs, how.value, _tlv(der.BIT_STRING, b"\0", signature)))


def _fields(certificate: Certificate) -> list[bytes]:
    return list(_children(certificate.tbs))


def _children(data: bytes) -> Iterator[bytes]:
    return (element.raw for element in der.read_element(data).children())


def _tlv(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + body
