"""curl with OpenSSL: the path that ``X509_verify_cert`` builds, which must be trusted before the pin is looked at.

Sources: OpenSSL 3.0 ``crypto/x509/x509_vfy.c`` (build_chain with X509_V_FLAG_TRUSTED_FIRST and, set by curl,
X509_V_FLAG_PARTIAL_CHAIN), ``v3_purp.c``; curl ``lib/vtls/openssl.c``; run against in the system tests. From the leaf
on, never going back:

1. An issuer is anyone with the issuer's name, whom the authority key identifier does not contradict (key identifier,
   serial number, issuer), and whose kind of key fits the signature; the signature is not tried, and whether it may sign
   is not asked. Of several the first that is in date is taken, else the one that ends last.
2. The store is asked first, and its certificate ends the path, self-signed or not.
3. Self-signed is who would be its own issuer by step 1. Such a presented one ends the path too: trusted if it is the
   one that the store gives for it, else not.
4. Else the presented ones are asked, in presented order; each is used once.
5. A leaf that is itself in the store is trusted if no trusted issuer turned up; the issuers collected so far stay.

The one path is then checked as a whole, signatures and the last certificate's dates and constraints included. The
common name counts where there is no other name, for hosts that are addresses too.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from monitord.pinning import extensions
from monitord.pinning.clients.platform import Trust, refusal
from monitord.pinning.constraints import CommonNames
from monitord.pinning.extensions import authority_certificate, read_profile
from monitord.pinning.paths import Path, find_paths
from monitord.pinning.signature import key_fits_signature, signed_by
from monitord.pinning.validation import HANDLED_WHEN_CRITICAL, BareAnchors, Strictness, rejections
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.clients.platform import Presented

_CRL_DISTRIBUTION_POINTS, _OCSP_NO_CHECK = "2.5.29.31", "1.3.6.1.5.5.7.48.1.5"
OPENSSL = Strictness(
    bare_anchors=BareAnchors.SIGNERS,
    leaf_usages=extensions.DIGITAL_SIGNATURE | extensions.KEY_ENCIPHERMENT | extensions.KEY_AGREEMENT,
    critical=HANDLED_WHEN_CRITICAL | {_CRL_DISTRIBUTION_POINTS, _OCSP_NO_CHECK},
    compressed_points=True,
    common_name=True,
    empty_subject=True,
    constrained=frozenset({CommonNames.OPENSSL}),
    wildcards=False,
)


def verify(presented: Presented) -> Trust:
    """The one path that OpenSSL builds, or why it is refused."""
    path = _build(presented)
    if path is not None:
        reasons = rejections(path, presented.host, presented.now, OPENSSL)
        if reasons:
            sentence = "; ".join(dict.fromkeys(reason.sentence for reason in reasons))
            return Trust((), Verdict.UNTRUSTED, sentence, path.certificates)
        if _signatures_hold(path):
            return Trust((path,))
    search = find_paths(presented.chain, presented.trust)
    return refusal(presented, search, OPENSSL, "OpenSSL does not find the valid path: it takes issuers by name alone")


def _build(presented: Presented) -> Path | None:
    """The path if it is trusted, else None."""
    path, trust, now = [presented.chain[0]], presented.trust, presented.now
    rest = list(presented.chain)
    while True:
        current = path[-1]
        alone = _may_have_issued(current, current)
        trusted = _issuer(current, trust.named(current.issuer_key), now)
        if trusted is not None and not alone:
            return Path((*path, trusted), anchored=True)
        if trusted is not None and trusted == current:
            return Path(tuple(path), anchored=True)
        issuer = None if alone else _issuer(current, _unused(rest, path), now)
        if issuer is None:
            return Path(tuple(path), anchored=True) if path[0] in trust else None
        rest.remove(issuer)
        path.append(issuer)


def _unused(rest: list[Certificate], path: list[Certificate]) -> list[Certificate]:
    """The presented certificates that may still be taken; a self-issued leaf may be its own issuer once."""
    if len(path) == 1 and path[0].self_issued:
        return rest
    return [certificate for certificate in rest if certificate not in path]


def _issuer(certificate: Certificate, candidates: Iterable[Certificate], now: datetime) -> Certificate | None:
    """Step 1."""
    likely = [one for one in candidates if _may_have_issued(one, certificate)]
    in_date = next((one for one in likely if one.valid_at(now)), None)
    return in_date or max(likely, key=lambda one: one.not_after, default=None)


def _may_have_issued(issuer: Certificate, certificate: Certificate) -> bool:
    """X509_check_issued, but for the permission to sign."""
    wanted, given = read_profile(certificate).authority_key_identifier, read_profile(issuer).subject_key_identifier
    named = authority_certificate(certificate)
    return (
        issuer.subject_key == certificate.issuer_key
        and (not wanted or given in (None, wanted))
        and named.serial in (None, issuer.serial)
        and named.issuer in (None, issuer.issuer_key)
        and key_fits_signature(issuer, certificate)
    )


def _signatures_hold(path: Path) -> bool:
    return all(signed_by(below, above) for below, above in pairwise(path.certificates))
