"""What a message says, from the bodies of events to a ``Letter``.

First what happens to whom since when, then what to do, then the rest. The sentences are those of the rules
(``pinning.facts``); here they are put in the order of reading. A body may quote a hostile server (subjects, failure
details), so every piece of text passes ``plain`` or ``readable`` on its way in.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from monitord.notify.details import address_of, describe, endpoint_of
from monitord.notify.digest import is_digest, write_digest
from monitord.notify.letter import Code, Fact, Letter, Section, Text
from monitord.notify.paste import line_of, place_of
from monitord.notify.plain import plain, readable, shorten
from monitord.pinning.incident import IncidentKind, IncidentState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from monitord.notify.letter import Line

    Event = Mapping[str, Any]

TEST_KIND = "test"
_LONGEST_SUBJECT = 200
_LONGEST_LIST = 30
_AT_ONCE = timedelta(minutes=1)
# How a sentence about the beginning starts; the others just "Since".
_SINCE = {
    IncidentKind.PIN_MISMATCH_PREDICTED: "Predicted since",
    IncidentKind.PINS_EXPIRING: "Known since",
    IncidentKind.NO_BACKUP_PIN: "Known since",
}
# Of these the verdict of the moment is not the reason.
_AHEAD = frozenset(_SINCE)
_TITLES = {
    IncidentKind.PIN_MISMATCH: ("Apps cannot connect: no pin matches", "Apps connect again"),
    IncidentKind.UNTRUSTED: ("Apps cannot connect: the certificate is not trusted", "The certificate is trusted again"),
    IncidentKind.UNREACHABLE: (
        "It is not known whether apps can connect",
        "It is known again whether apps can connect",
    ),
    IncidentKind.PIN_MISMATCH_PREDICTED: ("Apps will probably stop connecting", "The prediction is closed"),
    IncidentKind.PINS_EXPIRING: ("Pins expire soon", "Pins no longer expire soon"),
    IncidentKind.NO_BACKUP_PIN: ("There is no backup pin", "There is a backup pin again"),
    IncidentKind.MONITOR_DEGRADED: ("monitord itself needs help", "monitord is well again"),
}


def write_letter(events: Sequence[Event], told_at: datetime | None = None) -> Letter:
    """The letter for one event, for several that have one cause, or for a digest of several that have none in common.

    ``told_at`` is when it was decided to tell of them: if that is later than the event, it is a reminder.
    """
    if is_digest(events):
        return write_digest(events)
    first, data = events[0], events[0]["data"]
    resolved = data["state"] == IncidentState.RESOLVED
    urgent = (
        Section(_why_title(data), tuple(_why(data))),
        Section("What to do now", (Text(readable(data["advice"])),) if data.get("advice") else ()),
        Section("New pins, ready to paste", tuple(_new_pins(events))),
        Section(f"All {len(events)} with this cause", tuple(_each(events)) if len(events) > 1 else ()),
        Section("To stop the reminders", tuple(_quieten(events)) if not resolved else ()),
    )
    details = (Section("Of the first of them" if len(events) > 1 else "Details", tuple(_facts(data))), *describe(data))
    return Letter(
        subject=write_subject(events),
        title=_title(events),
        standing=_standing(data),
        mood="resolved" if resolved else plain(data.get("severity")),
        lead=_lead(events, _reminded_at(first, told_at)),
        urgent=tuple(section for section in urgent if section.lines),
        details=tuple(section for section in details if section.lines),
        link=plain(data["url"]) if data.get("url") else None,
        footer=_footer(events),
    )


def write_subject(events: Sequence[Event]) -> str:
    """One line for the subject of a mail: state, kind, endpoint and pin set."""
    data = events[0]["data"]
    if data["kind"] == TEST_KIND:
        return shorten(f"[monitord] TEST: {plain(data['summary'])}", _LONGEST_SUBJECT)
    pinset = f"({data['pinset']})" if data.get("pinset") else ""
    others = f"and {len(events) - 1} more" if len(events) > 1 else ""
    about = endpoint_of(data) or data.get("cause") or ""
    words = ("[monitord]", data["state"].upper(), data["kind"], about, pinset, others)
    return shorten(plain(" ".join(word for word in words if word)), _LONGEST_SUBJECT)


def _title(events: Sequence[Event]) -> str:
    data = events[0]["data"]
    if data["kind"] == TEST_KIND:
        return "This is a test"
    firing, over = _TITLES.get(data["kind"], (plain(data["kind"]), plain(data["kind"])))
    title = over if data["state"] == IncidentState.RESOLVED else firing
    if data.get("flapping"):
        title += ", again and again"
    return f"{title} ({len(events)} endpoints)" if len(events) > 1 else title


def _standing(data: Mapping[str, Any]) -> str:
    if data["kind"] == TEST_KIND:
        return "TEST"
    severity = f", {data['severity']}" if data.get("severity") else ""
    return plain(f"{data['state'].upper()} {data['kind']}{severity}")


def _lead(events: Sequence[Event], reminded_at: str | None) -> str:
    """What happens to whom since when."""
    data = events[0]["data"]
    words = [_without(str(data["summary"]), str(_reason(data) or ""))]
    if data["kind"] == TEST_KIND:
        return readable(words[0])
    if len(events) > 1:
        words.append(f"The same cause hits {len(events) - 1} more.")
    words.append(_how_long(data))
    if data.get("revisions") and data["state"] == IncidentState.FIRING:
        before = data["revisions"][-1]
        words.append(f"Before it was expected at {before.get('predicted_at')} ({before.get('cause')}).")
    if reminded_at:
        words.append(f"Still open at {reminded_at}.")
    return readable(" ".join(word for word in words if word))


def _how_long(data: Mapping[str, Any]) -> str:
    since = data.get("since")
    if not since:
        return ""
    begun = _SINCE.get(data["kind"], "Since")
    if data["state"] != IncidentState.RESOLVED:
        severity = f", severity {data['severity']}" if data.get("severity") else ""
        return f"{begun} {since}{severity}."
    if data["kind"] in _AHEAD or not data.get("resolved_at"):
        return f"{begun} {since}."
    return f"It lasted from {since} to {data['resolved_at']}{_length(data)}."


def _reminded_at(event: Event, told_at: datetime | None) -> str | None:
    happened = _moment(event.get("timestamp"))
    open_still = event["data"]["state"] == IncidentState.FIRING and event["data"]["kind"] != TEST_KIND
    if told_at is None or happened is None or not open_still or told_at - happened < _AT_ONCE:
        return None
    return f"{told_at:%Y-%m-%dT%H:%M:%SZ}"


def _moment(written: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(written))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _length(data: Mapping[str, Any]) -> str:
    """How long it lasted, in the two largest units."""
    since, until = _moment(data["since"]), _moment(data["resolved_at"])
    if since is None or until is None or until < since:
        return ""
    minutes = int((until - since).total_seconds()) // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{count} {unit}" for count, unit in ((days, "d"), (hours, "h"), (rest, "min")) if count]
    return f" ({' '.join(parts[:2]) or 'less than a minute'})"


def _reason(data: Mapping[str, Any]) -> str | None:
    """What the summary rests on, in a sentence without a full stop."""
    reason: str | None = data.get("evidence") if data["kind"] == IncidentKind.PIN_MISMATCH_PREDICTED else None
    return reason or data.get("reason")


def _without(summary: str, reason: str) -> str:
    """The summary without the reason, which has a place of its own."""
    if not reason:
        return summary
    for quoted in (f": {reason}.", f" {_capitalised(reason)}."):
        summary = summary.replace(quoted, "." if quoted.startswith(":") else "", 1)
    return summary


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _why_title(data: Mapping[str, Any]) -> str:
    if data["state"] != IncidentState.RESOLVED:
        return "Why"
    return "What was predicted" if data.get("predicted_at") else "What is seen now"


def _why(data: Mapping[str, Any]) -> Iterator[Line]:
    if reason := why_of(data):
        yield Text(readable(reason))


def why_of(data: Mapping[str, Any]) -> str | None:
    """The reason of an event as a sentence; for one that is over, what is seen now, or what had been predicted."""
    kind, reason = data["kind"], _reason(data)
    if not reason or kind == TEST_KIND:
        return None
    if kind == IncidentKind.PIN_MISMATCH_PREDICTED:
        if data["state"] == IncidentState.RESOLVED:
            return f"A failure at {data.get('predicted_at')} ({data.get('cause')}): {reason}."
    elif kind in _AHEAD:
        return None
    return f"{_capitalised(reason.removesuffix('.'))}."


def _new_pins(events: Sequence[Event]) -> Iterator[Line]:
    """The keys that could be pinned; of several endpoints those that they have in common."""
    data = events[0]["data"]
    others = [{pin.get("pin") for pin in event["data"].get("new_pins") or ()} for event in events[1:]]
    offered = data.get("new_pins") or ()
    pins = [pin for pin in offered if all(pin.get("pin") in each for each in others)][:_LONGEST_LIST]
    likewise = "" if len(events) == 1 else "; likewise for the others"
    client, host = data.get("client"), plain(data.get("host"))
    if offered and not pins:
        yield Text("They have none in common. The pins of one:")
        yield Code(plain(f"monitord pin {endpoint_of(data)}"))
    elif pins:
        which = "" if len(pins) == 1 else ". One of them is enough: take one that will stay"
        yield Text(plain(f"{place_of(client, host)}{likewise}{which}:"))
    for pin in pins:
        yield Fact(plain(pin.get("role")), plain(pin.get("subject")))
        yield Code(plain(line_of(client, host, str(pin.get("pin")))))


def _each(events: Sequence[Event]) -> Iterator[Line]:
    """Every endpoint that a message about one cause is about."""
    for event in events:
        data = event["data"]
        pinset = f" ({data['pinset']})" if data.get("pinset") else ""
        since = f"since {data.get('since')} ({data['incident']})"
        yield Fact(plain(endpoint_of(data) + pinset), readable(since))


def _quieten(events: Sequence[Event]) -> Iterator[Line]:
    data = events[0]["data"]
    if data["kind"] != TEST_KIND:
        yield Code(plain(f"monitord ack {data['incident']}"), "likewise for the others" if len(events) > 1 else "")


def _facts(data: Mapping[str, Any]) -> Iterator[Line]:
    if data["kind"] == TEST_KIND:
        return
    standing = f"{data['state']}, {data['severity']}" if data.get("severity") else data["state"]
    yield Fact("Incident", plain(f"{data['kind']}, {standing}"))
    if endpoint_of(data):
        yield Fact("Endpoint", plain(endpoint_of(data)))
    if data.get("pinset"):
        yield Fact("Apps", plain(f"pin set {data['pinset']}, client {data.get('client')}"))
    if data.get("share") is not None:
        yield Fact("Users", f"{data['share'] * 100:.3g} %")
    for name, key in (("Since", "since"), ("Until", "resolved_at")):
        if data.get(key):
            yield Fact(name, readable(data[key]))
    yield from _foreseen(data)
    hit = [address_of(seen) for seen in data.get("observations") or () if _is_hit(seen, data["kind"])]
    if hit and data["state"] == IncidentState.FIRING:
        yield Fact("Addresses hit", plain(", ".join(dict.fromkeys(hit))))
    if data.get("trust"):
        yield Fact("Trust store", plain(data["trust"]))
    if data.get("labels"):
        yield Fact("Labels", plain(", ".join(f"{name}={value}" for name, value in sorted(data["labels"].items()))))


def _foreseen(data: Mapping[str, Any]) -> Iterator[Line]:
    """What is predicted, how sure that is, and what was predicted before."""
    if data.get("predicted_at"):
        until = data.get("predicted_until")
        window = f" to {until}" if until and until != data["predicted_at"] else ""
        yield Fact("Expected", readable(f"{data['predicted_at']}{window}"))
    if data.get("confidence") is not None:
        yield Fact("Confidence", f"{data['confidence'] * 100:.0f} %")
    if data.get("cause"):
        yield Fact("Cause", plain(data["cause"]))
    if data.get("act_by"):
        yield Fact("Begin a release by", readable(data["act_by"]))
    for before in reversed((data.get("revisions") or ())[-_LONGEST_LIST:]):
        when = f"{before.get('predicted_at')} ({before.get('cause')})"
        yield Fact(readable(f"As of {before.get('timestamp')}"), readable(f"it was expected at {when}"))


def _is_hit(seen: Mapping[str, Any], kind: str) -> bool:
    if not seen.get("address"):
        return False
    return seen.get("verdict") == kind or (kind == IncidentKind.UNREACHABLE and seen.get("failure") is not None)


def _footer(events: Sequence[Event]) -> str:
    incident = plain(events[0]["data"]["incident"])
    return "Sent by monitord." if incident == TEST_KIND else f"Incident {incident}, sent by monitord."
