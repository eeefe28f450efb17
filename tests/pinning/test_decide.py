"""Incidents: the numbered rules of ``decide`` and what a round says about each condition."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord import pki
from monitord.pinning.conditions import Known, Policy, conditions, wants_another_attempt
from monitord.pinning.decide import decide, withdraw
from monitord.pinning.incident import IncidentKey, IncidentState, Severity, TransitionReason
from monitord.pinning.judge import judge
from monitord.pinning.outcome import Streaks
from monitord.pinning.pins import Client, PinSet, parse_pin
from monitord.pinning.report import event_body
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.pinning.verdict import Verdict
from tests.pinning.conftest import HOST, NOW, leaf_of, pin_of, unknown_pin
from tests.pinning.story import EXPIRING, MISMATCH, POLICY, UNREACHABLE, UNTRUSTED, Story

if TYPE_CHECKING:
    from monitord.pinning.observation import Observation
    from tests.pinning.conftest import World

    Seen = tuple[Observation, ...]


@pytest.fixture
def story(world: World) -> Story:
    """A fresh story."""
    return Story(world)


@pytest.fixture(scope="module")
def good(world: World) -> Seen:
    """What the endpoint presents while all is well."""
    return (world.observe(world.leaf, world.intermediate),)


@pytest.fixture(scope="module")
def renewed(world: World) -> Seen:
    """A trusted chain whose leaf has a key that is not pinned."""
    return (world.observe(leaf_of(world.intermediate), world.intermediate),)


@pytest.fixture(scope="module")
def expired(world: World) -> Seen:
    """A chain whose leaf is out of date."""
    return (world.observe(leaf_of(world.intermediate, not_after=NOW - timedelta(days=1)), world.intermediate),)


@pytest.fixture(scope="module")
def silent(world: World) -> Seen:
    """No answer from the only address."""
    return (world.silence(),)


def test_nothing_wrong_nothing_said(story: Story, good: Seen) -> None:
    """Rounds that are ok make no transition."""
    assert story.round(good) == []


def test_rule_1_and_2_a_confirmed_mismatch_opens_one_incident(story: Story, renewed: Seen) -> None:
    """The incident opens once; the same again is silent."""
    assert story.round(renewed, renewed) == [(MISMATCH, TransitionReason.OPENED)]
    assert story.round(renewed, now=NOW + timedelta(minutes=15)) == []
    assert story.open[MISMATCH].severity is Severity.CRITICAL


def test_rule_2_the_id_is_the_same_when_decided_again(world: World, renewed: Seen) -> None:
    """A decision repeated after a crash gives the same incident; another time gives another."""
    ids = [Story(world).steps(renewed, renewed, now=at)[0].incident.id for at in (NOW, NOW, NOW + timedelta(hours=1))]
    assert ids[0] == ids[1] != ids[2]


def test_a_single_mismatch_is_not_believed(story: Story, good: Seen, renewed: Seen) -> None:
    """An attempt that is contradicted at once opens nothing."""
    assert story.round(renewed, good) == []


@pytest.mark.parametrize(
    ("attempts", "wanted"),
    [
        ("g", False),
        ("r", True),
        ("rr", False),
        ("rg", False),
        ("rs", True),
        ("rsr", False),
        ("rss", True),
        ("rsss", False),
        ("s", False),
        ("e", True),
        ("er", False),
    ],
)
def test_a_failure_is_probed_again_until_it_is_confirmed_or_contradicted(
    story: Story,
    attempts: str,
    wanted: bool,
    request: pytest.FixtureRequest,
) -> None:
    """g: good, r: renewed (mismatch), e: expired (untrusted), s: silent, which neither confirms nor contradicts."""
    names = {"g": "good", "r": "renewed", "e": "expired", "s": "silent"}
    judged = [story.judge(*request.getfixturevalue(names[letter])) for letter in attempts]
    assert wants_another_attempt(judged, Known(), POLICY) is wanted


def test_a_known_failure_is_not_probed_again(story: Story, renewed: Seen) -> None:
    """An open incident needs no confirmation each round."""
    story.steps(renewed, renewed)
    assert not wants_another_attempt([story.judge(*renewed)], Known(story.open), POLICY)


def test_rule_3_a_higher_severity_escalates_and_a_lower_one_is_silent(world: World) -> None:
    """Some addresses silent is a warning, all of them critical; one of them back changes nothing."""
    story = Story(world)
    some = (world.observe(world.leaf, world.intermediate), world.silence())
    every = (world.silence("192.0.2.1"), world.silence())
    assert [story.round(some) for _ in range(3)] == [[], [], [(UNREACHABLE, TransitionReason.OPENED)]]
    assert story.open[UNREACHABLE].severity is Severity.WARNING
    assert [story.round(every) for _ in range(3)] == [[], [], [(UNREACHABLE, TransitionReason.ESCALATED)]]
    assert story.round(some) == []
    assert story.open[UNREACHABLE].severity is Severity.CRITICAL


def test_rule_4_a_critical_incident_is_repeated_with_the_same_body(story: Story, renewed: Seen) -> None:
    """The reminder comes after ``repeat``, not before, and says what was said at first."""
    (opened,) = story.steps(renewed, renewed)
    assert story.round(renewed, now=NOW + timedelta(hours=4, seconds=-1)) == []
    (repeated,) = story.steps(renewed, now=NOW + timedelta(hours=4))
    assert repeated.reason is TransitionReason.REPEATED
    assert repeated.number == opened.number + 1
    assert event_body(repeated) == event_body(opened)
    assert story.round(renewed, now=NOW + timedelta(hours=8, seconds=-1)) == []


def test_rule_4_what_is_only_foreseen_is_repeated_once_a_week(world: World, good: Seen) -> None:
    """What is weeks away is not repeated every few hours, nor every day."""
    story = Story(world, expires=NOW + timedelta(days=25))
    assert story.round(good) == [(EXPIRING, TransitionReason.OPENED)]
    assert story.round(good, now=NOW + timedelta(days=6, hours=23)) == []
    assert story.round(good, now=NOW + timedelta(days=7)) == [(EXPIRING, TransitionReason.REPEATED)]


def test_rule_5_an_incident_ends_once(story: Story, good: Seen, renewed: Seen) -> None:
    """The end is told with its time and state, and no more after it."""
    story.steps(renewed, renewed)
    (ended,) = story.steps(good, now=NOW + timedelta(hours=1))
    assert (ended.reason, ended.incident.state) == (TransitionReason.CLEARED, IncidentState.RESOLVED)
    assert ended.incident.resolved_at == NOW + timedelta(hours=1)
    assert story.round(good, now=NOW + timedelta(hours=2)) == []


def test_rule_6_silence_neither_opens_nor_ends_a_mismatch(story: Story, renewed: Seen, silent: Seen) -> None:
    """An endpoint that does not answer leaves its mismatch as it was."""
    story.steps(renewed, renewed)
    assert story.round(silent, now=NOW + timedelta(hours=5)) == []
    assert MISMATCH in story.open


def test_an_untrusted_chain_does_not_end_a_mismatch(story: Story, renewed: Seen, expired: Seen, good: Seen) -> None:
    """Pins are not judged on a chain that is not trusted, so nobody is told that the mismatch is over."""
    story.steps(renewed, renewed)
    assert story.round(expired, expired) == [(UNTRUSTED, TransitionReason.OPENED)]
    assert set(story.open) == {MISMATCH, UNTRUSTED}
    assert sorted(story.round(good)) == [(MISMATCH, TransitionReason.CLEARED), (UNTRUSTED, TransitionReason.CLEARED)]


def test_a_mismatch_ends_an_untrusted_chain(story: Story, renewed: Seen, expired: Seen) -> None:
    """A mismatch is judged on a trusted path."""
    story.steps(expired, expired)
    assert story.round(renewed, renewed) == [
        (MISMATCH, TransitionReason.OPENED),
        (UNTRUSTED, TransitionReason.CLEARED),
    ]


def test_unreachable_counts_rounds_in_a_row(story: Story, good: Seen, silent: Seen) -> None:
    """Silent, silent, an answer: the count starts anew; the third silent one in a row is told; an answer ends it."""
    sequence = [silent, silent, good, silent, silent, silent, good]
    reasons = [story.round(observations) for observations in sequence]
    assert reasons == [[]] * 5 + [[(UNREACHABLE, TransitionReason.OPENED)], [(UNREACHABLE, TransitionReason.CLEARED)]]


def test_rule_7_a_pin_set_that_is_gone_ends_as_unregistered(story: Story, good: Seen, renewed: Seen) -> None:
    """Its incident has no condition any more."""
    story.steps(renewed, renewed)
    story.open = {IncidentKey(HOST, 443, "old-app", key.kind): incident for key, incident in story.open.items()}
    assert [reason for _, reason in story.round(good)] == [TransitionReason.UNREGISTERED]


def test_rule_7_an_endpoint_that_is_gone_ends_as_unregistered(story: Story, renewed: Seen) -> None:
    """All its incidents are withdrawn, and the message says why."""
    story.steps(renewed, renewed)
    (step,) = withdraw(story.open.values(), NOW, POLICY)
    assert step.reason is TransitionReason.UNREGISTERED
    assert "taken out of the configuration" in event_body(step)["data"]["summary"]


def test_the_end_can_be_kept_from_people(world: World, good: Seen, renewed: Seen) -> None:
    """With ``resolved: false`` the incident ends and nobody is told."""
    quiet = Policy(2, 3, POLICY.release_time, POLICY.horizon, POLICY.repeat, resolved=False)
    story = Story(world, policy=quiet)
    story.steps(renewed, renewed)
    (ended,) = story.steps(good)
    assert not ended.notify


@pytest.mark.parametrize(
    ("days", "severity"), [(31, None), (30, Severity.WARNING), (14, Severity.CRITICAL), (-1, Severity.CRITICAL)]
)
def test_pins_that_expire_are_told_by_how_near_it_is(
    world: World, good: Seen, days: int, severity: Severity | None
) -> None:
    """Warning inside the horizon, critical inside the time that a release takes and after."""
    story = Story(world, expires=NOW + timedelta(days=days))
    assert [step.incident.severity for step in story.steps(good)] == ([severity] if severity else [])


def test_the_alert_says_who_is_hit_what_was_seen_and_what_to_pin(story: Story, renewed: Seen, world: World) -> None:
    """The body carries pins, chain, path, the new pins and the sentences for people."""
    (step,) = story.steps(renewed, renewed)
    body = event_body(step)
    data = body["data"]
    assert (body["type"], body["timestamp"]) == ("pin_mismatch.firing", "2026-03-01T12:00:00Z")
    assert (data["host"], data["port"], data["pinset"], data["client"]) == (HOST, 443, "app", "generic")
    assert data["pins"] == [str(pin_of(world.leaf)), str(unknown_pin())]
    assert [entry["role"] for entry in data["chain"]] == ["leaf", "intermediate"]
    assert [entry["role"] for entry in data["path"]] == ["leaf", "intermediate", "root"]
    assert data["new_pins"][0]["pin"] == str(renewed[0].chain[0].pin)
    assert data["summary"].startswith("The apps with pin set app (generic) refuse to connect to api.example.com:443: ")
    assert "ship an app release" in data["advice"]


@settings(max_examples=80, deadline=None)
@given(letters=st.text(alphabet="gres", min_size=1, max_size=25))
def test_every_story_opens_and_ends_each_incident_in_turn(
    world: World, renewed: Seen, expired: Seen, letters: str
) -> None:
    """For any sequence of rounds firing comes before resolved, numbers rise by one, and ends are not repeated."""
    story = Story(world)
    material = {
        "g": (world.observe(world.leaf, world.intermediate),),
        "r": renewed,
        "e": expired,
        "s": (world.silence(),),
    }
    numbers: dict[str, int] = {}
    for count, letter in enumerate(letters):
        observations = material[letter]
        for step in story.steps(observations, observations, now=NOW + timedelta(minutes=15 * count)):
            assert step.number == numbers.get(step.incident.id, 0) + 1
            numbers[step.incident.id] = step.number
            assert (step.incident.key in story.open) == (step.incident.state is IncidentState.FIRING)
    assert {incident.key for incident in story.open.values()} == set(story.open)


def test_verdicts_are_ordered_worst_first() -> None:
    """The order that the worst over several observations is taken by."""
    assert [verdict.value for verdict in sorted(Verdict, key=lambda one: -one.badness)] == [
        "pin_mismatch",
        "untrusted",
        "pins_expired",
        "undetermined",
        "not_pinned",
        "ok",
    ]


def test_an_unknown_pin_is_a_mismatch_and_not_an_error(world: World, good: Seen) -> None:
    """A pin of a key that was never seen simply does not match."""
    assert world.judge(*good, pins=(unknown_pin(),)).verdict is Verdict.PIN_MISMATCH
    assert pki.issue("x", names=["a.example"]).certificate.pin != unknown_pin()


def test_a_chain_that_stays_incomplete_is_told_after_some_rounds(story: Story, world: World) -> None:
    """Nobody can say whether apps connect, some cannot: that is not to be kept quiet for ever."""
    incomplete = (world.observe(world.leaf),)
    assert [story.round(incomplete) for _ in range(3)] == [[], [], [(UNREACHABLE, TransitionReason.OPENED)]]
    facts = story.open[UNREACHABLE].facts
    assert facts["summary"] == (
        "api.example.com:443 has presented no complete chain for 3 rounds: the chain could not be completed: "
        "CN=Intermediate is neither presented nor in the trust store test."
    )
    assert facts["advice"].startswith("Serve the missing intermediate")


def test_a_silent_address_does_not_keep_a_mismatch_open_that_was_never_seen_there(world: World) -> None:
    """It was seen at .1, which is well again; .9 has fallen silent since."""
    story = Story(world)
    renewed_leaf = leaf_of(world.intermediate)
    failing = (world.observe(renewed_leaf, world.intermediate, address="192.0.2.1"),)
    story.steps(failing, failing)
    mended = world.observe(world.leaf, world.intermediate, address="192.0.2.1")
    assert story.round((mended, world.silence("192.0.2.9"))) == [(MISMATCH, TransitionReason.CLEARED)]


def test_a_mismatch_stays_open_while_the_address_that_had_it_is_silent(world: World) -> None:
    """Another address that is well says nothing about the one that failed."""
    story = Story(world)
    good = world.observe(world.leaf, world.intermediate, address="192.0.2.1")
    failing = (good, world.observe(leaf_of(world.intermediate), world.intermediate, address="192.0.2.9"))
    story.steps(failing, failing)
    assert story.round((good, world.silence("192.0.2.9"))) == []
    assert story.round((good,)) == [(MISMATCH, TransitionReason.CLEARED)]


@pytest.mark.parametrize(
    ("pinset", "wanted"),
    [
        (PinSet("a", Client.OKHTTP, pins=(unknown_pin(),)), ["leaf", "intermediate", "root"]),
        (PinSet("a", Client.CURL, pins=(unknown_pin(),)), ["leaf"]),
        (PinSet("a", Client.CERTIFICATE, pins=(unknown_pin(),)), ["leaf"]),
        (PinSet("a", Client.APPLE, leaf_pins=(unknown_pin(),)), ["leaf"]),
        (PinSet("a", Client.APPLE, ca_pins=(unknown_pin(),)), ["intermediate", "root"]),
    ],
)
def test_the_new_pins_are_those_that_the_client_would_match(world: World, pinset: PinSet, wanted: list[str]) -> None:
    """What is ready to paste must work where it is pasted."""
    store = TrustStore("mozilla", [world.root.certificate])
    observation = world.observe(world.leaf, world.intermediate)
    attempt = judge(Target(HOST, pinsets=(pinset,)), [observation], {"mozilla": store}, NOW)
    held = conditions([attempt, attempt], Streaks(), Known(), NOW, POLICY)
    (step,) = decide({}, held, NOW, POLICY)
    offered = event_body(step)["data"]["new_pins"]
    assert [entry["role"] for entry in offered] == wanted
    pins = tuple(parse_pin(entry["pin"]) for entry in offered)
    lists = {"pins": pinset.pins or None, "leaf_pins": pinset.leaf_pins, "ca_pins": pinset.ca_pins}
    changed: dict[str, Any] = {name: pins for name, given in lists.items() if given}
    chosen = replace(pinset, **changed)
    (mended,) = judge(Target(HOST, pinsets=(chosen,)), [observation], {"mozilla": store}, NOW)
    assert mended.verdict is Verdict.OK


def test_one_of_two_key_types_missing_is_a_warning(world: World) -> None:
    """The address still shows a good chain of the other type: not to wake anybody for, and not to keep quiet."""
    story = Story(world)
    seen = (world.observe(world.leaf, world.intermediate, address="192.0.2.1"), world.silence("192.0.2.1"))
    assert [story.round(seen) for _ in range(3)] == [[], [], [(UNREACHABLE, TransitionReason.OPENED)]]
    assert story.open[UNREACHABLE].severity is Severity.WARNING


def test_an_untrusted_address_is_not_resolved_by_a_mismatch_at_another(world: World, expired: Seen) -> None:
    """Each kind is decided at its addresses; the worst verdict of the whole hides none of them."""
    story = Story(world)
    bad = replace(expired[0], address="192.0.2.1")
    good = world.observe(world.leaf, world.intermediate, address="192.0.2.2")
    story.steps((bad, good), (bad, good))
    assert set(story.open) == {UNTRUSTED}
    renewed_there = world.observe(leaf_of(world.intermediate), world.intermediate, address="192.0.2.2")
    assert story.round((bad, renewed_there), (bad, renewed_there)) == [(MISMATCH, TransitionReason.OPENED)]
    assert set(story.open) == {MISMATCH, UNTRUSTED}


def test_both_kinds_at_once_are_both_told(world: World, expired: Seen) -> None:
    """One address is out of date, the other has an unknown key."""
    story = Story(world)
    seen = (
        replace(expired[0], address="192.0.2.1"),
        world.observe(leaf_of(world.intermediate), world.intermediate, address="192.0.2.2"),
    )
    assert {key for key, _ in story.round(seen, seen)} == {MISMATCH, UNTRUSTED}


def test_a_failure_that_moved_to_another_address_is_not_over_while_that_one_is_silent(world: World) -> None:
    """It began at .1, went on at .2 alone, and .2 fell silent: nobody saw it end."""
    story = Story(world)
    leaf = leaf_of(world.intermediate)
    one, two = "192.0.2.1", "192.0.2.2"
    good_at = {place: world.observe(world.leaf, world.intermediate, address=place) for place in (one, two)}
    bad_at = {place: world.observe(leaf, world.intermediate, address=place) for place in (one, two)}
    story.steps((bad_at[one], good_at[two]), (bad_at[one], good_at[two]))
    assert story.round((good_at[one], bad_at[two])) == []
    assert story.round((good_at[one], world.silence(two))) == []
    assert story.round((good_at[one], good_at[two])) == [(MISMATCH, TransitionReason.CLEARED)]


@pytest.mark.parametrize("client", [Client.OKHTTP, Client.APPLE, Client.CURL])
def test_clients_without_expiry_have_no_pins_that_expire(world: World, good: Seen, client: Client) -> None:
    """What the client ignores is no reason to wake anybody."""
    pinset = PinSet("app", client, pins=(pin_of(world.leaf), unknown_pin()), expires=NOW - timedelta(days=3))
    store = TrustStore("mozilla", [world.root.certificate])
    attempt = judge(Target(HOST, pinsets=(pinset,)), good, {"mozilla": store}, NOW)
    assert decide({}, conditions([attempt], Streaks(), Known(), NOW, POLICY), NOW, POLICY) == ()


def test_one_of_two_ports_of_an_address_down_is_a_warning(world: World) -> None:
    """Two ports of one address are two places."""
    story = Story(world)
    up = world.observe(world.leaf, world.intermediate, address="192.0.2.1")
    down = replace(world.silence("192.0.2.1"), port=8443)
    assert [story.round((up, down)) for _ in range(3)] == [[], [], [(UNREACHABLE, TransitionReason.OPENED)]]
    assert story.open[UNREACHABLE].severity is Severity.WARNING


def test_what_cannot_be_judged_is_told_by_the_pin_set_that_cannot(world: World) -> None:
    """The first pin set is well; the second has a store that lacks the way to the root."""
    stores = {"a": TrustStore("a", [world.root.certificate]), "b": TrustStore("b", [world.other_root.certificate])}
    pinsets = tuple(PinSet(name, pins=(pin_of(world.leaf), unknown_pin()), trust=(name,)) for name in stores)
    attempt = judge(Target(HOST, pinsets=pinsets), [world.observe(world.leaf, world.intermediate)], stores, NOW)
    streaks = Streaks()
    for _ in range(3):
        streaks = streaks.after(attempt, 3)
    (step,) = decide({}, conditions([attempt], streaks, Known(), NOW, POLICY), NOW, POLICY)
    assert step.incident.severity is Severity.WARNING
    assert "is neither presented nor in the trust store b" in step.incident.facts["summary"]


def test_a_mismatch_whose_second_look_is_always_refused_is_confirmed_by_the_next_round(
    story: Story, renewed: Seen, silent: Seen
) -> None:
    """A server that limits connections must not hide a failure for ever."""
    attempts = (renewed, silent, silent, silent)
    assert story.round(*attempts) == []
    assert story.round(*attempts, now=NOW + timedelta(minutes=15)) == [(MISMATCH, TransitionReason.OPENED)]


def test_a_suspicion_that_is_contradicted_is_forgotten(story: Story, renewed: Seen, silent: Seen, good: Seen) -> None:
    """An unconfirmed mismatch, a good round, another unconfirmed mismatch: two strangers, not one failure."""
    attempts = (renewed, silent, silent, silent)
    assert [story.round(*attempts), story.round(good), story.round(*attempts)] == [[], [], []]


def test_a_clock_that_was_set_back_does_not_silence_reminders(story: Story, renewed: Seen) -> None:
    """People were last told a year from now."""
    story.steps(renewed, renewed, now=NOW)
    story.open = {
        key: replace(incident, last_notified_at=NOW + timedelta(days=365)) for key, incident in story.open.items()
    }
    assert story.round(renewed) == [(MISMATCH, TransitionReason.REPEATED)]
    assert story.round(renewed) == []


@pytest.mark.parametrize("restarted", [False, True])
def test_a_round_that_says_nothing_forgets_no_place(world: World, restarted: bool) -> None:
    """DNS fails for a round; then .1, which failed, is silent and .2 is well: the mismatch was not seen to end."""
    story = Story(world)
    one, two = "192.0.2.1", "192.0.2.2"
    bad = world.observe(leaf_of(world.intermediate), world.intermediate, address=one)
    good = world.observe(world.leaf, world.intermediate, address=two)
    story.steps((bad, good), (bad, good))
    if restarted:
        story.lore = Known()
    assert story.round((world.silence(""),)) == []
    assert story.round((world.silence(one), good)) == []
    assert story.round((good,)) == [(MISMATCH, TransitionReason.CLEARED)]


def test_a_place_seen_in_the_first_look_only_is_remembered(world: World, silent: Seen) -> None:
    """The looks that should confirm were refused; the next round confirmed, and then the place fell silent."""
    story = Story(world)
    one, two = "192.0.2.1", "192.0.2.2"
    bad = world.observe(leaf_of(world.intermediate), world.intermediate, address=one)
    good = world.observe(world.leaf, world.intermediate, address=two)
    attempts = ((bad, good), silent, silent, silent)
    story.steps(*attempts)
    assert story.round(*attempts) == [(MISMATCH, TransitionReason.OPENED)]
    assert story.round((world.silence(one), good)) == []
