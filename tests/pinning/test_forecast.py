"""Each cause of the closed list, predicted from what makes it knowable; and what must not be predicted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.pinning.cadence import cadence_of
from monitord.pinning.certificate import KeyType
from monitord.pinning.evidence import (
    DnsAnswer,
    LoggedCertificate,
    RenewalWindow,
    Revocation,
    Signals,
    StagedChain,
    StoreChange,
)
from monitord.pinning.history import History
from monitord.pinning.incident import Severity
from monitord.pinning.pins import Client
from monitord.pinning.prediction import Cause
from monitord.pinning.trust import Distrust
from monitord.pinning.verdict import Verdict
from tests.pinning.endpoint import (
    BEGAN,
    DAY,
    FOREIGN,
    HOST,
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
    logged,
    pin_of,
    renewals,
    seen,
)
from tests.support.exchanged import VALIDITY_PLACE, validity, with_part

if TYPE_CHECKING:
    from monitord.pinning.observation import Observation


def test_a_leaf_pin_is_at_risk_from_the_renewal_not_from_the_expiry() -> None:
    """No history, no ARI: two thirds of the lifetime, and an unknown key continuity counts as a new key."""
    found = Endpoint().predict(pin_of(LEAF), SPARE)[Cause.LEAF_RENEWAL]
    assert (found.at, found.severity, found.expected) == (RENEWAL, Severity.WARNING, Verdict.PIN_MISMATCH)
    assert found.confidence == pytest.approx(0.78, abs=0.01)
    assert found.act_by == RENEWAL - 14 * DAY
    assert str(pin_of(INTER)) in found.advice
    assert found.new_pins == (pin_of(INTER), pin_of(ROOT))


def test_kept_keys_make_a_new_one_less_likely() -> None:
    """Most hosts always do the same, so one renewal tells more than by Laplace's rule, (0 + 1) / (n + 2)."""
    found = []
    for kept in (1, 2, 4):
        endpoint = renewals(kept, new_key=False)
        prediction = endpoint.predict(pin_of(endpoint.chain[0]), SPARE).get(Cause.LEAF_RENEWAL)
        found.append(prediction.confidence if prediction else 0.0)
        assert found[-1] <= 1 / (kept + 2)
    assert found == sorted(found, reverse=True)


def test_new_keys_make_another_one_more_likely() -> None:
    """A host that made one will make the next."""
    found = []
    for made in (1, 2, 4):
        endpoint = renewals(made, new_key=True)
        found.append(endpoint.predict(pin_of(endpoint.chain[0]), SPARE)[Cause.LEAF_RENEWAL].confidence)
    assert found == sorted(found)
    assert found[0] > Endpoint().predict(pin_of(LEAF), SPARE)[Cause.LEAF_RENEWAL].confidence


def test_nothing_sure_is_predicted_for_a_pinned_root() -> None:
    """A leaf's renewal does not matter to it, and changes of the authority are rare."""
    assert not [one for one in Endpoint().predict(pin_of(ROOT), SPARE).values() if one.confidence >= 0.1]


def test_whole_certificates_fail_at_every_renewal_even_with_the_key_kept() -> None:
    """Client certificate: the key's continuity does not help."""
    endpoint = renewals(3, new_key=False)
    endpoint.client = Client.CERTIFICATE
    found = endpoint.predict(endpoint.chain[0].certificate.certificate_pin)[Cause.LEAF_RENEWAL]
    assert found.confidence == pytest.approx(0.97)
    assert found.at == endpoint.chain[0].certificate.not_before + 60 * DAY


def test_a_host_has_its_own_cadence() -> None:
    """It was renewed after 80 of 90 days each time, so it will be again."""
    one, two, three = (leaf(begins=BEGAN + number * 80 * DAY) for number in range(3))
    past = [(each.certificate.not_before, (each, INTER)) for each in (one, two, three)]
    endpoint = Endpoint(chain=(three, INTER), past=past, now=BEGAN + 200 * DAY)
    assert endpoint.predict(pin_of(three), SPARE)[Cause.LEAF_RENEWAL].at == BEGAN + 240 * DAY


def test_one_early_reissue_is_an_exception_and_not_the_cadence() -> None:
    """A certificate that was replaced after ten days was replaced for a reason; the next one will live its time."""
    second = leaf(begins=BEGAN + 10 * DAY)
    past = [(BEGAN, (LEAF, INTER)), (BEGAN + 10 * DAY, (second, INTER))]
    endpoint = Endpoint(chain=(second, INTER), past=past, now=BEGAN + 45 * DAY)
    assert endpoint.predict(pin_of(second), SPARE)[Cause.LEAF_RENEWAL].at == BEGAN + 70 * DAY


