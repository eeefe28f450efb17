"""``verify``: the gate before a deployment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from monitord.cli.certificatefiles import read_chain, read_time, read_trust
from monitord.cli.configured import load_or_default, select
from monitord.cli.exitcode import rule, worst
from monitord.cli.terminal import Output
from monitord.cli.verdicts import print_rulings
from monitord.pinning.judge import judge_before_deployment
from monitord.pinning.observation import Observation
from monitord.pinning.paths import find_paths
from monitord.pinning.verdict import Verdict
from monitord.pinning.webprofile import objections

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from monitord.cli.exitcode import ExitCode
    from monitord.cli.invocation import Invocation
    from monitord.pinning.target import Target
    from monitord.pinning.trust import TrustStore
    from monitord.pinning.verdict import PinSetVerdict

_ADVICE = {
    Verdict.PIN_MISMATCH: (
        "Do not deploy this chain: the installed apps would refuse it. Have it issued for a pinned key, or first ship "
        "an app release that has one of its pins and wait until the users have it."
    ),
    Verdict.UNTRUSTED: (
        "Do not deploy this chain: the apps would refuse it. Have a certificate issued for this name, in date, by an "
        "authority that the apps trust."
    ),
    Verdict.UNDETERMINED: "Put the missing intermediates into the chain, after the server's certificate.",
    Verdict.PINS_EXPIRED: "The apps accept any trusted chain by now; ship an app release with a later expiry date.",
}


@click.command(short_help="Would the apps accept this chain if it were served?")
@click.argument("place", metavar="HOST[:PORT]")
@click.option("--chain", required=True, metavar="FILE", help="The chain: PEM, server's certificate first, or DER.")
@click.option("--trust", metavar="FILE", help="Roots in PEM to trust instead of the configured stores.")
@click.option("--at", metavar="TIME", help="When, like 2027-01-01 or 2027-01-01T12:00:00Z.  [default: now]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each pin set, as of check.")
@click.pass_obj
def verify(
    invocation: Invocation, place: str, chain: str, trust: str | None, at: str | None, *, as_json: bool
) -> ExitCode:
    """Say whether the apps would accept the chain in FILE if HOST served it. Nothing is probed.

    The pin sets of a registered host decide. For any other host trust alone is judged, by the strictest reading.
    FILE may be - for standard input. The exit code is 0 if the chain may be deployed, 2 if apps would fail, 3 if
    that cannot be told, 1 for expired, expiring or missing pins.
    """
    output = Output(as_json=as_json)
    moment = read_time(at) if at is not None else invocation.now()
    certificates = read_chain(chain)
    configuration = load_or_default(invocation)
    stores = configuration.trust_stores
    selected = select(configuration, [place])
    if trust is not None:
        store, notes = read_trust(trust, invocation.environment)
        for note in notes:
            output.note(note)
        stores = {store.name: store}
        selected = [replace(one, target=_trusting(one.target, store.name)) for one in selected]
    seen = Observation(moment, "", 0, certificates, key_type=certificates[0].key_type)
    rulings = [
        rule(verdict, registered=one.registered, now=moment, horizon=configuration.horizon)
        for one in selected
        for verdict in judge_before_deployment(one.target, [replace(seen, port=one.target.port)], stores, moment)
    ]
    print_rulings(output, [(ruling, _ADVICE.get(ruling.verdict.verdict, "")) for ruling in rulings])
    for sentence in _breaches([ruling.verdict for ruling in rulings], stores):
        output.note(f"warning: public authorities may not issue this: {sentence}")
    return worst(ruling.code for ruling in rulings)


def _trusting(target: Target, store: str) -> Target:
    """The target with only this store, for all its pin sets."""
    pinsets = tuple(replace(pinset, trust=(store,)) for pinset in target.pinsets)
    return replace(target, trust=(store,), pinsets=pinsets)


def _breaches(verdicts: Iterable[PinSetVerdict], stores: Mapping[str, TrustStore]) -> list[str]:
    """What breaks the profile of the public web though the clients of the pin sets do not mind; each once."""
    found: dict[str, None] = {}
    for verdict in verdicts:
        for judgement in verdict.judgements:
            if verdict.target.pinsets and not judgement.verdict.apps_fail:
                paths = find_paths(judgement.observation.chain, stores[judgement.trust]).paths
                fewest = min((objections(path) for path in paths if path.anchored), key=len, default=())
                found.update(dict.fromkeys(fewest))
    return list(found)
