"""What stays is set aside as it grows, and not otherwise."""

from __future__ import annotations

import gc

import pytest

from monitord.daemon.garbage import SetAside


class Collector:
    """What the interpreter is asked for; it does none of it, for that would slow the other tests of this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing was asked for."""
        self.asked: list[str] = []
        monkeypatch.setattr(gc, "collect", lambda generation=2: self.asked.append(f"collect {generation}"))
        monkeypatch.setattr(gc, "freeze", lambda: self.asked.append("freeze"))
        monkeypatch.setattr(gc, "enable", lambda: self.asked.append("enable"))


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    """The interpreter's, for the time of a test."""
    return Collector(monkeypatch)


def test_what_stays_is_set_aside_each_time_that_it_has_grown_by_a_tenth(collector: Collector) -> None:
    """A few endpoints never are, and young garbage is collected before it could be set aside too."""
    kept = SetAside()
    for endpoints, grown in ((10, False), (1_000, True), (1_000, False), (1_200, False), (1_300, True)):
        collector.asked.clear()
        kept.know(endpoints)
        assert collector.asked == (["collect 1", "freeze"] if grown else []), endpoints


def test_a_million_endpoints_are_set_aside_less_than_ninety_times(collector: Collector) -> None:
    """With the logarithm of what there is, so that the garbage that is set aside with it stays little."""
    kept = SetAside()
    for endpoints in range(0, 1_000_000, 100):
        kept.know(endpoints)
    assert 50 < collector.asked.count("freeze") < 90


def test_collections_begin_after_the_start(collector: Collector) -> None:
    """What was made until then is collected once, and not gone through again."""
    SetAside().started()
    assert collector.asked == ["collect 2", "freeze", "enable"]
