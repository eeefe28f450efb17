"""A round that sees what the round before saw means what that meant, until time alone may change the judgement.

Nearly every round is such a one, and to judge it anew would cost more than the handshake. So what a quiet round came to
is kept, and stands for those after it that see the very same, while nothing that it was judged by has changed:

1. Quiet is a round that every address answered with a chain, in which no verdict fails, nothing changed, and no
   incident is open or suspected: then no rule counts rounds, confirms, reminds or hurries.
2. It rests on its *basis*: the registration, the trust stores and the policy, and what is known from outside. Those are
   compared by identity; whoever changes one makes a new object.
3. It stands until the next moment at which a certificate that a path may be built of begins or ends to be valid, or the
   pin set expires, or a predicted failure may come or is near enough to be told or to be told louder, and for six hours
   at most: a forecast moves with time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitord.pinning.clients.rules import expiry_of
from monitord.pinning.outcome import Streaks
from monitord.pinning.paths import find_paths
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.observation import Observation
    from monitord.pinning.outcome import Outcome
    from monitord.pinning.trust import TrustStore

LONGEST = timedelta(hours=6)
_FINE = (Verdict.OK, Verdict.NOT_PINNED)


@dataclass(frozen=True, slots=True)
class Steady:
    """A quiet round, the time until which it stands for others, and what it rests on."""

    outcome: Outcome
    until: datetime
    basis: tuple[object, ...]

    def again(self, observations: Sequence[Observation], basis: tuple[object, ...], at: datetime) -> bool:
        """Whether a round at this time that saw this means the same."""
        before = self.outcome
        return (
            before.at <= at < self.until
            and len(observations) == len(before.observations)
            and all(one is other for one, other in zip(basis, self.basis, strict=True))
            and all(map(_alike, observations, before.observations))
        )


def steady(
    outcome: Outcome,
    trust: Mapping[str, TrustStore],
    horizon: timedelta,
    basis: tuple[object, ...],
    longest: timedelta = LONGEST,
) -> Steady | None:
    """The round as one that may stand for others, if it was quiet; that nothing is open or suspected the caller knows.

    ``trust`` are the stores that it was judged by; a predicted failure is told from ``horizon`` before it. ``longest``
    is for how long it may stand.
    """
    if outcome.transitions or outcome.hurried or outcome.streaks != Streaks() or not outcome.observations:
        return None
    if any(one.failure or not one.chain for one in outcome.observations):
        return None
    if any(verdict.verdict not in _FINE for verdict in outcome.verdicts):
        return None
    now = outcome.at
    until = min((moment for moment in _turns(outcome, trust, horizon) if moment > now), default=now + longest)
    return Steady(outcome, min(until, now + longest), basis)


def repeated(steady: Steady, at: datetime, duration: float) -> Outcome:
    """What a round came to for which a quiet one stands; its observations are those of the quiet one."""
    return replace(steady.outcome, at=at, duration=duration)


def _alike(one: Observation, other: Observation) -> bool:
    return (
        one.failure is None
        and one.address == other.address
        and one.port == other.port
        and one.key_type is other.key_type
        and one.tls_version == other.tls_version
        and one.chain == other.chain
    )


def _turns(outcome: Outcome, trust: Mapping[str, TrustStore], horizon: timedelta) -> Iterator[datetime]:
    """Every moment at which time alone may change the judgement."""
    stores = {name for verdict in outcome.verdicts for name in verdict.pinset.trust}
    for chain in {one.chain for one in outcome.observations}:
        paths = (path for name in stores for path in find_paths(chain, trust[name]).paths)
        for certificate in {*chain, *(one for path in paths for one in path.certificates)}:
            yield certificate.not_before
            # The last second is still valid.
            yield certificate.not_after + timedelta(seconds=1)
    for verdict in outcome.verdicts:
        expiry = expiry_of(verdict.pinset)
        if expiry is not None:
            yield from (expiry.first, expiry.last)
    for prediction in outcome.predictions:
        yield from (prediction.at - horizon, prediction.act_by, prediction.at, prediction.until)
