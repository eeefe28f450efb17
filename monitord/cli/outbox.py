"""``outbox``: messages on their way to receivers, those that were given up, and what to do about them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from monitord.cli.exitcode import ExitCode
from monitord.cli.incidents import moment
from monitord.cli.ordering import order
from monitord.cli.terminal import Output
from monitord.errors import MonitordError
from monitord.outbox import DeliveryState
from monitord.pinning.printable import printable
from monitord.pinning.target import format_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitord.cli.invocation import Invocation

_STYLES = {"pending": "yellow", "dead": "bold red", "delivered": "green", "skipped": "dim"}
_SHOWN = (DeliveryState.PENDING, DeliveryState.DEAD)
_ID = 12
_NAMED = 3


@click.group(invoke_without_command=True, short_help="What is still to be sent, and what was given up.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in DeliveryState]),
    metavar="STATE",
    help=f"Only messages in this state: {', '.join(DeliveryState)}. Pending and dead if left out.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each message.")
@click.pass_context
def outbox(ctx: click.Context, states: tuple[str, ...], *, as_json: bool) -> ExitCode:
    """List the messages that are still to be sent, and those that were given up, with the reason.

    The daemon is asked; where none runs, its store. The exit code is 1 if one that is listed was given up, else 0.
    """
    if ctx.invoked_subcommand is not None:
        return ExitCode.OK
    output = Output(as_json=as_json)
    answer = order(ctx.obj, "outbox", states=list(states) or [state.value for state in _SHOWN])
    found = answer["messages"]
    output.say(_counted(found))
    for one in found:
        output.fact(one)
        _show(output, one)
    if answer["left_out"]:
        output.note(f"{answer['left_out']} older messages are left out")
    return ExitCode.WARNING if any(one["state"] == DeliveryState.DEAD for one in found) else ExitCode.OK


@outbox.command(short_help="Send messages now that were given up or wait.")
@click.argument("identifiers", nargs=-1, metavar="[ID]...")
@click.option("--all-dead", is_flag=True, help="All that were given up.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: what is done, and what was refused.")
@click.pass_obj
def resend(invocation: Invocation, identifiers: tuple[str, ...], *, all_dead: bool, as_json: bool) -> ExitCode:
    """Have each message ID (the beginning of the id will do) sent now, also if it was given up.

    It keeps its id, so that a receiver that has it after all knows it again. The exit code is 1 if one was refused:
    delivered already, dropped, or overtaken by later news of the same incident.
    """
    if bool(identifiers) == all_dead:
        raise click.UsageError("name messages, or give --all-dead")
    answer = order(invocation, "outbox-resend", ids=list(identifiers), all_dead=all_dead)
    return _report(Output(as_json=as_json), answer, "is sent now")


@outbox.command(short_help="Do not send messages that were given up or wait.")
@click.argument("identifiers", nargs=-1, required=True, metavar="ID...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: what is done, and what was refused.")
@click.pass_obj
def drop(invocation: Invocation, identifiers: tuple[str, ...], *, as_json: bool) -> ExitCode:
    """Do not send each message ID; it is kept for a while as skipped.

    If the receiver then was never told that an incident began, it is not told of its end. The exit code is 1 if one
    was refused: delivered already, or being sent at this moment.
    """
    answer = order(invocation, "outbox-drop", ids=list(identifiers))
    return _report(Output(as_json=as_json), answer, "is dropped")


def _report(output: Output, answer: Mapping[str, Any], what: str) -> ExitCode:
    done, refused = answer["done"], answer["refused"]
    if refused and not done:
        raise MonitordError("\n".join(refused))
    output.fact({"done": done, "refused": refused})
    for identifier in done:
        output.say(f"message {identifier} {what}", "bold")
    if not done:
        output.say("nothing was given up")
    for sentence in refused:
        output.note(sentence)
    return ExitCode.WARNING if refused else ExitCode.OK


def _show(output: Output, one: Mapping[str, Any]) -> None:
    state = one["state"]
    head = f"  {one['event']}  {_places(one['endpoints'])}  to {one['receiver']}"
    output.say(Text.assemble((one["id"][:_ID], "bold"), "  ", (state, _STYLES[state]), printable(head)))
    output.say(f"  {_standing(one)}")
    if one["error"]:
        output.say(f"  {one['error']}")


def _standing(one: Mapping[str, Any]) -> str:
    tried = f"{one['attempts']} attempt{'' if one['attempts'] == 1 else 's'}"
    since = f"since {moment(one['created_at'])}"
    if one["delivered_at"]:
        return f"delivered at {moment(one['delivered_at'])}, {tried}"
    if one["being_sent"]:
        return f"{since}, being sent, {tried}"
    if one["next_attempt_at"]:
        return f"{since}, {tried}, next at {moment(one['next_attempt_at'])}"
    return f"{since}, {tried}"


def _places(endpoints: Sequence[Mapping[str, Any]]) -> str:
    named = [_place(one) for one in endpoints[:_NAMED]]
    more = f" and {len(endpoints) - _NAMED} more" if len(endpoints) > _NAMED else ""
    return ", ".join(named) + more


def _place(one: Mapping[str, Any]) -> str:
    where = format_endpoint(one["host"], one["port"]) if one["host"] else "monitord"
    return f"{where} ({one['pinset']})" if one["pinset"] else where


def _counted(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return "no messages"
    counts = Counter(one["state"] for one in found)
    return ", ".join(f"{counts[state]} {state}" for state in _STYLES if counts[state])
