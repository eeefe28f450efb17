"""What can wait, in one letter: events of several incidents with nothing in common, as a digest has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitord.notify.details import endpoint_of
from monitord.notify.letter import Fact, Letter, Section, Text
from monitord.notify.plain import plain, readable
from monitord.pinning.incident import IncidentState, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from monitord.notify.letter import Line

    Event = Mapping[str, Any]

DIGEST = "digest"
_LOUDEST_FIRST = {severity: place for place, severity in enumerate(Severity)}


def is_digest(events: Sequence[Event]) -> bool:
    """Whether these are no single event, nor several of one cause."""
    causes = {(event["type"], event["data"].get("group") or event["data"]["incident"]) for event in events}
    return len(causes) > 1


def write_digest(events: Sequence[Event]) -> Letter:
    """The letter: each incident once, as it stood last, those that are open first."""
    last = list({event["data"]["incident"]: event["data"] for event in events}.values())
    last.sort(key=lambda data: (_LOUDEST_FIRST.get(data.get("severity"), len(Severity)), str(data.get("host"))))
    over = [data for data in last if data["state"] == IncidentState.RESOLVED]
    still = [data for data in last if data["state"] != IncidentState.RESOLVED]
    counted = f"{len(still)} open, {len(over)} over"
    return Letter(
        subject=f"[monitord] DIGEST: {counted}",
        title=f"Digest: {counted}",
        standing=f"DIGEST of {len(events)} messages",
        mood=plain(still[0].get("severity")) if still else "resolved",
        lead=f"Incidents that can wait, with what is new since the last digest: {counted}.",
        urgent=tuple(_entry(data) for data in (*still, *over)),
        details=(),
        link=None,
        footer="Sent by monitord. What is critical is not held for a digest.",
    )


def _entry(data: Mapping[str, Any]) -> Section:
    pinset = f" ({data['pinset']})" if data.get("pinset") else ""
    about = f"{endpoint_of(data) or data.get('cause')}{pinset}"
    return Section(plain(f"{str(data['state']).upper()} {data['kind']} {about}"), tuple(_lines(data)))


def _lines(data: Mapping[str, Any]) -> Iterator[Line]:
    over = data["state"] == IncidentState.RESOLVED
    yield Text(readable(data["summary"]))
    if data.get("advice") and not over:
        yield Text(readable(f"What to do: {data['advice']}"))
    severity = f"{data['severity']}, " if data.get("severity") else ""
    when = f"from {data.get('since')} to {data.get('resolved_at')}" if over else f"since {data.get('since')}"
    yield Fact("Incident", readable(f"{data['incident']}, {severity}{when}"))
