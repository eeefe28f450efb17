"""What is asked for when, and what counts, as rules over looks that are made up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.certificate import KeyType
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pki import Issued, issue, new_key
from monitord.probe.keytypes import DAY, HOUR, MINUTE, KeyTypes

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


def ask(
    memory: KeyTypes, first: Observation, answers: dict[KeyType, Observation], second: float
) -> dict[KeyType, bool]:
    """A look: for each type that was asked for, whether its answer said something."""
    asked = {key_type: answers[key_type] for key_type in memory.to_ask_for(WHERE, first, second)}
    telling = memory.take_in(WHERE, first, asked, second)
    return {key_type: any(one is answer for one in telling) for key_type, answer in asked.items()}


@pytest.fixture
def memory() -> KeyTypes:
    """A memory of nothing."""
    return KeyTypes([RSA, ECDSA])


@pytest.fixture
def single(memory: KeyTypes, ecdsa: Issued) -> KeyTypes:
    """A memory of an endpoint that has an ECDSA key only, seen at second 0."""
    assert ask(memory, saw(ecdsa), {RSA: failed(REFUSED)}, 0) == {RSA: False}
    return memory


@pytest.fixture
def dual(memory: KeyTypes, ecdsa: Issued, rsa: Issued) -> KeyTypes:
    """A memory of an endpoint that has both, seen at second -900 and 0."""
    for second in (-900, 0):
        assert ask(memory, saw(ecdsa), {RSA: saw(rsa)}, second) == {RSA: True}
    return memory


def test_an_endpoint_with_one_type_is_asked_once_a_day(single: KeyTypes, ecdsa: Issued) -> None:
    """Between two discoveries there is one look a round."""
    refused = {RSA: failed(REFUSED)}
    asked = [second for second in range(0, int(3 * DAY), 900) if ask(single, saw(ecdsa), refused, second)]
    assert asked == [DAY, 2 * DAY]


def test_a_new_leaf_is_a_reason_to_ask(single: KeyTypes, ecdsa: Issued) -> None:
    """Who installs a certificate may have installed two."""
    renewed, refused = leaf("ecdsa"), {RSA: failed(REFUSED)}
    assert ask(single, saw(renewed), refused, 900) == {RSA: False}
    assert ask(single, saw(renewed), refused, 1800) == {}
    assert ask(single, saw(ecdsa), refused, 2700) == {}, "the old one again is nothing new"


def test_servers_that_differ_behind_one_address_are_not_asked_every_round(memory: KeyTypes) -> None:
    """Each of their leaves is new once."""
    leaves, refused = [leaf("ecdsa") for _ in range(4)], {RSA: failed(REFUSED)}
    asked = [bool(ask(memory, saw(leaves[turn % 4]), refused, turn)) for turn in range(12)]
    assert asked == [True] * 4 + [False] * 8


def test_a_leaf_that_was_shown_long_ago_is_new_again(memory: KeyTypes) -> None:
    """What is remembered of an endpoint is bounded."""
    leaves, refused = [leaf("ecdsa") for _ in range(17)], {RSA: failed(REFUSED)}
    for turn, one in enumerate(leaves):
        ask(memory, saw(one), refused, turn)
    assert ask(memory, saw(leaves[-1]), refused, 20) == {}
    assert ask(memory, saw(leaves[0]), refused, 21) == {RSA: False}


def test_an_endpoint_with_both_is_asked_every_round(dual: KeyTypes, ecdsa: Issued, rsa: Issued) -> None:
    """For the one that it has not shown by itself, whichever that is."""
    assert ask(dual, saw(ecdsa), {RSA: saw(rsa)}, 900) == {RSA: True}
    assert ask(dual, saw(rsa), {ECDSA: saw(ecdsa)}, 1800) == {ECDSA: True}


def test_other_keys_do_not_hide_the_two(memory: KeyTypes, rsa: Issued) -> None:
    """A server may have Ed25519 beside RSA and ECDSA, and show it first; that it drops RSA is a failure too."""
    ed25519 = leaf("ed25519")
    assert ask(memory, saw(ed25519), {RSA: saw(rsa), ECDSA: failed(REFUSED)}, 0) == {RSA: True, ECDSA: False}
    assert ask(memory, saw(ed25519), {RSA: saw(rsa)}, 900) == {RSA: True}
    assert ask(memory, saw(ed25519), {RSA: failed(REFUSED)}, 1800) == {RSA: True}


@pytest.mark.parametrize("reason", [FailureReason.TLS_ALERT, FailureReason.TLS_PROTOCOL, FailureReason.RESET])
def test_a_refusal_of_what_was_never_seen_says_nothing(memory: KeyTypes, ecdsa: Issued, reason: FailureReason) -> None:
    """It is how a server says that it has one type; asked again tomorrow."""
    assert ask(memory, saw(ecdsa), {RSA: failed(Failure(reason, "no"))}, 0) == {RSA: False}
    assert memory.to_ask_for(WHERE, saw(ecdsa), HOUR) == ()


def test_silence_about_what_was_never_seen_is_asked_after_in_an_hour(memory: KeyTypes, ecdsa: Issued) -> None:
    """It was no answer, but to wait for it every round would be too much."""
    assert ask(memory, saw(ecdsa), {RSA: failed(SILENT)}, 0) == {RSA: False}
    assert memory.to_ask_for(WHERE, saw(ecdsa), HOUR - 1) == ()
    assert memory.to_ask_for(WHERE, saw(ecdsa), HOUR) == (RSA,)


@pytest.mark.parametrize("failure", [REFUSED, SILENT])
def test_a_type_that_was_seen_beside_another_once_may_go(
    memory: KeyTypes, ecdsa: Issued, rsa: Issued, failure: Failure
) -> None:
    """One round may have met two servers in the middle of a change; further attempts of it confirm nothing."""
    for second in (0, 1, MINUTE - 1):
        assert ask(memory, saw(ecdsa), {RSA: saw(rsa)}, second) == {RSA: True}
    later = [ask(memory, saw(ecdsa), {RSA: failed(failure)}, turn * 900) for turn in range(1, 20)]
    assert not any(counts for looks in later for counts in looks.values())
    assert later[-1] == {}


@pytest.mark.parametrize("failure", [REFUSED, SILENT])
def test_a_type_that_goes_missing_is_a_failure_for_an_hour(
    dual: KeyTypes, ecdsa: Issued, failure: Failure, caplog: pytest.LogCaptureFixture
) -> None:
    """Then it counts as given up, which is logged, and is tried like any that was never seen."""
    caplog.set_level("INFO")
    looks = {turn * 900: ask(dual, saw(ecdsa), {RSA: failed(failure)}, turn * 900) for turn in range(1, 90)}
    assert [second for second, counts in looks.items() if counts == {RSA: True}] == [900, 1800, 2700]
    silent = failure is SILENT
    tried = [second for second, counts in looks.items() if counts == {RSA: False}]
    assert tried == (list(range(3600, 90 * 900, 3600)) if silent else [3600, 7200])
    assert caplog.messages == ["192.0.2.1:443 has lacked its rsa key for long: taken for given up"]


def test_a_type_that_goes_missing_is_a_failure_for_three_rounds(dual: KeyTypes, ecdsa: Issued) -> None:
    """Where rounds are rare; further attempts of a round are no rounds."""
    seconds = [turn * 6 * HOUR + attempt for turn in range(1, 6) for attempt in (0, 1, 2)]
    counted = [second for second in seconds if ask(dual, saw(ecdsa), {RSA: failed(REFUSED)}, second).get(RSA)]
    assert counted == seconds[:9]


def test_a_type_that_is_replaced_is_forgotten_at_once(dual: KeyTypes) -> None:
    """A new leaf of the other type, and a refusal: the operator has changed what is there."""
    renewed = saw(leaf("ecdsa"))
    assert ask(dual, renewed, {RSA: failed(REFUSED)}, 900) == {RSA: False}
    assert ask(dual, renewed, {RSA: failed(REFUSED)}, 1800) == {}


def test_a_type_that_goes_missing_before_the_new_leaf_is_seen_was_replaced(dual: KeyTypes, ecdsa: Issued) -> None:
    """A failure while only the old leaf is there; then the new one explains it."""
    assert ask(dual, saw(ecdsa), {RSA: failed(REFUSED)}, 900) == {RSA: True}
    renewed = saw(leaf("ecdsa"))
    assert ask(dual, renewed, {RSA: failed(SILENT)}, 1800) == {RSA: True}, "silence does not say that it is gone"
    assert ask(dual, renewed, {RSA: failed(REFUSED)}, 2700) == {RSA: False}


def test_an_endpoint_that_goes_back_and_forth_after_it_had_both(dual: KeyTypes, ecdsa: Issued) -> None:
    """Once one type is replaced, the other need not stay either."""
    renewed = saw(leaf("rsa"))
    assert ask(dual, renewed, {ECDSA: failed(REFUSED)}, 900) == {ECDSA: False}
    assert ask(dual, saw(ecdsa), {RSA: failed(REFUSED)}, 1800) == {RSA: False}
    assert ask(dual, renewed, {ECDSA: failed(REFUSED)}, 2700) == {ECDSA: False}


def test_a_key_with_a_chain_that_nobody_can_use_is_not_given_up(dual: KeyTypes, ecdsa: Issued) -> None:
    """It is there, so the apps that get it fail for as long as it is."""
    broken = failed(Failure(FailureReason.CERTIFICATE_UNREADABLE, "no certificate"))
    for second in (900.0, HOUR, DAY, 3 * DAY):
        assert ask(dual, saw(ecdsa), {RSA: broken}, second) == {RSA: True}


def test_a_type_comes_back(dual: KeyTypes, ecdsa: Issued, rsa: Issued) -> None:
    """Seen again, it is had for another hour at least."""
    for turn in (1, 2, 3):
        assert ask(dual, saw(ecdsa), {RSA: failed(REFUSED)}, turn * 900) == {RSA: True}
    assert ask(dual, saw(ecdsa), {RSA: saw(rsa)}, HOUR) == {RSA: True}
    for turn in (5, 6, 7):
        assert ask(dual, saw(ecdsa), {RSA: failed(REFUSED)}, turn * 900) == {RSA: True}


def test_a_chain_beside_a_failure_counts_as_seen(memory: KeyTypes, ecdsa: Issued, rsa: Issued) -> None:
    """A server that demands a client certificate has shown its own before."""
    for second in (0, 900):
        assert ask(memory, saw(ecdsa, REFUSED), {RSA: saw(rsa, REFUSED)}, second) == {RSA: True}
    assert ask(memory, saw(ecdsa), {RSA: failed(REFUSED)}, 1800) == {RSA: True}


@pytest.mark.parametrize(
    ("failure", "asked"), [(REFUSED, {RSA, ECDSA}), (SILENT, set()), (Failure(FailureReason.REFUSED, "no"), set())]
)
def test_a_fault_of_the_preferred_key_does_not_hide_the_other(
    dual: KeyTypes, failure: Failure, asked: set[KeyType]
) -> None:
    """Where any key is refused, the known ones are asked for; an address that does not answer is left alone."""
    assert set(dual.to_ask_for(WHERE, failed(failure), 900)) == asked


def test_a_fault_for_who_would_take_any_key_lasts(dual: KeyTypes, rsa: Issued) -> None:
    """No operator wants that, so the key that fails is not taken for given up."""
    for turn in range(1, 20):
        answers = {ECDSA: failed(REFUSED), RSA: saw(rsa)}
        assert ask(dual, failed(REFUSED), answers, turn * 900) == {RSA: True, ECDSA: True}


def test_a_failure_of_the_only_key_is_said_once(single: KeyTypes) -> None:
    """There is nothing else to ask for."""
    assert single.to_ask_for(WHERE, failed(REFUSED), 900) == ()


def test_endpoints_are_told_apart(dual: KeyTypes, ecdsa: Issued) -> None:
    """What one has says nothing of another."""
    assert dual.to_ask_for("elsewhere", saw(ecdsa), 900) == (RSA,)
    assert dual.take_in("elsewhere", saw(ecdsa), {RSA: failed(REFUSED)}, 900) == []
    assert dual.to_ask_for("elsewhere", saw(ecdsa), 900) == ()


def test_the_memory_is_bounded(ecdsa: Issued) -> None:
    """The endpoints that were looked at least lately are forgotten."""
    memory = KeyTypes([RSA, ECDSA], max_endpoints=2)
    for where in ("a", "b", "a", "c"):
        memory.to_ask_for(where, saw(ecdsa), 0)
        memory.take_in(where, saw(ecdsa), {}, 0)
    assert [memory.to_ask_for(where, saw(ecdsa), 1) for where in ("a", "c", "b")] == [(), (), (RSA,)]
