"""``add``: register an endpoint with pins that were seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from monitord.cli.configured import load_configuration, parse_place
from monitord.cli.exitcode import ExitCode
from monitord.cli.extraction import INTERMEDIATE, LEAF, ROLES, ExtractionError, Served, extract, refuse_disagreement
from monitord.cli.looking import look_at
from monitord.cli.reloading import reload_daemon
from monitord.cli.terminal import Output
from monitord.config.hosts import parse_connect_address, parse_host
from monitord.config.load import default_configuration, load_store
from monitord.config.registry import EntryOptions, NotedPin, add_pins, register
from monitord.config.starter import tells_somebody, write_starter
from monitord.config.times import parse_duration
from monitord.config.truststores import BUILT_IN
from monitord.errors import MonitordError
from monitord.pinning.judge import judge
from monitord.pinning.pins import Client, Pin, PinSet, parse_pin
from monitord.pinning.target import DEFAULT_PORT, Target, format_endpoint
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitord.cli.invocation import Invocation
    from monitord.config.settings import Configuration

_LOOKS = 2
_SPARE = "given by hand, not served when it was registered"
_UNCOMPARED = "given by hand, what was served could not be compared"


@dataclass(frozen=True, slots=True)
class Wish:
    """What ``--pin`` asked for: roles to be looked up, and pins as they are."""

    roles: tuple[str, ...]
    pins: tuple[Pin, ...]


@click.command(short_help="Register an endpoint with the pins that it serves now.")
@click.argument("place", metavar="HOST[:PORT]")
@click.option(
    "--pin",
    "wanted",
    multiple=True,
    metavar="PIN",
    help="What to pin: leaf, intermediate, root or sha256/...; may be repeated.  [default: leaf]",
)
@click.option(
    "--connect-to",
    "addresses",
    multiple=True,
    metavar="ADDRESS",
    help="Connect to IP[:PORT] instead of asking DNS; may be repeated.",
)
@click.option(
    "--server-name", metavar="NAME", help="The name to announce and to expect in the certificate.  [default: HOST]"
)
@click.option("--trust", metavar="STORE", help="The trust store of the apps, by its name in the configuration.")
@click.option("--name", "pinset", metavar="PINSET", help="The name of the pin set.")
@click.option("--interval", metavar="DURATION", help="The time between two probes, like 5m.")
@click.option(
    "--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label for alerts and metrics; may be repeated."
)
@click.option("--update", is_flag=True, help="Add the pins to an endpoint that is registered.")
@click.option("--force", is_flag=True, help="Register given pins even if the endpoint is silent or not trusted.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object about what was registered.")
@click.pass_obj
def add(
    invocation: Invocation,
    /,
    place: str,
    wanted: tuple[str, ...],
    *,
    update: bool,
    force: bool,
    as_json: bool,
    **written: Any,  # noqa: ANN401 - the options that become keys of the entry, whatever their kind
) -> ExitCode:
    """Probe HOST twice, take the pins of what it serves, write domains.d/HOST.yaml and tell a running daemon.

    Nothing is written if the two probes or the addresses of HOST disagree, or if the chain is not trusted. The pins of
    a registered host are only added to, never removed. Where there is no configuration yet, one to begin with is
    written too.

    The exit code is 1 if the daemon could not take the change, else 0.
    """
    wish = _wish(wanted)
    if force and wish.roles:
        raise click.UsageError("--force needs every pin given as --pin sha256/...")
    options = _options(**written)
    if update and options != EntryOptions():
        raise click.UsageError("--update only adds pins; for the rest edit the file that 'monitord domains' names")
    output = Output(as_json=as_json)
    beginning = invocation.config_is_missing and not update
    configuration = _with_store(invocation, _configuration(invocation, beginning=beginning), options.trust)
    target = _target(configuration, place, options, update=update)
    served = _look_twice(invocation, output, configuration, target, None if force else wish.roles)
    pins = _noted(target, wish, served)
    known = {pin for pinset in target.pinsets for pin in pinset.all_pins}
    endpoint, now = (target.host, target.port), invocation.now()
    if update:
        registration = add_pins(invocation.config, endpoint, pins, now=now, environment=invocation.environment)
    else:
        if beginning:
            write_starter(invocation.config)
        registration = register(invocation.config, endpoint, pins, options, now=now, environment=invocation.environment)
    answer = reload_daemon(invocation, configuration)
    output.fact(
        {
            "host": target.host,
            "port": target.port,
            "file": str(registration.path),
            "pins": [{"pin": str(noted.pin), "note": noted.note, "new": noted.pin not in known} for noted in pins],
            "daemon": answer.took.value,
        }
    )
    output.say(f"{target.endpoint} is registered in {registration.path}", "bold")
    for noted in pins:
        output.say(f"  {noted.pin}  {noted.note}{' (already registered)' if noted.pin in known else ''}")
    for warning in _warnings(target, pins, known, served):
        output.note(f"warning: {warning}")
    for warning in _failures(target, pins, served, configuration, now):
        output.note(f"warning: {warning}")
    _say_what_is_left(invocation, output, included=registration.included)
    if answer.in_force:
        output.say(answer.message)
    else:
        output.note(answer.message)
    return ExitCode.OK if answer.in_force and registration.included else ExitCode.WARNING


def _say_what_is_left(invocation: Invocation, output: Output, *, included: bool) -> None:
    """What is still to be done in the configuration."""
    if not included:
        output.note(
            f"warning: {invocation.config} does not include that file, so nothing is watched yet; add the line "
            'include: ["domains.d/*.yaml"]'
        )
    if not tells_somebody(invocation.config):
        output.note(
            f"warning: nobody is told of a failure yet: name receivers in {invocation.config}, "
            "then try them: monitord test-alert"
        )


def _configuration(invocation: Invocation, *, beginning: bool) -> Configuration:
    """What is configured, or what would be by the file to begin with. Raises as ``load_configuration``."""
    if beginning:
        return default_configuration(environment=invocation.environment)
    return load_configuration(invocation, discovered=False)


def _wish(wanted: Sequence[str]) -> Wish:
    """Raises PinSpellingError for what is neither a role nor a pin."""
    texts = list(dict.fromkeys(wanted)) or [LEAF]
    roles = tuple(text for text in texts if text in ROLES)
    return Wish(roles, tuple(parse_pin(text) for text in texts if text not in ROLES))


def _options(
    *,
    addresses: tuple[str, ...],
    server_name: str | None,
    trust: str | None,
    pinset: str | None,
    interval: str | None,
    labels: tuple[str, ...],
) -> EntryOptions:
    """Raises UnfitError for what is no address, name or duration, UsageError for a label without a value."""
    pairs = [label.partition("=") for label in labels]
    if not all(equals for _, equals, _ in pairs):
        raise click.UsageError("--label is written KEY=VALUE")
    return EntryOptions(
        pinset=pinset,
        server_name=None if server_name is None else parse_host(server_name),
        connect_to=tuple(dict.fromkeys(parse_connect_address(address) for address in addresses)),
        interval=None if interval is None else parse_duration(interval),
        labels={key: value for key, _, value in pairs},
        trust=trust,
    )


def _with_store(invocation: Invocation, configuration: Configuration, name: str | None) -> Configuration:
    """The configuration with a store that none of its targets may have named yet."""
    if name is None or name in configuration.trust_stores:
        return configuration
    store = load_store(invocation.config, name, environment=invocation.environment)
    return replace(configuration, trust_stores={**configuration.trust_stores, name: store})


def _target(configuration: Configuration, place: str, options: EntryOptions, *, update: bool) -> Target:
    """The target to look at. Raises MonitordError if it is registered already, or for ``update`` if it is not."""
    host, port = parse_place(place)
    registered = [target for target in configuration.targets if target.host == host and port in (None, target.port)]
    if update and len(registered) > 1:
        raise MonitordError(f"{host} is registered at {len(registered)} ports; say which: {host}:PORT")
    if update and registered:
        return registered[0]
    target = Target(
        host,
        port or DEFAULT_PORT,
        server_name=options.server_name,
        connect_to=options.connect_to,
        trust=(options.trust or configuration.default_trust,),
    )
    if update:
        raise MonitordError(f"{target.endpoint} is not registered; leave out --update to register it")
    at = configuration.sources.get((target.host, target.port))
    if at is not None:
        name = format_endpoint(target.host, target.port)
        raise MonitordError(f"{name} is registered already, at {at}; to add pins to it: monitord add {name} --update")
    return target


def _look_twice(
    invocation: Invocation,
    output: Output,
    configuration: Configuration,
    target: Target,
    roles: Sequence[str] | None,
) -> Served | None:
    """What two independent probes agree on for these roles.

    ``roles`` None: it does not matter what they say, and None is what comes of an endpoint that says nothing useful.
    """
    trust = dict.fromkeys(name for pinset in target.pinsets for name in pinset.trust)
    bare = replace(target, trust=tuple(trust) or target.trust)
    looks = []
    for _ in range(_LOOKS):
        with output.waiting(f"probing {target.endpoint}"):
            (observations,) = look_at([bare], configuration, invocation.now)
        try:
            looks.append(extract(bare, observations, configuration.trust_stores, invocation.now(), roles or ()))
        except ExtractionError as error:
            if roles is None:
                output.note(f"warning: {error}")
                return None
            raise ExtractionError(f"nothing was registered: {error}") from error
    refuse_disagreement(bare, looks[0], looks[1], roles or ())
    return looks[-1]


def _noted(target: Target, wish: Wish, served: Served | None) -> list[NotedPin]:
    whole = any(pinset.client is Client.CERTIFICATE for pinset in target.pinsets)
    found: dict[Pin, NotedPin] = {}
    for role in wish.roles:
        certificates = served.by_role[role] if served else ()
        if not certificates:
            raise ExtractionError(f"the path of {target.endpoint} has no {role}; pin another part of it")
        for certificate in certificates:
            pin = certificate.certificate_pin if whole else certificate.pin
            found.setdefault(pin, NotedPin(pin, f"{role}, {certificate.display_subject}"))
    for pin in wish.pins:
        live = served.find(pin) if served else None
        unserved = _SPARE if served else _UNCOMPARED
        note = f"{served.role_of(live)}, {live.display_subject}" if served and live else unserved
        found.setdefault(pin, NotedPin(pin, note))
    return list(found.values())


def _failures(
    target: Target, pins: Sequence[NotedPin], served: Served | None, configuration: Configuration, now: datetime
) -> list[str]:
    """What the client says to the pins that are registered now: it may not look where they were taken from."""
    if served is None:
        return []
    (pinset, *others) = target.pinsets or (PinSet("default", trust=target.trust),)
    together = tuple(dict.fromkeys((*pinset.pins, *(noted.pin for noted in pins))))
    registered = replace(target, pinsets=(replace(pinset, pins=together), *others))
    return [
        f"apps with these pins fail to connect now: {verdict.reason}"
        for verdict in judge(registered, served.observations, configuration.trust_stores, now)
        if verdict.verdict is Verdict.PIN_MISMATCH
    ]


def _warnings(target: Target, pins: Sequence[NotedPin], known: set[Pin], served: Served | None) -> list[str]:
    together = known | {noted.pin for noted in pins}
    found: list[str] = []
    if served:
        found += [f"{silent} did not answer, so what it serves is not known" for silent in served.silent]
        intermediates = {certificate.pin for certificate in served.by_role[INTERMEDIATE]}
        if any(noted.pin in intermediates for noted in pins) and set(target.trust) & set(BUILT_IN):
            found.append(
                "public authorities change their intermediates without notice; a pin of your own key lasts longer"
            )
    if len(together) == 1:
        found.append(
            "this is the only pin: make a spare key now, keep it safe, ship its pin in the apps, and register it: "
            f"monitord pin spare.csr; monitord add {target.endpoint} --update --pin sha256/..."
        )
    return found
