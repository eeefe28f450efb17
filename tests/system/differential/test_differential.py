"""In every generated case monitord says what OkHttp and curl then do, and a wrong rule would be found out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.pins import Client
from monitord.pinning.verdict import Verdict
from tests.system.differential.clients import Outcome
from tests.system.differential.compare import CLIENTS, Laboratory, Said, Trial, monitord_rule
from tests.system.differential.situations import SITUATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from monitord.pinning.certificate import Certificate
    from tests.system.differential.compare import Rule

pytestmark = pytest.mark.system

_SEED = 7469
_CASES = 30 * len(SITUATIONS)


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """The real clients, ready to play cases of today."""
    now = datetime.now(UTC).replace(microsecond=0)
    with Laboratory(tmp_path_factory.mktemp("laboratory"), _SEED, now) as laboratory:
        yield laboratory


@pytest.fixture(scope="module")
def trials(laboratory: Laboratory) -> list[Trial]:
    """Every case, played by both clients."""
    return laboratory.play(range(_CASES))


def test_monitord_says_what_okhttp_and_curl_do(laboratory: Laboratory, trials: list[Trial]) -> None:
    """No verdict differs from what the client did; the cases that differ are described in full."""
    found = list(laboratory.disagreements(trials, monitord_rule))
    if found:
        pytest.fail("\n\n".join(disagreement.text(laboratory.now) for disagreement in found), pytrace=False)


def test_cases_are_many_and_of_every_outcome(trials: list[Trial]) -> None:
    """At least 500 cases, every situation among them, and no outcome so rare that a rule could live without it."""
    assert len(trials) >= 500
    assert {trial.case.situation for trial in trials} == {situation.__name__ for situation in SITUATIONS}
    for client in CLIENTS:
        counted = Counter(trial.seen[client].outcome for trial in trials)
        assert min(counted[outcome] for outcome in Outcome) >= len(trials) // 10


def any_presented(trial: Trial, client: Client, now: datetime) -> Said:
    """Wrong: a pin on anything that the server sent counts."""
    return _matching(trial, client, now, trial.case.chain)


def leaf_only(trial: Trial, client: Client, now: datetime) -> Said:
    """Wrong for OkHttp: only the leaf counts."""
    return _matching(trial, client, now, trial.case.chain[:1])


def presented_or_trusted(trial: Trial, client: Client, now: datetime) -> Said:
    """Wrong: whatever was sent or is trusted counts, be it on the path or not."""
    return _matching(trial, client, now, (*trial.case.chain, *trial.case.anchors))


def as_the_other_client(trial: Trial, client: Client, now: datetime) -> Said:
    """Wrong: curl judged as OkHttp and the other way round."""
    (other,) = (one for one in CLIENTS if one is not client)
    return monitord_rule(trial, other, now)


def strictest(trial: Trial, _client: Client, now: datetime) -> Said:
    """Wrong: all judged by the strictest reading."""
    return monitord_rule(trial, Client.GENERIC, now)


def pins_before_trust(trial: Trial, client: Client, now: datetime) -> Said:
    """Wrong: the pins are looked at before the chain is trusted."""
    pins = set(trial.case.pins_for(client))
    if pins and not pins & {certificate.pin for certificate in trial.case.chain}:
        return Said(Verdict.PIN_MISMATCH, "planted")
    return monitord_rule(trial, client, now)


def every_pattern(trial: Trial, client: Client, now: datetime) -> Said:
    """Wrong for OkHttp: pins hold whatever host their pattern is for."""
    exact = tuple((trial.case.host, pins) for _, pins in trial.case.patterns)
    return monitord_rule(replace(trial, case=replace(trial.case, patterns=exact)), client, now)


@pytest.mark.parametrize(
    ("rule", "misjudged"),
    [
        (any_presented, CLIENTS),
        (leaf_only, [Client.OKHTTP]),
        (presented_or_trusted, CLIENTS),
        (as_the_other_client, CLIENTS),
        (strictest, CLIENTS),
        (pins_before_trust, CLIENTS),
        (every_pattern, [Client.OKHTTP]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_planted_wrong_rule_is_found_out(
    laboratory: Laboratory, trials: list[Trial], rule: Rule, misjudged: Sequence[Client]
) -> None:
    """A rule that many monitors have differs from what the clients do, in more cases than chance would leave."""
    found = Counter(one.client for one in laboratory.disagreements(trials, _without_repeats(rule)))
    assert all(found[client] >= 5 for client in misjudged)


def _matching(trial: Trial, client: Client, now: datetime, counted: Iterable[Certificate]) -> Said:
    """What monitord says of trust, and then pins on these certificates."""
    said = monitord_rule(trial, client, now)
    if said.verdict not in (Verdict.OK, Verdict.PIN_MISMATCH):
        return said
    matches = {certificate.pin for certificate in counted} & set(trial.case.pins_for(client))
    return Said(Verdict.OK if matches else Verdict.PIN_MISMATCH, "planted")


def _without_repeats(rule: Rule) -> Rule:
    """The rule without the word at which a case is played again: one look is enough to find it wrong."""

    def decisive(trial: Trial, client: Client, now: datetime) -> Said:
        said = rule(trial, client, now)
        return replace(said, reason=said.reason.replace("depends", "-"))

    return decisive
