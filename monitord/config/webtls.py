"""From ``tls_server_config`` to what the listener speaks TLS with."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.config.clientcertificates import ClientCertificateError, read_chain, read_private_key
from monitord.config.faults import UnfitError
from monitord.config.secretfiles import SecretFileError, read_secret_bytes
from monitord.config.tlsnames import CIPHERS, CLIENT_AUTH, CURVES, VERSIONS

if TYPE_CHECKING:
    from pathlib import Path

    from monitord.config.fields import Surroundings
    from monitord.config.webschema import TlsServerEntry


@dataclass(frozen=True, slots=True)
class ServerTls:
    """How the listener speaks TLS. ``allowed_sans`` are the names that clients may have, () for any."""

    context: ssl.SSLContext
    verifies_clients: bool
    allowed_sans: tuple[str, ...]
    files: tuple[Path, ...]


def server_tls(entry: TlsServerEntry, around: Surroundings) -> ServerTls:
    """What a listener needs. Raises UnfitError with a sentence where OpenSSL cannot use the files."""
    try:
        chain = read_chain(entry.cert_file)
        key_file, _ = read_secret_bytes(around.base / entry.key_file, around.environment)
        key = read_private_key(key_file, around.environment)
    except (ClientCertificateError, SecretFileError) as error:
        raise UnfitError("", "", f"tls_server_config: {error}") from error
    if not key.belongs_to(chain[0]):
        raise UnfitError(
            "", "", "tls_server_config: the key in key_file is not that of the first certificate in cert_file"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[entry.min_version]
    context.maximum_version = VERSIONS[entry.max_version]
    if entry.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        context.load_cert_chain(entry.cert_file, key_file)
        _choose(context, entry)
        if entry.client_ca_file is not None:
            context.load_verify_locations(entry.client_ca_file)
            context.verify_mode = CLIENT_AUTH[entry.client_auth_type]
    except (ssl.SSLError, OSError, ValueError) as error:
        raise UnfitError("", "", f"tls_server_config cannot be used by OpenSSL: {_said(error)}") from error
    files = [entry.cert_file, key_file, *([entry.client_ca_file] if entry.client_ca_file else [])]
    return ServerTls(context, context.verify_mode is not ssl.CERT_NONE, tuple(entry.client_allowed_sans), tuple(files))


def _choose(context: ssl.SSLContext, entry: TlsServerEntry) -> None:
    chosen = [CIPHERS[name] for name in entry.cipher_suites if not CIPHERS[name].startswith("TLS_")]
    if chosen:
        context.set_ciphers(":".join(chosen))
    for curve in entry.curve_preferences:
        context.set_ecdh_curve(CURVES[curve])


def _said(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
