"""Certificates that do not exist yet: what a renewal is going to look like, good enough for ``judge``.

An imagined certificate is a real one with other facts in it. Its signature stays that of the real one, over the real
to-be-signed part, and its SubjectPublicKeyInfo stays so that what it signed still verifies; its digests, by which pins
are compared, and its validity are new. So every rule that judges real chains judges imagined ones, and no key is
needed. Digests are derived, so that the same imagination gives the same certificate.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from monitord.pinning.precertificate import POISON
from monitord.pinning.trust import TrustStore

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.certificate import Certificate

    Chain = tuple[Certificate, ...]


def renewed(leaf: Certificate, not_before: datetime, not_after: datetime, *, new_key: bool) -> Certificate:
    """The leaf as its issuer would issue it anew, with another key or the same one."""
    seed = b"\0".join((b"renewed", leaf.sha256, not_before.isoformat().encode(), not_after.isoformat().encode()))
    return replace(
        leaf,
        sha256=_digest(seed, b"new" if new_key else b"kept"),
        spki_sha256=_digest(b"key", seed) if new_key else leaf.spki_sha256,
        not_before=not_before,
        not_after=not_after,
    )


@lru_cache(maxsize=4096)
def rekeyed(certificate: Certificate) -> Certificate:
    """Another authority of the same name and standing: all that signatures say stays, and no pin matches it."""
    return replace(
        certificate,
        sha256=_digest(b"rekeyed", certificate.sha256),
        spki_sha256=_digest(b"rekeyed key", certificate.spki_sha256),
    )


def another_issuer(chain: Chain, also: Certificate | None = None) -> Chain:
    """The chain with another direct issuer under the same root, and with another one in the place of ``also``."""
    issuers = {other for other in chain[1:] if other == also or other.subject_key == chain[0].issuer_key}
    return (chain[0], *(rekeyed(other) if other in issuers else other for other in chain[1:]))


def another_authority(chain: Chain, store: TrustStore) -> tuple[Chain, TrustStore]:
    """The chain from another CA: no authority on it has a known key, and the store trusts its roots."""
    return (chain[0], *(rekeyed(other) for other in chain[1:])), _of_others(store)


@lru_cache(maxsize=64)  # there are few stores, and each has hundreds of roots
def _of_others(store: TrustStore) -> TrustStore:
    return TrustStore(store.name, [rekeyed(anchor) for anchor in store.anchors])


def without_poison(certificate: Certificate) -> Certificate:
    """A precertificate as the certificate that it announces, as far as clients judge it (RFC 6962 section 3.1)."""
    if certificate.extension(POISON) is None:
        return certificate
    return replace(certificate, extensions=tuple(one for one in certificate.extensions if one.oid != POISON))


def _digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"\0".join((b"imagined", *parts))).digest()
