"""``silence``, ``silences`` and ``unsilence``: keeping incidents quiet for a while, without hiding them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from monitord.cli.exitcode import ExitCode
from monitord.cli.incidents import moment, warned
from monitord.cli.ordering import order
from monitord.cli.terminal import Output
from monitord.config.faults import UnfitError
from monitord.config.hosts import parse_host_pattern
from monitord.config.times import parse_duration
from monitord.errors import MonitordError
from monitord.pinning.incident import IncidentKind
from monitord.pinning.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.cli.invocation import Invocation


@click.command(short_help="Keep incidents quiet for a while.")
@click.argument("hosts", nargs=-1, metavar="[HOST[:PORT]]...")
@click.option("--for", "lasts", required=True, metavar="DURATION", help="How long, such as 30m, 2h or 1d.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for whoever looks next.")
@click.option("--match", "labels", multiple=True, metavar="LABEL=VALUE", help="Only endpoints that have this label.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in IncidentKind]),
    metavar="KIND",
    help=f"Only incidents of this kind: {', '.join(IncidentKind)}.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object about the silence.")
@click.pass_obj
def silence(  # noqa: PLR0913 - one for each option
    invocation: Invocation,
    hosts: tuple[str, ...],
    *,
    lasts: str,
    reason: str,
    labels: tuple[str, ...],
    kinds: tuple[str, ...],
    as_json: bool,
) -> ExitCode:
    """Tell nobody of the incidents at each HOST for a while. '*' in HOST is any text: '*.example.com', or '*' for all.

    Incidents open and end as ever, and metrics show them. What is still open when the silence ends is told then, unless
    it was told before; what begins and ends within it is told to nobody. The end of an incident is told in any case, to
    those who were told of it. The exit code is 1 if it could not be stored, else 0.
    """
    output = Output(as_json=as_json)
    answer = order(
        invocation,
        "silence",
        hosts=[parse_host_pattern(host) for host in hosts],
        match=dict(map(_label, labels)),
        kinds=list(kinds),
        seconds=_duration(lasts),
        reason=reason,
    )
    one = answer["silence"]
    output.fact({**one, "endpoints": answer["endpoints"], "incidents": answer["incidents"]})
    covered = _number(answer["endpoints"], "endpoint"), _number(len(answer["incidents"]), "open incident")
    output.say(f"silenced until {moment(one['ends_at'])}: {_scope(one)} ({', '.join(covered)})", "bold")
    output.say(f"to end it before: monitord unsilence {one['silence']}")
    return warned(output, answer)


@click.command(short_help="What is silenced, by whom, and until when.")
@click.option("--all", "everything", is_flag=True, help="Those that are over as well.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each silence.")
@click.pass_obj
def silences(invocation: Invocation, *, everything: bool, as_json: bool) -> ExitCode:
    """List the silences that are in force, those that end first first.

    Times for maintenance that are in the configuration are not among them.
    """
    output = Output(as_json=as_json)
    found = order(invocation, "silences", all=everything)["silences"]
    for one in found:
        output.fact(one)
        until = f"  until {moment(one['ends_at'])}"
        output.say(Text.assemble((one["silence"], "bold"), until, printable(f"  {_scope(one)}")))
        output.say(f"  by {one['by']}: {one['reason']}")
    if not found:
        output.say("nothing is silenced")
    return ExitCode.OK


@click.command(short_help="End a silence before its time.")
@click.argument("identifier", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="One JSON object about the silence.")
@click.pass_obj
def unsilence(invocation: Invocation, identifier: str, *, as_json: bool) -> ExitCode:
    """End the silence ID. What is still wrong is told as soon as it was looked at again.

    The exit code is 1 if it could not be stored, else 0.
    """
    output = Output(as_json=as_json)
    answer = order(invocation, "unsilence", silence=identifier)
    output.fact(answer["silence"])
    output.say(f"no longer silenced: {_scope(answer['silence'])}", "bold")
    return warned(output, answer)


def _duration(text: str) -> float:
    try:
        return parse_duration(text).total_seconds()
    except UnfitError as error:
        raise MonitordError(f"--for {error}") from error


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise MonitordError(f"--match {text!r} is not a label with its value; write it like team=payments")
    return name, value


def _scope(one: Mapping[str, Any]) -> str:
    """What a silence is about, in words."""
    labels = [f"{name}={value}" for name, value in sorted(one["match"].items())]
    return " ".join(
        [", ".join(one["hosts"]) or "every host", *labels, *([f"[{', '.join(one['kinds'])}]"] if one["kinds"] else [])]
    )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
