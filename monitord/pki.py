"""A small certificate authority: real keys and certificates for the demo, for stories and for the tests.

Never for production: keys stay in memory unless a caller writes them, and nothing here checks what it signs, so
that broken certificates can be made on purpose.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from monitord.pinning.certificate import Certificate, parse_certificate

if TYPE_CHECKING:
    from collections.abc import Sequence

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
KeyKind = Literal["ecdsa", "rsa", "ed25519"]

EARLY = datetime(2020, 1, 1, tzinfo=UTC)
LATE = datetime(2045, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its private key."""

    certificate: Certificate
    key: PrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate alone, as PEM."""
        return pem_of(self.certificate)

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS#8 PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def pem_of(*certificates: Certificate) -> bytes:
    """Certificates as PEM, in the order given."""
    return b"".join(
        x509.load_der_x509_certificate(certificate.der).public_bytes(serialization.Encoding.PEM)
        for certificate in certificates
    )


def new_key(kind: KeyKind = "ecdsa") -> PrivateKey:
    """A fresh key: EC on P-256, RSA of 2048 bits, or Ed25519."""
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def sign(key: PrivateKey, data: bytes) -> bytes:
    """A signature over SHA-256 of ``data``; PKCS #1 v1.5 with an RSA key, DER with one on an elliptic curve."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(hashes.SHA256()))
    return key.sign(data)


def issue(  # noqa: PLR0913 - each is one thing a certificate can vary in
    subject: str,
    *,
    issuer: Issued | None = None,
    key: PrivateKey | None = None,
    ca: bool | None = None,
    names: Sequence[str] = (),
    not_before: datetime = EARLY,
    not_after: datetime = LATE,
    path_length: int | None = None,
    server_auth: bool = True,
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
    without: Sequence[type[x509.ExtensionType]] = (),
    serial: int | None = None,
    organization: str = "",
) -> Issued:
    """A certificate for ``CN=subject``.

    Without ``issuer`` it is self-signed. ``ca`` defaults to "has no names". ``names`` are DNS names or IP
    addresses. ``extra`` adds extensions with their critical flag; ``without`` leaves usual ones out.
    """
    key = key or new_key()
    is_ca = not names if ca is None else ca
    public = key.public_key()
    signer = issuer.key if issuer else key
    name = _name(subject, organization)
    signer_name = x509.load_der_x509_certificate(issuer.certificate.der).subject if issuer else name
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(signer_name)
        .public_key(public)
        .serial_number(serial if serial is not None else x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=is_ca, path_length=path_length if is_ca else None), True),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
        (_key_usage(is_ca=is_ca), True),
    ]
    if names:
        extensions.append((x509.SubjectAlternativeName([_general_name(name) for name in names]), False))
    if names and server_auth:
        extensions.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False))
    replaced = {type(extension) for extension, _ in extra} | set(without)
    for extension, critical in [pair for pair in extensions if type(pair[0]) not in replaced] + list(extra):
        builder = builder.add_extension(extension, critical)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    built = builder.sign(signer, digest)
    return Issued(parse_certificate(built.public_bytes(serialization.Encoding.DER)), key)


def _name(common_name: str, organization: str = "") -> x509.Name:
    parts = ((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, common_name))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts if value])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )
