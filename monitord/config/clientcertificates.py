"""Client certificates and their keys out of files, held against each other before anything is started."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from monitord.config.document import read_capped
from monitord.config.secretfiles import read_secret_bytes
from monitord.errors import MonitordError
from monitord.pinning.certificate import Certificate, CertificateUnreadable, certificates_in, parse_certificate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_MOST_BYTES = 256 * 1024


class ClientCertificateError(MonitordError):
    """A file has no client certificate or key to offer; the sentence names the file and shows nothing of a key."""


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key, as PKCS#8 in DER."""

    der: bytes = field(repr=False)

    def belongs_to(self, certificate: Certificate) -> bool:
        """Whether the certificate is for this key."""
        own = serialization.load_der_private_key(self.der, None).public_key()
        return own == x509.load_der_x509_certificate(certificate.der).public_key()


def read_chain(path: Path) -> tuple[Certificate, ...]:
    """The certificates in a PEM or DER file, the client's own first. Raises ClientCertificateError."""
    try:
        chain = tuple(parse_certificate(der) for der in certificates_in(read_capped(path, limit=_MOST_BYTES)))
        for certificate in chain:
            x509.load_der_x509_certificate(certificate.der).public_key()
    except OSError as error:
        raise ClientCertificateError(f"{path} cannot be read: {error.strerror}") from error
    except CertificateUnreadable as error:
        raise ClientCertificateError(f"a certificate in {path} is {error}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ClientCertificateError(f"a certificate in {path} is none that OpenSSL can use") from error
    if not chain:
        raise ClientCertificateError(f"there is no certificate in {path}")
    return chain


def read_private_key(path: Path, environment: Mapping[str, str]) -> PrivateKey:
    """The private key in a PEM or DER file, or in the credential of that name.

    Raises ClientCertificateError, or SecretFileError where there is no such file.
    """
    found, data = read_secret_bytes(path, environment)
    try:
        key = _load(data)
        encoded = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    except TypeError as error:
        message = f"the key in {found} is encrypted; store it without a password, readable by monitord alone"
        raise ClientCertificateError(message) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ClientCertificateError(f"there is no private key in {found}") from error
    return PrivateKey(encoded)


def _load(data: bytes) -> PrivateKeyTypes:
    if b"-----BEGIN " in data:
        return serialization.load_pem_private_key(data, None)
    return serialization.load_der_private_key(data, None)
