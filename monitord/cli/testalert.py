"""``test-alert``: a real message through each receiver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from monitord.cli.configured import load_configuration
from monitord.cli.exitcode import ExitCode
from monitord.cli.terminal import Output
from monitord.errors import MonitordError
from monitord.notify.fault import DeliveryError
from monitord.notify.trial import send_test

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from monitord.cli.invocation import Invocation
    from monitord.config.receivers import Receiver
    from monitord.notify.fault import Receipt

    Result = Receipt | DeliveryError


@click.command("test-alert", short_help="Send a real test message to each receiver.")
@click.argument("name", required=False, metavar="[RECEIVER]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each receiver.")
@click.pass_obj
def test_alert(invocation: Invocation, name: str | None, *, as_json: bool) -> ExitCode:
    """Send a test message to RECEIVER, or to every receiver of the configuration, and say what became of it.

    The message goes the way that alerts go; nothing is retried. The exit code is 2 if a receiver did not take it.
    """
    output = Output(as_json=as_json)
    receivers = load_configuration(invocation, receivers=True, discovered=False).receivers
    if not receivers:
        raise MonitordError(f"there are no receivers in {invocation.config}; add one under receivers:")
    chosen = [receiver for receiver in receivers if name in (None, receiver.name)]
    if not chosen:
        known = ", ".join(receiver.name for receiver in receivers)
        raise MonitordError(f"there is no receiver {name!r}; there are: {known}")
    with output.waiting(f"sending to {len(chosen)} receivers"):
        results = asyncio.run(_send_all(chosen, invocation.now))
    for receiver, result in zip(chosen, results, strict=True):
        _report(output, receiver, result)
    failed = any(isinstance(result, DeliveryError) for result in results)
    return ExitCode.CRITICAL if failed else ExitCode.OK


async def _send_all(receivers: Sequence[Receiver], now: Callable[[], datetime]) -> list[Result]:
    return await asyncio.gather(*(_send(receiver, now) for receiver in receivers))


async def _send(receiver: Receiver, now: Callable[[], datetime]) -> Result:
    try:
        return await send_test(receiver, now())
    except DeliveryError as error:
        return error


def _report(output: Output, receiver: Receiver, result: Result) -> None:
    way = "email" if receiver.email else "webhook"
    refused = () if isinstance(result, DeliveryError) else result.refused
    fault = {"reason": result.fault.value, "detail": str(result)} if isinstance(result, DeliveryError) else None
    output.fact(
        {"receiver": receiver.name, "by": way, "delivered": fault is None, "failure": fault, "refused": list(refused)}
    )
    if fault:
        output.say(f"{receiver.name} ({way}): not delivered: {result}", "red")
    else:
        output.say(f"{receiver.name} ({way}): delivered", "green")
    for sentence in refused:
        output.say(f"  {sentence}", "yellow")
