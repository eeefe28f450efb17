"""What the rules of a story mean: times, places, names, trust stores, pins and signals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.certificate import KeyType
from monitord.pinning.incident import IncidentKind
from monitord.pinning.pins import Client
from monitord.pinning.prediction import Cause
from monitord.pinning.verdict import Verdict
from tests.replay.stories import GOOD, read, story

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.replay.stories import Told

    Tell = Callable[[str], Told]

OK, MISMATCH, UNTRUSTED = Verdict.OK, Verdict.PIN_MISMATCH, Verdict.UNTRUSTED
UNKNOWN = Verdict.UNDETERMINED
DAY = timedelta(days=1)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def test_probes_are_at_start_and_each_step_up_to_and_including_the_end(tell: Tell) -> None:
    """Start + n · step."""
    told = tell(story(start="2026-01-01T03:00:00Z", end="2026-01-02T03:00:00Z", step="8h"))
    assert told.times == [datetime(2026, 1, 1, 3, tzinfo=UTC) + number * timedelta(hours=8) for number in range(4)]


def test_an_end_between_two_probes_has_no_probe(tell: Tell) -> None:
    """There is none at the end itself, and none after it."""
    assert tell(story(end="2026-01-02T23:00:00Z")).times == [BEGAN, BEGAN + DAY]


def test_an_event_counts_from_the_first_probe_at_or_after_it(tell: Tell) -> None:
    """At the very time of a probe it applies to that one, a second later to the next."""
    told = tell(story("  - {at: 2026-01-04, serve: [new, inter]}\n"))
    assert told.verdicts()[:5] == [OK, OK, OK, MISMATCH, MISMATCH]
    told = tell(story("  - {at: 2026-01-04T00:00:01Z, serve: [new, inter]}\n"))
    assert told.verdicts()[:5] == [OK, OK, OK, OK, MISMATCH]


def test_events_before_one_probe_apply_in_the_order_of_the_file(tell: Tell) -> None:
    """Not in that of their times."""
    told = tell(
        story("  - {at: 2026-01-03T20:00:00Z, serve: [new, inter]}\n  - {at: 2026-01-03T10:00:00Z, serve: leaf}")
    )
    assert (
        told.verdict(3).judgements[0].observation.chain[0].pin == told.verdict(0).judgements[0].observation.chain[0].pin
    )
    assert told.verdict(3).verdict is UNKNOWN  # the leaf alone


def test_an_event_before_the_start_applies_to_the_first_probe(tell: Tell) -> None:
    """The world is as it has become."""
    before = "  - {at: 2019-01-01, trust: [root]}\n  - {at: 2019-01-01, serve: [leaf, inter]}\n"
    assert tell(story(before=before)).verdicts()[0] is OK


def test_validity_is_inclusive_at_both_ends(tell: Tell) -> None:
    """Valid from the first instant to the last one, to the second."""
    certificates = (
        "  short: {issuer: inter, key: a, not_before: 2026-01-02T06:00:00Z, not_after: 2026-01-02T18:00:00Z}\n"
    )
    events = "  - {at: 2026-01-01, trust: [root]}\n  - {at: 2026-01-01, serve: [short, inter]}\n"
    told = tell(story(before=events, certificates=certificates, step="6h", end="2026-01-03"))
    assert told.verdicts() == [UNTRUSTED] * 5 + [OK] * 3 + [UNTRUSTED]


def test_a_bare_date_is_midnight_utc(tmp_path: Path) -> None:
    """In every place where there may be one."""
    told = read(story(), tmp_path)
    assert told.start == BEGAN
    assert told.certificates["leaf"].not_after == datetime(2026, 4, 1, tzinfo=UTC)
    assert told.events[0].at == BEGAN


def test_a_failure_is_confirmed_at_the_same_instant(tell: Tell) -> None:
    """However many confirmations are asked for: the alarm is from the probe that sees it first."""
    told = tell(story("  - {at: 2026-01-04, serve: [new, inter]}\n", more="confirm: 4\n"))
    (opened,) = told.opened(IncidentKind.PIN_MISMATCH)
    assert opened.at == told.reckoned().fails_at == BEGAN + 3 * DAY


def test_unreachable_counts_probes_of_the_story(tell: Tell) -> None:
    """The third silent one in a row, or as many as are asked for."""
    for failures, expected in ((3, 5), (5, 7)):
        told = tell(story("  - {at: 2026-01-04, unreachable: true}\n", more=f"failures: {failures}\n"))
        (opened,) = told.opened(IncidentKind.UNREACHABLE)
        assert opened.at == BEGAN + expected * DAY


def test_unreachable_lasts_until_something_is_served(tell: Tell) -> None:
    """And is no failure of the apps."""
    told = tell(story("  - {at: 2026-01-04, unreachable: true}\n  - {at: 2026-01-06, serve: [same, inter]}\n"))
    assert told.verdicts()[:6] == [OK, OK, OK, UNKNOWN, UNKNOWN, OK]
    assert told.reckoned().fails_at is None


TWO_ADDRESSES = """\
  - {at: 2026-01-01, trust: [root]}
  - {at: 2026-01-01, address: 192.0.2.1, serve: [leaf, inter]}
  - {at: 2026-01-01, address: "2001:db8::2", serve: [leaf, inter]}
