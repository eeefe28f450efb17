"""``check-config``: every fault of the configuration at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from monitord.cli.exitcode import ExitCode
from monitord.cli.terminal import Output
from monitord.config.faults import ConfigurationError, Fault
from monitord.config.jsonschema import shipped_schema
from monitord.config.load import load
from monitord.discovery.known import know

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitord.cli.invocation import Invocation
    from monitord.config.discovered import ListFault


@click.command("check-config", short_help="Find every fault of the configuration.")
@click.option(
    "--schema", is_flag=True, help="Print the shape of the file as JSON Schema, for editors, and check nothing."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each fault and warning.")
@click.pass_obj
def check_config(invocation: Invocation, *, schema: bool, as_json: bool) -> ExitCode:
    """Read the configuration as the daemon would, secrets included, and report all that is wrong with it.

    Each fault is a line FILE:LINE: MESSAGE on standard error. The exit code is 3 if there is one, else 0; warnings
    do not count.
    """
    if schema:
        click.echo(shipped_schema(), nl=False)
        return ExitCode.OK
    output = Output(as_json=as_json)
    try:
        with output.progress("reading files") as progress:
            configuration = load(
                invocation.config, environment=invocation.environment, receivers=True, progress=progress
            )
    except ConfigurationError as error:
        _report(output, error.faults, "error")
        return ExitCode.UNKNOWN
    _report(output, configuration.warnings, "warning")
    known = know(configuration)
    configuration = configuration.with_discovered(known.found)
    _report(output, known.faults, "error")
    _report(output, known.warnings, "warning")
    if known.faults:
        return ExitCode.UNKNOWN
    pinsets = sum(len(target.pinsets) for target in configuration.targets)
    counts = (
        (len(configuration.targets), "domain"),
        (pinsets, "pin set"),
        (len(configuration.receivers), "receiver"),
    )
    output.say(", ".join(f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in counts) + ": ok")
    return ExitCode.OK


def _report(output: Output, faults: Iterable[Fault | ListFault], severity: str) -> None:
    for fault in faults:
        file = str(fault.file) if isinstance(fault, Fault) else fault.origin
        output.fact({"severity": severity, "file": file, "line": fault.line, "message": fault.message})
        if severity == "error":
            output.lines(fault)
        elif not output.as_json:
            output.lines(str(fault).replace(fault.message, f"warning: {fault.message}", 1))
