"""The pins of an endpoint that may be registered: seen twice, everywhere the same, on chains that are trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monitord.errors import MonitordError
from monitord.pinning.judge import judge
from monitord.pinning.paths import find_paths
from monitord.pinning.validation import rejections
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.observation import Observation
    from monitord.pinning.paths import Path
    from monitord.pinning.pins import Pin
    from monitord.pinning.target import Target
    from monitord.pinning.trust import TrustStore

LEAF, INTERMEDIATE, ROOT = "leaf", "intermediate", "root"
ROLES = (LEAF, INTERMEDIATE, ROOT)


class ExtractionError(MonitordError):
    """What was seen is no ground to register pins on; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Served:
    """What one look at an endpoint showed.

    ``by_role`` has the certificates that could be pinned for each role: for a path with several intermediates the one
    that issued the leaf, for several valid paths one of each, so that every path holds a pin. ``on_paths`` are all
    certificates of all valid paths. ``silent`` are the addresses that showed no chain, with the reason.
    ``observations`` are what all this comes from.
    """

    by_role: Mapping[str, tuple[Certificate, ...]]
    on_paths: frozenset[Certificate]
    silent: tuple[str, ...]
    observations: tuple[Observation, ...]

    def find(self, pin: Pin) -> Certificate | None:
        """A certificate on a valid path that this is the pin of, be it of the key or of the whole."""
        return next((one for one in self.on_paths if pin in (one.pin, one.certificate_pin)), None)

    def role_of(self, certificate: Certificate) -> str:
        """The role of a certificate on a valid path."""
        return next((role for role in ROLES if certificate in self.by_role[role]), INTERMEDIATE)


def extract(
    target: Target,
    observations: Sequence[Observation],
    stores: Mapping[str, TrustStore],
    now: datetime,
    roles: Sequence[str],
) -> Served:
    """What the observations of one look say.

    Raises ExtractionError if a chain is not trusted, or if the addresses disagree about one of these roles. That an
    address has a chain for each type of key is no disagreement: the apps may get either, so the pins of both are had.
    """
    answered = [observation for observation in observations if observation.chain]
    if not answered:
        raise ExtractionError(f"{target.endpoint} has shown no chain: {'; '.join(map(_silence, observations))}")
    seen = [(_where(one), _trusted_paths(target, one, stores, now)) for one in answered]
    by_role = [(where, _by_role(paths)) for where, paths in seen]
    firsts = {one.key_type: pair for one, pair in reversed(list(zip(answered, by_role, strict=True)))}
    for role in roles:
        for one, (where, other) in zip(answered, by_role, strict=True):
            first_where, first = firsts[one.key_type]
            if _keys(other, role) != _keys(first, role):
                raise ExtractionError(
                    f"the addresses of {target.endpoint} disagree about the {role}: {_listed(first[role])} at "
                    f"{first_where}, {_listed(other[role])} at {where}; wait until they agree, or give each pin as "
                    "sha256/..."
                )
    return Served(
        by_role={role: _united(found[role] for _, found in by_role) for role in ROLES},
        on_paths=frozenset(one for _, paths in seen for path in paths for one in path.certificates),
        silent=tuple(f"{_where(one)} ({_silence(one)})" for one in observations if not one.chain),
        observations=tuple(observations),
    )


def refuse_disagreement(target: Target, first: Served, second: Served, roles: Sequence[str]) -> None:
    """Raise ExtractionError unless two independent looks showed the same keys for these roles."""
    for role in roles:
        if _keys(first.by_role, role) != _keys(second.by_role, role):
            raise ExtractionError(
                f"two probes of {target.endpoint} disagree about the {role}: first {_listed(first.by_role[role])}, "
                f"then {_listed(second.by_role[role])}; find out why, or give each pin as sha256/..."
            )


def _trusted_paths(
    target: Target, observation: Observation, stores: Mapping[str, TrustStore], now: datetime
) -> list[Path]:
    """Every path that a strict client would accept, for each store of the target."""
    (verdict,) = judge(replace(target, pinsets=()), [observation], stores, now)
    if verdict.verdict is not Verdict.NOT_PINNED:
        raise ExtractionError(
            f"what {target.endpoint} serves at {_where(observation)} is {verdict.verdict} with trust "
            f"{verdict.trust}: {verdict.reason}"
        )
    found = [path for name in target.trust for path in find_paths(observation.chain, stores[name]).paths]
    return [path for path in found if path.anchored and not rejections(path, target.name, now)]


def _by_role(paths: Iterable[Path]) -> dict[str, tuple[Certificate, ...]]:
    found: dict[str, dict[Certificate, None]] = {role: {} for role in ROLES}
    for path in paths:
        leaf, *above = path.certificates
        found[LEAF][leaf] = None
        if above:
            found[ROOT][above[-1]] = None
        if len(above) > 1:
            found[INTERMEDIATE][above[0]] = None
    return {role: tuple(certificates) for role, certificates in found.items()}


def _united(groups: Iterable[Iterable[Certificate]]) -> tuple[Certificate, ...]:
    return tuple(dict.fromkeys(certificate for group in groups for certificate in group))


def _keys(by_role: Mapping[str, Iterable[Certificate]], role: str) -> set[Pin]:
    return {certificate.pin for certificate in by_role[role]}


def _listed(certificates: Iterable[Certificate]) -> str:
    return ", ".join(dict.fromkeys(str(certificate.pin) for certificate in certificates)) or "none"


def _where(observation: Observation) -> str:
    return observation.address or "(no address)"


def _silence(observation: Observation) -> str:
    failure = observation.failure
    return f"{failure.reason}: {failure.detail}" if failure else "no chain was presented"
