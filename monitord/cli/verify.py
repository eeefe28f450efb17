"""``verify``: the gate before a deployment."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import click

from monitord.cli.certificatefiles import InputError, read_chain, read_keys, read_password, read_time, read_trust
from monitord.cli.configured import load_or_default, select
from monitord.cli.judging import judge_each
from monitord.cli.keyverdicts import details_about, entry_about
from monitord.cli.looking import look_at
from monitord.cli.plugin import Plugin
from monitord.cli.prospect import judge_key, judge_key_alone
from monitord.cli.sidebyside import print_comparisons
from monitord.cli.terminal import Output
from monitord.cli.verdicts import chains, exit_code, print_rulings
from monitord.pinning.certificate import key_type_of
from monitord.pinning.judge import judge_before_deployment
from monitord.pinning.keys import KeyHolder
from monitord.pinning.observation import Observation
from monitord.pinning.paths import find_paths
from monitord.pinning.report import verdict_entry
from monitord.pinning.verdict import Verdict
from monitord.pinning.webprofile import objections

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from monitord.cli.configured import Selected
    from monitord.cli.exitcode import ExitCode
    from monitord.cli.invocation import Invocation
    from monitord.cli.judging import Judge
    from monitord.cli.looking import Observations
    from monitord.cli.verdicts import Details, Entry
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.keys import PublicKey
    from monitord.pinning.target import Target
    from monitord.pinning.trust import TrustStore
    from monitord.pinning.verdict import PinSetVerdict

_IN_REQUESTS = (KeyHolder.REQUEST,)
_IN_KEYS = (KeyHolder.PRIVATE_KEY, KeyHolder.PUBLIC_KEY)
_HELD = {
    KeyHolder.CERTIFICATE: "certificate (for that there is --chain)",
    KeyHolder.REQUEST: "certificate request (for that there is --csr)",
    KeyHolder.PUBLIC_KEY: "bare key (for that there is --key)",
    KeyHolder.PRIVATE_KEY: "bare key (for that there is --key)",
}
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


_ADVICE_ON_KEY = {
    Verdict.PIN_MISMATCH: (
        "Do not have a certificate issued for this key: the installed apps would refuse it. Use a key that is pinned, "
        "or first ship an app release that has its pin and wait until the users have it."
    ),
    Verdict.UNTRUSTED: "The apps would refuse such a certificate, pinned or not; mend what the reason names first.",
    Verdict.UNDETERMINED: (
        "Let the issuer be judged too: while the endpoint answers and without --offline, or with --chain once the "
        "certificate is there."
    ),
    Verdict.PINS_EXPIRED: _ADVICE[Verdict.PINS_EXPIRED],
}


@click.command(cls=Plugin, short_help="Would the apps accept this chain or this key?")
@click.argument("place", metavar="HOST[:PORT]")
@click.option("--chain", metavar="FILE", help="The chain: PEM, server's certificate first, or DER.")
@click.option("--csr", metavar="FILE", help="A certificate request, in PEM or DER.")
@click.option("--key", metavar="FILE", help="A private or public key, in PEM or DER.")
@click.option("--password-file", metavar="FILE", help="First line: the password of an encrypted key.")
@click.option("--offline", is_flag=True, help="Judge the key of --csr or --key alone: probe nothing.")
@click.option("--trust", metavar="FILE", help="Roots in PEM to trust instead of the configured stores.")
@click.option("--at", metavar="TIME", help="When, like 2027-01-01 or 2027-01-01T12:00:00Z.  [default: now]")
@click.option("--all-clients", is_flag=True, help="A table: the same pins under the rule of every client library.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each pin set (and client).")
@click.pass_obj
def verify(  # noqa: PLR0913 - one for each option
    invocation: Invocation,
    place: str,
    *,
    chain: str | None,
    csr: str | None,
    key: str | None,
    password_file: str | None,
    trust: str | None,
    at: str | None,
    offline: bool,
    all_clients: bool,
    as_json: bool,
) -> ExitCode:
    """Say whether the apps would accept the chain in FILE if HOST served it. Nothing is probed.

    With --csr or --key, before there is a certificate: whether they would accept one for that key, if it is issued as
    the present one is. HOST is probed for that; with --offline the answer is "undetermined" where it depends on the
    issuer.

    The pin sets of a registered host decide. For any other host trust alone is judged, a chain by the strictest
    reading. FILE may be - for standard input. The exit code is 0 if it may be deployed, 2 if apps would fail, 3 if
    that cannot be told, 1 for expired, expiring or missing pins. With --all-clients it still goes by the client that
    each pin set is registered for.
    """
    if sum(file is not None for file in (chain, csr, key)) != 1:
        raise click.UsageError("Give one of --chain, --csr and --key.")
    if chain is not None and (offline or password_file):
        raise click.UsageError("--offline and --password-file are for --csr and --key.")
    output = Output(as_json=as_json)
    moment = read_time(at) if at is not None else invocation.now()
    certificates = read_chain(chain) if chain is not None else ()
    found_key = None if certificates else _read_key(csr, key, password_file)
    configuration = load_or_default(invocation)
    selected = select(configuration, [place])
    if trust is not None:
        store, notes = read_trust(trust, invocation.environment)
        for note in notes:
            output.note(note)
        configuration = replace(configuration, trust_stores={store.name: store})
        selected = [replace(one, target=_trusting(one.target, store.name)) for one in selected]
    if found_key is None:
        gate = _gate_of_chain(certificates, selected, configuration.trust_stores, moment)
    elif offline:
        gate = _gate_of_key(
            found_key, [partial(judge_key_alone, key=found_key, at=moment)] * len(selected), offline=True
        )
    else:
        with output.waiting(f"probing {place}"):
            seen = look_at([one.target for one in selected], configuration, invocation.now)
        _warn_of_another_kind(output, found_key, seen)
        in_place = partial(judge_key, key=found_key, stores=configuration.trust_stores, at=moment)
        gate = _gate_of_key(found_key, [partial(in_place, seen=one) for one in seen])
    judged = judge_each(selected, gate.judges, moment, configuration.horizon)
    rulings = [ruling for one in judged for ruling in one.rulings]
    if all_clients:
        print_comparisons(output, judged, gate.entry)
    else:
        advised = [(ruling, gate.advice.get(ruling.verdict.verdict, "")) for ruling in rulings]
        print_rulings(output, advised, moment, gate.entry, gate.details)
    if certificates:
        for sentence in _breaches([ruling.verdict for ruling in rulings], configuration.trust_stores):
            output.note(f"warning: public authorities may not issue this: {sentence}")
    return exit_code(rulings)


@dataclass(frozen=True, slots=True)
class _Gate:
    """How to judge each of the endpoints, and how to tell of it."""

    judges: Sequence[Judge]
    entry: Entry = verdict_entry
    details: Details = chains
    advice: Mapping[Verdict, str] = field(default_factory=lambda: _ADVICE)


def _gate_of_chain(
    chain: tuple[Certificate, ...], selected: Sequence[Selected], stores: Mapping[str, TrustStore], at: datetime
) -> _Gate:
    seen = Observation(at, "", 0, chain, key_type=chain[0].key_type)
    return _Gate(
        [
            partial(judge_before_deployment, observations=[replace(seen, port=one.target.port)], trust=stores, now=at)
            for one in selected
        ]
    )


def _gate_of_key(key: PublicKey, judges: Sequence[Judge], *, offline: bool = False) -> _Gate:
    return _Gate(judges, entry_about(key, offline=offline), details_about(key, offline=offline), advice=_ADVICE_ON_KEY)


def _warn_of_another_kind(output: Output, key: PublicKey, seen: Sequence[Observations]) -> None:
    kind = key_type_of(key.spki)
    served = {one.chain[0].key_type for observations in seen for one in observations if one.chain}
    if served and kind not in served:
        kinds = " and ".join(sorted(served))
        output.note(
            f"warning: the key is {kind}, and {kinds} is served now; authorities may issue it from another path"
        )


def _read_key(csr: str | None, key: str | None, password_file: str | None) -> PublicKey:
    """The one key that is meant. Raises InputError."""
    name, option, holders = (csr, "--csr", _IN_REQUESTS) if csr is not None else (key or "", "--key", _IN_KEYS)
    found = read_keys(name, read_password(password_file) if password_file is not None else None)
    wanted = [one for one in found if one.holder in holders]
    if len({one.pin for one in wanted}) != 1:
        holder = "certificate request" if option == "--csr" else "key"
        held = "several of them" if wanted else f"a {_HELD[found[0].holder]}"
        raise InputError(f"{name}: {option} takes a file with one {holder}, and this one holds {held}")
    return wanted[0]


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