"""


def test_a_chain_may_be_served_at_one_address_alone(tell: Tell) -> None:
    """One of two is enough for a failure; an event without an address is about both."""
    events = """\
  - {at: 2026-01-04, address: 192.0.2.1, serve: [new, inter]}
  - {at: 2026-01-06, serve: [same, inter]}
"""
    told = tell(story(events, before=TWO_ADDRESSES))
    assert told.verdicts()[:6] == [OK, OK, OK, MISMATCH, MISMATCH, OK]
    assert len(set(told.shown(3).values())) == 2
    assert len(set(told.shown(5).values())) == 1


def test_one_address_may_be_unreachable(tell: Tell) -> None:
    """Then the pin set cannot be judged as a whole, until something is served there."""
    events = (
        "  - {at: 2026-01-03, address: 192.0.2.1, unreachable: true}\n"
        '  - {at: 2026-01-04, address: "2001:db8::2", serve: [same, inter]}\n'
        "  - {at: 2026-01-05, address: 192.0.2.1, serve: [leaf, inter]}\n"
    )
    assert tell(story(events, before=TWO_ADDRESSES)).verdicts()[:5] == [OK, OK, UNKNOWN, UNKNOWN, OK]


def test_an_address_comes_into_being_when_it_is_served_first(tell: Tell) -> None:
    """Before that there is none; one named beside chains that are served everywhere has a companion."""
    told = tell(story("  - {at: 2026-01-03, address: 192.0.2.7, serve: [new, inter]}\n"))
    assert {place for place, _ in told.shown(0)} == {"192.0.2.1", "192.0.2.7"}
    before = GOOD.replace("serve", "address: 192.0.2.1, serve")
    told = tell(story("  - {at: 2026-01-03, address: 192.0.2.7, serve: [new, inter]}\n", before=before))
    assert {place for place, _ in told.shown(1)} == {"192.0.2.1"}
    assert {place for place, _ in told.shown(2)} == {"192.0.2.1", "192.0.2.7"}


def test_a_chain_may_be_served_for_one_type_of_key_alone(tell: Tell) -> None:
    """The other type stays; a chain without a type is all that is served."""
    events = "  - {at: 2026-01-03, key_type: rsa, serve: [rsa, inter]}\n  - {at: 2026-01-05, serve: [same, inter]}\n"
    told = tell(story(events, pinsets="  - {name: app, client: okhttp, pins: [a, rsa2048]}"))
    assert [sorted(str(kind) for _, kind in told.shown(number)) for number in (1, 2, 4)] == [
        ["ecdsa"],
        ["ecdsa", "rsa"],
        ["ecdsa"],
    ]


def test_address_and_key_type_may_be_combined(tell: Tell) -> None:
    """One type of key at one address."""
    events = (
        "  - {at: 2026-01-03, address: 192.0.2.1, key_type: rsa, serve: [rsa, inter]}\n"
        "  - {at: 2026-01-05, address: 192.0.2.1, key_type: rsa, unreachable: true}\n"
    )
    pinset = "  - {name: app, client: okhttp, pins: [a, rsa2048]}"
    told = tell(story(events, before=TWO_ADDRESSES, pinsets=pinset))
    assert sorted(told.shown(2)) == [("192.0.2.1", "ecdsa"), ("192.0.2.1", "rsa"), ("2001:db8::2", "ecdsa")]
    assert told.shown(4)["192.0.2.1", "rsa"] == "unreachable"
    assert told.verdicts()[3:5] == [OK, UNKNOWN]


def test_a_trust_store_has_a_name(tell: Tell) -> None:
    """An event with ``store`` is about that one, without it about all; sets without ``trust`` have ``mozilla``."""
    pinsets = """\
  - {name: default, client: okhttp, pins: [a, {unknown: 1}]}
  - {name: phones, client: okhttp, trust: phones, pins: [a, {unknown: 1}]}
  - {name: both, client: okhttp, trust: [phones, mozilla], pins: [a, {unknown: 1}]}"""
    events = """\
  - {at: 2026-01-01, trust: [root]}
  - {at: 2026-01-01, serve: [leaf, inter, root]}
  - {at: 2026-01-03, store: phones, trust: [other]}
  - {at: 2026-01-05, store: mozilla, trust: [other]}
  - {at: 2026-01-07, trust: [root, other]}
