"""``history``: what happened at an endpoint, as the store has it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from monitord.cli.configured import load_configuration, parse_place
from monitord.cli.exitcode import ExitCode
from monitord.cli.terminal import Output
from monitord.config.faults import UnfitError
from monitord.config.times import parse_duration, parse_time
from monitord.errors import MonitordError
from monitord.pinning.printable import printable
from monitord.pinning.report import chain_entries, failure_entry, timestamp
from monitord.pinning.target import format_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitord.cli.invocation import Invocation
    from monitord.pinning.history import ChangePoint, Seen
    from monitord.pinning.incident import Transition
    from monitord.store.history import VerdictChange

_ORDER = ("shown", "verdict", "incident")  # of what happened at the same time, what the rest follows from first
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Event:
    """Something that happened: what programs are told, and a line for people."""

    at: datetime
    record: dict[str, Any]
    line: Text


@click.command(short_help="What happened at an endpoint.")
@click.argument("place", metavar="HOST[:PORT]")
@click.option(
    "--since",
    "since",
    metavar="WHEN",
    help="Only what happened since a date, or in a time such as 30d.  [default: all]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each thing that happened.")
@click.pass_obj
def history(invocation: Invocation, place: str, *, since: str | None, as_json: bool) -> ExitCode:
    """Tell what happened at HOST, oldest first: what its addresses showed, verdicts, and each step of its incidents.

    Steps that people were not told of are marked so. The store is read; no daemon needs to run. The exit code is 0.
    """
    output = Output(as_json=as_json)
    host, port = parse_place(place)
    configuration = load_configuration(invocation)
    begin = _BEGINNING if since is None else _time(since, invocation.now())
    events = asyncio.run(_read(configuration.store, invocation.now, host, port))
    if not events:
        raise MonitordError(f"nothing is known of {printable(place)}; to see what is registered: monitord domains")
    for event in events:
        if event.at >= begin:
            output.fact(event.record)
            output.say(event.line)
    return ExitCode.OK


async def _read(url: str, now: Callable[[], datetime], host: str, port: int | None) -> list[_Event]:
    # Loaded here because the help of this command needs no database.
    from monitord.store.store import Store  # noqa: PLC0415

    store = await Store.open(url, now=now, exclusive=False)
    try:
        steps = await store.transitions_of(host, port, _BEGINNING)
        ports = await store.ports_of(host) if port is None else [port]
        events = [_told(step) for step in steps]
        for one in ports:
            events += [_shown(host, one, point) for point in await store.change_points(host, one)]
            events += [_judged(host, one, change) for change in await store.verdict_changes(host, one)]
    finally:
        await store.close()
    return sorted(events, key=lambda event: (event.at, _ORDER.index(event.record["what"])))


def _told(step: Transition) -> _Event:
    incident, logged = step.incident, step.remark or {}
    record = {
        **_of(step.at, incident.key.host, incident.key.port, "incident"),
        "incident": incident.id,
        "kind": incident.key.kind.value,
        "pinset": incident.key.pinset or None,
        "state": incident.state.value,
        "severity": incident.severity.value,
        "because": step.reason.value,
        "told": step.notify,
        **{key: logged[key] for key in ("summary", "by", "reason", "until", "silence") if logged.get(key)},
    }
    name = " ".join(filter(None, (incident.key.kind.value, f"({incident.key.pinset})" if incident.key.pinset else "")))
    by = f" by {logged['by']}" if logged.get("by") else ""
    until = f" until {logged['until']}" if logged.get("until") else ""
    said = logged.get("summary") or ("" if step.notify else logged.get("reason")) or ""
    quietly = "" if step.notify else " (nobody was told)"
    text = (
        f"{incident.severity.value.upper()} {name} {step.reason.value}{by}{until}{quietly}{f': {said}' if said else ''}"
    )
    return _event(step.at, record, incident.key.port, text, "bold" if step.notify else "")


def _shown(host: str, port: int, point: ChangePoint) -> _Event:
    place = point.address or "no address"
    if point.port != port:
        place = format_endpoint(place, point.port)
    record = {
        **_of(point.since, host, port, "shown"),
        "address": point.address,
        "connected_port": point.port,
        "seen": [
            {
                "key_type": seen.key_type,
                "tls_version": seen.tls_version,
                "chain": chain_entries(seen.chain),
                "failure": failure_entry(seen.failure),
            }
            for seen in point.seen
        ],
    }
    return _event(point.since, record, port, f"{place}: {'; '.join(map(_seen, point.seen)) or 'is gone'}")


def _seen(seen: Seen) -> str:
    if not seen.chain:
        return f"{seen.failure.reason}: {seen.failure.detail}" if seen.failure else "nothing"
    leaf = seen.chain[0]
    return (
        f"{leaf.key_type} {leaf.pin} {leaf.display_subject}, by {leaf.display_issuer}, until {leaf.not_after:%Y-%m-%d}"
        + (f", then {seen.failure.reason}" if seen.failure else "")
    )


def _judged(host: str, port: int, change: VerdictChange) -> _Event:
    verdict = change.verdict.value if change.verdict else None
    record = {
        **_of(change.since, host, port, "verdict"),
        "pinset": change.pinset,
        "verdict": verdict,
        "reason": change.reason,
    }
    text = f"pin set {change.pinset}: {verdict}: {change.reason}" if verdict else f"pin set {change.pinset} is gone"
    return _event(change.since, record, port, text)


def _of(at: datetime, host: str, port: int, what: str) -> dict[str, Any]:
    return {"at": timestamp(at), "host": host, "port": port, "what": what}


def _event(at: datetime, record: dict[str, Any], port: int, text: str, style: str = "") -> _Event:
    line = Text.assemble((f"{at:%Y-%m-%d %H:%M:%S} UTC", "dim"), f"  :{port}  ", (printable(text), style))
    return _Event(at, record, line)


def _time(text: str, now: datetime) -> datetime:
    try:
        return now - parse_duration(text)
    except (UnfitError, OverflowError):
        pass
    try:
        return parse_time(text)
    except UnfitError as error:
        raise MonitordError(
            f"--since {text!r} is neither a duration such as 30d nor a date such as 2027-01-01"
        ) from error
