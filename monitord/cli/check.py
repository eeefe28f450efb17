"""``check``: probe now, judge, forecast, print."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from monitord.cli.configured import load_configuration, load_or_default, select
from monitord.cli.foresight import foresee_each
from monitord.cli.judging import judge_each
from monitord.cli.looking import look_at
from monitord.cli.past import read_past
from monitord.cli.plugin import Plugin
from monitord.cli.sidebyside import print_comparisons
from monitord.cli.terminal import Output
from monitord.cli.verdicts import exit_code, print_rulings
from monitord.errors import MonitordError
from monitord.pinning.conditions import Condition
from monitord.pinning.facts import alert_facts
from monitord.pinning.incident import IncidentKey, IncidentKind, Severity
from monitord.pinning.judge import judge
from monitord.pinning.ruling import NO_BACKUP
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.cli.exitcode import ExitCode
    from monitord.cli.invocation import Invocation
    from monitord.pinning.ruling import Ruling
    from monitord.pinning.verdict import PinSetVerdict

# The incident that a verdict would be: what to do about it is what the alert says.
_KINDS = {
    Verdict.PIN_MISMATCH: IncidentKind.PIN_MISMATCH,
    Verdict.UNTRUSTED: IncidentKind.UNTRUSTED,
    Verdict.PINS_EXPIRED: IncidentKind.PINS_EXPIRING,
}
_INCOMPLETE = (
    "Serve the missing intermediates after the leaf. Some clients have them cached or fetch them, others fail, so "
    "nothing can be said for all."
)


@click.command(cls=Plugin, short_help="Probe now, judge and print; nothing is stored.")
@click.argument("places", nargs=-1, metavar="[HOST[:PORT]]...")
@click.option("--all-clients", is_flag=True, help="A table: the same pins under the rule of every client library.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each pin set (and client).")
@click.pass_obj
def check(invocation: Invocation, places: tuple[str, ...], *, all_clients: bool, as_json: bool) -> ExitCode:
    """Probe every address of each HOST, judge it by the rules of the apps' clients, say what is coming, and print.

    Without HOST, all registered endpoints are checked. A registered host is probed as it is registered, and without
    PORT at all its registered ports; any other host at port 443, with the default trust store. No daemon is needed,
    and nothing is stored; what a daemon has stored of the host makes the predictions better.

    Serves as a Nagios or Icinga check: the first line is a summary, and the exit code is 2 if apps fail or are likely
    to within release_time, 3 if something could not be judged, 1 if they are likely to fail within horizon and for
    expired, expiring or missing pins or no backup pin, else 0. With --all-clients it still goes by the client that
    each pin set is registered for.
    """
    output = Output(as_json=as_json)
    configuration = load_or_default(invocation) if places else load_configuration(invocation)
    selected = select(configuration, places)
    if not selected:
        raise MonitordError(f"nothing is registered in {invocation.config}; name a host, or register one: monitord add")
    with output.waiting(f"probing {len(selected)} endpoints"):
        seen = look_at([one.target for one in selected], configuration, invocation.now)
    now = invocation.now()
    judges = [partial(judge, observations=one, trust=configuration.trust_stores, now=now) for one in seen]
    judged = judge_each(selected, judges, now, configuration.horizon)
    past = read_past(configuration, [one.target for one in selected], invocation.now)
    if past.why_not and not past.missing:
        output.note(f"predictions rest on this look alone: {past.why_not}")
    judged = [one for one, _ in foresee_each(judged, seen, past, configuration, now)]
    rulings = [ruling for one in judged for ruling in one.rulings]
    if all_clients:
        print_comparisons(output, judged)
    else:
        print_rulings(output, [(ruling, advice_on(ruling, now)) for ruling in rulings], now)
    return exit_code(rulings)


def advice_on(ruling: Ruling, now: datetime) -> str:
    """What to do about what is wrong already; predictions carry advice of their own."""
    verdict = ruling.verdict
    if verdict.verdict is Verdict.UNDETERMINED:
        reachable = any(judgement.observation.chain for judgement in verdict.judgements)
        return _INCOMPLETE if reachable else _of_incident(verdict, IncidentKind.UNREACHABLE, now)
    if verdict.verdict in _KINDS:
        return _of_incident(verdict, _KINDS[verdict.verdict], now)
    if ruling.weaknesses and not verdict.pinset.all_pins:
        return f"Register the pins that the apps have; to see those served now: monitord pin {verdict.target.endpoint}"
    kinds = [
        IncidentKind.NO_BACKUP_PIN if one == NO_BACKUP else IncidentKind.PINS_EXPIRING for one in ruling.weaknesses
    ]
    return " ".join(_of_incident(verdict, kind, now) for kind in kinds)


def _of_incident(verdict: PinSetVerdict, kind: IncidentKind, now: datetime) -> str:
    key = IncidentKey(verdict.target.host, verdict.target.port, verdict.pinset.name, kind)
    condition = Condition(key, holds=True, severity=Severity.CRITICAL, verdict=verdict)
    return str(alert_facts(condition, now)["advice"])
