"""``incidents`` and ``ack``: what is open, and that somebody has seen it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from monitord.cli.configured import parse_place
from monitord.cli.exitcode import ExitCode
from monitord.cli.ordering import order
from monitord.cli.plugin import Plugin
from monitord.cli.terminal import Output
from monitord.pinning.printable import printable
from monitord.pinning.target import format_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitord.cli.invocation import Invocation

_STYLES = {"critical": "bold red", "warning": "yellow", "info": "bold"}
_CODES = {"critical": ExitCode.CRITICAL, "warning": ExitCode.WARNING}


@click.command(cls=Plugin, short_help="What is open now.")
@click.argument("places", nargs=-1, metavar="[HOST[:PORT]]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each incident.")
@click.pass_obj
def incidents(invocation: Invocation, places: tuple[str, ...], *, as_json: bool) -> ExitCode:
    """List the open incidents, of all endpoints or of each HOST, the most severe first.

    The daemon is asked; where none runs, its store. The exit code is 2 if one is critical, 1 if there are others, else
    0; what is silenced or acknowledged counts as well.
    """
    output = Output(as_json=as_json)
    wanted = [parse_place(place) for place in places]
    found = [one for one in order(invocation, "incidents")["incidents"] if _is_among(one, wanted)]
    output.say(_counted(found))
    for one in found:
        output.fact(one)
        _show(output, one)
    return max((_CODES.get(one["severity"], ExitCode.OK) for one in found), default=ExitCode.OK)


@click.command(short_help="Stop the reminders of an incident that somebody has seen.")
@click.argument("identifier", metavar="ID")
@click.option("--reason", default="", metavar="TEXT", help="What is being done, for whoever looks next.")
@click.option("--undo", is_flag=True, help="Take it back; reminders come again.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object about the incident.")
@click.pass_obj
def ack(invocation: Invocation, identifier: str, *, reason: str, undo: bool, as_json: bool) -> ExitCode:
    """Acknowledge the open incident ID (the beginning of the id will do): reminders of it stop.

    Everything else is told as ever: that it becomes more severe, which ends the acknowledgement, and that it is over.
    The exit code is 1 if it could not be stored, else 0.
    """
    output = Output(as_json=as_json)
    answer = order(invocation, "ack", incident=identifier, reason=reason, undo=undo)
    one = answer["incident"]
    output.fact(one)
    output.say(f"{_name(one)} is {'no longer ' if undo else ''}acknowledged", "bold")
    return warned(output, answer)


def warned(output: Output, answer: Mapping[str, Any]) -> ExitCode:
    """Say what a carried out order is short of, if anything."""
    if answer.get("warning"):
        output.note(answer["warning"])
        return ExitCode.WARNING
    return ExitCode.OK


def moment(text: str) -> str:
    """A timestamp as people read it."""
    return f"{text[:10]} {text[11:16]} UTC"


def _show(output: Output, one: Mapping[str, Any]) -> None:
    severity = one["severity"]
    since = f"  since {moment(one['since'])}  {one['incident']}"
    output.say(Text.assemble((severity.upper(), _STYLES[severity]), " ", (printable(_name(one)), "bold"), since))
    output.say(f"  {one['summary']}")
    if one["flapping"] and not one["present"]:
        output.say("  not there at present")
    if one["acknowledged"]:
        seen = one["acknowledged"]
        output.say(f"  acknowledged by {seen['by']} at {moment(seen['at'])}{_because(seen)}", "green")
    if one["silenced"]:
        quiet = one["silenced"]
        by, what = (f" by {quiet['by']}", "silence ") if quiet["by"] else ("", "")
        output.say(f"  silenced{by} until {moment(quiet['until'])}{_because(quiet)} ({what}{quiet['id']})", "green")


def _name(one: Mapping[str, Any]) -> str:
    where = format_endpoint(one["host"], one["port"]) if one["host"] else str(one["cause"])
    return " ".join(filter(None, (one["kind"], where, f"({one['pinset']})" if one["pinset"] else "")))


def _because(said: Mapping[str, Any]) -> str:
    return f": {said['reason']}" if said["reason"] else ""


def _counted(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return "no incident is open"
    counts = Counter(one["severity"] for one in found)
    parts = [f"{counts[severity]} {severity}" for severity in _STYLES if counts[severity]]
    parts += [
        f"{number} {what}" for what in ("acknowledged", "silenced") if (number := sum(bool(o[what]) for o in found))
    ]
    return f"{len(found)} open: {', '.join(parts)}"


def _is_among(one: Mapping[str, Any], wanted: Sequence[tuple[str, int | None]]) -> bool:
    return not wanted or any(one["host"] == host and port in (None, one["port"]) for host, port in wanted)
