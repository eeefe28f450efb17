"""Values in words, as the pages write them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from monitord.pinning.incident import Severity
from monitord.pinning.standing import Standing
from monitord.pinning.target import DEFAULT_PORT, format_endpoint
from monitord.pinning.verdict import Verdict
from monitord.web.fleet import HOURS, State, state_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from monitord.pinning.prediction import Prediction
    from monitord.pinning.quiet import Scope
    from monitord.pinning.ruling import Ruling
    from monitord.pinning.target import Target
    from monitord.pinning.verdict import Judgement
    from monitord.web.fleet import Entry

_STATES = {
    State.FAILING: "Apps fail",
    State.SOON: "Will fail soon",
    State.UNKNOWN: "Unknown",
    State.ATTENTION: "Needs attention",
    State.OK: "Fine",
    State.WAITING: "Not looked at",
}
_OF_VERDICT = {
    Verdict.PIN_MISMATCH: State.FAILING,
    Verdict.UNTRUSTED: State.FAILING,
    Verdict.PINS_EXPIRED: State.ATTENTION,
    Verdict.UNDETERMINED: State.UNKNOWN,
    Verdict.NOT_PINNED: State.OK,
    Verdict.OK: State.OK,
}
_OF_INCIDENT = {
    Severity.CRITICAL: State.FAILING,
    Severity.WARNING: State.ATTENTION,
    Severity.INFO: State.WAITING,
}
_OF_PREDICTION = {Severity.CRITICAL: State.SOON, Severity.WARNING: State.ATTENTION, Severity.INFO: State.WAITING}
_STANDINGS = {
    Standing.LIVE: "matches what is served",
    Standing.PLAUSIBLE: "a spare: a known certificate has it",
    Standing.NEVER_SEEN: "no known certificate has it",
}
_THEN = {
    Verdict.PIN_MISMATCH: "no pin matches then, and the apps cannot connect",
    Verdict.UNTRUSTED: "the chain is not trusted then, and the apps cannot connect",
    Verdict.PINS_EXPIRED: "the pin set is not enforced then, and the apps connect without pinning",
}
_HEIGHTS = {
    State.FAILING: 22,
    State.SOON: 22,
    State.UNKNOWN: 16,
    State.ATTENTION: 16,
    State.OK: 10,
    State.WAITING: 4,
}
_NO_LOOK = 4
_ACRONYMS = {"ari": "ARI", "ct": "CT", "dns": "DNS", "tls": "TLS", "starttls": "STARTTLS"}
_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_SHORT = {"day": "d", "hour": "h", "minute": "min", "second": "s"}


def state_words(state: State) -> str:
    """How an endpoint is."""
    return _STATES[State(state)]


def verdict_state(verdict: Verdict) -> State:
    """The state that a verdict alone would be."""
    return _OF_VERDICT[verdict]


def ruling_state(ruling: Ruling) -> State:
    """The state that a pin set alone would be."""
    return state_of([ruling])


def severity_state(severity: Severity) -> State:
    """The tone of an incident."""
    return _OF_INCIDENT[severity]


def prediction_state(prediction: Prediction) -> State:
    """The tone of a prediction."""
    return _OF_PREDICTION[prediction.severity]


def standing_words(standing: Standing | None) -> str:
    """What is known of a pin."""
    return _STANDINGS[standing] if standing else ""


def then(expected: Verdict) -> str:
    """What the apps meet when a prediction comes true."""
    return _THEN.get(expected, f"the verdict is {words(expected)} then")


def words(name: str) -> str:
    """A name of a closed list as people write it; other texts of a few words too."""
    return " ".join(_ACRONYMS.get(word, word) for word in str(name).replace("_", " ").split(" "))


def sentence(text: str, stop: bool = True) -> str:  # noqa: FBT001, FBT002 - a filter of templates
    """With a capital letter at the beginning and, if asked for, a full stop at the end."""
    capital = text[:1].upper() + text[1:]
    return f"{capital}." if stop and not capital.endswith((".", "!", "?")) else capital


def utc(at: datetime) -> str:
    """A time to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def day(at: datetime) -> str:
    """A day."""
    return f"{at:%Y-%m-%d}"


def ago(at: datetime, now: datetime) -> str:
    """``3 min ago``; ``now`` for what has just been or is yet to come."""
    seconds = int((now - at).total_seconds())
    for unit, name in _UNITS:
        if seconds >= unit:
            return f"{seconds // unit} {_SHORT[name]} ago"
    return "now"


def span(length: timedelta) -> str:
    """``15 minutes``, ``2 days 3 hours``: the two largest units."""
    seconds, parts = int(length.total_seconds()), []
    for unit, name in _UNITS:
        count, seconds = divmod(seconds, unit)
        if count:
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return " ".join(parts[:2]) or "a moment"


def place(target: Target) -> str:
    """How a URL names an endpoint."""
    name = target.host if target.port == DEFAULT_PORT and ":" not in target.host else target.endpoint
    return quote(name, safe=":")


def addresses(group: Sequence[Judgement], target: Target) -> str:
    """Where a group of judgements was seen."""
    seen = dict.fromkeys((one.observation.address, one.observation.port) for one in group if one.observation.address)
    return ", ".join(address if port == target.port else format_endpoint(address, port) for address, port in seen)


def last_day(entry: Entry, now: datetime) -> list[State | None]:
    """The states of the last hours, the oldest first; None for an hour without a look."""
    current = int(now.timestamp()) // 3600
    known = {hour.number: hour.state for hour in entry.hours}
    return [known.get(number) for number in range(current - HOURS + 1, current + 1)]


def said_day(hours: Sequence[State | None]) -> str:
    """The same in a sentence."""
    counted = [(state, hours.count(state)) for state in State if state in hours]
    said = [f"{_STATES[state].lower()} in {count} hour{'' if count == 1 else 's'}" for state, count in counted]
    return "Last 24 hours: " + (", ".join(said) if said else "no look")


def trend_paths(hours: Sequence[State | None]) -> list[tuple[str, str]]:
    """The bars of the last day, 4 wide in a picture 22 high, as one path for each state; what is worse is higher."""
    found: dict[str, list[str]] = {}
    for number, state in enumerate(hours):
        height = _HEIGHTS[state] if state else _NO_LOOK
        found.setdefault(state or "none", []).append(f"M{1 + 4 * number} {22 - height}h3v{height}h-3z")
    return [(state, "".join(bars)) for state, bars in found.items()]


def scope_words(scope: Scope) -> str:
    """Which incidents a silence is about."""
    parts = [*scope.hosts, *(f"{name}={value}" for name, value in scope.match.items())]
    kinds = ", ".join(sorted(words(kind) for kind in scope.kinds))
    where = ", ".join(parts) or "all endpoints"
    return f"{where}: {kinds}" if kinds else where
