"""What is asked for when, and what counts, as rules over looks that are made up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.certificate import KeyType
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pki import Issued, issue, new_key
from monitord.probe.keytypes import DAY, HOUR, KeyTypes

if TYPE_CHECKING:
    from monitord.pki import KeyKind

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RSA, ECDSA = KeyType.RSA, KeyType.ECDSA
WHERE = ("192.0.2.1", 443)
REFUSED = Failure(FailureReason.TLS_ALERT, "the server sent the alert handshake_failure")
SILENT = Failure(FailureReason.TIMEOUT, "the TLS handshake took longer than 10 s")


def leaf(kind: KeyKind) -> Issued:
    """A leaf with a new key of this kind."""
    return issue("leaf", names=["api.example.test"], key=new_key(kind))


@pytest.fixture(scope="module")
def rsa() -> Issued:
    """An RSA leaf."""
    return leaf("rsa")


@pytest.fixture(scope="module")
def ecdsa() -> Issued:
    """An ECDSA leaf."""
    return leaf("ecdsa")


def saw(issued: Issued, failure: Failure | None = None) -> Observation:
    """A look that showed this leaf."""
    certificate = issued.certificate
    return Observation(NOW, "192.0.2.1", 443, (certificate,), failure, key_type=certificate.key_type)


def failed(failure: Failure) -> Observation:
    """A look that showed nothing."""
    return Observation(NOW, "192.0.2.1", 443, failure=failure)


@pytest.fixture
def memory() -> KeyTypes:
    """A memory of nothing."""
    return KeyTypes([RSA, ECDSA])


@pytest.fixture
def single(memory: KeyTypes, ecdsa: Issued) -> KeyTypes:
    """A memory of an endpoint that has an ECDSA key only, seen at second 0."""
    assert memory.to_ask_for(WHERE, saw(ecdsa), 0) == (RSA,)
    assert not memory.counts(WHERE, RSA, failed(REFUSED), 0)
    return memory


@pytest.fixture
def dual(memory: KeyTypes, ecdsa: Issued, rsa: Issued) -> KeyTypes:
    """A memory of an endpoint that has both, seen at second 0."""
    assert memory.to_ask_for(WHERE, saw(ecdsa), 0) == (RSA,)
    assert memory.counts(WHERE, RSA, saw(rsa), 0)
    return memory


def test_an_endpoint_with_one_type_is_asked_once_a_day(single: KeyTypes, ecdsa: Issued) -> None:
    """Between two discoveries there is one look a round."""
    asked = [second for second in range(0, int(3 * DAY), 900) if single.to_ask_for(WHERE, saw(ecdsa), second)]
    assert asked == [DAY, 2 * DAY]


def test_a_new_leaf_is_a_reason_to_ask(single: KeyTypes, ecdsa: Issued) -> None:
    """Who installs a certificate may have installed two."""
    renewed = leaf("ecdsa")
    assert single.to_ask_for(WHERE, saw(renewed), 900) == (RSA,)
    assert single.to_ask_for(WHERE, saw(renewed), 1800) == ()
    assert single.to_ask_for(WHERE, saw(ecdsa), 2700) == (), "the old one again is nothing new"


def test_servers_that_differ_behind_one_address_are_not_asked_every_round(memory: KeyTypes) -> None:
    """Each of their leaves is new once."""
    leaves = [leaf("ecdsa") for _ in range(4)]
    asked = [bool(memory.to_ask_for(WHERE, saw(leaves[turn % 4]), turn)) for turn in range(12)]
    assert asked == [True] * 4 + [False] * 8


def test_a_leaf_that_was_shown_long_ago_is_new_again(memory: KeyTypes) -> None:
    """What is remembered of an endpoint is bounded."""
    leaves = [leaf("ecdsa") for _ in range(9)]
    for turn, one in enumerate(leaves):
        memory.to_ask_for(WHERE, saw(one), turn)
    assert memory.to_ask_for(WHERE, saw(leaves[-1]), 10) == ()
    assert memory.to_ask_for(WHERE, saw(leaves[0]), 11) == (RSA,)


def test_an_endpoint_with_both_is_asked_every_round(dual: KeyTypes, ecdsa: Issued, rsa: Issued) -> None:
    """For the one that it has not shown by itself, whichever that is."""
    assert dual.to_ask_for(WHERE, saw(ecdsa), 900) == (RSA,)
    assert dual.to_ask_for(WHERE, saw(rsa), 1800) == (ECDSA,)


def test_other_keys_do_not_hide_the_two(memory: KeyTypes, rsa: Issued) -> None:
    """A server may have Ed25519 beside RSA and ECDSA, and show it first."""
    ed25519 = leaf("ed25519")
    assert memory.to_ask_for(WHERE, saw(ed25519), 0) == (RSA, ECDSA)
    assert memory.counts(WHERE, RSA, saw(rsa), 0)
    assert not memory.counts(WHERE, ECDSA, failed(REFUSED), 0)
    assert memory.to_ask_for(WHERE, saw(ed25519), 900) == (RSA,)


@pytest.mark.parametrize("reason", [FailureReason.TLS_ALERT, FailureReason.TLS_PROTOCOL, FailureReason.RESET])
def test_a_refusal_of_what_was_never_seen_says_nothing(memory: KeyTypes, ecdsa: Issued, reason: FailureReason) -> None:
    """It is how a server says that it has one type; asked again tomorrow."""
    memory.to_ask_for(WHERE, saw(ecdsa), 0)
    assert not memory.counts(WHERE, RSA, failed(Failure(reason, "no")), 0)
    assert memory.to_ask_for(WHERE, saw(ecdsa), HOUR) == ()


def test_silence_about_what_was_never_seen_is_asked_after_in_an_hour(memory: KeyTypes, ecdsa: Issued) -> None:
    """It was no answer, but to wait for it every round would be too much."""
    memory.to_ask_for(WHERE, saw(ecdsa), 0)
    assert not memory.counts(WHERE, RSA, failed(SILENT), 0)
    assert memory.to_ask_for(WHERE, saw(ecdsa), HOUR - 1) == ()
    assert memory.to_ask_for(WHERE, saw(ecdsa), HOUR) == (RSA,)


def test_a_type_that_goes_missing_is_a_failure_for_a_day(dual: KeyTypes, ecdsa: Issued) -> None:
    """Then it counts as given up, and is tried like any that was never seen."""
    counted = [
        (second, dual.counts(WHERE, asked, failed(REFUSED), second))
        for second in range(900, int(3 * DAY), 900)
        for asked in dual.to_ask_for(WHERE, saw(ecdsa), second)
    ]
    assert [second for second, counts in counted if counts] == list(range(900, int(DAY), 900))
    assert [second for second, counts in counted if not counts] == [DAY, 2 * DAY]


def test_a_type_that_does_not_answer_is_not_given_up(dual: KeyTypes, ecdsa: Issued) -> None:
    """Silence is a failure however long it lasts."""
    for second in (900.0, DAY, 3 * DAY):
        assert dual.to_ask_for(WHERE, saw(ecdsa), second) == (RSA,)
        assert dual.counts(WHERE, RSA, failed(SILENT), second)


def test_a_type_comes_back(dual: KeyTypes, ecdsa: Issued, rsa: Issued) -> None:
    """Seen again, it is had for another day."""
    assert dual.counts(WHERE, RSA, failed(REFUSED), DAY - 900)
    assert dual.counts(WHERE, RSA, saw(rsa), DAY)
    assert dual.counts(WHERE, RSA, failed(REFUSED), 2 * DAY - 900)
    assert dual.to_ask_for(WHERE, saw(ecdsa), 2 * DAY - 900) == (RSA,)


def test_a_chain_beside_a_failure_counts_as_seen(memory: KeyTypes, ecdsa: Issued, rsa: Issued) -> None:
    """A server that demands a client certificate has shown its own before."""
    memory.to_ask_for(WHERE, saw(ecdsa, REFUSED), 0)
    assert memory.counts(WHERE, RSA, saw(rsa, REFUSED), 0)
    assert memory.to_ask_for(WHERE, saw(ecdsa), 900) == (RSA,)


@pytest.mark.parametrize(
    ("failure", "asked"), [(REFUSED, {RSA, ECDSA}), (SILENT, set()), (Failure(FailureReason.REFUSED, "no"), set())]
)
def test_a_fault_of_the_preferred_key_does_not_hide_the_other(
    dual: KeyTypes, failure: Failure, asked: set[KeyType]
) -> None:
    """Where any key is refused, the known ones are asked for; an address that does not answer is left alone."""
    assert set(dual.to_ask_for(WHERE, failed(failure), 900)) == asked


def test_a_failure_of_the_only_key_is_said_once(single: KeyTypes) -> None:
    """There is nothing else to ask for."""
    assert single.to_ask_for(WHERE, failed(REFUSED), 900) == ()


def test_endpoints_are_told_apart(dual: KeyTypes, ecdsa: Issued) -> None:
    """What one has says nothing of another."""
    assert dual.to_ask_for("elsewhere", saw(ecdsa), 900) == (RSA,)
    assert not dual.counts("elsewhere", RSA, failed(REFUSED), 900)
    assert dual.to_ask_for("elsewhere", saw(ecdsa), 900) == ()


def test_the_memory_is_bounded(ecdsa: Issued) -> None:
    """The endpoints that were looked at least lately are forgotten."""
    memory = KeyTypes([RSA, ECDSA], max_endpoints=2)
    for where in ("a", "b", "a", "c"):
        memory.to_ask_for(where, saw(ecdsa), 0)
    assert [memory.to_ask_for(where, saw(ecdsa), 1) for where in ("a", "c", "b")] == [(), (), (RSA,)]