"""
    told = tell(story(before=events, pinsets=pinsets))
    assert told.verdicts("default")[:7] == [OK, OK, OK, OK, UNTRUSTED, UNTRUSTED, OK]
    assert told.verdicts("phones")[:7] == [OK, OK, UNTRUSTED, UNTRUSTED, UNTRUSTED, UNTRUSTED, OK]
    assert told.verdicts("both")[:7] == [OK, OK, UNTRUSTED, UNTRUSTED, UNTRUSTED, UNTRUSTED, OK]


def test_scopes_and_happenings_may_stand_in_one_event(tell: Tell) -> None:
    """An address for what is served and a store for what is trusted, at once."""
    events = "  - {at: 2026-01-01, address: 192.0.2.1, store: mozilla, serve: [leaf, inter], trust: [root]}\n"
    told = tell(story(before=events))
    assert told.verdicts()[0] is OK
    assert {place for place, _ in told.shown(0)} == {"192.0.2.1"}


def test_what_nothing_was_served_for_yet_refuses(tell: Tell) -> None:
    """No verdict, and no failure."""
    told = tell(story(before="  - {at: 2026-01-01, trust: [root]}\n  - {at: 2026-01-04, serve: [leaf, inter]}\n"))
    assert told.verdicts()[:4] == [UNKNOWN, UNKNOWN, UNKNOWN, OK]


def test_keys_are_of_the_type_that_their_name_says(tell: Tell) -> None:
    """``rsa2048…`` is RSA, everything else EC; one name is one key."""
    told = tell(story("  - {at: 2026-01-03, serve: [rsa, inter]}\n  - {at: 2026-01-05, serve: [same, inter]}\n"))
    leaves = [told.verdict(number).judgements[0].observation.chain[0] for number in (0, 2, 4)]
    assert [leaf.key_type for leaf in leaves] == [KeyType.ECDSA, KeyType.RSA, KeyType.ECDSA]
    assert leaves[0].spki_sha256 == leaves[2].spki_sha256
    assert leaves[0] != leaves[2]


def test_a_leaf_is_for_the_host_unless_it_has_names(tell: Tell) -> None:
    """Names may be wildcards; a leaf for others is not trusted."""
    certificates = """\
  star:     {issuer: inter, key: a, names: ["*.example.test"], not_before: 2026-01-01, not_after: 2026-04-01}
  stranger: {issuer: inter, key: a, names: [www.example.test], not_before: 2026-01-01, not_after: 2026-04-01}
