"""``trust``: what is in a trust store, and what a change of it would do to the registered pin sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from monitord.cli.configured import load_or_default
from monitord.cli.exitcode import ExitCode
from monitord.cli.looking import look_at
from monitord.cli.replacing import judge_replacement, select_users
from monitord.cli.stores import known_stores
from monitord.cli.terminal import Output
from monitord.config.truststores import TrustStoreError
from monitord.pinning.printable import printable
from monitord.pinning.report import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from monitord.cli.invocation import Invocation
    from monitord.cli.replacing import Change
    from monitord.config.settings import Configuration
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.trust import TrustStore


@click.group(short_help="See trust stores, and what a change of one would do.")
def trust() -> None:
    """See trust stores, and what a change of one would do to the registered pin sets.

    A STORE is named as in the configuration under trust:, or is "mozilla" or "system", or a file or directory of
    certificates.
    """


@trust.command("list", short_help="The stores that there are.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each store.")
@click.pass_obj
def list_stores(invocation: Invocation, *, as_json: bool) -> ExitCode:
    """List the trust stores of the configuration and the built-in ones.

    The SHA-256 is over the set of anchors: stores with the same anchors have the same one. The exit code is 3 if a
    store of the configuration cannot be read, else 0.
    """
    output = Output(as_json=as_json)
    configuration, stores = load_or_default(invocation), known_stores(invocation)
    code = ExitCode.OK
    for name, file in stores.files.items():
        store, complaint = None, None
        try:
            store, notes = stores.read(name)
        except TrustStoreError as error:
            complaint = str(error)
            code = ExitCode.OK if file is None else ExitCode.UNKNOWN
        else:
            for note in notes:
                output.note(f"{name}: {note}")
        used = _count_uses(configuration, name)
        output.fact(
            {
                "store": name,
                "file": None if file is None else str(file),
                "default": name == configuration.default_trust,
                "pinsets": used,
                "anchors": None if store is None else len(store),
                "sha256": None if store is None else store.sha256.hex(),
                "error": complaint,
            }
        )
        output.say(Text.assemble((printable(name), "bold"), "  the default" * (name == configuration.default_trust)))
        output.say(f"  {complaint}" if store is None else f"  {_anchors(len(store))}, sha256 {store.sha256.hex()}")
        output.say(f"  {file or 'built in'}, used by {used} registered pin set{'' if used == 1 else 's'}")
    return code


@trust.command(short_help="The anchors in a store.")
@click.argument("name", metavar="STORE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each anchor.")
@click.pass_obj
def show(invocation: Invocation, name: str, *, as_json: bool) -> ExitCode:
    """Print each anchor of a store: the pin of its key, the end of its validity, its subject."""
    output = Output(as_json=as_json)
    store, notes = known_stores(invocation).read(name)
    for note in notes:
        output.note(note)
    now = invocation.now()
    output.say(f"{_anchors(len(store))}, sha256 {store.sha256.hex()}")
    for anchor in store.anchors:
        output.fact({"store": name, **_record(anchor, now)})
        output.say(_line("  ", anchor, now))
    return ExitCode.OK


@trust.command(short_help="What another store in place of one would change.")
@click.argument("old", metavar="A")
@click.argument("new", metavar="B")
@click.option("--all", "everywhere", is_flag=True, help="Judge all registered pin sets, as if each used A.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each anchor and each pin set.")
@click.pass_obj
def diff(invocation: Invocation, old: str, new: str, *, everywhere: bool, as_json: bool) -> ExitCode:
    """Print the anchors by which the stores A and B differ, and which registered pin sets change their verdict.

    The endpoints whose pin sets use A are probed now, and judged with A and with B in its place. Where A is a file,
    those count whose store has the same anchors.

    The exit code is 2 if the apps of a pin set would start to fail, 3 if one could not be judged, else 0.
    """
    output = Output(as_json=as_json)
    configuration, stores = load_or_default(invocation), known_stores(invocation)
    (before, notes), (after, more_notes) = stores.read(old), stores.read(new)
    for note in (*notes, *more_notes):
        output.note(note)
    _print_differences(output, before, after, invocation.now())
    users = select_users(configuration, before, everywhere=everywhere)
    if before.sha256 == after.sha256:
        return ExitCode.OK
    if not users:
        output.say(f"no registered pin set uses {old}; to judge all as if they did: --all")
        return ExitCode.OK
    with output.waiting(f"probing {len(users)} endpoints"):
        seen = look_at(users, configuration, invocation.now)
    now = invocation.now()
    changes = [
        change
        for target, observations in zip(users, seen, strict=True)
        for change in judge_replacement(target, observations, configuration.trust_stores, (before, after), now)
    ]
    _print_changes(output, changes)
    if any(change.starts_to_fail for change in changes):
        return ExitCode.CRITICAL
    return ExitCode.UNKNOWN if any(change.unknown for change in changes) else ExitCode.OK


def _print_differences(output: Output, before: TrustStore, after: TrustStore, now: datetime) -> None:
    removed = [anchor for anchor in before.anchors if anchor not in after]
    added = [anchor for anchor in after.anchors if anchor not in before]
    if not removed and not added:
        output.say("the anchors are the same")
    else:
        output.say(f"{_anchors(len(removed))} removed, {len(added)} added")
    for sign, what, anchors in (("- ", "removed", removed), ("+ ", "added", added)):
        for anchor in anchors:
            output.fact({"type": "anchor", "change": what, **_record(anchor, now)})
            output.say(_line(sign, anchor, now))


def _print_changes(output: Output, changes: list[Change]) -> None:
    changed = [change for change in changes if change.before.verdict is not change.after.verdict]
    output.say()
    output.say(f"{len(changed)} of {len(changes)} registered pin sets change their verdict")
    for change in changes:
        target, pinset = change.before.target, change.before.pinset
        output.fact(
            {
                "type": "verdict",
                "host": target.host,
                "port": target.port,
                "pinset": pinset.name,
                "client": pinset.client.value,
                "before": {"verdict": change.before.verdict.value, "reason": change.before.reason},
                "after": {"verdict": change.after.verdict.value, "reason": change.after.reason},
                "changes": change in changed,
                "starts_to_fail": change.starts_to_fail,
            }
        )
        if change in changed or change.unknown:
            for line in _told(change):
                output.say(line)


def _told(change: Change) -> Iterator[Text]:
    target, pinset = change.before.target, change.before.pinset
    style = "bold red" if change.starts_to_fail else "yellow" if change.unknown else ""
    became = "" if change.before.verdict is change.after.verdict else f" → {change.after.verdict}"
    yield Text.assemble(
        "  ",
        (f"{change.before.verdict}{became}", style),
        "  ",
        (printable(target.endpoint), "bold"),
        printable(f"  pin set {pinset.name}, client {pinset.client}"),
    )
    yield Text(f"    {printable(change.after.reason)}")


def _count_uses(configuration: Configuration, name: str) -> int:
    return sum(name in pinset.trust for target in configuration.targets for pinset in target.pinsets)


def _record(anchor: Certificate, now: datetime) -> dict[str, Any]:
    return {
        "subject": anchor.display_subject,
        "spki": str(anchor.pin),
        "certificate_sha256": anchor.sha256.hex(),
        "not_before": timestamp(anchor.not_before),
        "not_after": timestamp(anchor.not_after),
        "expired": anchor.not_after < now.replace(microsecond=0),
    }


def _line(sign: str, anchor: Certificate, now: datetime) -> Text:
    expired = anchor.not_after < now.replace(microsecond=0)
    until = f"{anchor.not_after:%Y-%m-%d}" + (" expired" if expired else "")
    return Text(f"{sign}{anchor.pin}  {until:<18}  {printable(anchor.display_subject)}", "yellow" if expired else "")


def _anchors(count: int) -> str:
    return f"{count} anchor" if count == 1 else f"{count} anchors"
