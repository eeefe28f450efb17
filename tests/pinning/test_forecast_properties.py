"""What must hold of every forecast, whatever the endpoint: nothing is predicted that ``judge`` does not confirm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from monitord import pki
from monitord.pinning.conditions import Policy
from monitord.pinning.evidence import Signals
from monitord.pinning.forecast import forecast
from monitord.pinning.history import History
from monitord.pinning.imagine import another_authority, another_issuer, renewed
from monitord.pinning.judge import judge
from monitord.pinning.observation import Observation
from monitord.pinning.pins import Client, Pin, PinSet
from monitord.pinning.prediction import ALERT_CONFIDENCE, Cause, Prediction
from monitord.pinning.renewal import next_renewal
from monitord.pinning.target import Target
from monitord.pinning.trust import Distrust, TrustStore
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.pinning.certificate import Certificate

    Chain = tuple[Certificate, ...]

HOST = "api.example.com"
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
POLICY = Policy(2, 3, release_time=14 * DAY, horizon=30 * DAY, repeat=timedelta(hours=4))
KEYS = [pki.new_key() for _ in range(4)]
AUTHORITY_KEYS = [pki.new_key() for _ in range(4)]
SPARE = Pin(bytes(32))
RENEWALS = (Cause.LEAF_RENEWAL, Cause.ISSUER_ROTATION, Cause.DISTRUST)


@dataclass(frozen=True)
class Endpoint:
    """What is served since when, what is trusted, and what is pinned."""

    chain: Chain
    history: History
    stores: tuple[TrustStore, ...]
    pinset: PinSet

    def judge(self, chain: Chain, at: datetime, stores: Sequence[TrustStore] | None = None) -> Verdict:
        """What judge says of a chain at a time."""
        target = Target(HOST, pinsets=(self.pinset,))
        trust = {store.name: store for store in stores or self.stores}
        return judge(target, [_seen(chain, at)], trust, at)[0].verdict

    def predict(self) -> tuple[Prediction, ...]:
        """What is foreseen now, with no signal at all."""
        trust = {store.name: store for store in self.stores}
        target = Target(HOST, pinsets=(self.pinset,))
        verdicts = judge(target, [_seen(self.chain, NOW)], trust, NOW)
        return forecast(target, verdicts, self.history, Signals(), trust, NOW, POLICY)

    def pinning(self, *pins: Pin) -> Endpoint:
        """The same with other pins."""
        return replace(self, pinset=replace(self.pinset, pins=pins))


def _seen(chain: Chain, at: datetime) -> Observation:
    return Observation(at, "192.0.2.1", 443, chain, key_type=chain[0].key_type)


@st.composite
def endpoints(draw: st.DrawFn) -> Endpoint:
    """An endpoint that is well now: lifetimes, ends of authorities, keys, past renewals, clients and pins vary."""
    life = draw(st.sampled_from([6, 45, 90, 199, 397])) * DAY
    age = draw(st.floats(0, 0.99))
    ends = draw(st.lists(st.integers(1, 900), min_size=3, max_size=3))
    root = pki.issue("Root", key=AUTHORITY_KEYS[0], not_after=NOW + (ends[0] + 30) * DAY)
    old = pki.issue("Old Root", key=AUTHORITY_KEYS[1], not_after=NOW + 3000 * DAY)
    cross = pki.issue("Root", issuer=old, key=root.key, ca=True, not_after=NOW + ends[1] * DAY)
    inter = pki.issue("Inter", issuer=root, key=AUTHORITY_KEYS[2], not_after=NOW + (ends[2] + 1) * DAY)
    begins = NOW - age * life
    history = History()
    before: tuple[Observation, ...] = ()
    chain: Chain = ()
    for number in range(draw(st.integers(0, 4)), -1, -1):
        key = KEYS[draw(st.integers(0, 3)) if number else 0]
        since = begins - number * life * 2 / 3
        leaf = pki.issue(
            HOST, issuer=inter, key=key, names=[HOST], not_before=since, not_after=since + life
        ).certificate
        chain = (leaf, inter.certificate, *([cross.certificate] if draw(st.booleans()) else []))
        seen = (_seen(chain, since),)
        history, before = history.after(since, seen, before), seen
    anchors = draw(st.sampled_from([(root,), (old,), (root, old)]))
    rules = {root.certificate.spki_sha256: Distrust(NOW + draw(st.integers(-5, 200)) * DAY)}
    store = TrustStore("test", [one.certificate for one in anchors], rules if draw(st.booleans()) else None)
    known = [chain[0].pin, inter.certificate.pin, root.certificate.pin, old.certificate.pin, SPARE]
    pins = tuple(draw(st.lists(st.sampled_from(known), min_size=1, max_size=4, unique=True)))
    clients = [Client.OKHTTP, Client.ANDROID, Client.TRUSTKIT_IOS, Client.CRONET, Client.CURL, Client.GENERIC]
    endpoint = Endpoint(chain, history, (store,), PinSet("app", draw(st.sampled_from(clients)), pins, trust=("test",)))
    assume(endpoint.judge(chain, NOW) is Verdict.OK)
    return endpoint


ENOUGH = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


def _imagined(endpoint: Endpoint, at: datetime) -> list[tuple[Chain, tuple[TrustStore, ...]]]:
    """What a renewal at this time may bring, from the mildest change to the hardest."""
    leaf, *above = endpoint.chain
    end = at + (leaf.not_after - leaf.not_before)
    same: Chain = (renewed(leaf, at, end, new_key=False), *above)
    other: Chain = (renewed(leaf, at, end, new_key=True), *above)
    elsewhere = [another_authority(other, store) for store in endpoint.stores]
    stores = endpoint.stores
    return [
        (same, stores), (other, stores), (another_issuer(same), stores), (another_issuer(other), stores),
        (elsewhere[0][0], tuple(store for _, store in elsewhere)),
    ]  # fmt: skip


@ENOUGH
@given(endpoints())
def test_a_renewal_that_is_predicted_to_fail_does_so_when_it_is_built_and_judged(endpoint: Endpoint) -> None:
    """One of the changes that a renewal may bring fails as it was told, and nothing else changed."""
    for one in endpoint.predict():
        if one.cause in RENEWALS:
            found = [endpoint.judge(chain, one.at, stores) for chain, stores in _imagined(endpoint, one.at)]
            assert one.expected in found
            if one.cause is Cause.DISTRUST:
                assert found[0] is Verdict.UNTRUSTED


@ENOUGH
@given(endpoints())
def test_what_ends_by_itself_fails_at_that_very_second(endpoint: Endpoint) -> None:
    """The chain as it is, with a leaf that is in date where it is not the leaf that ends: well before, failing then."""
    leaf, *above = endpoint.chain
    for one in endpoint.predict():
        if one.cause in (Cause.ROOT_EXPIRY, Cause.CROSS_SIGN_EXPIRY) or (
            one.cause is Cause.INTERMEDIATE_EXPIRY and one.at - SECOND in {issuer.not_after for issuer in above}
        ):
            fresh: Chain = (renewed(leaf, leaf.not_before, one.at + DAY, new_key=False), *above)
            assert endpoint.judge(fresh, one.at) is one.expected
            assert endpoint.judge(fresh, one.at - SECOND) is Verdict.OK
        elif one.cause is Cause.LEAF_EXPIRY:
            assert endpoint.judge(endpoint.chain, one.at) is one.expected
            assert leaf.not_after == one.at - SECOND


@ENOUGH
@given(endpoints())
def test_without_signals_nothing_is_predicted_for_a_time_before_the_next_renewal_or_end(endpoint: Endpoint) -> None:
    """No change of history, no signal: nothing comes sooner than the model of renewals and the dates have it."""
    renewal = next_renewal(endpoint.chain[0], endpoint.history, Signals(), NOW)
    anchors = [anchor for store in endpoint.stores for anchor in store.anchors]
    dates = {one.not_after + SECOND for one in (*endpoint.chain, *anchors)}
    for one in endpoint.predict():
        assert one.at > NOW or renewal.at <= NOW
        assert one.at in dates or one.at >= renewal.at.replace(microsecond=0)


@ENOUGH
@given(endpoints(), st.sampled_from(range(5)))
def test_adding_a_pin_never_makes_the_failure_come_earlier(endpoint: Endpoint, which: int) -> None:
    """More pins, more ways to match."""
    leaf, inter, *_ = endpoint.chain
    anchors = [anchor.pin for store in endpoint.stores for anchor in store.anchors]
    added = [leaf.pin, inter.pin, *anchors, SPARE][which % (3 + len(anchors))]
    more = endpoint.pinning(*dict.fromkeys((*endpoint.pinset.pins, added)))
    assert more.judge(more.chain, NOW) is Verdict.OK
    before, after = (_first(one.predict()) for one in (endpoint, more))
    assert after is None or (before is not None and after >= before)


def _first(predictions: Sequence[Prediction]) -> datetime | None:
    return min((one.at for one in predictions if one.confidence >= ALERT_CONFIDENCE), default=None)


@ENOUGH
@given(endpoints())
def test_the_same_is_predicted_of_the_same(endpoint: Endpoint) -> None:
    """Whatever was asked before and is remembered: a store that is equal is not the same object."""
    stores = tuple(TrustStore(one.name, one.anchors, one.distrusts) for one in endpoint.stores)
    assert replace(endpoint, stores=stores).predict() == endpoint.predict()


@ENOUGH
@given(endpoints())
def test_every_prediction_can_be_acted_on(endpoint: Endpoint) -> None:
    """A probability, a window that does not end before it begins, evidence, advice, a failure."""
    for one in endpoint.predict():
        assert 0 < one.confidence <= 1
        assert one.at <= one.until
        assert one.act_by == one.at - POLICY.release_time
        assert one.evidence
        assert one.advice
        assert one.expected.apps_fail