"""
    events = "  - {at: 2026-01-03, serve: [star, inter]}\n  - {at: 2026-01-05, serve: [stranger, inter]}\n"
    assert tell(story(events, certificates=certificates)).verdicts()[:5] == [OK, OK, OK, OK, UNTRUSTED]


def test_subject_makes_a_cross_sign(tell: Tell) -> None:
    """It has the name and the key of a root and another issuer, so there is a path to either."""
    certificates = "  cross: {issuer: other, key: root, subject: root, not_before: 2024-01-01, not_after: 2034-01-01}\n"
    events = "  - {at: 2026-01-01, trust: [other]}\n  - {at: 2026-01-01, serve: [leaf, inter, cross]}\n"
    pinset = "  - {name: app, client: apple, ca_pins: [other, {unknown: 1}]}"
    told = tell(story(before=events, certificates=certificates, pinsets=pinset))
    assert told.verdicts()[0] is OK
    path = told.verdict(0).judgements[0].path
    assert [one.display_subject for one in path] == ["CN=leaf", "CN=inter", "CN=root", "CN=other"]


def test_pins_are_names_of_keys(tell: Tell) -> None:
    """Of any certificate that has the key, with unknown ones between."""
    pinset = "  - {name: app, client: okhttp, pins: [{unknown: 2}, inter]}"
    verdict = tell(story(pinsets=pinset)).verdict(0)
    assert verdict.verdict is OK
    assert len(verdict.pinset.all_pins) == 3
    assert verdict.matched == (verdict.pinset.all_pins[2],)


def test_client_certificate_pins_names_of_certificates(tell: Tell) -> None:
    """So that a renewal with the key kept is a failure."""
    told = tell(
        story(
            "  - {at: 2026-01-04, serve: [same, inter]}\n", pinsets="  - {name: app, client: certificate, pins: [leaf]}"
        )
    )
    assert told.verdicts()[:4] == [OK, OK, OK, MISMATCH]


def test_unknown_pins_match_nothing_and_are_as_many_as_asked(tell: Tell) -> None:
    """A set of nothing else fails."""
    told = tell(story(pinsets="  - {name: app, pins: [{unknown: 1}, {unknown: 2}]}"))
    assert told.verdicts()[0] is MISMATCH
    assert len(told.verdict(0).pinset.all_pins) == 3


def test_pin_sets_have_the_keys_of_the_configuration(tell: Tell) -> None:
    """Lists of Apple, expiry, trust, share; the default client is generic."""
    pinsets = """\
  - {name: ios, client: apple, leaf_pins: [a], ca_pins: [inter], share: 0.25}
  - {name: old, client: android, pins: [b, {unknown: 1}], expires: 2026-01-01, trust: [mozilla]}
  - {name: any, pins: [a, {unknown: 1}]}"""
    told = tell(story(pinsets=pinsets))
    ios, old, anyone = (told.verdict(4, name) for name in ("ios", "old", "any"))
    assert (ios.verdict, ios.pinset.share, len(ios.matched)) == (OK, 0.25, 2)
    assert (old.verdict, old.pinset.trust) == (Verdict.PINS_EXPIRED, ("mozilla",))
    assert anyone.pinset.client is Client.GENERIC


def test_a_pinset_event_changes_the_keys_that_it_gives(tell: Tell) -> None:
    """The others stay; null takes one away."""
    pinset = "  - {name: app, client: android, pins: [a, {unknown: 1}], expires: 2026-06-01, share: 0.5}"
    events = """\
  - {at: 2026-01-03, pinset: {name: app, pins: [b, {unknown: 1}]}}
  - {at: 2026-01-05, pinset: {name: app, pins: [a, b], expires: null}}
  - {at: 2026-01-07, pinset: {name: app, client: curl}}
"""
    told = tell(story(events, pinsets=pinset))
    assert told.verdicts()[:7] == [OK, OK, MISMATCH, MISMATCH, OK, OK, OK]
    sets = [told.verdict(number).pinset for number in (2, 4, 6)]
    assert [one.expires is None for one in sets] == [False, True, True]
    assert [one.client for one in sets] == [Client.ANDROID, Client.ANDROID, Client.CURL]
    assert [one.share for one in sets] == [0.5, 0.5, 0.5]


def test_a_logged_certificate_carries_its_chain(tell: Tell) -> None:
    """So it is known from its first probe on that none of its keys is pinned."""
    pinset = "  - {name: app, client: okhttp, pins: [inter, {unknown: 1}]}"
    told = tell(story("  - {at: 2026-01-05, ct: moved}\n", pinsets=pinset))
    (opened,) = told.opened(IncidentKind.PIN_MISMATCH_PREDICTED)
    assert (opened.at, opened.incident.facts["cause"]) == (BEGAN + 4 * DAY, Cause.CT_ISSUED)
    assert "CN=moved < CN=inter-2 < CN=root" in opened.incident.facts["evidence"]


def test_a_logged_certificate_for_other_hosts_is_nobody_s_business(tell: Tell) -> None:
    """Sources of CT ask for the host's names."""
    certificates = (
        "  else: {issuer: inter-2, key: e, names: [www.example.test], not_before: 2026-01-04, not_after: 2026-04-04}\n"
    )
    pinset = "  - {name: app, client: okhttp, pins: [inter, {unknown: 1}]}"
    told = tell(story("  - {at: 2026-01-05, ct: else}\n", pinsets=pinset, certificates=certificates))
    assert not told.opened(IncidentKind.PIN_MISMATCH_PREDICTED)


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        ("staged: [new, inter]", Cause.LEAF_RENEWAL),
        ("revoke: leaf", Cause.REVOKED),
        ("ari: {certificate: leaf, start: 2026-01-10, end: 2026-01-12, explanation: null}", Cause.ARI_WINDOW),
        ("dns: {cname: cdn.example.test, caa: [b.example]}", Cause.ISSUER_ROTATION),
        ("distrust: {root: root, not_before_after: 2026-01-06}", Cause.DISTRUST),
    ],
)
def test_signals_become_known_at_the_probe_that_follows(tell: Tell, event: str, cause: Cause) -> None:
    """Not before, and not by more than that."""
    events = "  - {at: 2026-01-01, dns: {caa: [a.example]}}\n"
    pinset = "a" if cause not in (Cause.ISSUER_ROTATION, Cause.DISTRUST) else "root"
    told = tell(
        story(
            events + f"  - {{at: 2026-01-04T12:00:00Z, {event}}}\n",
            horizon="70d" if pinset == "root" else "10d",
            pinsets=f"  - {{name: app, client: android, pins: [{pinset}, {{unknown: 1}}]}}",
        )
    )
    (first, *_) = told.opened(IncidentKind.PIN_MISMATCH_PREDICTED)
    assert (first.at, first.incident.facts["cause"]) == (BEGAN + 4 * DAY, cause)


