"""Silences and windows: whom they cover, and when they are in force, also on days on which the clock is changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.pinning.incident import IncidentKey, IncidentKind
from monitord.pinning.quiet import Once, Quiet, Scope, Silence, Weekly, Window, quiet_for
from tests.pinning.conftest import NOW

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
MISMATCH, UNREACHABLE, DEGRADED = (
    IncidentKind.PIN_MISMATCH,
    IncidentKind.UNREACHABLE,
    IncidentKind.MONITOR_DEGRADED,
)


def key(host: str = "api.example.com", port: int = 443, kind: IncidentKind = MISMATCH) -> IncidentKey:
    """An incident at this endpoint."""
    return IncidentKey(host, port, "app", kind)


@pytest.mark.parametrize(
    ("pattern", "host", "port", "covered"),
    [
        ("api.example.com", "api.example.com", 443, True),
        ("api.example.com", "api.example.com", 8443, True),
        ("api.example.com:443", "api.example.com", 8443, False),
        ("api.example.com:443", "api.example.com", 443, True),
        ("*.example.com", "api.example.com", 443, True),
        ("*.example.com", "a.b.example.com", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("*", "anything.example", 1, True),
        ("api-?.example.com", "api-1.example.com", 443, True),
        ("api-?.example.com", "api-12.example.com", 443, False),
        ("api.example.com", "apixexample.com", 443, False),
        ("a[bc].example", "ab.example", 443, False),
        ("2001:db8::1", "2001:db8::1", 443, True),
        ("[2001:db8::1]:443", "2001:db8::1", 443, True),
        ("2001:db8::*", "2001:db8::1", 443, True),
    ],
)
def test_patterns_of_hosts(pattern: str, host: str, port: int, covered: bool) -> None:
    """A host at every port, one port of it, many hosts; no other character is special."""
    assert Scope((pattern,)).covers(key(host, port), {}) is covered


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (Scope(), True),
        (Scope(("api.example.com", "other")), True),
        (Scope(("other",)), False),
        (Scope((), {"team": "payments"}), True),
        (Scope((), {"team": "payments", "tier": "1"}), False),
        (Scope((), {"team": "search"}), False),
        (Scope(("*",), {"team": "payments"}, frozenset({MISMATCH, UNREACHABLE})), True),
        (Scope(("*",), {"team": "payments"}, frozenset({UNREACHABLE})), False),
        (Scope(("other",), {"team": "payments"}), False),
    ],
)
def test_hosts_labels_and_kinds_must_all_fit(scope: Scope, covered: bool) -> None:
    """Any of the hosts, all of the labels, any of the kinds."""
    assert scope.covers(key(), {"team": "payments"}) is covered


def test_incidents_of_monitord_itself_are_silenced_by_name_only() -> None:
    """Quiet about all hosts does not hide that nobody watches them."""
    degraded = IncidentKey("", 0, "store", DEGRADED)
    assert not Scope(("*",)).covers(degraded, {})
    assert not Scope().covers(degraded, {})
    assert Scope(kinds=frozenset({DEGRADED})).covers(degraded, {})


def test_a_silence_is_in_force_from_its_start_to_its_end() -> None:
    """The end itself is loud; what lasts longest is named."""
    silence = Silence("s1", Scope(("*",)), NOW, NOW + HOUR, "a move", "ann")
    longer = replace(silence, id="s2", ends_at=NOW + 2 * HOUR)
    window = Window("maintenance-1", Scope(), Once(NOW - HOUR, NOW + HOUR / 2), "patches")

    def now(at: datetime, *silences: Silence) -> Quiet | None:
        return quiet_for(key(), {}, silences, [window], at)

    assert now(NOW - timedelta(seconds=1), silence) == Quiet("maintenance-1", "patches", NOW + HOUR / 2)
    assert now(NOW, silence, longer) == Quiet("s2", "a move", NOW + 2 * HOUR, "ann")
    assert now(NOW + HOUR - timedelta(seconds=1), silence) == Quiet("s1", "a move", NOW + HOUR, "ann")
    assert now(NOW + HOUR, silence) is None


def local(text: str, zone: ZoneInfo = BERLIN, *, fold: int = 0) -> datetime:
    """An instant by the clock on the wall."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def weekly(days: set[int], start: float, end: float) -> Weekly:
    """Hours of these days in Berlin."""
    return Weekly(frozenset(days), timedelta(hours=start), timedelta(hours=end), BERLIN)


