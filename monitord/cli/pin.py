"""``pin``: the pins of a live endpoint, or of whatever a file holds."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from monitord.cli.certificatefiles import STANDARD_INPUT, InputError, read_keys, read_password
from monitord.cli.configured import load_or_default, select
from monitord.cli.exitcode import ExitCode
from monitord.cli.extraction import LEAF, ROLES
from monitord.cli.looking import look_at
from monitord.cli.snippets import file_role, write_snippet
from monitord.cli.terminal import Output
from monitord.formats.catalogue import WRITERS
from monitord.pinning.judge import judge
from monitord.pinning.keys import KeyHolder, PublicKey
from monitord.pinning.printable import printable
from monitord.pinning.report import roles, timestamp
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monitord.cli.invocation import Invocation
    from monitord.config.settings import Configuration
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.observation import Observation
    from monitord.pinning.target import Target

_HOLDERS = {
    KeyHolder.REQUEST: "request",
    KeyHolder.PUBLIC_KEY: "public key",
    KeyHolder.PRIVATE_KEY: "private key",
}


@dataclass(frozen=True, slots=True)
class FoundPin:
    """A key that was found, and where. ``role`` is leaf, intermediate or root, None for a bare key.

    ``host`` and ``port`` are those of the live endpoint that shows it, None for a file; ``presented`` is whether
    the server sent it (a root usually is not).
    """

    source: str
    key: PublicKey
    role: str | None
    host: str | None = None
    port: int | None = None
    presented: bool | None = None

    def record(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        certificate = self.key.certificate
        return {
            "source": self.source,
            "holder": self.key.holder.value,
            "role": self.role,
            "subject": self.key.subject,
            "spki": str(self.key.pin),
            "certificate_sha256": certificate.sha256.hex() if certificate else None,
            "not_after": timestamp(certificate.not_after) if certificate else None,
            "presented": self.presented,
        }


@click.command(short_help="Print the pins of an endpoint or of a file.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(WRITERS)),
    metavar="CLIENT",
    help=f"Print a snippet for this client instead: {', '.join(WRITERS)}.",
)
@click.option(
    "--role",
    "wanted",
    type=click.Choice(ROLES),
    multiple=True,
    metavar="ROLE",
    help="What to pin in the snippet: leaf, intermediate or root; may be repeated.  [default: leaf]",
)
@click.option("--host", "named", metavar="HOST", help="The host in the snippet, where all sources are files.")
@click.option("--password-file", metavar="FILE", help="First line: the password of an encrypted key or PKCS#12.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each key.")
@click.pass_obj
def pin(  # noqa: PLR0913 - one for each option
    invocation: Invocation,
    sources: tuple[str, ...],
    form: str | None,
    wanted: tuple[str, ...],
    named: str | None,
    password_file: str | None,
    *,
    as_json: bool,
) -> ExitCode:
    """Print the pins of each SOURCE.

    A SOURCE is a file if there is one of that name (or - for standard input), else HOST[:PORT]. Files may hold
    certificates, chains, requests (CSR), public keys, private keys, as PEM or DER, or be PKCS#12. A live endpoint
    shows what it serves and the root of the validated path.

    With --format, the leaf's pin is printed as the client's own file wants it, with the keys of all files as spares:
    monitord pin api.example.com spare.csr --format okhttp
    """
    if form and as_json:
        raise click.UsageError("--format and --json exclude each other.")
    if not form and (wanted or named):
        raise click.UsageError("--role and --host are for --format.")
    output = Output(as_json=as_json)
    password = read_password(password_file) if password_file else None
    sources = tuple(dict.fromkeys(sources))
    files = [source for source in sources if _is_file(source)]
    places = [source for source in sources if source not in files]
    for place in places:
        if "/" in place and "://" not in place:
            raise InputError(f"{place}: there is no such file")
    found: dict[str, list[FoundPin]] = {source: _of_file(source, password) for source in files}
    unseen = 0
    if places:
        live = _Live(invocation, output)
        for place in places:
            found[place] = live.look(place)
            unseen += not found[place]
    in_order = [one for source in sources for one in found[source]]
    if form:
        output.write(write_snippet(form, in_order, frozenset(wanted or (LEAF,)), named))
    else:
        _print(output, in_order)
    return ExitCode.UNKNOWN if unseen else ExitCode.OK


def _is_file(source: str) -> bool:
    """Whether a source is read; a directory may well have the name of a host."""
    return source == STANDARD_INPUT or (os.path.exists(source) and not os.path.isdir(source))  # noqa: PTH110, PTH112 - they never raise


class _Live:
    """Looks at endpoints with one configuration."""

    def __init__(self, invocation: Invocation, output: Output) -> None:
        self._invocation = invocation
        self._output = output
        self._configuration: Configuration = load_or_default(invocation)

    def look(self, place: str) -> list[FoundPin]:
        """The keys that an endpoint shows, each once; what is wrong with its chain is noted."""
        targets = [replace(selected.target, pinsets=()) for selected in select(self._configuration, [place])]
        with self._output.waiting(f"probing {place}"):
            seen = look_at(targets, self._configuration, self._invocation.now)
        pairs = zip(targets, seen, strict=True)
        return [one for target, observations in pairs for one in self._keys(target, observations)]

    def _keys(self, target: Target, observations: Sequence[Observation]) -> Iterable[FoundPin]:
        (verdict,) = judge(target, observations, self._configuration.trust_stores, self._invocation.now())
        if verdict.verdict is not Verdict.NOT_PINNED:
            self._output.note(f"{target.endpoint}: {verdict.verdict}: {verdict.reason}")
        leaves = {observation.chain[0] for observation in observations if observation.chain}
        if len(leaves) > 1:
            self._output.note(f"{target.endpoint}: its addresses serve {len(leaves)} different certificates")
        found: dict[Certificate, FoundPin] = {}
        for judgement in verdict.judgements:
            chain = judgement.observation.chain
            for shown, sent in ((chain, True), (judgement.path, False)):
                for role, certificate in zip(roles(shown), shown, strict=True):
                    key = _certified(certificate)
                    pinned = FoundPin(
                        target.endpoint, key, role, target.host, target.port, sent or certificate in chain
                    )
                    found.setdefault(certificate, pinned)
        return found.values()


def _certified(certificate: Certificate) -> PublicKey:
    return PublicKey(KeyHolder.CERTIFICATE, certificate.spki, certificate.display_subject, certificate)


def _of_file(source: str, password: bytes | None) -> list[FoundPin]:
    return [FoundPin(source, key, file_role(key)) for key in read_keys(source, password)]


def _print(output: Output, found: Sequence[FoundPin]) -> None:
    source = None
    for one in found:
        output.fact(one.record())
        if one.source != source:
            if source is not None:
                output.say()
            source = one.source
            output.say(Text(printable(source), "bold"))
        certificate = one.key.certificate
        output.say(f"  {one.role or _HOLDERS[one.key.holder]:<13} {one.key.pin}  {one.key.subject or ''}".rstrip())
        if certificate:
            sent = "" if one.presented is not False else ", not sent by the server"
            until = f"valid until {certificate.not_after:%Y-%m-%d}{sent}"
            output.say(f"  {'':<13} certificate sha256 {certificate.sha256.hex()}, {until}")