def test_a_window_that_ends_before_it_starts_is_none(tell: Tell) -> None:
    """RFC 9773: clients take no notice of it."""
    told = tell(story("  - {at: 2026-01-04, ari: {certificate: leaf, start: 2026-01-08, end: 2026-01-08}}\n"))
    assert not told.opened(IncidentKind.PIN_MISMATCH_PREDICTED)


DISTRUSTING = """\
  - {at: 2026-01-02, distrust: {root: root, not_before_after: 2026-01-03}}
  - {at: 2026-01-05, serve: [same, inter]}
"""


def test_distrust_is_of_leaves_that_are_issued_later(tell: Tell) -> None:
    """It compares with the leaf's notBefore: that in service is fine, the next one is not; in every store."""
    pinsets = """\
  - {name: app, client: android, pins: [a, {unknown: 1}]}
  - {name: phones, client: okhttp, trust: phones, pins: [a, {unknown: 1}]}"""
    told = tell(story(DISTRUSTING, pinsets=pinsets))
    assert told.verdicts()[3:5] == told.verdicts("phones")[3:5] == [OK, UNTRUSTED]


def test_a_leaf_of_the_very_day_is_not_distrusted(tell: Tell) -> None:
    """After the date, not on it."""
    assert tell(story(DISTRUSTING.replace("2026-01-03", "2026-01-04"))).verdicts()[4] is OK


@pytest.mark.parametrize("later", ["2026-02-01", "null"])
def test_a_later_distrust_of_the_same_root_takes_the_place_of_the_earlier(tell: Tell, later: str) -> None:
    """Announced dates move, and are taken back."""
    events = DISTRUSTING + f"  - {{at: 2026-01-07, distrust: {{root: root, not_before_after: {later}}}}}\n"
    assert tell(story(events)).verdicts()[4:7] == [UNTRUSTED, UNTRUSTED, OK]


def test_distrust_of_one_root_says_nothing_of_another(tell: Tell) -> None:
    """Two rules live side by side."""
    events = DISTRUSTING + "  - {at: 2026-01-06, distrust: {root: other, not_before_after: 2026-01-01}}\n"
    assert tell(story(events)).verdicts()[4:6] == [UNTRUSTED, UNTRUSTED]


def test_dns_answers_keep_what_is_not_given(tell: Tell) -> None:
    """An alias that moves leaves CAA as it was, so that only a change of CAA is one."""
    events = """\
  - {at: 2026-01-01, dns: {cname: a.cdn.test, caa: [a.example]}}
  - {at: 2026-01-03, dns: {cname: b.cdn.test}}
  - {at: 2026-01-05, dns: {caa: [b.example]}}
"""
    pinset = "  - {name: app, client: okhttp, pins: [root, {unknown: 1}]}"
    told = tell(story(events, pinsets=pinset, horizon="70d"))
    (first, *_) = told.opened(IncidentKind.PIN_MISMATCH_PREDICTED)
    assert first.at == BEGAN + 4 * DAY
    assert "CAA permitted a.example before and permits b.example now" in first.incident.facts["evidence"]


def test_without_pin_sets_trust_alone_is_judged(tell: Tell) -> None:
    """Under the name ``default``, as ``check`` does."""
    text = story("  - {at: 2026-01-03, trust: [other]}\n").replace("serve: [leaf, inter]", "serve: [leaf, inter, root]")
    told = tell(text.replace("pinsets:\n  - {name: app, client: okhttp, pins: [a, {unknown: 1}]}\n", ""))
    assert told.verdicts("default")[:3] == [Verdict.NOT_PINNED, Verdict.NOT_PINNED, UNTRUSTED]
