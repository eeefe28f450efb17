"""What the two sources of revocations have in common: which certificates they ask about, and what they tell of them.

Only certificates on a path to an anchor of a trust store in use are asked about. That gives the issuer of each, also of
the last intermediate, and a server whose certificate nobody trusts cannot send monitord to URLs of its choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from monitord.pinning.evidence import Revocation
from monitord.pinning.paths import find_paths
from monitord.signals.source import Learned

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.revocation import Revoked
    from monitord.pinning.trust import TrustStore
    from monitord.signals.source import Subject

_TOLD = "told:"
_LONGEST_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Revocable:
    """A certificate that is served and could be revoked, the one whose key signed it, and the hosts that serve it."""

    certificate: Certificate
    issuer: Certificate
    hosts: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its SHA-256 in hexadecimal: how the state names it."""
        return self.certificate.sha256.hex()


def find_revocable(subjects: Sequence[Subject], stores: Iterable[TrustStore], now: datetime) -> tuple[Revocable, ...]:
    """Every certificate below an anchor that is valid now, each once."""
    issuers: dict[tuple[Certificate, ...], dict[Certificate, Certificate]] = {}
    hosts: dict[Certificate, dict[str, None]] = {}
    issuer_of: dict[Certificate, Certificate] = {}
    known = tuple(stores)
    for subject in subjects:
        for chain in subject.chains:
            if chain not in issuers:
                issuers[chain] = _issuers(chain, known)
            for certificate, issuer in issuers[chain].items():
                if certificate.valid_at(now):
                    issuer_of.setdefault(certificate, issuer)
                    hosts.setdefault(certificate, {})[subject.target.host] = None
    return tuple(Revocable(one, issuer_of[one], tuple(names)) for one, names in hosts.items())


def _issuers(chain: Sequence[Certificate], stores: Iterable[TrustStore]) -> dict[Certificate, Certificate]:
    """Each certificate on a path to an anchor, with its issuer there; by the first store that has such a path."""
    for store in stores:
        paths = [path.certificates for path in find_paths(chain, store).paths if path.anchored]
        if paths:
            return {below: above for path in paths for below, above in pairwise(path)}
    return {}


def show(certificate: Certificate) -> str:
    """The subject of a certificate for a sentence."""
    name = certificate.display_subject
    return name if len(name) <= _LONGEST_SHOWN else name[: _LONGEST_SHOWN - 3] + "..."


def tell(
    revocables: Iterable[Revocable],
    revoked: Mapping[str, Revoked],
    state: Mapping[str, Any],
    now: datetime,
    source: str,
) -> tuple[tuple[Learned, ...], dict[str, Any]]:
    """The revocations that were not told before, each for every host that serves the certificate, and what to note.

    ``revoked`` is by the certificate's key.
    """
    learned: list[Learned] = []
    notes: dict[str, Any] = {}
    for one in revocables:
        found = revoked.get(one.key)
        if found is None:
            continue
        for host in one.hosts:
            note = f"{_TOLD}{host}/{one.key}"
            if note not in state:
                fact = Revocation(one.certificate.sha256, now, found.at, found.reason, source)
                learned.append(Learned(host, fact))
                notes[note] = one.certificate.not_after.isoformat()
    return tuple(learned), notes


def outdated(state: Mapping[str, Any], hosts: Collection[str], now: datetime) -> dict[str, None]:
    """Notes of what was told about hosts that are no longer registered, and about certificates that have expired."""
    return {
        key: None
        for key, until in state.items()
        if key.startswith(_TOLD)
        and (key.removeprefix(_TOLD).partition("/")[0] not in hosts or datetime.fromisoformat(until) < now)
    }
