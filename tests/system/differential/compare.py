"""monitord's word against the clients' deeds."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from monitord.pinning.judge import judge
from monitord.pinning.pins import Client, PinSet
from monitord.pinning.target import ConnectAddress, Target
from monitord.pinning.trust import TrustStore
from monitord.pinning.verdict import Verdict
from monitord.probe.prober import Prober
from tests.system.differential.case import Case, describe
from tests.system.differential.clients import Curl, OkHttp, Outcome, Seen
from tests.system.differential.generate import make_case
from tests.system.differential.scene import key_ring
from tests.system.differential.server import ChainServers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from monitord.pinning.observation import Observation

    Rule = Callable[["Trial", Client, datetime], "Said"]

CLIENTS = (Client.OKHTTP, Client.CURL)
_STORE = "store"
_BATCH = 250
_RETRIES = 40
_EXPECTED = {
    Verdict.OK: Outcome.OK,
    Verdict.NOT_PINNED: Outcome.OK,
    Verdict.PIN_MISMATCH: Outcome.PIN_MISMATCH,
    Verdict.UNTRUSTED: Outcome.REFUSED,
    Verdict.UNDETERMINED: Outcome.REFUSED,
}
_NO_CHAIN = re.compile(
    "unable to find valid certification path|Failed to find a trusted cert|Path does not chain with any of the trust"
    "|signature check failed"
    "|unable to get (local )?issuer certificate|self-signed certificate|certificate signature failure"
)


@dataclass(frozen=True, slots=True)
class Trial:
    """A case that was played: what monitord's probe saw, and what the clients did."""

    case: Case
    observation: Observation
    seen: dict[Client, Seen]


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule says about a trial."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A trial in which a client did something else than the rule said; ``seen`` is all that it was seen to do."""

    trial: Trial
    client: Client
    said: Said
    seen: tuple[Seen, ...]

    def text(self, now: datetime) -> str:
        """The disagreement for people."""
        deeds = [
            f"  {self.client} did: {seen.outcome} ({times} times): {seen.detail[:300]}"
            for seen, times in Counter(self.seen).items()
        ]
        says = f"  monitord says of {self.client}: {self.said.verdict}: {self.said.reason}"
        return "\n".join((describe(self.trial.case, now), *deeds, says))


def monitord_rule(trial: Trial, client: Client, now: datetime) -> Said:
    """What monitord says, by its public entry."""
    case = trial.case
    pinset = PinSet("app", client, case.pins_for(client), trust=(_STORE,))
    target = Target(case.host, pinsets=(pinset,))
    (verdict,) = judge(target, (trial.observation,), {_STORE: TrustStore(_STORE, case.anchors)}, now)
    return Said(verdict.verdict, verdict.reason)


class Laboratory:
    """The clients, ready to play cases; a context manager. ``directory`` is for their files."""

    def __init__(self, directory: Path, seed: int, now: datetime) -> None:
        """Clients that are not running yet; ``seed`` decides about the cases, ``now`` about their dates."""
        self.now = now
        self._seed = seed
        self._ring = key_ring(random.Random(seed))  # noqa: S311 - repeatable, not secret
        self._okhttp = OkHttp(directory)
        self._curl = Curl(directory)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Start the JVM."""
        self._running.enter_context(self._okhttp)
        return self

    def __exit__(self, *_: object) -> None:
        """End the JVM."""
        self._running.close()

    def play(self, numbers: Sequence[int]) -> list[Trial]:
        """The trials of the cases with these numbers; a number that comes twice is signed anew."""
        return [
            trial for start in range(0, len(numbers), _BATCH) for trial in self._batch(numbers[start : start + _BATCH])
        ]

    def disagreements(self, trials: Sequence[Trial], rule: Rule) -> Iterator[Disagreement]:
        """Every trial in which the rule and a client are not at one.

        Where the rule says that the outcome "depends", which it does where a client takes what a hash table gives
        it first, the case is signed anew until both outcomes were seen: the rule must have told the worst.
        """
        for trial in trials:
            for client in CLIENTS:
                said = rule(trial, client, self.now)
                seen: tuple[Seen, ...] = (trial.seen[client],)
                if "depends" in said.reason:
                    seen = self._repeat(trial.case.number, client, seen)
                    right = _EXPECTED[said.verdict] is max((one.outcome for one in seen), key=list(Outcome).index)
                    right = right and len({one.outcome for one in seen}) > 1
                else:
                    right = _agree(said, seen[0])
                if not right:
                    yield Disagreement(trial, client, said, seen)

    def _repeat(self, number: int, client: Client, seen: tuple[Seen, ...]) -> tuple[Seen, ...]:
        while len({one.outcome for one in seen}) == 1 and len(seen) < _RETRIES:
            seen = (*seen, *(trial.seen[client] for trial in self.play([number] * 5)))
        return seen

    def _batch(self, numbers: Sequence[int]) -> list[Trial]:
        cases = [make_case(self._seed, number, self.now, self._ring) for number in numbers]
        with ChainServers(cases) as servers, ThreadPoolExecutor(2) as side:
            okhttp = side.submit(self._okhttp.connect, cases, servers.ports)
            curl = side.submit(self._curl.connect, cases, servers.ports)
            observations = asyncio.run(_observe(cases, servers.ports, self.now))
            return [
                Trial(case, observation, {Client.OKHTTP: by_okhttp, Client.CURL: by_curl})
                for case, observation, by_okhttp, by_curl in zip(
                    cases, observations, okhttp.result(), curl.result(), strict=True
                )
            ]


def _agree(said: Said, seen: Seen) -> bool:
    if _EXPECTED[said.verdict] is not seen.outcome:
        return False
    return said.verdict is not Verdict.UNDETERMINED or bool(_NO_CHAIN.search(seen.detail))


async def _observe(cases: Sequence[Case], ports: Sequence[int], now: datetime) -> list[Observation]:
    """What monitord's own probe sees at each port, which must be what the case presents."""
    prober = Prober(now=lambda: now, max_connections=8)
    targets = [
        Target(case.host, connect_to=(ConnectAddress("127.0.0.1", port),))
        for case, port in zip(cases, ports, strict=True)
    ]
    try:
        rounds = await asyncio.gather(*(prober.observe(target, timeout=60) for target in targets))
    finally:
        prober.close()
    for case, (observation,) in zip(cases, rounds, strict=True):
        if observation.chain != case.chain:
            raise AssertionError(f"of {case.title} the probe saw another chain: {observation.failure}")
    return [observation for (observation,) in rounds]
