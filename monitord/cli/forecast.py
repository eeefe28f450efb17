"""``forecast``: when the pins will stop to match, why, how sure that is, and what to do by when."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from monitord.cli.configured import load_configuration, load_or_default, select
from monitord.cli.foresight import foresee_each
from monitord.cli.foretold import PICTURES, pictures, told
from monitord.cli.judging import judge_each
from monitord.cli.looking import look_at
from monitord.cli.outlook import Outlook, entry
from monitord.cli.past import read_past
from monitord.cli.plugin import Plugin
from monitord.cli.terminal import Output
from monitord.cli.timeline import ASCII, UNICODE
from monitord.cli.verdicts import exit_code
from monitord.control import ControlError, candidate_paths, request
from monitord.errors import MonitordError
from monitord.pinning.judge import judge

if TYPE_CHECKING:
    from monitord.cli.exitcode import ExitCode
    from monitord.cli.invocation import Invocation
    from monitord.config.settings import Configuration

_WIDEST = 120


@click.command(cls=Plugin, short_help="When will the pins stop matching, why, and what to do by when?")
@click.argument("places", nargs=-1, metavar="[HOST[:PORT]]...")
@click.option("--probe", is_flag=True, help="Look at the endpoints now instead of taking the daemon's last look.")
@click.option("--all", "everything", is_flag=True, help="List unlikely failures too, with a confidence below 50%.")
@click.option(
    "--timeline/--no-timeline",
    default=None,
    help="Draw certificates and pins in time.  [default: on a terminal, the three pin sets that fail first]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each pin set.")
@click.pass_obj
def forecast(
    invocation: Invocation,
    places: tuple[str, ...],
    *,
    probe: bool,
    everything: bool,
    timeline: bool | None,
    as_json: bool,
) -> ExitCode:
    """Say when the pins of each HOST will stop matching, why, how sure that is, and what to do by when.

    Without HOST, of all registered endpoints. What the daemon has stored tells what is served, since when, and how
    certificates were renewed before; an endpoint that it knows nothing of is probed now. Nothing is stored.

    Serves as a Nagios or Icinga check like check: the exit code is 2 if apps fail or are likely to within release_time,
    3 if something could not be judged, 1 if they are likely to fail within horizon and for expired, expiring or missing
    pins or no backup pin, else 0.
    """
    output = Output(as_json=as_json)
    configuration = load_or_default(invocation) if places else load_configuration(invocation)
    selected = select(configuration, places)
    if not selected:
        raise MonitordError(f"nothing is registered in {invocation.config}; name a host, or register one: monitord add")
    targets = [one.target for one in selected]
    past = read_past(configuration, targets, invocation.now)
    if past.why_not:
        output.note(f"predictions rest on a look at this moment alone: {past.why_not}")
    looks = [() if probe else past.last_seen(target) for target in targets]
    if any(looks):
        _warn_of_age(output, invocation, configuration)
    unseen = [target for target, look in zip(targets, looks, strict=True) if not look]
    if unseen:
        with output.waiting(f"probing {len(unseen)} endpoints"):
            probed = iter(look_at(unseen, configuration, invocation.now))
        seen = [look or next(probed) for look in looks]
    else:
        seen = looks
    now = invocation.now()
    judges = [partial(judge, observations=one, trust=configuration.trust_stores, now=now) for one in seen]
    judged = judge_each(selected, judges, now, configuration.horizon)
    outlooks = [
        Outlook(ruling, foresight, probed=not look)
        for look, (one, foresight) in zip(looks, foresee_each(judged, seen, past, configuration, now), strict=True)
        for ruling in one.rulings
    ]
    for outlook in outlooks:
        output.fact(entry(outlook, past, now))
    for line in told(outlooks, now, everything=everything, width=output.breaks_at):
        output.say(line)
    if timeline or (timeline is None and output.is_terminal):
        glyphs, most = UNICODE if output.has_unicode else ASCII, None if timeline else PICTURES
        for line in pictures(outlooks, configuration, now, min(output.width, _WIDEST), glyphs, most):
            output.say(line)
    return exit_code(outlook.ruling for outlook in outlooks)


def _warn_of_age(output: Output, invocation: Invocation, configuration: Configuration) -> None:
    """What a store says is only as new as the daemon that writes it."""
    try:
        # Whatever it answers, it is there.
        running = request(candidate_paths(configuration.store, invocation.environment), "status", invocation.config)
    except ControlError:  # something is there, and does not speak to this user
        return
    if running is None:
        output.note("no monitord is running on this store, so what it says may be out of date; to look now: --probe")
