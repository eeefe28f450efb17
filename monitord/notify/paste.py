"""New pins as the app's developers paste them: one line in the spelling of the client's own file."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from monitord.pinning.pins import Client

if TYPE_CHECKING:
    from collections.abc import Mapping

# Where a line goes, with the host, and the line itself, with the host and the base64 of the digest.
_SPELLINGS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        Client.OKHTTP: (
            "OkHttp, in CertificatePinner.Builder() of {host}",
            '.add("{host}", "sha256/{digest}")',
        ),
        Client.ANDROID: (
            "Android, in the <pin-set> of {host} in res/xml/network_security_config.xml",
            '<pin digest="SHA-256">{digest}</pin>',
        ),
        Client.TRUSTKIT_ANDROID: (
            "TrustKit, in the <pin-set> of {host} in res/xml/network_security_config.xml",
            '<pin digest="SHA-256">{digest}</pin>',
        ),
        Client.APPLE: (
            "Info.plist, NSPinnedDomains, {host}, NSPinnedLeafIdentities for a leaf, else NSPinnedCAIdentities",
            "<dict><key>SPKI-SHA256-BASE64</key><string>{digest}</string></dict>",
        ),
        Client.TRUSTKIT_IOS: (
            "TrustKit, in the list of TSKPublicKeyHashes of {host} (kTSKPublicKeyHashes in code)",
            "<string>{digest}</string>",
        ),
        Client.CRONET: (
            "Cronet, in the set of digests that addPublicKeyPins is given for {host}",
            'Base64.decode("{digest}", Base64.DEFAULT)',
        ),
        Client.CURL: (
            "curl, in --pinnedpubkey, after a semicolon",
            "sha256//{digest}",
        ),
        Client.CERTIFICATE: (
            "The digest of the whole certificate, for {host}",
            "sha256/{digest}",
        ),
    }
)
_PLAIN = ("For {host}", "sha256/{digest}")


def place_of(client: str | None, host: str) -> str:
    """Where the lines of this client go."""
    return _SPELLINGS.get(client or "", _PLAIN)[0].format(host=host)


def line_of(client: str | None, host: str, pin: str) -> str:
    """The line for a pin such as ``sha256/…``."""
    return _SPELLINGS.get(client or "", _PLAIN)[1].format(host=host, digest=pin.removeprefix("sha256/"))
