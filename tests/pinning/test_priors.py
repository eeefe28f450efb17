"""What histories and signals do to the odds: what is learned of a host takes the place of what is assumed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitord import pki
from monitord.pinning.evidence import DnsAnswer, LoggedCertificate, RenewalWindow, Signals, StoreChange
from monitord.pinning.incident import Severity
from monitord.pinning.pins import Client
from monitord.pinning.prediction import Cause, Prediction
from tests.pinning.endpoint import (
    BEGAN,
    DAY,
    FOREIGN,
    INTER,
    LEAF,
    NOW,
    OTHER_ROOT,
    RENEWAL,
    ROOT,
    SIBLING,
    SPARE,
    Endpoint,
    certificates,
    leaf,
    pin_of,
    renewals,
)

END = LEAF.certificate.not_after


def entry(*chain: pki.Issued, at: timedelta = timedelta()) -> LoggedCertificate:
    """A certificate that was logged that long after ``BEGAN``."""
    return LoggedCertificate(certificates(*chain), BEGAN + at)


def likelihood(found: dict[Cause, Prediction], cause: Cause) -> float:
    """How sure a prediction is; 0 where it is not even listed."""
    return found[cause].confidence if cause in found else 0.0


def test_a_renewal_may_come_up_to_the_end_unless_the_host_is_punctual() -> None:
    """Nothing is known of one host, the other was seen to renew after sixty days each time."""
    assert Endpoint().predict(pin_of(LEAF), SPARE)[Cause.LEAF_RENEWAL].until == END
    punctual = renewals(3, new_key=True)
    found = punctual.predict(pin_of(punctual.chain[0]), SPARE)[Cause.LEAF_RENEWAL]
    assert found.until - found.at == timedelta(hours=12)


def test_an_overdue_renewal_may_come_at_any_moment_and_is_expected_in_the_middle_of_what_is_left() -> None:
    """Few revisions are needed, each within the window that was told; and it alerts however far away the middle is."""
    expected = [RENEWAL + 15 * DAY, RENEWAL + 15 * DAY, RENEWAL + 22.5 * DAY, RENEWAL + 26.25 * DAY]
    for days, at in zip((61, 74, 76, 83), expected, strict=True):
        found = Endpoint(now=BEGAN + days * DAY).predict(pin_of(LEAF), SPARE)[Cause.LEAF_RENEWAL]
        assert (found.at, found.until) == (at, END)
    yearly = leaf(begins=BEGAN - 240 * DAY, days=398)
    found = Endpoint(chain=(yearly, INTER)).predict(pin_of(yearly), SPARE)[Cause.LEAF_RENEWAL]
    assert found.at > NOW + 30 * DAY
    assert (found.alerts, found.severity) == (True, Severity.WARNING)


def ari(chain: pki.Issued, start: timedelta) -> RenewalWindow:
    """A window of two days, told when the certificate was issued."""
    issued = chain.certificate
    return RenewalWindow(
        issued.sha256, issued.not_before + start, issued.not_before + start + 2 * DAY, issued.not_before
    )


def test_a_host_that_ignored_windows_is_expected_by_its_own_habit() -> None:
    """It renewed after 80 days each time, while ARI suggested 60; one that followed them follows the next."""
    one, two = leaf(), leaf(begins=BEGAN + 80 * DAY)
    past = [(BEGAN, (one, INTER)), (BEGAN + 80 * DAY, (two, INTER))]
    signals = Signals(windows=(ari(one, 60 * DAY), ari(two, 60 * DAY)))
    ignoring = Endpoint(chain=(two, INTER), past=past, signals=signals, now=BEGAN + 100 * DAY)
    assert ignoring.predict(pin_of(two), SPARE)[Cause.LEAF_RENEWAL].at == BEGAN + 160 * DAY
    followed = Signals(windows=(ari(one, 79 * DAY), ari(two, 60 * DAY)))
    assert replace(ignoring, signals=followed).predict(pin_of(two), SPARE)[Cause.ARI_WINDOW].at == BEGAN + 140 * DAY


def test_where_nobody_knows_whether_the_host_follows_ari_the_earlier_counts() -> None:
    """Its habit says day 160; a window before that is taken, one after it is not."""
    one, two = leaf(), leaf(begins=BEGAN + 80 * DAY)
    past = [(BEGAN, (one, INTER)), (BEGAN + 80 * DAY, (two, INTER))]
    for start, at in ((60, 140), (85, 160)):
        signals = Signals(windows=(ari(two, start * DAY),))
        endpoint = Endpoint(chain=(two, INTER), past=past, signals=signals, now=BEGAN + 100 * DAY)
        (found,) = [one for one in endpoint.predict(pin_of(two), SPARE).values() if one.confidence > 0.5]
        assert found.at == BEGAN + at * DAY


def test_the_longer_a_renewal_is_overdue_the_likelier_it_was_forgotten() -> None:
    """From nothing to nearly sure; sooner for a host that was always punctual."""
    found = [likelihood(Endpoint(now=BEGAN + day * DAY).predict(pin_of(ROOT), SPARE), Cause.LEAF_EXPIRY)
             for day in (60, 62, 70, 76, 84, 89)]  # fmt: skip
    assert found == sorted(found)
    assert (found[0], found[1] < 0.5, found[3] > 0.5, found[-1] > 0.9) == (0.0, True, True, True)
    punctual = renewals(3, new_key=True)
    punctual.now = punctual.chain[0].certificate.not_before + 70 * DAY
    assert likelihood(punctual.predict(pin_of(ROOT), SPARE), Cause.LEAF_EXPIRY) > found[2]


def test_a_renewal_that_was_issued_may_still_be_forgotten_to_be_installed() -> None:
    """Logged yesterday it makes the end of the leaf unlikely, logged three weeks ago it does not."""
    for learned, likely in ((84 * DAY, False), (64 * DAY, True)):
        signals = Signals(logged=(entry(leaf(begins=BEGAN + learned), INTER, at=learned),))
        endpoint = Endpoint(now=BEGAN + 85 * DAY, signals=signals)
        assert (likelihood(endpoint.predict(pin_of(ROOT), SPARE), Cause.LEAF_EXPIRY) > 0.5) is likely


def test_certificates_of_the_name_that_are_served_elsewhere_show_the_pool() -> None:
    """Three intermediates in turn, one pinned; renewals that came from the pinned one all the same speak against it."""
    third = pki.issue("Third", issuer=ROOT)
    elsewhere = [entry(leaf(issuer, BEGAN + day * DAY), issuer, at=day * DAY)
                 for day, issuer in ((2, SIBLING), (5, third), (8, INTER))]  # fmt: skip
    found = []
    for count in (0, 1, 4):
        endpoint = renewals(count, new_key=True)
        endpoint.signals = Signals(logged=tuple(elsewhere))
        endpoint.now = endpoint.chain[0].certificate.not_before + 50 * DAY
        found.append(likelihood(endpoint.predict(pin_of(INTER), SPARE), Cause.ISSUER_ROTATION))
    assert found[0] == pytest.approx(0.95 * 2 / 3, abs=0.1)
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.3


def test_what_became_of_one_kind_of_logged_certificate_says_nothing_of_another() -> None:
    """Wildcards are logged early and never served; the next certificate is logged when it is due, and is."""
    endpoint = renewals(3, new_key=True)
    chains = [chain for _, chain in endpoint.past]
    own = [LoggedCertificate(certificates(*chain), since - DAY) for since, chain in endpoint.past[1:]]
    stars = [
        LoggedCertificate(
            certificates(leaf(SIBLING, since + 9 * DAY, names=["*.example.com"]), SIBLING), since + 9 * DAY
        )
        for since, _ in endpoint.past
    ]
    endpoint.chain, endpoint.signals = chains[-1], Signals(logged=(*own, *stars))
    endpoint.now = chains[-1][0].certificate.not_before + 12 * DAY
    assert likelihood(endpoint.predict(pin_of(INTER), SPARE), Cause.CT_ISSUED) < 0.2
    coming = leaf(SIBLING, endpoint.now + 45 * DAY)
    endpoint.now += 46 * DAY
    seen = LoggedCertificate(certificates(coming, SIBLING), endpoint.now - DAY)
    endpoint.signals = replace(endpoint.signals, logged=(*endpoint.signals.logged, seen))
    assert likelihood(endpoint.predict(pin_of(INTER), SPARE), Cause.CT_ISSUED) > 0.8


def test_a_backup_of_another_ca_beside_the_next_certificate_stays_in_the_drawer() -> None:
    """Alone it would be a migration."""
    backup, own = leaf(FOREIGN, NOW), leaf(begins=NOW)
    alone = Endpoint(signals=Signals(logged=(entry(backup, FOREIGN, at=35 * DAY),)))
    beside = Endpoint(signals=Signals(logged=(entry(backup, FOREIGN, at=35 * DAY), entry(own, INTER, at=35 * DAY))))
    assert likelihood(alone.predict(pin_of(ROOT), SPARE), Cause.CT_ISSUED) >= 0.5
    assert likelihood(beside.predict(pin_of(ROOT), SPARE), Cause.CT_ISSUED) < 0.3


def test_a_full_drawer_makes_none_of_it_likelier() -> None:
    """Three backups are not more likely to be served than one."""
    found = []
    for count in (1, 3):
        logged = tuple(entry(leaf(FOREIGN, NOW - day * DAY), FOREIGN, at=(35 - day) * DAY) for day in range(count))
        found.append(likelihood(Endpoint(signals=Signals(logged=logged)).predict(pin_of(ROOT), SPARE), Cause.CT_ISSUED))
    assert found[1] <= found[0]


def test_what_is_needed_soon_is_waited_for_and_what_is_not_is_believed_less() -> None:
    """Early in the life of the one in service, at first and five weeks later; five weeks after a renewal was due."""
    for logged, day, least, most in ((5, 10, 0.5, 1.0), (5, 45, 0.0, 0.4), (50, 85, 0.8, 1.0)):
        at = logged * DAY
        signals = Signals(logged=(entry(leaf(SIBLING, BEGAN + at), SIBLING, at=at),))
        found = Endpoint(signals=signals, now=BEGAN + day * DAY).predict(pin_of(INTER), SPARE)
        assert least <= likelihood(found, Cause.CT_ISSUED) <= most


@pytest.mark.parametrize(
    ("changed", "confidence"),
    [
        ("android-14-beta", 0.8), ("beta", 0.8), ("android-13", 0.6), ("android-14", None), ("android-15", 0.2),
        ("windows", 0.4),
    ],
)  # fmt: skip
def test_a_store_follows_its_preview_and_not_its_successor(changed: str, confidence: float | None) -> None:
    """By their names: ``android-14`` is what the apps have."""
    cross = pki.issue("Root", issuer=OTHER_ROOT, key=ROOT.key, ca=True)
    change = StoreChange(changed, NOW, added=(ROOT.certificate,), removed=(OTHER_ROOT.certificate,))
    endpoint = Endpoint(
        chain=(LEAF, INTER, cross), anchors=(OTHER_ROOT,), signals=Signals(stores=(change,)), store="android-14"
    )
    found = endpoint.predict(pin_of(OTHER_ROOT), SPARE).get(Cause.TRUST_STORE_CHANGE)
    assert (found and found.confidence) == (confidence if confidence is None else pytest.approx(confidence))


def test_a_move_to_another_ca_in_steps_is_seen_when_the_old_one_is_shut_out() -> None:
    """CAA permits both for a while, which says little; then only the new one."""
    steps = [(BEGAN, ("old",)), (BEGAN + 10 * DAY, ("old", "new")), (BEGAN + 20 * DAY, ("new",))]
    found = []
    for count in (1, 2, 3):
        dns = tuple(DnsAnswer(at, caa=caa) for at, caa in steps[:count])
        found.append(likelihood(Endpoint(signals=Signals(dns=dns)).predict(pin_of(ROOT), SPARE), Cause.ISSUER_ROTATION))
    assert found == [0.0, pytest.approx(0.35), pytest.approx(0.7)]


def test_caa_that_was_widened_before_the_last_renewal_is_no_news() -> None:
    """The renewal came from the same CA all the same."""
    endpoint = renewals(1, new_key=True)
    endpoint.signals = Signals(dns=(DnsAnswer(BEGAN, caa=("old",)), DnsAnswer(BEGAN + 30 * DAY, caa=("old", "new"))))
    assert likelihood(endpoint.predict(pin_of(ROOT), SPARE), Cause.ISSUER_ROTATION) < 0.1


def test_an_address_that_was_left_out_of_a_roll_out_runs_out() -> None:
    """After a week it is more likely than not that it stays behind."""
    newer = leaf(begins=RENEWAL)
    for days, likely in ((1, False), (7, True)):
        past = [(BEGAN, (LEAF, INTER)), (RENEWAL + timedelta(hours=1), (newer, INTER))]
        endpoint = Endpoint(past=past, now=RENEWAL + days * DAY, beside=((newer, INTER),))
        assert (likelihood(endpoint.predict(pin_of(INTER), SPARE), Cause.LEAF_EXPIRY) > 0.5) is likely


def test_a_ca_that_lets_leaves_outlive_their_issuer_may_do_so_again() -> None:
    """The issuer ends in twenty days, its leaf in fifty-five: a renewal on the way may bring another one or not."""
    ending = pki.issue("Ending", issuer=ROOT, not_after=BEGAN + 55 * DAY)
    late = pki.issue("Ending", issuer=ROOT, not_after=BEGAN + 75 * DAY)
    for issuer, confidence in ((ending, 0.95), (late, 0.6)):
        endpoint = Endpoint(chain=(leaf(issuer), issuer), client=Client.CRONET)
        found = endpoint.predict(pin_of(ROOT), SPARE)[Cause.INTERMEDIATE_EXPIRY]
        assert found.confidence == pytest.approx(confidence)
        assert found.at == issuer.certificate.not_after + timedelta(seconds=1)
