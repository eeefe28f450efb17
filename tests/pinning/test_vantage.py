"""Whether it is we who have no network: the numbered rules of ``vantage`` as a table, look by look."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.pinning import vantage
from monitord.pinning.conditions import Condition
from monitord.pinning.incident import IncidentKey, IncidentKind, Severity
from monitord.pinning.observation import Failure, FailureReason, Observation
from monitord.pinning.target import Target
from monitord.pinning.vantage import Vantage, hold_back
from tests.pinning.conftest import NOW, unknown_pin

if TYPE_CHECKING:
    from tests.pinning.conftest import World

# Each host with an address of its own: a to c in three places, d to f in that of a, n and m near, v and w by IPv6.
ADDRESSES = {
    "a": "192.0.2.1",
    "b": "198.51.100.1",
    "c": "203.0.113.1",
    "d": "192.0.2.4",
    "e": "192.0.2.5",
    "f": "192.0.2.6",
    "n": "10.0.0.1",
    "m": "127.0.0.1",
    "v": "2001:db8::1",
    "w": "2a00::1",
}
REASONS = {
    "-": FailureReason.TIMEOUT,
    "/": FailureReason.UNREACHABLE,
    "?": FailureReason.DNS,
    "!": FailureReason.REFUSED,
    "r": FailureReason.RESET,
    "t": FailureReason.TLS_ALERT,
    "%": FailureReason.PROXY,
}

# The hosts that are registered, the looks at them one minute after another, and what is known after each: d is down.
# A look is a host and what it shows: + a chain, - silence, / no route, ? no DNS, ! refused, r reset, t an alert, % the
# proxy fails, ~ a chain at one address and silence at another.
TABLE = [
    (1, "no answer, no route, no DNS", "abc", "a- b/ c?", "..d"),
    (1, "a refusal is an answer", "abc", "a- b! c-", "..."),
    (1, "so is a reset", "abc", "a- br c-", "..."),
    (1, "so is an alert", "abc", "a- bt c-", "..."),
    (1, "so is a chain at one of two addresses", "abc", "a- b~ c-", "..."),
    (1, "a proxy that fails tells nothing", "abcv", "a% b% c% v% a%", "....."),
    (2, "what is near does not show a network", "abcn", "n+ a- b- n+ c-", "....d"),
    (2, "nor that there is none", "abnm", "a- b- n- m-", "...."),
    (2, "nor that there is one again", "abcnm", "n+ m+ a- b- c- n+ m+ a-", "....dddd"),
    (2, "where it was near, it is while its name cannot be resolved", "abn", "n+ a? b? n? a?", "....."),
    (3, "who was dead before is no witness", "abcd", "a- b- d+ a- b- c- a- b- c-", "........."),
    (3, "and is not waited for", "abcvd", "d- a+ b+ c+ v+ a- b- c- v-", "........d"),
    (4, "two hosts are too few", "ab", "a- b- a- b-", "...."),
    (4, "one host is too few", "a", "a- a- a- a-", "...."),
    (4, "nearly all have to be silent", "abcd", "a- b- c- d+", "...."),
    (4, "who was not looked at counts as not silent", "abcdef", "a- b- c- d- e-", "....."),
    (4, "until it is looked at", "abcdef", "a- b- c- d- e- f-", ".....d"),
    (4, "what answered before is looked at again first", "abc", "a+ b+ c+ a- b- c-", ".....d"),
    (4, "an answer in between makes the others dead by themselves", "abc", "a- b- c+ a- b- c-", "......"),
    (5, "one place does not suffice", "adef", "a- d- e- f- a-", "....."),
    (5, "two places do", "adb", "a- d- b-", "..d"),
    (5, "two places of IPv6 do", "avw", "a/ v/ w/", "..d"),
    (5, "no DNS for anybody does", "adef", "a? d? e? f?", "...d"),
    (6, "an answer ends it", "abc", "a- b- c- b+", "..d."),
    (6, "a refusal ends it", "abc", "a- b- c- b!", "..d."),
    (6, "silence and proxies do not", "abc", "a- b- c- a- b% c-", "..dddd"),
    (6, "after it everybody begins anew", "abc", "a- b- c- a+ b- c- a- b- c-", "..d...ddd"),
]


def target(name: str, interval: timedelta = timedelta(minutes=15)) -> Target:
    """The endpoint of that name."""
    return Target(f"{name}.example", interval=interval)


def shown(world: World, name: str, what: str) -> tuple[Observation, ...]:
    """What a look at an endpoint saw."""
    good = world.observe(world.leaf, world.intermediate, address=ADDRESSES[name])
    if what == "+":
        return (good,)
    if what == "~":
        return (good, world.silence("192.0.2.99"))
    address = "" if what == "?" else ADDRESSES[name]
    return (Observation(NOW, address, 443, failure=Failure(REASONS[what], "it fails")),)


def looked(world: World, hosts: str, looks: str, accused: str = "") -> str:
    """What is known after each look: d for no network."""
    known, said = Vantage(), ""
    targets = [target(name) for name in hosts]
    blamed = {(f"{one}.example", 443) for one in accused}
    for minute, word in enumerate(looks.split()):
        name, seen = word[0], shown(world, word[0], word[1])
        known = known.after(target(name), seen, NOW + timedelta(minutes=minute), targets, lambda: blamed)
        said += "d" if known.down else "."
    return said


@pytest.mark.parametrize(
    ("rule", "name", "hosts", "looks", "known"), TABLE, ids=[f"{row[0]}-{row[1]}" for row in TABLE]
)
def test_rule(world: World, rule: int, name: str, hosts: str, looks: str, known: str) -> None:
    """The rule of that number holds."""
    del rule, name
    assert looked(world, hosts, looks) == known


def test_every_rule_is_in_the_table() -> None:
    """The comment at the top of the module numbers what is tested here, and no more."""
    numbers = {int(number) for number in re.findall(r"^(\d+)\. ", vantage.__doc__ or "", re.MULTILINE)}
    assert numbers == {row[0] for row in TABLE}


def test_who_is_reported_already_is_no_witness(world: World) -> None:
    """After a restart nothing is known but which incidents are open; the dead must not testify that all are."""
    assert looked(world, "abcd", "a- b- c-", accused="abc") == "..."
    assert looked(world, "abcd", "a- b- c-", accused="d") == "..d"


def test_rarely_probed_endpoints_are_not_waited_for(world: World) -> None:
    """One that is looked at each day says nothing about this quarter of an hour, unless it was looked at."""
    targets = [target(name) for name in "abc"]
    rare = target("d", timedelta(days=1))
    known = Vantage().after(rare, shown(world, "d", "+"), NOW - timedelta(hours=5), [*targets, rare], tuple)
    for minute, name in enumerate("abc"):
        known = known.after(
            target(name), shown(world, name, "-"), NOW + timedelta(minutes=minute), [*targets, rare], tuple
        )
    assert known.down
    again = known.after(rare, shown(world, "d", "+"), NOW + timedelta(minutes=9), [*targets, rare], tuple)
    assert not again.down


def test_who_is_registered_no_more_is_forgotten(world: World) -> None:
    """Its silence and its answers are no evidence."""
    known = Vantage().after(target("a"), shown(world, "a", "-"), NOW, [target("a")], tuple)
    assert [look.host for look in known.silent] == ["a.example"]
    assert known.of({("b.example", 443)}).silent == []


@given(
    holds=st.sampled_from([True, False, None]),
    kind=st.sampled_from(list(IncidentKind)),
)
def test_nothing_but_unreachable_is_held_back(world: World, holds: bool | None, kind: IncidentKind) -> None:
    """Whatever the network, what rests on a chain that was seen is told."""
    verdict = world.judge(world.observe(world.leaf, world.intermediate), pins=(unknown_pin(),))
    condition = Condition(IncidentKey("a.example", 443, "app", kind), holds, Severity.CRITICAL, verdict)
    (held,) = hold_back([condition])
    expected = None if kind is IncidentKind.UNREACHABLE and holds else holds
    assert held == replace(condition, holds=expected)


@given(looks=st.lists(st.tuples(st.sampled_from("abcdvn"), st.sampled_from("+-/?!rt%~")), max_size=40))
def test_an_answer_always_shows_a_network(world: World, looks: list[tuple[str, str]]) -> None:
    """Right after anything but silence from afar nobody is excused, and two hosts alone never are."""
    words = " ".join(name + what for name, what in looks)
    for (name, what), state in zip(looks, looked(world, "abcdvn", words), strict=True):
        assert not (state == "d" and what in "+!rt~" and name != "n")
    few = " ".join(name + what for name, what in looks if name in "ab" or (name == "n" and what != "?"))
    assert "d" not in looked(world, "abn", few)
