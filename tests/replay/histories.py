"""Random histories of hosts, for calibration: a world of habits and accidents that knows nothing of the forecast.

Each host draws its habits once: how long its certificates live, who renews them and when, what becomes of the key, who
issues, what is logged besides, whether it listens to ARI, how it rolls out, and what the app pins. Then it lives by
them for most of a year, with accidents. The numbers are guesses at the real world, made apart from those of
``monitord.pinning.priors``; docs/forecast.md tells what they are. Equal seeds give equal histories.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from monitord.pinning.pins import Client
from monitord.replay.story import (
    CertificatePlan,
    Distrusted,
    Event,
    Logged,
    PinSetPlan,
    Reachability,
    Repinned,
    Resolved,
    Revoked,
    Served,
    Story,
    Suggested,
    Trusted,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.replay.story import Happening, PinName

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_LIVES = {90 * _DAY: 55, 45 * _DAY: 10, 64 * _DAY: 6, 199 * _DAY: 10, 397 * _DAY: 12, 160 * _HOUR: 7}
_ADDRESSES = ("192.0.2.1", "192.0.2.2", "2001:db8::3")
_AFTERMATH = 3 * _DAY
_MOST_RENEWALS = 120


def random_story(seed: int, days: int = 330, step: timedelta = 12 * _HOUR) -> Story:
    """The history of one host, up to some days after its apps begin to fail."""
    return _Host(Random(f"history {seed}"), BEGAN + days * _DAY).story(f"history {seed}", step)  # noqa: S311


@dataclass(slots=True)
class _Host:
    rng: Random
    end: datetime
    certificates: dict[str, CertificatePlan] = field(default_factory=dict)
    happened: list[tuple[datetime, Happening]] = field(default_factory=list)
    served: list[tuple[datetime, str, str]] = field(default_factory=list)  # when, leaf, issuer
    keys: int = 0
    leaves: int = 0

    # What the host always does.
    life: timedelta = _DAY
    by_hand: bool = False
    fraction: float = 0.0
    jitter: timedelta = _HOUR
    habit_of_keys: str = ""
    coin: float = 0.5
    habit_of_issuers: str = ""
    pool: tuple[str, ...] = ()
    moves_at: datetime = BEGAN
    watched: bool = True
    log_ahead: timedelta = _HOUR
    noise: str = ""
    ari: str = ""
    roll_out: str = ""
    addresses: tuple[str, ...] = ()

    def story(self, name: str, step: timedelta) -> Story:
        self._draw_habits()
        self._found_authorities()
        self._live()
        self._suffer()
        pinset = self._pin()
        end = min(self.end, (self._failure(pinset) or self.end) + _AFTERMATH)
        happened = sorted((one for one in self.happened if one[0] <= end), key=lambda one: one[0])
        return Story(
            name=name,
            start=BEGAN,
            end=BEGAN + (end - BEGAN) // step * step,
            step=step,
            release_time=14 * _DAY,
            horizon=30 * _DAY,
            host="api.example.test",
            port=443,
            confirm=2,
            failures=3,
            certificates=self.certificates,
            pinsets=(pinset,),
            events=tuple(Event(at, position, (what,)) for position, (at, what) in enumerate(happened)),
        )

    # --- chance ---

    def _chosen(self, **weights: float) -> str:
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def _chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def _between(self, least: timedelta, most: timedelta) -> timedelta:
        return least + (most - least) * self.rng.random()

    def _some_time(self, least: float = 0.0, most: float = 1.0) -> datetime:
        return BEGAN + (self.end - BEGAN) * self.rng.uniform(least, most)

    def _note(self, at: datetime, what: Happening) -> None:
        self.happened.append((max(at, BEGAN), what))

    # --- habits ---

    def _draw_habits(self) -> None:
        rng = self.rng
        self.life = rng.choices(list(_LIVES), list(_LIVES.values()))[0]
        self.by_hand = self._chance(0.6 if self.life > 100 * _DAY else 0.06 if self.life > 80 * _DAY else 0.0)
        self.fraction = rng.choice((2 / 3, 2 / 3, 2 / 3, 2 / 3, 0.5, 0.75, 0.8, rng.uniform(0.45, 0.9)))
        self.jitter = rng.choice((_HOUR, 12 * _HOUR, 0.03 * self.life, 0.1 * self.life))
        self.habit_of_keys = self._chosen(new=70, kept=15, turns=4, third=4, coin=7)
        self.coin = rng.random()
        self.habit_of_issuers = self._chosen(one=64, pool=14, next=13, elsewhere=9)
        self.pool = tuple(f"a{number}" for number in range(1, rng.choice((2, 2, 3, 4)) + 1))
        self.moves_at = self._some_time(0.1, 1.3)
        self.watched = self._chance(0.7)
        self.log_ahead = self._between(0 * _DAY, 30 * _DAY) if self.by_hand or self._chance(0.2) else 3 * _HOUR
        self.noise = self._chosen(none=55, backup=13, twin=13, abandoned=10, wildcard=9)
        self.ari = "" if self.by_hand else self._chosen(none=55, followed=30, ignored=15)
        self.roll_out = self._chosen(once=72, hours=18, left_out=10)
        self.addresses = _ADDRESSES[: rng.choice((1, 1, 1, 2, 3))]

    def _found_authorities(self) -> None:
        early, late = BEGAN - 2000 * _DAY, BEGAN + 4000 * _DAY
        for root in ("a", "b"):
            self._certify(f"root-{root}", None, early, late)
        for name in ("a1", "a2", "a3", "a4", "b1"):
            self._certify(name, f"root-{name[0]}", early, late)
        if self._chance(0.1):  # the first intermediate ends within two years, and issues up to then
            ends = self._some_time(0.3, 2.0)
            self.certificates["a1"] = CertificatePlan("a1", "a1", early, ends, "root-a")

    def _certify(self, name: str, issuer: str | None, since: datetime, until: datetime) -> None:
        self.certificates[name] = CertificatePlan(name, name, since, until, issuer)

    # --- life ---

    def _live(self) -> None:
        self._note(BEGAN, Trusted(("root-a", "root-b")))
        issued = BEGAN - self._between(0 * _DAY, self.life * min(0.97, self.fraction))
        leaf = self._issue(issued, self._issuer(issued))
        self._serve(BEGAN, leaf, at_once=True)
        self._suggest(leaf, BEGAN)
        forced = self._some_time() if self._chance(0.12) else None
        for _ in range(_MOST_RENEWALS):
            at = self._next_renewal(leaf)
            if forced and self.served[-1][0] < forced < at:
                at, forced = self._forced(leaf, forced, at), None
            if at > self.end:
                return
            ahead = min(self._between(0 * _DAY, self.log_ahead), (at - self.served[-1][0]) * 0.8)
            leaf = self._issue(at - ahead, self._issuer(at))
            if self.watched:
                self._note(at - ahead, Logged(leaf))
            self._make_noise(leaf, at)
            self._serve(at, leaf)
            self._suggest(leaf, at)

    def _issue(self, at: datetime, issuer: str, key: str = "", names: tuple[str, ...] | None = None) -> str:
        self.leaves += 1
        name = f"leaf-{self.leaves}"
        until = at + self.life
        if issuer == "a1" and until > self.certificates["a1"].not_after:
            issuer = "a2"  # no certificate outlives its issuer
        self.certificates[name] = CertificatePlan(
            name, key or self._next_key(), at.replace(microsecond=0), until.replace(microsecond=0), issuer, names=names
        )
        return name

    def _next_key(self) -> str:
        self.keys += 1
        match self.habit_of_keys:
            case "kept":
                return "k1"
            case "turns":
                return f"k{(self.keys - 1) % 2 + 1}"
            case "third":
                return f"k{(self.keys + 2) // 3}"
            case "coin":
                self.keys -= self.keys > 1 and not self._chance(self.coin)
        return f"k{self.keys}"

    def _issuer(self, at: datetime) -> str:
        match self.habit_of_issuers:
            case "pool":
                return self.rng.choice(self.pool)
            case "next":
                return "a1" if at < self.moves_at else "a2"
            case "elsewhere":
                return "a1" if at < self.moves_at else "b1"
        return "a1"

    def _next_renewal(self, leaf: str) -> datetime:
        plan = self.certificates[leaf]
        if self.by_hand:
            at = plan.not_after - self._between(_DAY, min(45 * _DAY, 0.3 * self.life))
        elif self.ari == "followed":
            at = plan.not_before + self.life * 2 / 3 + self._between(0 * _DAY, min(2 * _DAY, 0.05 * self.life))
        else:
            at = plan.not_before + self.life * self.fraction + self._between(0 * _HOUR, self.jitter)
        at = max(at, self.served[-1][0] + _HOUR)
        if self._chance(0.04):  # the job is dead, the calendar was not looked at
            if self._chance(0.5):
                return max(at, plan.not_after + self._between(6 * _HOUR, 3 * _DAY))
            return at + (max(plan.not_after, at) - at) * self.rng.random()
        return at

    def _suggest(self, leaf: str, at: datetime) -> None:
        if self.ari not in ("", "none"):
            start = self.certificates[leaf].not_before + self.life * 2 / 3
            self._note(at, Suggested(leaf, start, start + min(2 * _DAY, 0.05 * self.life)))

    def _forced(self, leaf: str, at: datetime, planned: datetime) -> datetime:
        """The CA has to revoke, or holds a drill; when the certificate is replaced then."""
        drill = self._chance(0.3)
        if self.ari not in ("", "none"):
            self._note(at, Suggested(leaf, at - 2 * _DAY, at - _DAY))
        if self.ari == "followed" or self._chance(0.4):
            return at + self._between(_HOUR, 30 * _HOUR)
        if drill:
            self._suggest(leaf, at + self._between(8 * _HOUR, 3 * _DAY))
            return planned
        revoked = at + self._between(12 * _HOUR, 5 * _DAY)
        if self._chance(0.7):
            self._note(revoked, Revoked(leaf))
        return revoked + self._between(2 * _HOUR, 4 * _DAY) if self._chance(0.75) else planned

    def _serve(self, at: datetime, leaf: str, *, at_once: bool = False) -> None:
        issuer = self.certificates[leaf].issuer or ""
        self.served.append((at, leaf, issuer))
        last = self.addresses[-1]
        for address in self.addresses:
            when = at
            if not at_once and self.roll_out == "hours":
                when += self._between(0 * _HOUR, 36 * _HOUR)
            if not at_once and self.roll_out == "left_out" and address == last != self.addresses[0]:
                when += self._between(2 * _HOUR, 40 * _DAY) if self._chance(0.4) else 0 * _HOUR
            self._note(when, Served((leaf, issuer), address))

    def _make_noise(self, leaf: str, at: datetime) -> None:
        """What else is logged: certificates that are never served here."""
        if not self.watched or not self._chance(0.8):
            return
        plan = self.certificates[leaf]
        match self.noise:
            case "backup":
                self._log(plan.not_before + self._between(0 * _HOUR, 6 * _HOUR), "b1")
            case "twin":  # another place of the same service has its own, of the same CA
                issuer = self.rng.choice(self.pool) if self.habit_of_issuers == "pool" else plan.issuer or "a1"
                self._log(at + self._between(_DAY, self.life * 0.4), issuer)
            case "abandoned":
                self._log(plan.not_before - self._between(_HOUR, 5 * _DAY), plan.issuer or "a1")
            case "wildcard":
                self._log(at + self._between(_DAY, self.life * 0.4), "a1", ("*.example.test", "example.test"))

    def _log(self, at: datetime, issuer: str, names: tuple[str, ...] | None = None) -> None:
        self._note(at, Logged(self._issue(at, issuer, f"x{self.leaves}", names)))

    # --- what happens around it ---

    def _suffer(self) -> None:
        if self._chance(0.1):
            down = self._some_time()
            self._note(down, Reachability(unreachable=True))
            self._note(down + self._between(_DAY, 5 * _DAY), Reachability(unreachable=False))
        if self._chance(0.2):
            self._note(BEGAN, Resolved({"cname": ("edge-1.cdn.test",), "caa": ("ca-a.test",)}))
            self._note(self._some_time(), Resolved({"cname": ("edge-2.cdn.test",)}))
            if self._chance(0.3):
                self._note(self._some_time(), Resolved({"caa": ("ca-a.test", "ca-b.test")}))
        elif self.habit_of_issuers == "elsewhere" and self._chance(0.6):
            self._note(BEGAN, Resolved({"cname": ("edge-1.cdn.test",), "caa": ("ca-a.test",)}))
            before = self.moves_at - self._between(_DAY, 30 * _DAY)
            self._note(before, Resolved({"caa": ("ca-a.test", "ca-b.test") if self._chance(0.6) else ("ca-b.test",)}))
            self._note(self.moves_at, Resolved({"cname": ("edge-2.cdn.test",)}))
        if self._chance(0.05):
            self._distrust()
        if self._chance(0.08):
            told = self._some_time(0.0, 0.6)
            store = self._chosen(beta=50, other=50)
            self._note(told, Trusted(("root-b",), "mozilla-beta" if store == "beta" else "apple"))
            if self._chance(0.7 if store == "beta" else 0.3):
                self._note(told + self._between(20 * _DAY, 90 * _DAY), Trusted(("root-b",), "mozilla"))

    def _distrust(self) -> None:
        told = self._some_time(0.0, 0.5)
        date = told + self._between(20 * _DAY, 150 * _DAY)
        self._note(told, Distrusted("root-a", date))
        if self._chance(0.4):
            later = told + (date - told) * self.rng.random()
            self._note(later, Distrusted("root-a", date + self._between(10 * _DAY, 60 * _DAY)))

    # --- the app ---

    def _pin(self) -> PinSetPlan:
        """What the app pins on the first day, and the releases that follow the host."""
        _, leaf, issuer = self.served[0]
        key, spare = self.certificates[leaf].key, Unknown(1)
        leafy = (Client.OKHTTP, Client.ANDROID, Client.TRUSTKIT_IOS, Client.CURL, Client.CRONET, Client.GENERIC)
        above = (Client.OKHTTP, Client.ANDROID, Client.TRUSTKIT_IOS, Client.CRONET, Client.GENERIC)
        kind = self._chosen(leaf=32, ahead=10, issuer=24, pool=6, root=14, whole=7, both=7)
        match kind:
            case "whole":
                return PinSetPlan("app", Client.CERTIFICATE, (leaf,))
            case "issuer":
                return PinSetPlan("app", self.rng.choice(above), (issuer, spare))
            case "pool":
                return PinSetPlan("app", self.rng.choice(above), self.pool)
            case "root":
                return PinSetPlan("app", self.rng.choice(above), ("root-a", spare))
            case "both":
                return PinSetPlan("app", self.rng.choice(above), (key, issuer))
        if kind == "ahead" or self._chance(0.2):
            self._follow()
        return PinSetPlan("app", self.rng.choice(leafy), (key, spare))

    def _follow(self) -> None:
        """App releases that bring the pin of the next key in time, each with a small chance to be forgotten."""
        keys = [(at, self.certificates[leaf].key) for at, leaf, _ in self.served]
        for (since, key), (at, coming) in itertools.pairwise(keys):
            if key != coming and self._chance(0.92):
                pins: Sequence[PinName] = (key, coming)
                self._note(
                    at - min((at - since) * 0.7, self._between(_DAY, 25 * _DAY)), Repinned("app", {"pins": pins})
                )

    def _failure(self, pinset: PinSetPlan) -> datetime | None:
        """About when no pin is served any more, or the leaf has run out; nothing is to be played long after that."""
        pins = [(BEGAN, pinset.pins or ())] + [
            (at, what.changes["pins"]) for at, what in sorted(self.happened, key=lambda one: one[0])
            if isinstance(what, Repinned)
        ]  # fmt: skip
        following = [*(at for at, _, _ in self.served[1:]), self.end]
        for (at, leaf, issuer), until in zip(self.served, following, strict=True):
            plan = self.certificates[leaf]
            held = {plan.key, issuer, f"root-{issuer[0]}", leaf}
            now = next(pins for since, pins in reversed(pins) if since <= at)
            if not held & set(now):
                return at
            if plan.not_after < until:
                return plan.not_after
        return None
