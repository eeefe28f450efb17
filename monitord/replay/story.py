"""A story as read: names of certificates, what happens to them and when, and how that should end.

Certificates and keys are names here; ``cast`` makes real ones for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from monitord.pinning.pins import Client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, timedelta

    from monitord.pinning.certificate import KeyType
    from monitord.pinning.incident import IncidentKind

RSA_PREFIX = "rsa2048"
"""A key whose name begins so is RSA of 2048 bits; every other is EC on P-256."""


@dataclass(frozen=True, slots=True)
class CertificatePlan:
    """A certificate to be made. ``issuer`` None is a self-signed root.

    ``key`` is the name of its key. ``subject`` names the certificate whose subject it has, for a cross-sign. ``names``
    None are those of its kind: the story's host for a leaf, none for an authority.
    """

    name: str
    key: str
    not_before: datetime
    not_after: datetime
    issuer: str | None = None
    subject: str | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, order=True)
class Unknown:
    """One of the pins of no known key; equal numbers are equal pins."""

    number: int


PinName = str | Unknown


@dataclass(frozen=True, slots=True)
class PinSetPlan:
    """A pin set in names: of keys, for client ``certificate`` of certificates. ``trust`` None is the default store."""

    name: str
    client: Client = Client.GENERIC
    pins: tuple[PinName, ...] | None = None
    leaf_pins: tuple[PinName, ...] | None = None
    ca_pins: tuple[PinName, ...] | None = None
    trust: tuple[str, ...] | None = None
    expires: datetime | None = None
    share: float | None = None

    def changed(self, changes: Mapping[str, Any]) -> PinSetPlan:
        """The set with these fields instead of its own."""
        return replace(self, **changes)

    @property
    def lists(self) -> Iterator[tuple[str, tuple[PinName, ...]]]:
        """The lists of pins that it has, by their key."""
        for key, pins in (("pins", self.pins), ("leaf_pins", self.leaf_pins), ("ca_pins", self.ca_pins)):
            if pins is not None:
                yield key, pins


@dataclass(frozen=True, slots=True)
class Served:
    """A chain is presented from now on, leaf first; None for ``address`` and ``key_type`` is everywhere."""

    chain: tuple[str, ...]
    address: str | None = None
    key_type: KeyType | None = None


@dataclass(frozen=True, slots=True)
class Reachability:
    """Nothing answers until something is served again; ``unreachable`` False ends it."""

    unreachable: bool
    address: str | None = None
    key_type: KeyType | None = None


@dataclass(frozen=True, slots=True)
class Trusted:
    """The anchors of a trust store from now on; ``store`` None is every store."""

    anchors: tuple[str, ...]
    store: str | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """A certificate appears in Certificate Transparency."""

    certificate: str


@dataclass(frozen=True, slots=True)
class Suggested:
    """An ACME server suggests when to renew a certificate (RFC 9773)."""

    certificate: str
    start: datetime
    end: datetime
    explanation: str | None = None


@dataclass(frozen=True, slots=True)
class Distrusted:
    """A root programme will reject leaves of this root with a later notBefore; None: it no longer will."""

    root: str
    not_before_after: datetime | None


@dataclass(frozen=True, slots=True)
class Repinned:
    """A pin set changes in these keys; the others stay."""

    pinset: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate is in its issuer's CRL."""

    certificate: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """DNS answers something else in these keys, ``cname`` and ``caa``; the others stay."""

    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Staged:
    """A chain is seen at the operator's staging endpoint."""

    chain: tuple[str, ...]


Happening = Served | Reachability | Trusted | Logged | Suggested | Distrusted | Repinned | Revoked | Resolved | Staged


@dataclass(frozen=True, slots=True)
class Event:
    """What happens at a time, in the order in which it is to be applied; ``position`` is its place in the file."""

    at: datetime
    position: int
    happenings: tuple[Happening, ...]


@dataclass(frozen=True, slots=True)
class Expectation:
    """How a story, or one pin set of it, should end; None where nothing is asked.

    ``asks_for_failure`` tells ``fails_at: null`` (never) from no such key.
    """

    asks_for_failure: bool = False
    fails_at: datetime | None = None
    tolerance: timedelta | None = None
    warned_by: datetime | None = None
    max_false_alarms: int | None = None
    kinds: tuple[IncidentKind, ...] = ()
    forbid_kinds: tuple[IncidentKind, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """One host over time.

    Probes are at ``start`` + n times ``step``, up to and including ``end``. ``expect`` is by pin set, under None for
    the story as a whole.
    """

    name: str
    start: datetime
    end: datetime
    step: timedelta
    release_time: timedelta
    horizon: timedelta
    host: str
    port: int
    confirm: int
    failures: int
    certificates: Mapping[str, CertificatePlan]
    pinsets: tuple[PinSetPlan, ...]
    events: tuple[Event, ...]
    expect: Mapping[str | None, Expectation] = field(default_factory=dict)

    def probes(self) -> Iterator[tuple[datetime, tuple[Event, ...]]]:
        """The time of each probe and the events that apply just before it, in file order."""
        waiting: dict[int, list[Event]] = {}
        for event in self.events:
            waiting.setdefault(probe_after(self.start, self.step, event.at), []).append(event)
        now, number = self.start, 0
        while now <= self.end:
            yield now, tuple(waiting.get(number, ()))
            now, number = now + self.step, number + 1


def probe_after(start: datetime, step: timedelta, at: datetime) -> int:
    """The number of the first probe at or after ``at``, counted from 0."""
    return max(0, -((start - at) // step))
