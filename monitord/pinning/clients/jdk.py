"""OkHttp on the JVM: the JDK's trust manager first, then OkHttp's own cleaner, which makes the path that pins see.

Sources: OpenJDK 17 ``sun.security.validator.PKIXValidator``, ``sun.security.provider.certpath``; OkHttp
``BasicCertificateChainCleaner``, ``BasicTrustRootIndex``, ``OkHostnameVerifier``; both run against in the system tests.

The JDK (PKIXValidator.engineValidate):

1. At most 10 presented certificates are read.
2. A leaf that is itself in the store is trusted as it is.
3. While the presented certificates are in order, the first one that is in the store, or has the name and key of one
   that is, cuts the chain off there; what stands before it is validated as it stands.
4. If the order ends well and a trusted key signed the last one, the chain is validated as presented.
5. Otherwise, and only otherwise, a path is searched for, with at most 5 intermediates that are not self-issued.

An anchor must call itself an authority that may sign; its dates and constraints are not looked at.

The cleaner, for hosts with pins: from the leaf on, at each step a trusted certificate that signed comes before
presented ones, taken in presented order; it ends at a trusted self-signed one, never goes back, takes at most 9
issuers, and looks at no dates. An anchor that is not self-signed does not end it: it goes on to what is trusted or
presented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.pinning.clients.platform import Trust, refusal
from monitord.pinning.extensions import read_profile
from monitord.pinning.paths import Path, find_paths
from monitord.pinning.signature import signed_by
from monitord.pinning.validation import AnchorChecks, Strictness, leaf_rejections, rejections
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.clients.platform import Presented
    from monitord.pinning.trust import TrustStore

JDK = Strictness(anchor=AnchorChecks.FLAGS, least_rsa_bits=1024, refused_hashes=frozenset({"MD5"}))
_MAX_PRESENTED = 10
_MAX_INTERMEDIATES = 5
_MAX_SIGNERS = 9
_MAX_CLEANED = 16


def trust_manager(presented: Presented) -> Trust:
    """What the JDK's trust manager and OkHttp's host name check say; the path is the one that was validated."""
    chain, trust = presented.chain, presented.trust
    search = find_paths(chain, trust)
    if len(chain) > _MAX_PRESENTED:
        many = f"the JDK reads at most {_MAX_PRESENTED} presented certificates and there are {len(chain)}"
        return Trust((), Verdict.UNTRUSTED, many, chain)
    if chain[0] in trust:
        wrong = [one for one in leaf_rejections(chain[0], presented.host, presented.now, JDK) if one.kind == "name"]
        if wrong:
            return Trust((), Verdict.UNTRUSTED, wrong[0].sentence, chain[:1])
        return Trust((Path(chain[:1], anchored=True),))
    prefix = _validated_as_presented(chain, trust)
    if prefix is None:
        candidates = [path for path in search.paths if _buildable(path)]
    else:
        candidates = [Path((*prefix, anchor), anchored=True) for anchor in _signers(prefix[-1], trust)]
    for path in candidates:
        if path.anchored and not rejections(path, presented.host, presented.now, JDK):
            return Trust((path,))
    return refusal(presented, search, JDK, "the JDK does not find the path that is there: it takes what is presented")


def cleaned_paths(presented: Presented) -> tuple[tuple[Certificate, ...], ...]:
    """What the cleaner may make of the chain; empty if it fails. Several: it depends on the order of a hash set."""
    found: list[tuple[Certificate, ...]] = []
    for cleaned in _clean((presented.chain[0],), presented.chain[1:], presented.trust, found_trusted=False):
        if cleaned not in found:
            found.append(cleaned)
        if len(found) >= _MAX_CLEANED:
            break
    return tuple(found)


def _clean(
    result: tuple[Certificate, ...], queue: tuple[Certificate, ...], trust: TrustStore, *, found_trusted: bool
) -> Iterator[tuple[Certificate, ...]]:
    """Every run of the cleaner from here on; () for a run that fails."""
    if len(result) > _MAX_SIGNERS:
        yield ()
        return
    last = result[-1]
    signers = _signers(last, trust, any_identifier=True)
    for signer in signers:
        longer = result if len(result) == 1 and signer == last else (*result, signer)
        if signer.self_issued and signed_by(signer, signer):
            yield longer
        elif len(longer) == len(result) or signer in result[:-1]:
            yield ()  # it would go round until it gives up
        else:
            yield from _clean(longer, queue, trust, found_trusted=True)
    if signers:
        return
    for position, candidate in enumerate(queue):
        if candidate.subject_key == last.issuer_key and signed_by(last, candidate):
            rest = queue[:position] + queue[position + 1 :]
            yield from _clean((*result, candidate), rest, trust, found_trusted=found_trusted)
            return
    yield result if found_trusted else ()


def _validated_as_presented(chain: tuple[Certificate, ...], trust: TrustStore) -> tuple[Certificate, ...] | None:
    """Steps 3 and 4: the part of the chain that is validated as it stands; None if a path is searched for."""
    for position, certificate in enumerate(chain[1:], 1):
        if certificate.subject_key != chain[position - 1].issuer_key:
            return None
        if any(certificate.spki == anchor.spki for anchor in trust.named(certificate.subject_key)):
            return chain[:position]
    return chain if _signers(chain[-1], trust, any_identifier=True) else None


def _buildable(path: Path) -> bool:
    return sum(1 for certificate in path.certificates[1:-1] if not certificate.self_issued) <= _MAX_INTERMEDIATES


def _signers(certificate: Certificate, trust: TrustStore, *, any_identifier: bool = False) -> list[Certificate]:
    """The anchors that signed it. The JDK passes over one whose key identifier contradicts the authority's."""
    wanted = None if any_identifier else read_profile(certificate).authority_key_identifier
    return [
        anchor
        for anchor in trust.named(certificate.issuer_key)
        if signed_by(certificate, anchor)
        and (not wanted or read_profile(anchor).subject_key_identifier in (None, wanted))
    ]
