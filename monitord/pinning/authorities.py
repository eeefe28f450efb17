"""What is known of certificate authorities by name: whose intermediates alternate, and which CAA name permits whom.

Pools: Let's Encrypt issues from two intermediates a type of key at random, "to discourage intermediate key pinning"
(letsencrypt.org/certificates, 2026-07); Amazon Trust Services from several since 2022-10-11 (AWS Security Blog,
"Amazon introduces dynamic intermediate certificate authorities"). CAA names are those of each CA's certification
practice statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.pinning.names import organization_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.pinning.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: how many intermediates it issues from at random for one type of key (1: it does not), and its CAA names."""

    organization: str
    pool: int = 1
    caa: tuple[str, ...] = ()


_KNOWN = (
    Authority("Let's Encrypt", 2, ("letsencrypt.org",)),
    Authority("Amazon", 4, ("amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com")),
    Authority("Google Trust Services", 1, ("pki.goog",)),
    Authority("DigiCert", 1, ("digicert.com", "www.digicert.com", "digicert.ne.jp")),
    Authority("Sectigo Limited", 1, ("sectigo.com", "usertrust.com", "trust-provider.com", "comodoca.com")),
    Authority("GlobalSign", 1, ("globalsign.com",)),
    Authority("Entrust", 1, ("entrust.net", "affirmtrust.com")),
    Authority("GoDaddy.com", 1, ("godaddy.com", "starfieldtech.com")),
    Authority("ZeroSSL", 1, ("sectigo.com", "zerossl.com")),
    Authority("SSL Corporation", 1, ("ssl.com",)),
    Authority("Microsoft Corporation", 1, ("microsoft.com",)),
)


def authority_of(certificate: Certificate) -> Authority | None:
    """The known CA that issued this certificate, by the organization in its issuer's name."""
    for organization in organization_names(certificate.issuer):
        for known in _KNOWN:
            if organization.casefold().startswith(known.organization.casefold()):
                return known
    return None


def permits(caa: Sequence[str], authority: Authority) -> bool:
    """Whether a CAA record set permits this CA (RFC 8659 section 4.2)."""
    return any(name.partition(";")[0].strip().casefold() in authority.caa for name in caa)
