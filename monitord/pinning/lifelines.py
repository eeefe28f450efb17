"""A pin set in time, to be drawn: how long the certificates are valid, how long each pin lives, and what is to come.

How long a pin lives is asked of the forecast: when would the set fail if it had no other pin?
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.pinning.ahead import likely, when
from monitord.pinning.forecast import forecast
from monitord.pinning.foreseen import foremost
from monitord.pinning.judge import judge
from monitord.pinning.pins import Client
from monitord.pinning.report import roles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.pinning.conditions import Policy
    from monitord.pinning.evidence import Signals
    from monitord.pinning.history import History
    from monitord.pinning.observation import Observation
    from monitord.pinning.pins import Pin, PinSet
    from monitord.pinning.prediction import Prediction
    from monitord.pinning.trust import TrustStore
    from monitord.pinning.verdict import PinSetVerdict

_MOST_CERTIFICATES, _MOST_COMING, _MOST_PINS = 8, 4, 12
_LEAST_AHEAD, _MOST_AHEAD = timedelta(days=30), timedelta(days=400)
_MARGIN = 0.05
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Survival:
    """How long a pin that matches now goes on to do so; ``until`` None: no end of it is in sight."""

    until: datetime | None


class RowKind(StrEnum):
    """What a row of the picture is about."""

    CERTIFICATE = "certificate"
    COMING = "coming"
    """A certificate that is known and not served."""
    PINNED = "pinned"
    IN_VAIN = "in_vain"
    """The pin of a certificate that is there and does not count."""
    SPARE = "spare"
    MORE = "more"
    """So many rows were left out."""


class Mark(StrEnum):
    """A moment that runs through all rows."""

    NOW = "now"
    FAILURE = "failure"
    DEADLINE = "deadline"
    """The last day to begin a release that is in time."""
    RELEASED = "released"
    """Where that is past: when a release that begins now has reached the users."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a certificate with its role, a pin, or how many were left out."""

    kind: RowKind
    certificate: Certificate | None = None
    role: str = ""
    pin: Pin | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Scene:
    """What is drawn. ``coming`` are certificates that are known and not served."""

    verdict: PinSetVerdict
    predictions: Sequence[Prediction]
    survivals: Mapping[Pin, Survival]
    coming: Sequence[Certificate]
    now: datetime
    release_time: timedelta

    @property
    def sure(self) -> list[Prediction]:
        """The predictions that are drawn."""
        return likely(self.predictions)

    @property
    def first(self) -> Prediction | None:
        """The one that comes first."""
        return min(self.sure, key=lambda one: one.at, default=None)

    @property
    def released(self) -> datetime:
        """When a release that begins now has reached the users."""
        return self.now + self.release_time

    @property
    def certificates(self) -> list[tuple[Certificate, str]]:
        """Those of every path, or of the presented chain where there is none; each once, with its role."""
        found: dict[Certificate, str] = {}
        for judgement in self.verdict.judgements:
            chain = judgement.path or judgement.observation.chain
            found.update((one, role) for one, role in zip(chain, roles(chain), strict=True) if one not in found)
        order = ("leaf", "intermediate", "root")
        return sorted(found.items(), key=lambda item: order.index(item[1]))

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The first and the last moment of the picture.

        From the day on which the leaves were issued, or as far back as it goes ahead, to the last thing that is
        foreseen.
        """
        now = self.now
        leaves = [one for one, role in self.certificates if role == "leaf"]
        last = max(
            now + _LEAST_AHEAD,
            self.released,
            *(one.until for one in self.sure),
            *(one.not_after for one in (*leaves, *self.coming)),
        )
        ahead = min(last - now, _MOST_AHEAD) * (1 + _MARGIN)
        first = min((one.not_before for one in leaves), default=now)
        return max(min(first, now - ahead * _MARGIN), now - ahead / 2), now + ahead

    @property
    def rows(self) -> Iterator[Row]:
        """Each certificate with the pins that match it below, what is to come, and the spare pins."""
        drawn: set[Pin] = set()
        present, coming = self.certificates, self.coming
        for certificate, role in present[:_MOST_CERTIFICATES]:
            yield Row(RowKind.CERTIFICATE, certificate, role)
            yield from self._pins_of(certificate, drawn)
        for certificate in coming[:_MOST_COMING]:
            yield Row(RowKind.COMING, certificate, "leaf")
            yield from self._pins_of(certificate, drawn, comes=True)
        yield from _left_out(max(0, len(present) - _MOST_CERTIFICATES) + max(0, len(coming) - _MOST_COMING))
        others = [pin for pin in dict.fromkeys(self.verdict.pinset.all_pins) if pin not in drawn]
        for pin in others[:_MOST_PINS]:
            yield Row(RowKind.SPARE, pin=pin)
        yield from _left_out(max(0, len(others) - _MOST_PINS))

    @property
    def marks(self) -> Iterator[tuple[Mark, datetime, str]]:
        """Each mark with its moment, which may lie outside the span, and what it means in words.

        Where the window of a failure has begun, it may come from now on.
        """
        now, first = self.now, self.first
        yield Mark.NOW, now, f"now, {now:%Y-%m-%d}"
        if first and first.act_by > now:
            yield Mark.DEADLINE, first.act_by, f"last day to begin an app release: {first.act_by:%Y-%m-%d}"
        for one in self.sure:
            said = f"{one.cause} {when(one, now)}, {one.confidence:.0%} sure"
            yield Mark.FAILURE, max(one.at, now), said
        if first and first.act_by <= now:
            late = (now - first.act_by) // _DAY
            too_late = f", {late} day{'' if late == 1 else 's'} too late" if late else ""
            said = f"a release that begins now reaches the users on {self.released:%Y-%m-%d}{too_late}"
            yield Mark.RELEASED, self.released, said

    def _pins_of(self, certificate: Certificate, drawn: set[Pin], *, comes: bool = False) -> Iterator[Row]:
        """The pins of the set that name this certificate and are not drawn yet."""
        pinset = self.verdict.pinset
        pin = certificate.certificate_pin if pinset.client is Client.CERTIFICATE else certificate.pin
        if pin in pinset.all_pins and pin not in drawn:
            drawn.add(pin)
            counts = comes or pin in self.survivals
            yield Row(RowKind.PINNED if counts else RowKind.IN_VAIN, certificate, pin=pin)


def _left_out(count: int) -> Iterator[Row]:
    if count:
        yield Row(RowKind.MORE, count=count)


def survivals(
    verdict: PinSetVerdict,
    history: History,
    signals: Signals,
    trust: Mapping[str, TrustStore],
    now: datetime,
    policy: Policy,
) -> Mapping[Pin, Survival]:
    """For each pin that matches now, how long it would do so, where it does, if the set had no other."""
    found = {}
    for pin in verdict.matched:
        alone = replace(verdict.target, pinsets=(_alone(verdict.pinset, pin),))
        matching = [one.observation for one in verdict.judgements if pin in one.matched]
        verdicts = judge(alone, matching, trust, now)
        predictions = forecast(alone, verdicts, history, signals, trust, now, policy)
        first = foremost(predictions, verdict.pinset.name)
        found[pin] = Survival(first.at if first else None)
    return found


def coming(observations: Sequence[Observation], signals: Signals) -> tuple[Certificate, ...]:
    """The leaf certificates that signals have shown, newer than what is served; each once."""
    served = [one.chain[0] for one in observations if one.chain]
    newest = max((leaf.not_before for leaf in served), default=None)
    known = [one.chain[0] for one in signals.staged] + [one.chain[0] for one in signals.logged]
    return tuple(
        dict.fromkeys(one for one in known if one not in served and newest is not None and one.not_before > newest)
    )


def _alone(pinset: PinSet, pin: Pin) -> PinSet:
    """The set with this pin only; a list that does not have it is left out, for an empty one blocks."""

    def only(pins: tuple[Pin, ...] | None) -> tuple[Pin, ...] | None:
        return (pin,) if pins and pin in pins else None

    return replace(pinset, pins=only(pinset.pins) or (), leaf_pins=only(pinset.leaf_pins), ca_pins=only(pinset.ca_pins))
