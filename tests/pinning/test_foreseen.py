"""Incidents about what is foreseen: the numbered rules of ``foreseen``, and when people hear of a revision."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.conditions import Known, Policy, conditions
from monitord.pinning.decide import after, decide
from monitord.pinning.foreseen import Outlook
from monitord.pinning.incident import IncidentKind, Severity, TransitionReason
from monitord.pinning.judge import judge
from monitord.pinning.outcome import Streaks
from monitord.pinning.pins import Pin, PinSet
from monitord.pinning.prediction import Cause, Prediction, nearness
from monitord.pinning.target import Target
from monitord.pinning.trust import TrustStore
from monitord.pinning.verdict import Verdict
from tests.pinning.conftest import HOST, NOW, leaf_of, pin_of, unknown_pin

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.pinning.incident import Incident, IncidentKey, Transition
    from monitord.pinning.observation import Observation
    from tests.pinning.conftest import World

DAY = timedelta(days=1)
POLICY = Policy(confirm=1, failures=3, release_time=14 * DAY, horizon=30 * DAY, repeat=timedelta(hours=4))
OPENED, REVISED, ESCALATED = TransitionReason.OPENED, TransitionReason.REVISED, TransitionReason.ESCALATED


def foretold(  # what a prediction says
    at: datetime,
    *,
    now: datetime = NOW,
    until: datetime | None = None,
    cause: Cause = Cause.LEAF_RENEWAL,
    confidence: float = 0.8,
    keys: tuple[Pin, ...] = (),
) -> Prediction:
    """A predicted mismatch; with ``keys`` the coming chain was seen."""
    return Prediction(
        "app",
        cause,
        at,
        until or at + DAY / 2,
        confidence,
        nearness(at, now, POLICY.release_time, POLICY.horizon),
        Verdict.PIN_MISMATCH,
        "because",
        "do this",
        at - POLICY.release_time,
        tuple((key, "leaf", "CN=coming") for key in keys),
        known=bool(keys),
    )


class Watch:
    """An endpoint over time, whose predictions are made by hand."""

    def __init__(self, world: World, *pins: Pin) -> None:
        self.world = world
        self.pinset = PinSet("app", pins=pins or (pin_of(world.leaf), unknown_pin(1)), trust=("test",))
        self.open: dict[IncidentKey, Incident] = {}

    def round(
        self, *predictions: Prediction, at: datetime = NOW, seen: tuple[Observation, ...] = (), evidence: str = "one"
    ) -> list[Transition]:
        """The transitions of predicted mismatches in a round that foresees this."""
        store = TrustStore("test", [self.world.root.certificate])
        observations = seen or (self.world.observe(self.world.leaf, self.world.intermediate, at=at),)
        verdicts = judge(Target(HOST, pinsets=(self.pinset,)), observations, {"test": store}, at)
        streaks = Streaks().after(verdicts, POLICY.failures)
        outlook = Outlook(predictions, evidence)
        held = conditions([verdicts], streaks, Known(self.open), at, POLICY, outlook=outlook)
        steps = decide(self.open, held, at, POLICY)
        self.open = after(self.open, steps)
        return [step for step in steps if step.incident.key.kind is IncidentKind.PIN_MISMATCH_PREDICTED]

    def reasons(self, *predictions: Prediction, at: datetime = NOW, evidence: str = "one") -> list[TransitionReason]:
        """Why they were made."""
        return [step.reason for step in self.round(*predictions, at=at, evidence=evidence)]


@pytest.fixture
def watch(world: World) -> Watch:
    """An endpoint that pins its leaf and a spare."""
    return Watch(world)


@pytest.mark.parametrize(
    ("days", "confidence", "severity"),
    [(10, 0.5, Severity.CRITICAL), (20, 0.9, Severity.WARNING), (20, 0.49, None), (31, 0.9, None)],
)
def test_rule_1_it_begins_when_one_that_is_sure_lies_inside_the_horizon(
    watch: Watch, days: int, confidence: float, severity: Severity | None
) -> None:
    """And is as loud as it is near."""
    steps = watch.round(foretold(NOW + days * DAY, confidence=confidence))
    assert [step.incident.severity for step in steps] == ([severity] if severity else [])


def test_rule_1_the_foremost_is_told(watch: Watch) -> None:
    """The earliest of those that are sure, not the surest."""
    (step,) = watch.round(
        foretold(NOW + 20 * DAY, cause=Cause.ROOT_EXPIRY, confidence=0.95),
        foretold(NOW + 10 * DAY, confidence=0.6),
        foretold(NOW + 2 * DAY, cause=Cause.CT_ISSUED, confidence=0.3),
    )
    assert step.incident.facts["cause"] == "leaf_renewal"


def test_an_end_of_the_pin_set_is_another_kind(watch: Watch) -> None:
    """``pins_expiring`` tells of it."""
    assert watch.round(foretold(NOW + 5 * DAY, cause=Cause.PINS_EXPIRE, confidence=1.0)) == []


def test_nothing_new_is_silent(watch: Watch) -> None:
    """The same prediction, or one that moved by hours, is not told again."""
    assert watch.reasons(foretold(NOW + 20 * DAY)) == [OPENED]
    assert watch.reasons(foretold(NOW + 20 * DAY), at=NOW + DAY) == []
    assert watch.reasons(foretold(NOW + 20 * DAY + timedelta(hours=11)), at=NOW + DAY) == []


def test_rule_2_it_goes_on_when_it_moves_beyond_the_horizon(watch: Watch) -> None:
    """The same incident; people are told that it moved, and it is no louder than it is near."""
    (begun,) = watch.round(foretold(NOW + 10 * DAY, cause=Cause.DISTRUST))
    later = NOW + 70 * DAY
    (moved,) = watch.round(foretold(later, now=NOW + DAY, cause=Cause.DISTRUST), at=NOW + DAY)
    assert (moved.reason, moved.notify, moved.incident.id) == (REVISED, True, begun.incident.id)
    assert (begun.incident.severity, moved.incident.severity) == (Severity.CRITICAL, Severity.WARNING)
    assert moved.incident.facts["revisions"][0]["predicted_at"] == begun.incident.facts["predicted_at"]


def test_rule_2_another_matter_beyond_the_horizon_ends_it(watch: Watch) -> None:
    """The bad certificate is no longer coming; the ordinary renewal is two months away, and told in its own time."""
    watch.round(foretold(NOW + 10 * DAY, cause=Cause.CT_ISSUED, keys=(unknown_pin(5),)))
    far = foretold(NOW + 70 * DAY)
    assert watch.reasons(far, at=NOW + DAY, evidence="two") == [TransitionReason.SUPERSEDED]
    assert watch.reasons(far, at=NOW + 2 * DAY, evidence="two") == []


def test_rule_2_what_was_seen_and_is_only_imagined_now_is_another_matter(watch: Watch) -> None:
    """Of one cause, but the staged chain is gone."""
    watch.round(foretold(NOW + 10 * DAY, keys=(unknown_pin(5),)))
    assert watch.reasons(foretold(NOW + 70 * DAY), at=NOW + DAY, evidence="two") == [TransitionReason.SUPERSEDED]


def test_rule_3_it_comes_true_when_the_set_fails(watch: Watch, world: World) -> None:
    """Another incident tells of the failure."""
    watch.round(foretold(NOW + 10 * DAY))
    seen = (world.observe(leaf_of(world.intermediate), world.intermediate),)
    (step,) = watch.round(seen=seen, at=NOW + DAY)
    assert step.reason is TransitionReason.CAME_TRUE


def test_rule_3_what_cannot_be_judged_changes_nothing(watch: Watch, world: World) -> None:
    """Nothing answers: the prediction stands."""
    watch.round(foretold(NOW + 10 * DAY))
    assert watch.round(seen=(world.silence(),), at=NOW + DAY) == []
    assert len(watch.open) == 1


def test_a_silent_address_does_not_hide_what_the_others_foretell(watch: Watch, world: World) -> None:
    """Its beginning is told, and that it is over is not believed until all can be judged."""
    seen = (world.observe(world.leaf, world.intermediate), world.silence())
    assert [step.reason for step in watch.round(foretold(NOW + 10 * DAY), seen=seen)] == [OPENED]
    assert watch.round(seen=seen, at=NOW + DAY, evidence="two") == []
    assert watch.reasons(at=NOW + 2 * DAY, evidence="two") == [TransitionReason.SUPERSEDED]


def test_rule_4_it_is_averted_when_another_pin_matches(world: World) -> None:
    """The renewal used the pinned spare."""
    spare = leaf_of(world.intermediate)
    watch = Watch(world, pin_of(world.leaf), pin_of(spare))
    watch.round(foretold(NOW + 10 * DAY))
    (step,) = watch.round(foretold(NOW + 80 * DAY), seen=(world.observe(spare, world.intermediate),), at=NOW + 9 * DAY)
    assert step.reason is TransitionReason.AVERTED


def test_rule_4_it_is_averted_when_the_set_was_changed_and_is_safe(watch: Watch, world: World) -> None:
    """An intermediate was added; while the prediction stays, changing the set is not enough."""
    watch.round(foretold(NOW + 10 * DAY))
    watch.pinset = replace(watch.pinset, pins=(*watch.pinset.pins, unknown_pin(7)))
    assert watch.reasons(foretold(NOW + 10 * DAY), at=NOW + DAY) == []
    watch.pinset = replace(watch.pinset, pins=(*watch.pinset.pins, pin_of(world.intermediate)))
    assert watch.reasons(at=NOW + 2 * DAY) == [TransitionReason.AVERTED]


@pytest.mark.parametrize(
    ("evidence", "reason"), [("one", TransitionReason.WITHDRAWN), ("two", TransitionReason.SUPERSEDED)]
)
def test_rule_5_newer_evidence_or_none(watch: Watch, evidence: str, reason: TransitionReason) -> None:
    """The same certificates are in service: what is known has changed, or it was not likely after all."""
    watch.round(foretold(NOW + 10 * DAY))
    assert watch.reasons(at=NOW + DAY, evidence=evidence) == [reason]


def test_rule_5_a_renewal_that_kept_the_pin_withdraws_it_whatever_else_is_known(watch: Watch, world: World) -> None:
    """That it was wrong is not to be blamed on news."""
    watch.round(foretold(NOW + 10 * DAY))
    kept = leaf_of(world.intermediate, key=world.leaf.key)
    (step,) = watch.round(seen=(world.observe(kept, world.intermediate),), at=NOW + 10 * DAY, evidence="two")
    assert step.reason is TransitionReason.WITHDRAWN


WINDOW = NOW + 40 * DAY


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (foretold(NOW + 20 * DAY, until=WINDOW, cause=Cause.CT_ISSUED), True),
        (foretold(NOW + 20 * DAY, until=WINDOW, keys=(unknown_pin(5),)), True),
        (foretold(NOW + 17 * DAY, until=WINDOW), True),
        (foretold(NOW + 24 * DAY, until=WINDOW), False),
        (foretold(NOW + 30 * DAY, until=WINDOW), False),
        (foretold(NOW + 41 * DAY, until=WINDOW), True),
    ],
    ids=["another cause", "keys to pin", "earlier", "days later", "later in its window", "after its window"],
)
def test_people_are_told_of_a_revision_if_it_matters(watch: Watch, changed: Prediction, told: bool) -> None:
    """What is told was expected on day 20, and by day 40."""
    watch.round(foretold(NOW + 20 * DAY, until=WINDOW))
    (step,) = watch.round(changed, at=NOW + timedelta(hours=1))
    assert (step.reason, step.notify) == (REVISED, told)


def test_keys_that_are_coming_are_told_once(watch: Watch) -> None:
    """The certificate was seen on the second day, and is seen still on the third."""
    watch.round(foretold(NOW + 20 * DAY))
    seen = foretold(NOW + 20 * DAY, keys=(unknown_pin(5),))
    assert watch.reasons(seen, at=NOW + DAY) == [REVISED]
    assert watch.reasons(seen, at=NOW + 2 * DAY) == []


def test_coming_nearer_escalates_once(watch: Watch) -> None:
    """Within release_time it is critical."""
    watch.round(foretold(NOW + 20 * DAY))
    for day, reasons in ((5, []), (6, [ESCALATED]), (7, []), (8, [])):
        now = NOW + day * DAY
        assert watch.reasons(foretold(NOW + 20 * DAY, now=now), at=now) == reasons


def test_reminders_are_rare(watch: Watch) -> None:
    """Each week for a warning, each third day for what is critical."""
    for days, expected in ((29, [7, 14]), (10, [3, 6, 9])):
        watch.open = {}
        reminded = []
        for day in range(expected[-1] + 1):
            now = NOW + day * DAY
            reasons = watch.reasons(foretold(NOW + days * DAY, now=now), at=now)
            reminded += [day] * (TransitionReason.REPEATED in reasons)
        assert reminded == expected
