"""Certificates that libraries would not write: built by cutting and joining DER."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from monitord import pki
from monitord.pinning import der
from tests.support.exchanged import KEY_PLACE, SERIAL_PLACE, der_with_part

if TYPE_CHECKING:
    from monitord.pinning.certificate import Certificate
    from monitord.pki import Issued

    Extra = tuple[x509.ExtensionType, bool]

_PSS_OID = bytes.fromhex("06092a864886f70d01010a")


def tlv(tag: int, *contents: bytes) -> bytes:
    """One DER element."""
    body = b"".join(contents)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + body


def negative_serial(certificate: Certificate) -> bytes:
    """The certificate with a serial number below zero, which RFC 5280 forbids and the world contains."""
    return der_with_part(certificate, SERIAL_PLACE, tlv(der.INTEGER, b"\x80\x01"))


def pss_key_certificate() -> tuple[bytes, bytes]:
    """A certificate whose key is marked RSASSA-PSS without parameters, and that key as it stands in it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    plain = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    bits = list(der.read_element(plain).children())[1].raw
    spki = tlv(der.SEQUENCE, tlv(der.SEQUENCE, _PSS_OID), bits)
    return der_with_part(pki.issue("pss", names=["a.example"]).certificate, KEY_PLACE, spki), spki


def compressed_point_certificate() -> tuple[bytes, bytes]:
    """A certificate whose EC point is compressed, and that key as it stands in it."""
    key = ec.derive_private_key(int.from_bytes(hashlib.sha256(b"point").digest()), ec.SECP256R1()).public_key()
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    plain = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    algorithm = next(der.read_element(plain).children()).raw
    spki = tlv(der.SEQUENCE, algorithm, tlv(der.BIT_STRING, b"\0", point))
    return der_with_part(pki.issue("compressed", names=["a.example"]).certificate, KEY_PLACE, spki), spki


def purposes(*oids: x509.ObjectIdentifier) -> Extra:
    """An extended key usage, for ``extra`` of a certificate to be issued."""
    return x509.ExtendedKeyUsage(oids), False


def key_usage(*, key_encipherment: bool = False, key_cert_sign: bool = False) -> Extra:
    """A key usage without digitalSignature, for ``extra`` of a certificate to be issued."""
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return usage, True


def naming_serial(issuer: Issued, *, off_by: int = 0) -> Extra:
    """An authority key identifier that names the issuer's certificate by its issuer and serial number."""
    certificate = x509.load_der_x509_certificate(issuer.certificate.der)
    name = x509.DirectoryName(certificate.issuer)
    return x509.AuthorityKeyIdentifier(None, [name], certificate.serial_number + off_by), False
