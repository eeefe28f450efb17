"""Times for maintenance and reminders by severity: what a configuration says becomes what the rules work on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from monitord.config.faults import UnfitError
from monitord.config.hosts import parse_host_pattern
from monitord.config.load import default_configuration, load
from monitord.config.weekly import parse_weekly
from monitord.pinning.incident import IncidentKind, Severity
from monitord.pinning.quiet import Once, Scope, Weekly, Window
from tests.config.test_example import EXAMPLE

if TYPE_CHECKING:
    from pathlib import Path

HOUR = timedelta(hours=1)


def written(directory: Path, text: str) -> Path:
    """A configuration with one endpoint and this."""
    path = directory / "monitord.yaml"
    path.write_text(f"domains: [{{host: api.example.com, labels: {{team: payments}}}}]\n{text}\n")
    return path


def test_windows_are_read(tmp_path: Path) -> None:
    """Patterns in lower case, kinds, zones, and both ways to give a time."""
    path = written(
        tmp_path,
        """
maintenance:
  - {hosts: ["*.Example.com", "[2001:DB8::1]:8443"], weekly: Sun 22:00-02:00, timezone: Europe/Berlin, reason: patches}
  - match: {team: payments}
    kinds: [unreachable]
    from: 2026-11-01T22:00:00+01:00
    to: 2026-11-02
    reason: a move
""",
    )
    berlin = ZoneInfo("Europe/Berlin")
    moving = Once(datetime(2026, 11, 1, 21, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
    assert load(path, environment={}).windows == (
        Window(
            "maintenance-1",
            Scope(("*.example.com", "[2001:db8::1]:8443")),
            Weekly(frozenset({6}), 22 * HOUR, 2 * HOUR, berlin),
            "patches",
        ),
        Window(
            "maintenance-2", Scope((), {"team": "payments"}, frozenset({IncidentKind.UNREACHABLE})), moving, "a move"
        ),
    )


@pytest.mark.parametrize(
    ("text", "days", "hours"),
    [
        ("sun 02:00-04:00", {6}, (2, 4)),
        ("mon-fri 22:00-06:00", {0, 1, 2, 3, 4}, (22, 6)),
        ("fri-mon 00:00-24:00", {4, 5, 6, 0}, (0, 24)),
        ("sat,sun 03:30-03:45", {5, 6}, (3.5, 3.75)),
        ("mon,wed-fri 00:00-00:30", {0, 2, 3, 4}, (0, 0.5)),
        ("daily 12:00-13:00", set(range(7)), (12, 13)),
        ("Sun 02:00-04:00", {6}, (2, 4)),
        ("sun-sun 02:00-04:00", {6}, (2, 4)),
    ],
)
def test_times_of_the_week(text: str, days: set[int], hours: tuple[float, float]) -> None:
    """Days by name, in ranges that may run over the end of the week, and hours that may run over midnight."""
    assert parse_weekly(text) == Weekly(frozenset(days), hours[0] * HOUR, hours[1] * HOUR)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sun",
        "02:00-04:00",
        "sun 2:00-4:00",
        "sun 02:00",
        "sun 02:00-25:00",
        "sun 24:00-02:00",
        "sun, mon 02:00-03:00",
    ],
)
def test_other_texts_are_no_times_of_the_week(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(UnfitError, match="is not a time of the week"):
        parse_weekly(text)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("API.example.com.", "api.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("api.example.com:8443", "api.example.com:8443"),
        ("[2001:DB8::1]:443", "[2001:db8::1]:443"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("*", "*"),
        ("*.Example.com:443", "*.example.com:443"),
        ("api-?.example.com", "api-?.example.com"),
    ],
)
def test_patterns_are_of_the_form_that_hosts_have(text: str, pattern: str) -> None:
    """So that they can be compared."""
    assert parse_host_pattern(text) == pattern


def test_a_maintenance_of_nothing_that_is_registered_is_a_warning(tmp_path: Path) -> None:
    """A slip of the pen in a host would else be found out at night."""
    path = written(
        tmp_path,
        """
maintenance:
  - {hosts: [api.exmaple.com], weekly: sun 02:00-04:00, reason: patches}
  - {hosts: [api.example.com], match: {team: search}, weekly: sun 02:00-04:00, reason: patches}
  - {hosts: ["api.example.com:443"], weekly: sun 02:00-04:00, reason: patches}
""",
    )
    found = [str(one) for one in load(path, environment={}, receivers=False).warnings]
    warnings = [one for one in found if "this maintenance" in one]
    sentence = "no registered endpoint has to do with this maintenance; look at its hosts and match"
    assert [one.partition("monitord.yaml:")[2] for one in warnings] == [f"{line}: {sentence}" for line in (4, 5)]


def test_reminders_by_severity(tmp_path: Path) -> None:
    """A single duration is for critical ones; a mapping gives each its own, and leaves the others as they were."""
    one = load(written(tmp_path, "alerts: {repeat: 2h}"), environment={}).policy
    assert [one.repeat_after(severity) for severity in Severity] == [2 * HOUR, 24 * HOUR, 24 * HOUR]
    each = load(written(tmp_path, "alerts: {repeat: {critical: 1h, info: 7d}}"), environment={}).policy
    assert [each.repeat_after(severity) for severity in Severity] == [HOUR, 24 * HOUR, 168 * HOUR]
    part = load(written(tmp_path, "alerts: {repeat: {warning: 2h}}"), environment={}).policy
    assert [part.repeat_after(severity) for severity in Severity] == [4 * HOUR, 2 * HOUR, 24 * HOUR]
    assert default_configuration(environment={}).policy.repeat_by == {}


def test_the_example_of_maintenance_loads(tmp_path: Path) -> None:
    """Its block, with its comment signs taken off."""
    lines = (EXAMPLE / "monitord.yaml").read_text().splitlines()
    first = lines.index("# maintenance:")
    block = lines[first : first + lines[first:].index("")]
    path = written(tmp_path, "\n".join(line.removeprefix("# ") for line in block))
    assert [window.reason for window in load(path, environment={}).windows] == ["patch night", "moving"]
