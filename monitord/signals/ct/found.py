"""From the bytes of a log entry to a fact about registered hosts, or to nothing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from monitord.errors import MonitordError
from monitord.pinning.certificate import Certificate, CertificateUnreadable, parse_certificate
from monitord.pinning.der import DerError
from monitord.pinning.evidence import LoggedCertificate
from monitord.pinning.precertificate import signs_precertificates, tbs_without_poison
from monitord.signals.source import Learned

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from monitord.signals.ct.entries import Precertificate
    from monitord.signals.ct.watched import Watched

MAX_ISSUERS = 10


class EntryUnfit(MonitordError):  # noqa: N818 - it says what the entry is
    """An entry that may concern a registered name and cannot be used; the sentence says why."""


def read_chain(leaf: bytes, issuers: Iterable[bytes]) -> tuple[Certificate, ...]:
    """A logged certificate and its issuers, as far as they can be read. Raises EntryUnfit where it cannot itself."""
    try:
        chain = [parse_certificate(leaf)]
    except CertificateUnreadable as error:
        raise EntryUnfit(str(error)) from error
    for issuer in issuers:
        try:
            chain.append(parse_certificate(issuer))
        except CertificateUnreadable:
            break
        if len(chain) > MAX_ISSUERS:
            break
    return tuple(chain)


def learned_of(chain: tuple[Certificate, ...], watched: Watched, now: datetime, where: str) -> list[Learned]:
    """What a logged certificate says of each host whose name it covers; nothing once it has expired."""
    if chain[0].not_after < now:
        return []
    return [Learned(host, LoggedCertificate(chain, now, where)) for host in watched.hosts(chain[0])]


def check_precertificate(chain: tuple[Certificate, ...], logged: Precertificate) -> None:
    """Raise EntryUnfit unless the precertificate is the one that the log's tree holds.

    The tree covers its TBSCertificate without the poison and the issuer's key (RFC 6962 section 3.2); the
    precertificate itself and the chain come beside it, and a log could put anything there.
    """
    if len(chain) > 1 and signs_precertificates(chain[1]):
        raise EntryUnfit(
            "it is a precertificate that a certificate for precertificates alone has signed; the certificate itself "
            "counts once it is logged"
        )
    try:
        same = tbs_without_poison(chain[0]) == logged.tbs
    except DerError:
        same = False
    if not same:
        raise EntryUnfit("the precertificate beside the entry is not the one in the log's tree")
    if len(chain) > 1 and hashlib.sha256(chain[1].spki).digest() != logged.issuer_key_hash:
        raise EntryUnfit("the issuer beside the entry is not the one in the log's tree")
