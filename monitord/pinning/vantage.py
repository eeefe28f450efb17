"""Is it they or is it we? Whether this host has no network, so that endpoints must not be accused of not answering.

What is known is the last look at each endpoint. The rules, each tested by its number:

1. A look *hears* if anything answered: a chain, a refusal, a reset, an alert, nonsense. It is *silent* if every address
   failed for a reason that a broken network here gives as well: no route, no answer in time, no DNS. What fails at a
   proxy is neither, for the proxy may be at fault.
2. Endpoints at addresses that are near (this host, private networks) count for nothing: they may answer while the way
   out is cut, and when they do not answer it is their own affair.
3. Endpoints that have kept silent since before the last look that heard are dead by themselves and count for nothing.
   So do those whose incident ``unreachable`` is open.
4. There is no network if nearly all that are looked at as often as the one in question (nine in ten) have fallen silent
   since the last look that heard, at least three hosts of them. Those that are still to be looked at count as not
   silent, so this is known after one interval at most.
5. Hosts whose addresses are all in one network do not suffice: it may be that one which is cut off. Hosts whose names
   cannot be resolved do.
6. There is a network with each look that hears, and then the silence of all up to now was ours: it is forgiven. A look
   that tells neither changes nothing.

So with fewer than three hosts, or all of them in one place, an endpoint that does not answer is always reported. And
whatever this says, only ``unreachable`` is held back: a mismatch rests on a chain that was seen.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from monitord.pinning.incident import IncidentKind
from monitord.pinning.observation import FailureReason

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from monitord.pinning.conditions import Condition
    from monitord.pinning.observation import Observation
    from monitord.pinning.target import Target

    Endpoint = tuple[str, int]

LEAST_HOSTS = 3
NEARLY_ALL = 0.9
_OURS_OR_THEIRS = (FailureReason.DNS, FailureReason.TIMEOUT, FailureReason.UNREACHABLE)
_NEAR = tuple(
    map(
        ipaddress.ip_network,
        (
            *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
            *("::1/128", "fc00::/7", "fe80::/10"),
        ),
    )
)
_IPV4_PLACE, _IPV6_PLACE = 16, 32
# All looks are gone through, so of very many endpoints that fall silent not each gives rise to it.
_JUDGED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Look:
    """The last look at an endpoint.

    ``heard`` is None where it is neither of both (rule 1). ``silent_since`` is the first of the silent looks in a row;
    ``places`` are then the networks of its addresses, or that its name cannot be resolved.
    """

    host: str
    interval: timedelta
    at: datetime
    heard: bool | None
    silent_since: datetime | None = None
    places: frozenset[str] = frozenset()
    near: bool = False


@dataclass(frozen=True, slots=True)
class Vantage:
    """What is known of the network of this host: whether there is none, and what that rests on.

    ``looks`` are the last ones at each endpoint, ``heard_at`` is when one of them or an earlier one heard. ``down`` may
    be known from before the first look, where an incident about it is open. There may be very many looks, so they are
    handed on to what is known next: what was known before is then no longer to be used.
    """

    down: bool = False
    heard_at: datetime | None = None
    looks: dict[Endpoint, Look] = field(default_factory=dict)
    unjudged: int = 0

    @property
    def silent(self) -> list[Look]:
        """The looks that are silent."""
        return [look for look in self.looks.values() if look.silent_since and not look.near]

    def after(
        self,
        target: Target,
        observations: Sequence[Observation],
        at: datetime,
        targets: Iterable[Target],
        accused: Callable[[], Container[Endpoint]],
    ) -> Vantage:
        """What is known after one more round, in which something was observed.

        ``targets`` are all that are registered, ``accused`` gives the endpoints with an open incident ``unreachable``.
        """
        endpoint = (target.host, target.port)
        look = self.looks[endpoint] = _look_at(target, observations, at, self.looks.get(endpoint))
        if look.near or look.heard is None:
            return self
        if look.heard:
            looks = (
                {key: replace(one, silent_since=None) for key, one in self.looks.items()} if self.down else self.looks
            )
            return Vantage(down=False, heard_at=at, looks=looks)
        unjudged = self.unjudged + 1
        if self.down or unjudged * _JUDGED_AT_ONCE < len(self.looks):
            return replace(self, unjudged=unjudged)
        down = _has_no_network(look, self.looks, self.heard_at, targets, accused())
        return replace(self, down=down, unjudged=0)

    def again(self, endpoint: Endpoint, at: datetime) -> Vantage | None:
        """What is known after one more round that saw just what the last one saw; None where that is to be judged."""
        look = self.looks.get(endpoint)
        if look is None or not look.heard or self.down:
            return None
        return self if look.near else replace(self, heard_at=at, unjudged=0)

    def of(self, endpoints: Container[Endpoint]) -> Vantage:
        """What is known without the endpoints that are registered no more."""
        return replace(self, looks={key: look for key, look in self.looks.items() if key in endpoints})


def _look_at(target: Target, observations: Sequence[Observation], at: datetime, before: Look | None) -> Look:
    addresses = [one.address for one in observations if one.address]
    near = all(map(_near, addresses)) if addresses else before is not None and before.near
    reasons = {one.failure.reason if one.failure and not one.chain else None for one in observations}
    look = Look(target.host, target.interval, at, heard=True, near=near)
    if reasons <= set(_OURS_OR_THEIRS):
        since = before.silent_since if before and before.silent_since else at
        return replace(look, heard=False, silent_since=since, places=frozenset(map(_place, observations)))
    return replace(look, heard=None) if reasons <= {FailureReason.PROXY, *_OURS_OR_THEIRS} else look


def _has_no_network(
    look: Look,
    looks: Mapping[Endpoint, Look],
    heard_at: datetime | None,
    targets: Iterable[Target],
    accused: Container[Endpoint],
) -> bool:
    """Whether a silent look shows that there is no network (rules 3 to 5)."""
    silent, others = [], 0
    for target in targets:
        endpoint = (target.host, target.port)
        one = looks.get(endpoint)
        if endpoint in accused or (one and (one.near or _dead_before(one, heard_at))):
            continue
        if one and one.silent_since:
            silent.append(one)
        elif target.interval <= look.interval:
            others += 1
    places = frozenset[str]().union(*(one.places for one in silent))
    return (
        len({one.host for one in silent}) >= LEAST_HOSTS
        and len(silent) >= NEARLY_ALL * (len(silent) + others)
        and (len(places) > 1 or places == {FailureReason.DNS})
    )


def hold_back(conditions: Iterable[Condition]) -> Iterator[Condition]:
    """The conditions of an endpoint while there is no network: nobody can tell whether it is unreachable."""
    for condition in conditions:
        unreachable = condition.key.kind is IncidentKind.UNREACHABLE and condition.holds
        yield replace(condition, holds=None) if unreachable else condition


def _dead_before(look: Look, heard_at: datetime | None) -> bool:
    return look.silent_since is not None and heard_at is not None and look.silent_since <= heard_at


def _near(address: str) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed.version == network.version and parsed in network for network in _NEAR)


def _place(observation: Observation) -> str:
    if not observation.address:
        return FailureReason.DNS
    parsed = _parsed(observation.address)
    if parsed is None:
        return observation.address
    size = _IPV4_PLACE if parsed.version == 4 else _IPV6_PLACE  # noqa: PLR2004 - the protocol's name
    return str(ipaddress.ip_network((parsed, size), strict=False))


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
