"""Open incidents, and those that are over, as pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitord.pinning.incident import Severity
from monitord.pinning.target import Target
from monitord.web.fleet import State
from monitord.web.overview import plural
from monitord.web.words import place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.pinning.incident import Incident
    from monitord.pinning.quiet import Quiet, Silence


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident, how a URL and people name its endpoint ("" for monitord itself), and what keeps it quiet."""

    incident: Incident
    place: str
    endpoint: str
    quiet: Quiet | None = None


@dataclass(frozen=True, slots=True)
class Incidents:
    """What the page of incidents shows. ``more`` is how many open ones are left out."""

    tone: State
    answer: str
    said: str
    incidents: Sequence[OpenIncident]
    more: int
    silences: Sequence[Silence]
    ended: Sequence[OpenIncident]
    fault: str


def placed(incident: Incident, quiet: Quiet | None = None) -> OpenIncident:
    """An incident with the names of its endpoint."""
    if not incident.key.host:
        return OpenIncident(incident, "", "", quiet)
    target = Target(incident.key.host, incident.key.port)
    return OpenIncident(incident, place(target), target.endpoint, quiet)


def told(incidents: Sequence[Incident]) -> tuple[State, str, str]:
    """The tone of the page, and what it begins with."""
    critical = sum(one.severity is Severity.CRITICAL for one in incidents)
    seen = sum(one.handling.acknowledged is not None for one in incidents)
    if not incidents:
        return State.OK, "No incident is open.", ""
    said = f"{critical:,} of them critical, {seen:,} acknowledged." if len(incidents) > 1 else ""
    tone = State.FAILING if critical else State.ATTENTION
    verb = "is" if len(incidents) == 1 else "are"
    return tone, f"{plural(len(incidents), 'incident')} {verb} open.", said
