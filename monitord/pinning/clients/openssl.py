"""curl with OpenSSL: the path that ``X509_verify_cert`` builds, which must be trusted before the pin is looked at.

Source: OpenSSL 3.0 ``crypto/x509/x509_vfy.c`` (build_chain with X509_V_FLAG_TRUSTED_FIRST and, set by curl,
X509_V_FLAG_PARTIAL_CHAIN). From the leaf on, never going back:

1. An issuer is anyone with the issuer's name whose key identifiers do not contradict and who may sign; the signature is
   not tried. Of several the first that is in date is taken, else the one that ends last.
2. The trust store is asked first, then what was presented, in presented order.
3. It ends at a self-signed certificate, or at any certificate of the store that no other of the store issued.

The one path is then checked as a whole, signatures and the anchor's dates and constraints included. The common name
counts where there is no other name.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from monitord.pinning.clients.platform import Trust, refusal
from monitord.pinning.extensions import read_profile
from monitord.pinning.paths import MAX_LENGTH, Path, find_paths
from monitord.pinning.signature import signed_by
from monitord.pinning.validation import Strictness, rejections

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.clients.platform import Presented

OPENSSL = Strictness(least_rsa_bits=1024, refused_hashes=frozenset({"MD5", "SHA-1"}), common_name=True)


def verify(presented: Presented) -> Trust:
    """The one path that OpenSSL builds, or why it is refused."""
    path = _build(presented)
    if path is not None and _signatures_hold(path) and not rejections(path, presented.host, presented.now, OPENSSL):
        return Trust((path,))
    search = find_paths(presented.chain, presented.trust)
    return refusal(presented, search, OPENSSL, "OpenSSL does not find the valid path: it takes issuers by name alone")


def _build(presented: Presented) -> Path | None:
    path, trust = [presented.chain[0]], presented.trust
    trusting = path[0] in trust
    rest = list(dict.fromkeys(presented.chain[1:]))
    while not _self_signed(path[-1]) and len(path) < MAX_LENGTH:
        trusted = _issuer(path[-1], trust.named(path[-1].issuer_key), presented.now)
        if trusted is not None and trusted not in path:
            path.append(trusted)
            trusting = True
            continue
        if trusting:
            break
        issuer = _issuer(path[-1], rest, presented.now)
        if issuer is None:
            return None
        rest.remove(issuer)
        path.append(issuer)
        trusting = issuer in trust
    return Path(tuple(path), anchored=trusting) if trusting or _self_signed(path[-1]) else None


def _self_signed(certificate: Certificate) -> bool:
    return certificate.self_issued and _may_have_issued(certificate, certificate)


def _issuer(certificate: Certificate, candidates: Iterable[Certificate], now: datetime) -> Certificate | None:
    likely = [one for one in candidates if _may_have_issued(one, certificate)]
    in_date = next((one for one in likely if one.valid_at(now)), None)
    return in_date or max(likely, key=lambda one: one.not_after, default=None)


def _may_have_issued(issuer: Certificate, certificate: Certificate) -> bool:
    """X509_check_issued: names, key identifiers where both are given, and the permission to sign."""
    wanted, profile = read_profile(certificate).authority_key_identifier, read_profile(issuer)
    return (
        issuer.subject_key == certificate.issuer_key
        and (not wanted or profile.subject_key_identifier in (None, wanted))
        and profile.key_cert_sign is not False
    )


def _signatures_hold(path: Path) -> bool:
    return all(signed_by(below, above) for below, above in pairwise(path.certificates))
