"""The public CAs that serve ACME Renewal Information, by the organization in the issuer's name of what they issue.

What each entry rests on; a directory serves ARI if it names ``renewalInfo`` (RFC 9773 section 3), which is looked up
there each day, so that an entry that no longer holds costs one request a day and no more.

- Let's Encrypt: letsencrypt.org/2024/04/25/guide-to-integrating-ari-into-existing-acme-clients; the intermediates YE1,
  YE2, YR1, YR2 have this organization too (letsencrypt.org/certificates). Its staging CA calls itself otherwise.
- Google Trust Services: pki.goog, "ARI (ACME Renewal Information)", which shows a request to this directory's server;
  "LLC" is in the names of intermediates until 2024.
- ZeroSSL and Sectigo: their directories name ``renewalInfo`` at ari.trust-provider.com and ari.sectigo.com (ZeroSSL's
  as recorded in ICS's OverbyteIcsSslX509Certs, 2025; both as other monitors' authors read them on 2026-10-09).

Left out: SSL.com, whose renewalInfo answered 403 on 2026-10-09; Buypass, which ended issuance by ACME in October 2025;
DigiCert, where the directory depends on the customer. Such a directory can be configured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from monitord.pinning.names import organization_names


@dataclass(frozen=True, slots=True)
class PublicCa:
    """A CA that serves ARI: what its intermediates call their organization, and the URL of its ACME directory."""

    organizations: tuple[str, ...]
    directory: str


PUBLIC_CAS = (
    PublicCa(("Let's Encrypt",), "https://acme-v02.api.letsencrypt.org/directory"),
    PublicCa(("Google Trust Services", "Google Trust Services LLC"), "https://dv.acme-v02.api.pki.goog/directory"),
    PublicCa(("ZeroSSL", "ZeroSSL GmbH"), "https://acme.zerossl.com/v2/DV90"),
    PublicCa(("Sectigo Limited",), "https://acme.sectigo.com/v2/DV"),
)


@lru_cache(maxsize=1024)
def directories_of(issuer: bytes, public: tuple[PublicCa, ...]) -> tuple[str, ...]:
    """The directories of those CAs that carry this issuer's name, given as DER; letter case does not matter."""
    issuers = {organization.casefold() for organization in organization_names(issuer)}
    return tuple(ca.directory for ca in public if issuers & {name.casefold() for name in ca.organizations})