SUNDAY = weekly({6}, 2, 4)


@pytest.mark.parametrize(
    ("times", "at", "until"),
    [
        # 2026-03-01 is a Sunday.
        (SUNDAY, "2026-03-01T01:59", None),
        (SUNDAY, "2026-03-01T02:00", "2026-03-01T04:00"),
        (SUNDAY, "2026-03-01T03:59", "2026-03-01T04:00"),
        (SUNDAY, "2026-03-01T04:00", None),
        (SUNDAY, "2026-03-02T03:00", None),
        (weekly({4}, 22, 2), "2026-03-06T23:00", "2026-03-07T02:00"),
        (weekly({4}, 22, 2), "2026-03-07T01:59", "2026-03-07T02:00"),
        (weekly({4}, 22, 2), "2026-03-06T01:00", None),
        (weekly({6}, 0, 24), "2026-03-01T23:59", "2026-03-02T00:00"),
        (weekly({6}, 0, 0), "2026-03-01T23:59", "2026-03-02T00:00"),
        (weekly({5, 6}, 22, 22), "2026-03-01T22:00", "2026-03-02T22:00"),
        (weekly({5, 6}, 20, 22), "2026-02-28T21:00", "2026-02-28T22:00"),
        # 2026-03-29: the clock goes from 02:00 to 03:00. 2026-10-25: from 03:00 back to 02:00.
        (SUNDAY, "2026-03-29T01:59", None),
        (SUNDAY, "2026-03-29T03:30", "2026-03-29T04:00"),
        (SUNDAY, "2026-10-25T02:30", "2026-10-25T04:00"),
        (SUNDAY, "2026-10-25T03:59", "2026-10-25T04:00"),
    ],
)
def test_windows_of_each_week(times: Weekly, at: str, until: str | None) -> None:
    """By the clock on the wall, over midnight, over the change of the clock."""
    assert times.active_until(local(at)) == (local(until) if until else None)


def test_a_window_lasts_as_long_as_the_clock_takes() -> None:
    """From two to four are one hour, two or three, as it happens; the second half past two is within it as well."""
    assert SUNDAY.active_until(local("2026-10-25T02:30", fold=1)) == local("2026-10-25T04:00")
    minutes = [datetime(2026, 10, 24, 22, tzinfo=UTC) + timedelta(minutes=number) for number in range(600)]
    assert sum(SUNDAY.active_until(minute) is not None for minute in minutes) == 180
    minutes = [datetime(2026, 3, 28, 22, tzinfo=UTC) + timedelta(minutes=number) for number in range(600)]
    assert sum(SUNDAY.active_until(minute) is not None for minute in minutes) == 60


@given(
    days=st.frozensets(st.integers(0, 6), min_size=1),
    start=st.integers(0, 1439),
    end=st.integers(0, 1440),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from(["Europe/Berlin", "America/St_Johns", "Pacific/Apia", "UTC"]),
)
def test_a_window_ends_after_now_and_within_a_day_and_an_hour(
    days: frozenset[int], start: int, end: int, at: datetime, zone: str
) -> None:
    """Whatever the zone; and at its end it is over, or the next one has begun."""
    times = Weekly(days, timedelta(minutes=start), timedelta(minutes=end), ZoneInfo(zone))
    until = times.active_until(at)
    assert until is None or at < until <= at + timedelta(hours=25)
