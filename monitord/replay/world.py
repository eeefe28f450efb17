"""What is served, trusted, pinned and known at a time of the story.

Where events do not say how they fit together:

1. The addresses of a story are those that its events name. An event without ``address:`` is about all of them; if they
   name none, or one beside chains that are served without ``address:``, about 192.0.2.1 too.
2. A chain that is served without ``key_type:`` is all that an address serves; with it, the other type of key stays.
3. The trust stores are those that pin sets and events name, and "mozilla", that of pin sets without ``trust:``. An
   event without ``store:`` is about all of them.
4. ``unreachable`` without a place ends with the next ``serve`` of any place; with a place, with the next one there.
5. Facts are learned at the probe before which they happen, and meet earlier ones as in the daemon: in its ledger. A
   store that holds something else than before is a change of it.
6. An address at which nothing was served yet is none; a host that has none refuses to connect.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitord.pinning.evidence import (
    DnsAnswer,
    LoggedCertificate,
    RenewalWindow,
    Revocation,
    StagedChain,
    StoreChange,
)
from monitord.pinning.hostname import names_host
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.target import StagingEndpoint, Target
from monitord.pinning.trust import Distrust, TrustStore
from monitord.replay.cast import DEFAULT_STORE, Cast
from monitord.replay.story import (
    Distrusted,
    Logged,
    Reachability,
    Repinned,
    Resolved,
    Revoked,
    Served,
    Staged,
    Suggested,
    Trusted,
)
from monitord.signals.ledger import EVERY_HOST, Ledger
from monitord.signals.source import Learned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from monitord.pinning.certificate import Certificate, KeyType
    from monitord.pinning.evidence import Signals
    from monitord.replay.story import Event, Happening, Story
    from monitord.signals.source import Fact

ONLY_ADDRESS = "192.0.2.1"
"""Where a host is whose story names no address."""

_EVERYWHERE: tuple[str | None, KeyType | None] = (None, None)
_STAGING = StagingEndpoint("staging.invalid", 443)
_SOURCE = "story"
_PROGRAMME = "a root programme"


class World:
    """The state of one story; ``advance`` moves it."""

    def __init__(self, story: Story) -> None:
        """The world before the first event."""
        self._story = story
        self._cast = Cast(story)
        self._plans = {plan.name: plan for plan in story.pinsets}
        self._addresses = _addresses(story)
        self._served: dict[str, dict[KeyType, tuple[Certificate, ...]]] = {}
        self._silent: set[tuple[str | None, KeyType | None]] = set()
        self._anchors: dict[str, tuple[Certificate, ...] | None] = dict.fromkeys(_stores(story))
        self._distrusts: dict[bytes, Distrust] = {}
        self._dns = DnsAnswer(story.start)
        self._ledger = Ledger()
        self._now = story.start
        self._target: Target | None = None
        self._trust: Mapping[str, TrustStore] = {}
        self._settle()

    @property
    def now(self) -> datetime:
        """The time of the present probe."""
        return self._now

    @property
    def target(self) -> Target:
        """The endpoint with its pin sets as they are now; the very same object until they change."""
        if self._target is None:
            pinsets = tuple(self._cast.pinset(plan) for plan in self._plans.values())
            self._target = Target(
                self._story.host,
                self._story.port,
                interval=self._story.step,
                pinsets=pinsets,
                trust=(DEFAULT_STORE,),
                staging=_STAGING,
            )
        return self._target

    @property
    def trust(self) -> Mapping[str, TrustStore]:
        """The trust stores by name; the very same object until one of them changes."""
        return self._trust

    def signals(self, target: Target) -> Signals:
        """What is known from outside."""
        return self._ledger.signals_for(target)

    def advance(self, now: datetime, events: Iterable[Event]) -> None:
        """Go on to the time of the next probe, before which these events happen."""
        self._now = now
        for event in events:
            for happening in event.happenings:
                self._happen(happening, event.at)

    def observations(self) -> tuple[Observation, ...]:
        """What a probe sees: each address, once for each type of key that it serves."""
        seen = [one for address in self._addresses if address in self._served for one in self._at(address)]
        if seen:
            return tuple(seen)
        address = self._addresses[0]
        failure = Failure(FailureReason.REFUSED, "nothing has been served yet in the story")
        return (Observation(self._now, address, self._story.port, failure=failure),)

    def _at(self, address: str) -> Iterator[Observation]:
        silent = {key_type for where, key_type in self._silent if where in (None, address)}
        if None in silent:
            yield self._unseen(address, None)
            return
        for key_type, chain in self._served[address].items():
            if key_type in silent:
                yield self._unseen(address, key_type)
            else:
                yield Observation(self._now, address, self._story.port, chain, key_type=chain[0].key_type)

    def _unseen(self, address: str, key_type: KeyType | None) -> Observation:
        failure = Failure(FailureReason.UNREACHABLE, "the story says so")
        return Observation(self._now, address, self._story.port, failure=failure, key_type=key_type)

    def _happen(self, happening: Happening, at: datetime) -> None:  # noqa: C901, PLR0912 - one case for each kind
        match happening:
            case Served():
                self._serve(happening)
            case Reachability(unreachable, address, key_type):
                if unreachable:
                    self._silent.add((address, key_type))
                else:
                    self._speak(address, key_type)
            case Trusted(anchors, store):
                for name in self._anchors if store is None else (store,):
                    self._replace_store(name, self._cast.chain(anchors))
                self._settle()
            case Distrusted(root, date):
                key = self._cast.certificate(root).spki_sha256
                self._distrusts.pop(key, None)
                if date is not None:
                    self._distrusts[key] = Distrust(date, _PROGRAMME)
                self._settle()
            case Repinned(pinset, changes):
                self._plans[pinset] = self._plans[pinset].changed(changes)
                self._target = None
            case Logged(name):
                chain = self._cast.way_up(name)
                if names_host(chain[0], self._story.host):  # as the sources do: others are nobody's business
                    self._learn(LoggedCertificate(chain, self._now))
            case Suggested(name, start, end, explanation):
                digest = self._cast.certificate(name).sha256
                self._learn(RenewalWindow(digest, start, end, self._now, explanation))
            case Revoked(name):
                self._learn(Revocation(self._cast.certificate(name).sha256, self._now, at))
            case Resolved(changes):
                self._dns = replace(self._dns, learned_at=self._now, **changes)
                self._learn(self._dns)
            case Staged(names):
                self._learn(StagedChain(self._cast.chain(names), self._now, _STAGING.endpoint))

    def _serve(self, served: Served) -> None:
        chain = self._cast.chain(served.chain)
        for address in self._addresses if served.address is None else (served.address,):
            if served.key_type is None:
                self._served[address] = {chain[0].key_type: chain}
            else:
                lines = self._served.setdefault(address, {})
                lines[served.key_type] = chain
                self._served[address] = dict(sorted(lines.items()))
        self._speak(served.address, served.key_type)

    def _speak(self, address: str | None, key_type: KeyType | None) -> None:
        """End the silence of everywhere, and of the places that these are."""
        self._silent = {
            (where, kind)
            for where, kind in self._silent
            if (where, kind) != _EVERYWHERE and not (_meet(where, address) and _meet(kind, key_type))
        }

    def _replace_store(self, name: str, anchors: tuple[Certificate, ...]) -> None:
        before = self._anchors[name]
        self._anchors[name] = anchors
        if before is not None and set(before) != set(anchors):
            added = tuple(one for one in anchors if one not in before)
            removed = tuple(one for one in before if one not in anchors)
            self._learn(StoreChange(name, self._now, added, removed), host=EVERY_HOST)

    def _settle(self) -> None:
        stores = [TrustStore(name, anchors or ()) for name, anchors in self._anchors.items()]
        self._trust = {store.name: store.distrusting(self._distrusts) for store in stores}

    def _learn(self, fact: Fact, host: str | None = None) -> None:
        self._ledger.take_in(_SOURCE, [Learned(self._story.host if host is None else host, fact)])


def _meet(one: str | None, other: str | None) -> bool:
    """Whether two parts of a place overlap; None is everywhere."""
    return one is None or other is None or one == other


def _addresses(story: Story) -> tuple[str, ...]:
    """Rule 1."""
    places = [one for event in story.events for one in event.happenings if isinstance(one, Served | Reachability)]
    named = tuple(dict.fromkeys(one.address for one in places if one.address is not None))
    everywhere = any(isinstance(one, Served) and one.address is None for one in places)
    if not named or (len(named) == 1 and everywhere):
        return tuple(dict.fromkeys((ONLY_ADDRESS, *named)))
    return named


def _stores(story: Story) -> tuple[str, ...]:
    """Rule 3."""
    of_pinsets = [plan.trust or () for plan in story.pinsets]
    of_events = [one for event in story.events for one in event.happenings]
    later = [one.changes.get("trust") or () for one in of_events if isinstance(one, Repinned)]
    named = [one.store for one in of_events if isinstance(one, Trusted) and one.store is not None]
    return tuple(dict.fromkeys((DEFAULT_STORE, *(name for names in (*of_pinsets, *later) for name in names), *named)))
