"""Durations and points in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.config.faults import UnfitError
from monitord.config.times import format_duration, parse_duration, parse_time


@pytest.mark.parametrize(
    ("written", "duration"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("12h", timedelta(hours=12)),
        ("14d", timedelta(days=14)),
        ("2w", timedelta(days=14)),
        ("500ms", timedelta(milliseconds=500)),
        ("1h30m", timedelta(minutes=90)),
        ("1w2d3h4m5s6ms", timedelta(weeks=1, days=2, hours=3, minutes=4, seconds=5, milliseconds=6)),
        ("0s", timedelta(0)),
    ],
)
def test_a_duration_is_numbers_with_units(written: str, duration: timedelta) -> None:
    """Each unit once at most, the larger first."""
    assert parse_duration(written) == duration


@given(st.text(alphabet="0123456789wdhms -.", max_size=12))
def test_any_text_is_a_duration_or_unfit(text: str) -> None:
    """No text makes a negative duration or another error."""
    try:
        assert parse_duration(text) >= timedelta(0)
    except UnfitError as error:
        assert str(error).startswith("'")  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2027-01-01", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2027-01-01T12:30:00Z", datetime(2027, 1, 1, 12, 30, tzinfo=UTC)),
        ("2027-01-01t12:30z", datetime(2027, 1, 1, 12, 30, tzinfo=UTC)),
        ("2027-01-01 12:30:00+02:00", datetime(2027, 1, 1, 10, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_date_or_a_timestamp_with_zone(written: str, instant: datetime) -> None:
    """A bare date is 00:00 UTC."""
    assert parse_time(written) == instant


@given(
    st.text(alphabet="0123456789-:TZ+. ", max_size=26)
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}\S*")
)
def test_any_text_is_a_time_or_unfit(text: str) -> None:
    """What is accepted is in UTC."""
    try:
        assert parse_time(text).tzinfo is UTC
    except UnfitError as error:
        assert str(error)  # noqa: PT017 - both outcomes are right


@given(st.integers(0, 10**12).map(lambda number: timedelta(milliseconds=number)))
def test_a_duration_is_written_as_it_is_read(duration: timedelta) -> None:
    """To the millisecond, which is as fine as people write."""
    assert parse_duration(format_duration(duration)) == duration


def test_a_duration_is_written_in_the_largest_units() -> None:
    """As people would."""
    assert format_duration(timedelta(days=14, minutes=90, milliseconds=5)) == "14d1h30m5ms"
    assert format_duration(timedelta(0)) == "0s"


@pytest.mark.parametrize("written", ["0001-01-01", "9999-12-31", "1969-12-31T23:59:59Z"])
def test_a_date_that_no_clock_shows_is_refused(written: str) -> None:
    """Go's zero time would lie before the first day of some time zones."""
    with pytest.raises(UnfitError, match="is not a date that exists"):
        parse_time(written)
