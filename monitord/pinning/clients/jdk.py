"""OkHttp on the JVM, first part: the JDK's trust manager, and OkHttp's check of the host name.

Sources: OpenJDK 17 ``sun.security.validator.PKIXValidator``, ``EndEntityChecker``,
``sun.security.provider.certpath.PKIXCertPathValidator``; OkHttp ``OkHostnameVerifier``; both are run against in the
system tests. What is trusted here goes to OkHttp's own cleaner (``cleaner``), which makes the path that pins see.

PKIXValidator.engineValidate:

1. At most 10 presented certificates are read, and none with a compressed EC point; in a store such a certificate is
   as good as absent.
2. A leaf that is itself in the store is trusted as it is.
3. While the presented certificates are in order, by name, the first one that has the name and key of a trusted one
   cuts the chain off there; what stands before it is validated as it stands.
4. If the order holds to the end and a trusted certificate has the name of the last one's issuer, the chain is validated
   as presented. Signatures were not looked at yet, and there is no way back.
5. Otherwise, and only otherwise, a path is searched for (``jdkbuilder``).

Validated as it stands: an anchor is passed over if its key is weak, or if the last certificate's authority key
identifier gives another key identifier or serial number. The first that fits is checked and no other: it must call
itself an authority that may sign, while its dates and constraints are not looked at. Which is first depends on a hash
set, so where anchors of one name and key differ, it depends on the run.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from monitord.pinning.clients.jdkbuilder import build_paths
from monitord.pinning.clients.jdkstore import JDK, anchors_named, knows_name
from monitord.pinning.clients.platform import Trust, refusal
from monitord.pinning.extensions import authority_certificate, read_profile
from monitord.pinning.paths import Path, find_paths
from monitord.pinning.signature import compressed_point, signed_by
from monitord.pinning.validation import RejectionKind, key_fault, name_rejections, rejections
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.clients.platform import Presented
    from monitord.pinning.trust import TrustStore

_MAX_PRESENTED = 10
_V3 = 3
_DEAD_END = "the JDK does not find the path that is there: it takes what is presented"


def trust_manager(presented: Presented) -> Trust:
    """What the JDK's trust manager and OkHttp's host name check say; the paths are those that were validated."""
    chain, trust = presented.chain, presented.trust
    unread = _unreadable(chain)
    if unread:
        return Trust((), Verdict.UNTRUSTED, unread, chain)
    if chain[0] in trust:
        wrong = next(name_rejections(chain[0], presented.host, JDK), None)
        if wrong:
            return Trust((), Verdict.UNTRUSTED, wrong.sentence, chain[:1])
        return Trust((Path(chain[:1], anchored=True),))
    prefix = _validated_as_presented(chain, trust)
    if prefix is None:
        return _outcome(presented, build_paths(presented))
    taken = tuple(_anchored(prefix, trust))
    return _outcome(presented, taken) if taken else _refused_as_presented(presented, prefix)


def _outcome(presented: Presented, taken: tuple[Path | None, ...]) -> Trust:
    """What comes of the path that each run takes; None for a run that finds none."""
    judged = {path: rejections(path, presented.host, presented.now, JDK) for path in taken if path is not None}
    accepted = tuple(path for path, reasons in judged.items() if not reasons)
    refused = [(path, "; ".join(reason.sentence for reason in reasons)) for path, reasons in judged.items() if reasons]
    if accepted:
        lost = [_DEAD_END] if None in taken else []
        return Trust(accepted, doubt=next(iter([*(sentence for _, sentence in refused), *lost]), ""))
    if refused:
        path, sentence = refused[0]
        return Trust((), Verdict.UNTRUSTED, sentence, path.certificates)
    return refusal(presented, find_paths(presented.chain, presented.trust), JDK, _DEAD_END)


def _refused_as_presented(presented: Presented, prefix: tuple[Certificate, ...]) -> Trust:
    """Why a chain fails that is in order by name, with signatures that do not hold or no anchor that fits.

    What is wrong with its certificates is final: they are taken, whoever the true issuers are.
    """
    reasons = rejections(Path(prefix, anchored=False), presented.host, presented.now, JDK)
    sentences = [reason.sentence for reason in reasons if reason.kind is not RejectionKind.UNKNOWN_ROOT]
    if sentences:
        return Trust((), Verdict.UNTRUSTED, "; ".join(dict.fromkeys(sentences)), prefix)
    return refusal(presented, find_paths(presented.chain, presented.trust), JDK, _DEAD_END)


def _unreadable(chain: tuple[Certificate, ...]) -> str:
    """Step 1: why the presented certificates are not even read."""
    if len(chain) > _MAX_PRESENTED:
        return f"the JDK reads at most {_MAX_PRESENTED} presented certificates and there are {len(chain)}"
    compressed = next((certificate for certificate in chain if compressed_point(certificate)), None)
    if compressed is None:
        return ""
    return f"the JDK cannot read the key of {compressed.display_subject}: its EC point is compressed"


def _validated_as_presented(chain: tuple[Certificate, ...], trust: TrustStore) -> tuple[Certificate, ...] | None:
    """Steps 3 and 4: the part of the chain that is validated as it stands; None if a path is searched for."""
    for position, certificate in enumerate(chain[1:], 1):
        if certificate.subject_key != chain[position - 1].issuer_key:
            return None
        if any(certificate.spki == anchor.spki for anchor in anchors_named(certificate.subject_key, trust)):
            return chain[:position]
    return chain if knows_name(chain[-1].issuer_key, trust) else None


def _anchored(prefix: tuple[Certificate, ...], trust: TrustStore) -> Iterator[Path]:
    """The paths over these certificates, one for each anchor that a run may take."""
    if not all(signed_by(below, above) for below, above in pairwise(prefix)):
        return
    top = prefix[-1]
    for anchor in anchors_named(top.issuer_key, trust):
        if _fits(anchor, top) and key_fault(anchor, JDK) is None and signed_by(top, anchor):
            yield Path((*prefix, anchor), anchored=True)


def _fits(anchor: Certificate, certificate: Certificate) -> bool:
    wanted, given = read_profile(certificate).authority_key_identifier, read_profile(anchor).subject_key_identifier
    serial = authority_certificate(certificate).serial
    if wanted and given not in (None, wanted):
        return False
    return serial is None or anchor.version < _V3 or serial == anchor.serial