def test_an_ari_window_says_when_the_renewal_comes() -> None:
    """The CA's word counts more than a model of it."""
    window = RenewalWindow(LEAF.certificate.sha256, NOW + 20 * DAY, NOW + 22 * DAY, NOW)
    found = Endpoint(signals=Signals(windows=(window,))).predict(pin_of(LEAF), SPARE)
    assert Cause.LEAF_RENEWAL not in found
    assert (found[Cause.ARI_WINDOW].at, found[Cause.ARI_WINDOW].until) == (NOW + 20 * DAY, NOW + 22 * DAY)


def test_a_window_that_moved_into_the_past_is_a_forced_reissue() -> None:
    """Within hours, and critical."""
    window = RenewalWindow(
        LEAF.certificate.sha256, NOW - 2 * DAY, NOW - DAY, NOW, "https://ca.example/17", previous_start=NOW + 25 * DAY
    )
    found = Endpoint(signals=Signals(windows=(window,))).predict(pin_of(LEAF), SPARE)[Cause.FORCED_REISSUE]
    assert found.severity is Severity.CRITICAL
    assert NOW < found.at <= NOW + DAY
    assert "https://ca.example/17" in found.evidence


def test_a_window_that_time_went_past_is_no_forced_reissue() -> None:
    """It was in the future when it was told, so the renewal is only late."""
    window = RenewalWindow(LEAF.certificate.sha256, NOW - 2 * DAY, NOW - DAY, NOW - 20 * DAY)
    found = Endpoint(signals=Signals(windows=(window,))).predict(pin_of(LEAF), SPARE)
    assert Cause.FORCED_REISSUE not in found
    assert "has not come yet" in found[Cause.LEAF_RENEWAL].evidence


def test_a_revoked_leaf_is_replaced_within_days() -> None:
    """CAs revoke within 24 hours to five days."""
    signals = Signals(revoked=(Revocation(LEAF.certificate.sha256, NOW),))
    found = Endpoint(signals=signals).predict(pin_of(LEAF), SPARE)[Cause.REVOKED]
    assert NOW < found.at <= NOW + DAY
    assert found.alerts


def test_a_revoked_intermediate_takes_its_pin_with_it() -> None:
    """Another issuer has to take its place."""
    signals = Signals(revoked=(Revocation(INTER.certificate.sha256, NOW),))
    assert Endpoint(signals=signals).predict(pin_of(INTER), SPARE)[Cause.REVOKED].alerts
    assert Cause.REVOKED not in Endpoint(signals=signals).predict(pin_of(ROOT), SPARE)


def test_a_revoked_issuer_of_the_issuer_takes_its_pin_with_it_too() -> None:
    """It is replaced as well as what it has issued; the root above it stays."""
    upper = pki.issue("Upper", issuer=ROOT)
    lower = pki.issue("Lower", issuer=upper)
    chain = (leaf(lower), lower, upper)
    signals = Signals(revoked=(Revocation(upper.certificate.sha256, NOW),))
    assert Endpoint(chain, signals=signals).predict(pin_of(upper), SPARE)[Cause.REVOKED].alerts
    assert Cause.REVOKED not in Endpoint(chain, signals=signals).predict(pin_of(ROOT), SPARE)


@pytest.mark.parametrize(
    ("begins", "ends"),
    [(BEGAN, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)), (datetime(1, 1, 1, tzinfo=UTC), BEGAN + 90 * DAY)],
    ids=["without an end", "without a beginning"],
)
@pytest.mark.parametrize("place", ["leaf", "issuer", "beside"])
def test_a_validity_to_the_edge_of_the_calendar_ends_no_forecast(begins: datetime, ends: datetime, place: str) -> None:
    """RFC 5280 has 9999 for no end at all; a server may send whatever it likes, also beside its chain."""
    usual = pki.issue(HOST, issuer=ROOT, names=[HOST] if place == "leaf" else [])
    odd = pki.Issued(with_part(usual.certificate, VALIDITY_PLACE, validity(begins, ends), ROOT), usual.key)
    issuer = odd if place == "issuer" else INTER
    served = leaf(issuer)
    chain = {"leaf": (odd, ROOT), "issuer": (served, odd), "beside": (served, INTER, odd)}[place]
    Endpoint(chain).predict(pin_of(ROOT), SPARE)
    Endpoint(chain).predict(pin_of(chain[0]), SPARE)


