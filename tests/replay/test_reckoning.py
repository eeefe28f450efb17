"""What a played story comes to: each rule by its number, over real rounds with alarms that are put in by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from monitord.pinning.incident import (
    Incident,
    IncidentKey,
    IncidentKind,
    IncidentState,
    Severity,
    Transition,
    TransitionReason,
)
from monitord.pinning.verdict import Verdict
from monitord.replay.play import play
from monitord.replay.reckoning import Fate, reckon
from tests.replay.stories import read, story

if TYPE_CHECKING:
    from pathlib import Path

    from monitord.replay.reckoning import Reckoned

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
PREDICTED = IncidentKind.PIN_MISMATCH_PREDICTED


def day(number: float) -> datetime:
    """Midnight of the day of this number; the story begins on day 0 and ends on day 9."""
    return BEGAN + timedelta(days=number)


@dataclass(frozen=True)
class Alarm:
    """A prediction: when it began, for when, how it was revised (day, for when), and how it ended."""

    began: int
    foretold: float
    revised: tuple[tuple[int, float], ...] = ()
    ended: tuple[int, TransitionReason] | None = None
    severity: Severity = Severity.WARNING
    kind: IncidentKind = PREDICTED

    @property
    def transitions(self) -> dict[datetime, Transition]:
        """Its transitions by when they are."""
        key = IncidentKey("api.example.test", 443, "app", self.kind)
        incident = Incident(f"of day {self.began}", key, IncidentState.FIRING, self.severity, day(self.began), BEGAN)
        found = {}
        told = [(self.began, self.foretold, TransitionReason.OPENED)]
        told += [(at, foretold, TransitionReason.REVISED) for at, foretold in self.revised]
        for number, (at, foretold, reason) in enumerate(told, 1):
            facts = {"predicted_at": day(foretold).isoformat(), "cause": "leaf_renewal", "confidence": 0.8}
            incident = replace(incident, facts=facts)
            found[day(at)] = Transition(incident, number, day(at), reason)
        if self.ended:
            at, reason = self.ended
            over = replace(incident, state=IncidentState.RESOLVED)
            found[day(at)] = Transition(over, len(told) + 1, day(at), reason)
        return found


def reckoned(directory: Path, *alarms: Alarm, events: str = "", horizon: str = "2d", **options: str) -> Reckoned:
    """A story of ten days with these alarms instead of its own, reckoned."""
    told = read(story(events, horizon=horizon, **options), directory)
    rounds = [
        replace(one, transitions=tuple(alarm.transitions[one.at] for alarm in alarms if one.at in alarm.transitions))
        for one in play(told)
    ]
    return reckon(told, rounds)[0]


FAILS_ON_6 = "  - {at: 2026-01-07, serve: [new, inter]}\n"
WITHDRAWN, SUPERSEDED = TransitionReason.WITHDRAWN, TransitionReason.SUPERSEDED
AVERTED = TransitionReason.AVERTED


def test_rule_1_a_set_fails_at_the_first_probe_that_says_so(tmp_path: Path) -> None:
    """A mismatch, or a chain that is not trusted; that it recovers and fails again does not move it."""
    mended = "  - {at: 2026-01-08, serve: [same, inter]}\n  - {at: 2026-01-09, serve: [new, inter]}\n"
    found = reckoned(tmp_path, events=FAILS_ON_6 + mended)
    assert (found.fails_at, found.failure) == (day(6), Verdict.PIN_MISMATCH)
    found = reckoned(tmp_path, events="  - {at: 2026-01-03, serve: [same, inter]}\n")  # not valid before 01-04
    assert (found.fails_at, found.failure) == (day(2), Verdict.UNTRUSTED)


@pytest.mark.parametrize("event", ["unreachable: true", "serve: [leaf]", "trust: []"])
def test_rule_1_what_is_undetermined_is_no_failure(event: str, tmp_path: Path) -> None:
    """Nothing answers, an intermediate is missing, nobody knows the root."""
    assert reckoned(tmp_path, events=f"  - {{at: 2026-01-05, {event}}}\n").fails_at is None


def test_rule_2_a_revision_is_no_new_prediction(tmp_path: Path) -> None:
    """One alarm, whose time is that of its last revision."""
    found = reckoned(tmp_path, Alarm(1, 3, revised=((2, 5), (4, 8))))
    assert [alarm.predicted_at for alarm in found.alarms] == [day(8)]
    assert found.false_alarms == 1


def test_rule_2_one_that_never_was_a_warning_counts_for_nothing(tmp_path: Path) -> None:
    """Neither as a prediction nor as a false alarm."""
    found = reckoned(tmp_path, Alarm(1, 3, severity=Severity.INFO))
    assert (found.alarms, found.false_alarms, found.first_predicted) == ((), 0, None)


@pytest.mark.parametrize("kind", [IncidentKind.PINS_EXPIRING, IncidentKind.NO_BACKUP_PIN, IncidentKind.UNREACHABLE])
def test_other_kinds_never_count(kind: IncidentKind, tmp_path: Path) -> None:
    """Only a predicted mismatch does, which foretells an untrusted chain too."""
    found = reckoned(tmp_path, Alarm(1, 3, kind=kind, ended=(2, WITHDRAWN)), events=FAILS_ON_6)
    assert (found.false_alarms, found.first_predicted) == (0, None)


@pytest.mark.parametrize("reason", [WITHDRAWN, SUPERSEDED])
def test_rule_4_what_was_withdrawn_before_the_failure_is_not_the_prediction_of_it(
    reason: TransitionReason, tmp_path: Path
) -> None:
    """The first that was not is, and the lead is reckoned from there."""
    found = reckoned(tmp_path, Alarm(1, 7, ended=(3, reason)), Alarm(4, 6), events=FAILS_ON_6)
    assert (found.first_predicted, found.lead) == (day(4), timedelta(days=2))


def test_rule_4_an_end_that_is_no_withdrawal_leaves_it_the_prediction(tmp_path: Path) -> None:
    """It came true, at the failure itself."""
    found = reckoned(tmp_path, Alarm(2, 6, ended=(6, TransitionReason.CAME_TRUE)), events=FAILS_ON_6)
    assert (found.first_predicted, found.lead) == (day(2), timedelta(days=4))


def test_rule_4_what_began_after_the_failure_does_not_foretell_it(tmp_path: Path) -> None:
    """And a lead there is none."""
    found = reckoned(tmp_path, Alarm(8, 9), events=FAILS_ON_6)
    assert (found.first_predicted, found.lead) == (None, None)


def test_rule_5_it_came_true_if_the_failure_comes_within_the_horizon_after_it(tmp_path: Path) -> None:
    """Foretold for day 4 with a horizon of two days: day 6 is near enough, with one day it is not."""
    assert reckoned(tmp_path, Alarm(1, 4), events=FAILS_ON_6).alarms[0].fate is Fate.CAME_TRUE
    assert reckoned(tmp_path, Alarm(1, 4), events=FAILS_ON_6, horizon="1d").alarms[0].fate is Fate.FALSE


def test_rule_5_the_end_of_the_story_comes_first_if_it_does(tmp_path: Path) -> None:
    """Foretold for the last day but one, and nothing came: the horizon beyond the end is not waited for."""
    assert reckoned(tmp_path, Alarm(1, 8.5), horizon="30d").false_alarms == 1


def test_rule_6_it_came_true_also_where_it_came_sooner_or_was_withdrawn_before(tmp_path: Path) -> None:
    """Whoever was warned was right."""
    assert reckoned(tmp_path, Alarm(1, 9), events=FAILS_ON_6).alarms[0].fate is Fate.CAME_TRUE
    withdrawn = reckoned(tmp_path, Alarm(1, 7, ended=(5, WITHDRAWN)), events=FAILS_ON_6)
    assert (withdrawn.false_alarms, withdrawn.first_predicted) == (0, None)


def test_rule_7_it_was_averted_if_the_pin_set_changed_while_it_was_open(tmp_path: Path) -> None:
    """After its beginning and no later than its end."""
    changed = "  - {at: 2026-01-05, pinset: {name: app, pins: [a, b]}}\n"
    assert reckoned(tmp_path, Alarm(2, 6), events=changed).alarms[0].fate is Fate.AVERTED
    assert reckoned(tmp_path, Alarm(2, 6, ended=(4, AVERTED)), events=changed).alarms[0].fate is Fate.AVERTED
    assert reckoned(tmp_path, Alarm(2, 6, ended=(3, WITHDRAWN)), events=changed).alarms[0].fate is Fate.FALSE
    assert reckoned(tmp_path, Alarm(4, 6), events=changed).alarms[0].fate is Fate.FALSE


def test_rule_7_the_share_of_users_is_no_part_of_the_pin_set(tmp_path: Path) -> None:
    """Nothing is averted by counting again."""
    changed = "  - {at: 2026-01-05, pinset: {name: app, share: 0.4}}\n"
    assert reckoned(tmp_path, Alarm(2, 6), events=changed).alarms[0].fate is Fate.FALSE


BOTH = "  - {name: app, client: okhttp, pins: [a, b]}"


def test_rule_8_it_was_averted_if_the_pins_match_by_another_one_afterwards(tmp_path: Path) -> None:
    """The renewal used the pinned spare; with the matching pin kept it averts nothing."""
    other = reckoned(tmp_path, Alarm(2, 5), events="  - {at: 2026-01-06, serve: [new, inter]}\n", pinsets=BOTH)
    assert other.alarms[0].fate is Fate.AVERTED
    kept = reckoned(tmp_path, Alarm(2, 5), events="  - {at: 2026-01-06, serve: [same, inter]}\n", pinsets=BOTH)
    assert kept.alarms[0].fate is Fate.FALSE


def test_rule_8_a_pin_that_goes_on_to_match_averts_nothing_though_another_one_joins(tmp_path: Path) -> None:
    """Leaf and intermediate are pinned: the intermediate matches before and after."""
    pinset = "  - {name: app, client: okhttp, pins: [a, b, inter]}"
    found = reckoned(tmp_path, Alarm(2, 5), events="  - {at: 2026-01-06, serve: [new, inter]}\n", pinsets=pinset)
    assert found.alarms[0].fate is Fate.FALSE


def test_rule_8_a_place_that_is_new_is_held_against_all_others(tmp_path: Path) -> None:
    """An address that comes with the other pinned key averts, one with the key of the others does not."""
    before = "  - {at: 2026-01-01, trust: [root]}\n  - {at: 2026-01-01, address: 192.0.2.1, serve: [leaf, inter]}\n"
    for leaf, fate in (("new", Fate.AVERTED), ("same", Fate.FALSE)):
        event = f"  - {{at: 2026-01-06, address: 192.0.2.2, serve: [{leaf}, inter]}}\n"
        found = reckoned(tmp_path, Alarm(2, 5), events=event, pinsets=BOTH, before=before)
        assert found.alarms[0].fate is fate


def test_rule_9_newer_evidence_takes_the_place_of_older_only_if_there_is_news(tmp_path: Path) -> None:
    """A prediction that is said to be superseded on a day on which nothing happened was withdrawn."""
    news = "  - {at: 2026-01-04, dns: {cname: x.example.test}}\n"
    assert reckoned(tmp_path, Alarm(1, 5, ended=(3, SUPERSEDED)), events=news).alarms[0].fate is Fate.SUPERSEDED
    assert reckoned(tmp_path, Alarm(1, 5, ended=(4, SUPERSEDED)), events=news).alarms[0].fate is Fate.FALSE


def test_rule_10_a_withdrawn_prediction_is_false_however_far_off_what_it_foretold(tmp_path: Path) -> None:
    """Also beyond the end of the story."""
    assert reckoned(tmp_path, Alarm(1, 40, ended=(3, WITHDRAWN)), horizon="60d").false_alarms == 1


@pytest.mark.parametrize(("foretold", "fate"), [(8, Fate.FALSE), (9, Fate.OPEN), (20, Fate.OPEN)])
def test_rule_10_what_is_foretold_for_the_end_or_later_is_left_open(foretold: int, fate: Fate, tmp_path: Path) -> None:
    """Nobody knows yet."""
    assert reckoned(tmp_path, Alarm(1, foretold), horizon="30d").alarms[0].fate is fate


def test_each_pin_set_is_reckoned_on_its_own(tmp_path: Path) -> None:
    """The alarm of one says nothing about the other."""
    pinsets = "  - {name: app, client: okhttp, pins: [a, {unknown: 1}]}\n  - {name: ca, pins: [inter, {unknown: 1}]}"
    told = read(story(FAILS_ON_6, pinsets=pinsets), tmp_path)
    app, ca = reckon(told, play(told))
    assert (app.pinset, app.fails_at, ca.pinset, ca.fails_at) == ("app", day(6), "ca", None)
