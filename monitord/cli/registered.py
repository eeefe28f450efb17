"""``remove`` and ``domains``: what is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from monitord.cli.configured import load_configuration, parse_place
from monitord.cli.exitcode import ExitCode
from monitord.cli.reloading import reload_daemon
from monitord.cli.terminal import Output
from monitord.config.registry import unregister
from monitord.config.times import format_duration
from monitord.errors import MonitordError
from monitord.pinning.printable import printable
from monitord.pinning.report import timestamp
from monitord.pinning.target import format_endpoint

if TYPE_CHECKING:
    from monitord.cli.invocation import Invocation
    from monitord.config.faults import Place
    from monitord.pinning.pins import PinSet
    from monitord.pinning.target import Target


@click.command(short_help="Take an endpoint off.")
@click.argument("place", metavar="HOST[:PORT]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object about what was removed.")
@click.pass_obj
def remove(invocation: Invocation, place: str, *, as_json: bool) -> ExitCode:
    """Delete the file that registers HOST and tell a running daemon; what was recorded of it stays.

    An endpoint that is registered in a file with others has to be removed by hand; its line is named. The exit code
    is 1 if the daemon could not take the change, else 0.
    """
    output = Output(as_json=as_json)
    configuration = load_configuration(invocation, discovered=False)
    host, port = parse_place(place)
    found = [target for target in configuration.targets if target.host == host and port in (None, target.port)]
    if not found:
        raise MonitordError(f"{printable(place)} is not registered; to see what is: monitord domains")
    if len(found) > 1:
        raise MonitordError(f"{host} is registered at {len(found)} ports; say which: {host}:PORT")
    path = unregister(invocation.config, host, found[0].port, environment=invocation.environment)
    answer = reload_daemon(invocation, configuration)
    output.fact({"host": host, "port": found[0].port, "file": str(path), "daemon": answer.took.value})
    output.say(f"{found[0].endpoint} is removed, and {path} with it", "bold")
    if not answer.in_force:
        output.note(answer.message)
        return ExitCode.WARNING
    output.say(answer.message)
    return ExitCode.OK


@click.command(short_help="List what is registered.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each endpoint.")
@click.pass_obj
def domains(invocation: Invocation, *, as_json: bool) -> ExitCode:
    """List every registered endpoint with its pin sets and where it is registered."""
    output = Output(as_json=as_json)
    configuration = load_configuration(invocation)
    for target in configuration.targets:
        endpoint = (target.host, target.port)
        place, source = configuration.sources.get(endpoint), configuration.discovered.get(endpoint)
        output.fact(_record(target, place, source))
        output.say(
            Text.assemble(
                (format_endpoint(target.host, target.port), "bold"),
                printable(f"  every {format_duration(target.interval)}  {place or f'discovered by {source}'}"),
            )
        )
        for pinset in target.pinsets:
            output.say(f"  {_described(pinset)}")
        if not target.pinsets:
            output.say("  no pins", "yellow")
    if not configuration.targets:
        output.say("nothing is registered")
    return ExitCode.OK


def _record(target: Target, place: Place | None, source: str | None) -> dict[str, Any]:
    return {
        "host": target.host,
        "port": target.port,
        "file": str(place.file) if place else None,
        "line": place.line if place else None,
        "discovered_by": source,
        "interval_seconds": target.interval.total_seconds(),
        "server_name": target.server_name,
        "connect_to": [
            one.address if one.port is None else format_endpoint(one.address, one.port) for one in target.connect_to
        ],
        "labels": dict(target.labels),
        "pinsets": [
            {
                "name": pinset.name,
                "client": pinset.client.value,
                "pins": [str(pin) for pin in pinset.all_pins],
                "trust": list(pinset.trust),
                "expires": timestamp(pinset.expires) if pinset.expires else None,
                "share": pinset.share,
            }
            for pinset in target.pinsets
        ],
    }


def _described(pinset: PinSet) -> str:
    count = len(pinset.all_pins)
    expiry = f", expires {pinset.expires:%Y-%m-%d}" if pinset.expires else ""
    trust = " ".join(pinset.trust)
    return (
        f"pin set {pinset.name}: {count} pin{'' if count == 1 else 's'}, client {pinset.client}, trust {trust}{expiry}"
    )