def test_a_logged_certificate_that_meets_no_pin_will_break_when_deployed() -> None:
    """The intermediate is pinned and the logged certificate comes from its sibling."""
    coming = leaf(SIBLING, NOW)
    found = Endpoint(signals=logged(coming, SIBLING)).predict(pin_of(INTER), SPARE)[Cause.CT_ISSUED]
    assert found.confidence == pytest.approx(0.85)
    assert pin_of(SIBLING) in found.new_pins
    assert "is not served yet" in found.evidence


def test_a_logged_certificate_takes_the_place_of_the_imagined_renewal() -> None:
    """One cause for one event: the certificate is known, so nothing is imagined beside it."""
    found = Endpoint(signals=logged(leaf(begins=NOW), INTER)).predict(pin_of(LEAF), SPARE)
    assert Cause.CT_ISSUED in found
    assert Cause.LEAF_RENEWAL not in found


def test_a_backup_pin_counts_once_a_known_future_presents_it() -> None:
    """The next key is pinned and its certificate is logged: nothing to warn of at this renewal."""
    coming = leaf(begins=NOW)
    before = Endpoint().predict(pin_of(LEAF), pin_of(coming))
    after = Endpoint(signals=logged(coming, INTER)).predict(pin_of(LEAF), pin_of(coming))
    assert before[Cause.LEAF_RENEWAL].alerts
    assert not [one for one in after.values() if one.alerts]


def test_certificates_logged_again_and_again_and_never_deployed_are_believed_less_each_time() -> None:
    """A CDN's backup certificates: the host's own record tells."""
    found = []
    for count in range(1, 5):
        entries = [leaf(FOREIGN, NOW - number * 20 * DAY) for number in range(count)]
        signals = Signals(
            logged=tuple(
                LoggedCertificate(certificates(entry, FOREIGN), entry.certificate.not_before)
                for entry in reversed(entries)
            )
        )
        past = [(BEGAN - 100 * DAY, (LEAF, INTER))]
        prediction = Endpoint(signals=signals, past=past).predict(pin_of(ROOT), SPARE).get(Cause.CT_ISSUED)
        found.append(prediction.confidence if prediction else 0.0)
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.5


def test_a_staged_chain_is_as_good_as_served() -> None:
    """The operator's own word."""
    signals = Signals(staged=(StagedChain(certificates(leaf(begins=NOW), INTER), NOW),))
    found = Endpoint(signals=signals).predict(pin_of(LEAF), SPARE)[Cause.LEAF_RENEWAL]
    assert found.confidence == pytest.approx(0.95)


def test_a_certificate_that_one_address_showed_and_took_back_is_a_roll_out() -> None:
    """A canary that was pulled back comes again."""
    canary = leaf(SIBLING, NOW - DAY)
    past = [(BEGAN, (LEAF, INTER)), (NOW - DAY, (canary, SIBLING))]
    assert Endpoint(past=past).predict(pin_of(INTER), SPARE)[Cause.PARTIAL_ROLLOUT].alerts


def test_random_issuers_fail_with_the_part_that_is_not_pinned() -> None:
    """Two intermediates in turn, one of them pinned: one half at each renewal."""
    endpoint = renewals(6, new_key=True, issuers=(INTER, SIBLING))
    found = endpoint.predict(pin_of(INTER), SPARE)[Cause.ISSUER_ROTATION]
    assert (found.confidence, found.alerts) == (0.5, True)
    both = endpoint.predict(pin_of(INTER), pin_of(SIBLING))
    assert not [one for one in both.values() if one.confidence >= 0.1]


def test_one_change_of_issuer_is_no_rotation() -> None:
    """It moved once and stayed: nobody is warned at each renewal from then on."""
    endpoint = renewals(5, new_key=True, issuers=(INTER, SIBLING, SIBLING, SIBLING, SIBLING, SIBLING))
    found = endpoint.predict(pin_of(SIBLING), SPARE)
    assert not [one for one in found.values() if one.alerts]


def test_let_s_encrypt_draws_its_intermediates_at_random() -> None:
    """Known by name: one of its two intermediates a type of key is pinned, so it is one in two."""
    organization = pki.issue("YE1", issuer=ROOT, organization="Let's Encrypt")
    current = leaf(organization)
    endpoint = Endpoint(chain=(current, organization))
    assert endpoint.predict(pin_of(organization))[Cause.ISSUER_ROTATION].confidence == 0.5


