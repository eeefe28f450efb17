"""The numbered rules of ``decide`` as a table: what an endpoint shows, round by round, and what is made of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitord.pinning import decide as rules
from monitord.pinning.conditions import Policy
from monitord.pinning.decide import acknowledge, hush, withdraw
from monitord.pinning.incident import Acknowledgement, IncidentState, Severity
from monitord.pinning.quiet import Quiet
from monitord.pinning.report import event_body
from tests.pinning.conftest import NOW, leaf_of
from tests.pinning.story import MISMATCH, Story

if TYPE_CHECKING:
    from monitord.pinning.incident import Transition
    from monitord.pinning.observation import Observation
    from tests.pinning.conftest import World

# One look is enough in these stories, so that each round is one letter.
POLICY = Policy(
    confirm=1,
    failures=1,
    release_time=timedelta(days=14),
    horizon=timedelta(days=30),
    repeat=timedelta(hours=4),
)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

# Each word of a story is a round, 15 minutes after the one before or as long as it says:
#   g good · r another key, so no pin matches · h one of two addresses is silent · s both are · - DNS fails
# or something that people do at the time of the next round:
#   ack unack · hush (a silence begins) loud (it ends) · gone (out of the configuration)
# What comes of each word is the reasons of its transitions; "!" is told to people, "." is nothing.
TABLE = [
    (1, "a failure that goes on is one incident", "r r r", "opened! . ."),
    (1, "one for each kind", "r s r", "opened! opened! cleared!"),
    (2, "what holds opens", "g r", ". opened!"),
    (2, "what is over may open again", "r g r", "opened! cleared! opened!"),
    (3, "a higher severity is told at once", "h s", "opened! escalated!"),
    (3, "a lower one changes nothing", "s h s h", "opened! . . ."),
    (4, "a reminder comes when its time has passed", "r r+3h r+1h r", "opened! . repeated! ."),
    (4, "a warning is repeated once a day", "h h+4h h+19h h+1h", "opened! . . repeated!"),
    (4, "a long pause brings one reminder", "r r+9d r", "opened! repeated! ."),
    (5, "what is over ends, once", "r g g", "opened! cleared! ."),
    (6, "silence does not end a mismatch", "r -+1h g", "opened! opened! cleared!,cleared!"),
    (6, "silence opens no mismatch", "- g", "opened! cleared!"),
    (7, "what is no longer watched ends", "r gone", "opened! unregistered!"),
    (
        8,
        "the third opening in a short while is told as flapping",
        "r g r g r",
        "opened! cleared! opened! cleared! flapping!",
    ),
    (
        8,
        "it is told once",
        "r g r g r g r g r",
        "opened! cleared! opened! cleared! flapping! ceased recurred ceased recurred",
    ),
    (
        8,
        "when it was away for the whole window it ends",
        "r g r g r g g+75m g+14m g+1m g",
        "opened! cleared! opened! cleared! flapping! ceased . . cleared! .",
    ),
    (
        8,
        "when it stayed for the whole window it is told again",
        "r g r g r r+75m r+14m r+1m r g",
        "opened! cleared! opened! cleared! flapping! . . persisted! . cleared!",
    ),
    (
        8,
        "each turn starts the clock anew",
        "r g r g r g r+80m g+80m g+80m g+10m",
        "opened! cleared! opened! cleared! flapping! ceased recurred ceased . cleared!",
    ),
    (
        8,
        "silence is no turn, and ends nothing",
        "r g r g r g -+2h g",
        "opened! cleared! opened! cleared! flapping! ceased opened! cleared!,cleared!",
    ),
    (
        8,
        "a reminder comes each day at most",
        "r g r g r" + " g r+75m" * 17,
        "opened! cleared! opened! cleared! flapping!" + " ceased recurred" * 15 + " ceased repeated! ceased recurred",
    ),
    (8, "what comes and goes slowly is told each time", "r g r+80m g r", "opened! cleared! opened! cleared! opened!"),
    (8, "an escalation is told", "h g h g h s", "opened! cleared! opened! cleared! flapping! escalated!"),
    (
        8,
        "an escalation brings a flapping one back",
        "h g h g h g s",
        "opened! cleared! opened! cleared! flapping! ceased escalated!",
    ),
    (
        8,
        "it ends with its endpoint",
        "r g r g r g gone",
        "opened! cleared! opened! cleared! flapping! ceased unregistered!",
    ),
    (9, "what is acknowledged is not repeated", "r ack r+9d r", "opened! acknowledged . ."),
    (9, "until that is taken back", "r ack unack r+4h", "opened! acknowledged unacknowledged repeated!"),
    (9, "an escalation is told and ends it", "h ack s s+4h", "opened! acknowledged escalated! repeated!"),
    (9, "the end is told", "r ack g r", "opened! acknowledged cleared! opened!"),
    (10, "nothing is told in a silence", "hush r r+9d", ". opened ."),
    (10, "when it ends what is still open is told", "hush r loud r r", ". opened . unsilenced! ."),
    (10, "also if nobody can tell how it stands", "hush r loud -+5m", ". opened . opened!,unsilenced!"),
    (10, "what begins and ends in a silence is told to nobody", "hush r g loud g", ". opened cleared! . ."),
    (10, "what was told before is not told again", "r hush r loud r", "opened! silenced . . unsilenced"),
    (10, "but reminded of, if it is time", "r hush r+5h loud r", "opened! silenced . . unsilenced,repeated!"),
    (10, "an escalation waits", "h hush s loud s", "opened! silenced escalated . unsilenced!"),
    (10, "an escalation after it is told once", "h hush h loud s", "opened! silenced . . unsilenced,escalated!"),
    (
        10,
        "flapping is told after it",
        "hush r g r g r g loud g",
        ". opened cleared! opened cleared! flapping ceased . unsilenced!",
    ),
    (
        10,
        "what stayed is told after it",
        "hush r g r g r r+90m loud r",
        ". opened cleared! opened cleared! flapping persisted . unsilenced!",
    ),
    (10, "a silence is noted where it begins", "r hush r r", "opened! silenced . ."),
    (
        10,
        "an acknowledgement in a silence holds",
        "r hush ack r+9d loud r+9d",
        "opened! silenced acknowledged . . unsilenced",
    ),
    (11, "the end is told in a silence", "r hush g", "opened! silenced cleared!"),
]


class Play:
    """A story played word by word."""

    def __init__(self, world: World) -> None:
        self.story = Story(world, policy=POLICY)
        self.now = NOW
        renewed = leaf_of(world.intermediate)
        self.seen: dict[str, tuple[Observation, ...]] = {
            "g": (world.observe(world.leaf, world.intermediate),),
            "r": (world.observe(renewed, world.intermediate),),
            "h": (world.observe(world.leaf, world.intermediate), world.silence()),
            "s": (world.silence("192.0.2.1"), world.silence()),
            "-": (world.silence(""),),
        }

    def word(self, word: str) -> tuple[Transition, ...]:
        """What comes of one word."""
        match = re.fullmatch(r"(?P<what>[a-z-]+)(?:\+(?P<number>\d+)(?P<unit>[mhd]))?", word)
        assert match, word
        if match["what"] not in self.seen:
            return self.act(match["what"])
        step = timedelta(**{_UNITS[match["unit"]]: int(match["number"])}) if match["unit"] else timedelta(minutes=15)
        self.now += step
        return self.story.steps(self.seen[match["what"]], now=self.now)

    def act(self, what: str) -> tuple[Transition, ...]:
        """What comes of something that people do; a silence that begins is noted at once."""
        story = self.story
        steps: tuple[Transition, ...] = ()
        if what == "ack":
            steps = tuple(acknowledge(one, Acknowledgement(self.now, "ann"), self.now) for one in story.open.values())
        elif what == "unack":
            steps = tuple(acknowledge(one, None, self.now) for one in story.open.values())
        elif what == "hush":
            story.quiet = Quiet("s1", "a move", self.now + timedelta(days=30), "ann")
            steps = tuple(hush(story.open.values(), dict.fromkeys(story.open, story.quiet), self.now))
        elif what == "loud":
            story.quiet = None
        elif what == "gone":
            steps = tuple(withdraw(story.open.values(), self.now, POLICY))
        story.take(steps)
        return steps


def spoken(steps: tuple[Transition, ...]) -> str:
    """The reasons of transitions, with a mark on those that people are told."""
    return ",".join(sorted(step.reason + ("!" if step.notify else "") for step in steps)) or "."


@pytest.mark.parametrize(("rule", "name", "story", "expected"), TABLE, ids=[f"{row[0]}-{row[1]}" for row in TABLE])
def test_rule(world: World, rule: int, name: str, story: str, expected: str) -> None:
    """The rule of that number holds."""
    del rule, name
    play = Play(world)
    assert [spoken(play.word(word)) for word in story.split()] == [
        ",".join(sorted(word.split(","))) for word in expected.split()
    ]


def test_every_rule_is_in_the_table() -> None:
    """The comment at the top of the module numbers what is tested here, and no more."""
    numbers = {int(number) for number in re.findall(r"^(\d+)\. ", rules.__doc__ or "", re.MULTILINE)}
    assert numbers == {row[0] for row in TABLE}


def test_a_flapping_incident_says_so_until_it_has_settled(world: World) -> None:
    """The body of the alert and its sentence say that it comes and goes; that it stayed is said in the same way."""
    play = Play(world)
    *_, (flapping,) = [play.word(word) for word in ("r", "g", "r", "g", "r")]
    data = event_body(flapping)["data"]
    assert data["flapping"] is True
    assert data["summary"].endswith(
        " It comes and goes: this is the third time or more in 90 minutes, so you will hear of it again only when it "
        "has stayed or been away for as long."
    )
    (stayed,) = play.word("r+90m")
    data = event_body(stayed)["data"]
    assert data["flapping"] is False
    assert data["summary"].endswith(" It came and went before, and has stayed for 90 minutes now.")


def test_the_log_says_who_did_what_and_why(world: World) -> None:
    """Steps that nobody is told of carry a remark, and leave what people were told as it was."""
    play = Play(world)
    (opened,) = play.word("r")
    (silenced,) = play.word("hush")
    assert silenced.remark == {"silence": "s1", "by": "ann", "reason": "a move", "until": "2026-03-31T12:15:00Z"}
    (acknowledged,) = play.word("ack")
    assert acknowledged.remark == {"by": "ann", "reason": ""}
    assert acknowledged.incident.facts == opened.incident.facts
    assert acknowledged.number == 3


@pytest.mark.parametrize("away", [True, False])
def test_a_clock_that_was_set_back_does_not_keep_a_flapping_incident_quiet(world: World, *, away: bool) -> None:
    """Its last turn lies a year ahead."""
    play = Play(world)
    for word in ("r", "g", "r", "g", "r", *(["g"] if away else [])):
        play.word(word)
    incident = play.story.open[MISMATCH]
    handling = replace(incident.handling, turned_at=play.now + timedelta(days=365))
    play.story.open[MISMATCH] = replace(incident, handling=handling)
    assert spoken(play.word("g" if away else "r")) == ("cleared!" if away else "persisted!")


def test_the_group_stays_for_the_life_of_an_incident(world: World) -> None:
    """Reminders, escalations and the end carry what the opening said."""
    play = Play(world)
    groups = [
        [step.incident.facts["group"] for step in play.word(word)] for word in ("h", "s", "s+5h", "hush", "loud", "g")
    ]
    assert groups == [["unreachable timeout 192.0.2.0/24"]] * 4 + [[]] + [["unreachable timeout 192.0.2.0/24"]]


@settings(max_examples=150, deadline=None)
@given(
    words=st.lists(
        st.sampled_from(["g", "r", "h", "s", "-", "r+5h", "g+2h", "ack", "unack", "hush", "loud"]), max_size=30
    )
)
def test_no_order_of_events_breaks_the_promises(world: World, words: list[str]) -> None:
    """Whatever happens: one incident for a key, numbers in a row, quiet in a silence, and no news that is lost.

    What is open when a silence has ended and the next round is over was told, or nothing of it was to be told.
    """
    play = Play(world)
    numbers: dict[str, int] = {}
    told: set[str] = set()
    for word in words:
        silent = play.story.quiet is not None
        steps = play.word(word)
        for step in steps:
            incident = step.incident
            assert step.number == numbers.get(incident.id, 0) + 1
            numbers[incident.id] = step.number
            over = incident.state is IncidentState.RESOLVED
            assert over or not (step.notify and silent)
            if step.notify:
                told.add(incident.id)
        if play.story.quiet is None and word not in ("loud", "ack", "unack"):
            assert {incident.id for incident in play.story.open.values()} <= told
    assert all(key == incident.key for key, incident in play.story.open.items())


@pytest.mark.parametrize(
    ("severity", "hours"), [(Severity.CRITICAL, 1), (Severity.WARNING, 24), (Severity.INFO, 7 * 24)]
)
def test_each_severity_may_have_a_time_of_its_own(severity: Severity, hours: int) -> None:
    """What the configuration gives is taken as it is."""
    times = {Severity.CRITICAL: 1, Severity.WARNING: 24, Severity.INFO: 7 * 24}
    policy = replace(POLICY, repeat_by={one: timedelta(hours=number) for one, number in times.items()})
    assert policy.repeat_after(severity) == timedelta(hours=hours)


def test_a_severity_without_a_time_has_the_usual_one() -> None:
    """A short time for critical ones does not make warnings more frequent than each day."""
    policy = replace(POLICY, repeat=timedelta(minutes=10), repeat_by={Severity.CRITICAL: timedelta(hours=1)})
    assert policy.repeat_after(Severity.WARNING) == timedelta(days=1)
    assert policy.repeat_after(Severity.CRITICAL) == timedelta(hours=1)