def test_an_intermediate_cannot_issue_beyond_its_own_end() -> None:
    """It ends in 100 days; the renewal before that already comes from another one."""
    short = pki.issue("Short", issuer=ROOT, not_after=BEGAN + 100 * DAY)
    current = leaf(short)
    found = Endpoint(chain=(current, short)).predict(pin_of(short), SPARE)[Cause.INTERMEDIATE_EXPIRY]
    assert found.at == RENEWAL
    assert found.alerts


def test_a_root_s_end_is_in_the_certificate() -> None:
    """Root pinned, root ends; the JDK does not look at an anchor's dates, Apple does."""
    ending = pki.issue("Ending", not_after=NOW + 20 * DAY)
    middle = pki.issue("Middle", issuer=ending)
    current = leaf(middle)
    endpoint = Endpoint(chain=(current, middle), anchors=(ending,))
    assert Cause.ROOT_EXPIRY not in endpoint.predict(pin_of(ending), SPARE)
    endpoint.client = Client.APPLE
    found = endpoint.predict(pin_of(ending), SPARE)[Cause.ROOT_EXPIRY]
    assert found.at == NOW + 20 * DAY + timedelta(seconds=1)
    assert found.expected is Verdict.UNTRUSTED


def test_a_cross_sign_s_end_takes_the_old_root_out_of_reach() -> None:
    """Apple is content with any path; the long one ends with the cross-sign."""
    cross = pki.issue("Root", issuer=OTHER_ROOT, key=ROOT.key, ca=True, not_after=NOW + 25 * DAY)
    endpoint = Endpoint(chain=(LEAF, INTER, cross), client=Client.APPLE)
    found = endpoint.predict(pin_of(OTHER_ROOT), SPARE)[Cause.CROSS_SIGN_EXPIRY]
    assert (found.at, found.expected) == (NOW + 25 * DAY + timedelta(seconds=1), Verdict.PIN_MISMATCH)


def test_a_distrusted_root_fails_at_the_first_renewal_after_the_date() -> None:
    """Today's chain is fine; the renewal of day 60 is early enough, that of day 120 is not."""
    rules = {ROOT.certificate.spki_sha256: Distrust(BEGAN + 90 * DAY, "mozilla")}
    found = Endpoint(distrusts=rules).predict(pin_of(ROOT), SPARE)[Cause.DISTRUST]
    assert (found.at, found.expected) == (BEGAN + 120 * DAY, Verdict.UNTRUSTED)
    assert "mozilla" in found.evidence


def test_an_overdue_renewal_makes_the_end_of_the_leaf_likely() -> None:
    """Day 88 of 90, and nothing came: it was forgotten."""
    late = Endpoint(now=BEGAN + 88 * DAY).predict(pin_of(ROOT), SPARE)[Cause.LEAF_EXPIRY]
    assert late.alerts
    assert (late.at, late.expected) == (BEGAN + 90 * DAY + timedelta(seconds=1), Verdict.UNTRUSTED)
    early = Endpoint(now=BEGAN + 61 * DAY).predict(pin_of(ROOT), SPARE)
    assert Cause.LEAF_EXPIRY not in early or not early[Cause.LEAF_EXPIRY].alerts


def test_what_one_type_of_key_does_says_nothing_about_the_other() -> None:
    """Short ECDSA certificates beside a yearly RSA one: the latter is not overdue because the former come early."""
    rsa = leaf(begins=BEGAN, days=365, key=pki.new_key("rsa"))
    before = leaf(begins=BEGAN - 350 * DAY, days=365, key=pki.new_key("rsa"))
    history = History()
    earlier: tuple[Observation, ...] = ()
    rounds: list[tuple[datetime, tuple[pki.Issued, ...]]] = [(BEGAN - 350 * DAY, (before,))]
    rounds += [(begins, (rsa, leaf(begins=begins))) for begins in (BEGAN + number * 60 * DAY for number in range(6))]
    for at, leaves in rounds:
        observations = tuple(seen((one, INTER), at) for one in leaves)
        history, earlier = history.after(at, observations, earlier), observations
    learned = cadence_of(365 * DAY, KeyType.RSA, history)
    assert learned.fraction == pytest.approx(350 / 365)
    assert cadence_of(90 * DAY, KeyType.ECDSA, history).fraction == pytest.approx(60 / 90)


def test_a_store_that_changed_foretells_its_relatives() -> None:
    """IOS 11.1: a beta's store has the new root, so the path will end there and the old pin will not match."""
    cross = pki.issue("Root", issuer=OTHER_ROOT, key=ROOT.key, ca=True)
    change = StoreChange("test-beta", NOW, added=(ROOT.certificate,), removed=(OTHER_ROOT.certificate,))
    endpoint = Endpoint(chain=(LEAF, INTER, cross), anchors=(OTHER_ROOT,), signals=Signals(stores=(change,)))
    assert endpoint.predict(pin_of(OTHER_ROOT), SPARE)[Cause.TRUST_STORE_CHANGE].alerts
    other = replace(change, store="windows")
    endpoint.signals = Signals(stores=(other,))
    assert not endpoint.predict(pin_of(OTHER_ROOT), SPARE)[Cause.TRUST_STORE_CHANGE].alerts


def test_caa_that_permits_only_others_moves_the_next_renewal_to_another_ca() -> None:
    """The set of CAs changed and has none of the old ones."""
    answers = (DnsAnswer(BEGAN, caa=("old.example",)), DnsAnswer(NOW, caa=("new.example",)))
    found = Endpoint(signals=Signals(dns=answers)).predict(pin_of(ROOT), SPARE)[Cause.ISSUER_ROTATION]
    assert (found.alerts, found.at) == (True, RENEWAL)
    assert "new.example" in found.evidence


def test_an_alias_that_moved_makes_a_foreign_certificate_a_migration() -> None:
    """Another CA's certificate in CT beside a changed CNAME is a change of CDN."""
    entry = LoggedCertificate(certificates(leaf(FOREIGN, NOW), FOREIGN), NOW)
    answers = (DnsAnswer(BEGAN, ("old-cdn.example",)), DnsAnswer(NOW, ("new-cdn.example",)))
    found = Endpoint(signals=Signals(logged=(entry,), dns=answers)).predict(pin_of(ROOT), SPARE)
    assert found[Cause.CT_ISSUED].confidence == pytest.approx(0.85)


def test_an_alias_that_came_back_is_no_move() -> None:
    """A name that leads to two places in turn, or a move that was taken back."""
    entry = LoggedCertificate(certificates(leaf(FOREIGN, NOW), FOREIGN), NOW)
    first, other = ("one.example",), ("two.example",)
    answers = (DnsAnswer(BEGAN, first), DnsAnswer(NOW - 10 * DAY, other), DnsAnswer(NOW - 5 * DAY, first))
    stayed, away, back = (
        Endpoint(signals=Signals(logged=(entry,), dns=answers[:count])).predict(pin_of(ROOT), SPARE)[Cause.CT_ISSUED]
        for count in (1, 2, 3)
    )
    assert back.confidence == stayed.confidence < away.confidence


def test_a_good_chain_that_is_staged_counts_without_pins_too() -> None:
    """The root will be distrusted, and the operator has shown a chain of another CA: nothing is left to warn of."""
    rules = {ROOT.certificate.spki_sha256: Distrust(NOW + DAY, "mozilla")}
    staged = Signals(staged=(StagedChain(certificates(leaf(FOREIGN, NOW), FOREIGN), NOW),))
    assert Endpoint(distrusts=rules).predict()[Cause.DISTRUST].alerts
    assert Cause.DISTRUST not in Endpoint(distrusts=rules, signals=staged).predict()


def test_a_pin_set_that_ends_is_no_mismatch_unless_the_client_then_blocks() -> None:
    """Android stops to pin; a pin by whole certificate that is dropped refuses everything."""
    endpoint = Endpoint(client=Client.ANDROID)
    found = endpoint.predict(pin_of(ROOT), SPARE, expires=NOW + 10 * DAY)
    assert found[Cause.PINS_EXPIRE].expected is Verdict.PINS_EXPIRED
    endpoint.client = Client.CERTIFICATE
    pins = (LEAF.certificate.certificate_pin, SPARE)
    assert endpoint.predict(*pins, expires=NOW + 10 * DAY)[Cause.PINS_EXPIRE].expected is Verdict.PIN_MISMATCH


def test_a_set_that_has_expired_and_fails_open_has_no_forecast() -> None:
    """What is not enforced cannot fail."""
    endpoint = Endpoint(client=Client.ANDROID)
    assert not endpoint.predict(pin_of(LEAF), SPARE, expires=NOW - 3 * DAY)


def test_a_set_that_fails_now_has_no_forecast() -> None:
    """The verdict says it."""
    assert not Endpoint().predict(SPARE)
