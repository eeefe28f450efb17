"""``ct-hook``: what certspotter runs when it has found a certificate (certspotter-script(8))."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitord.cli.configfile import require_file
from monitord.cli.exitcode import ExitCode
from monitord.cli.terminal import Output
from monitord.config.document import read_capped
from monitord.config.hookplace import read_hook_place
from monitord.errors import MonitordError
from monitord.pinning.certificate import CertificateUnreadable, certificates_in, parse_certificate
from monitord.signals.ct.spool import LARGEST_CHAIN, Event, put, spool_beside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.cli.invocation import Invocation
    from monitord.pinning.certificate import Certificate

_MALFORMED, _ERROR = "malformed_cert", "error"


@dataclass(frozen=True, slots=True)
class _Told:
    """What certspotter told: the event to hand over, None for one of a kind that is not known, and its certificate."""

    event: Event | None
    certificate: Certificate | None = None


@click.command("ct-hook", short_help="What certspotter runs for each certificate that it finds.")
@click.option(
    "--spool",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to hand over, instead of where the configuration says.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object for the event.")
@click.pass_obj
def ct_hook(invocation: Invocation, spool: Path | None, *, as_json: bool) -> ExitCode:
    """Hand a certificate that certspotter has found over to the daemon, for its predictions.

    certspotter says in the environment what it found. The certificate is put into the spool, a directory that the
    daemon looks into each minute: signals.ct.spool of the configuration, else ct-hook beside the store. Nothing else
    of the configuration is read. The exit code is 0 once it is on the disk, else 3.
    """
    output = Output(as_json=as_json)
    told = _read_event(invocation.environment)
    spool = spool if spool is not None else _find_spool(invocation)
    if told.event is None:
        output.note(f"certspotter tells of an event that is not known and is passed over: {_event(invocation)}")
    elif spool is None:
        output.note(f"signals.ct.hook is false in {invocation.config}, so nothing is handed over")
    else:
        put(spool, told.event)
    handed_over = told.event is not None and spool is not None
    leaf = told.certificate
    output.fact(
        {
            "event": _event(invocation),
            "handed_over": handed_over,
            "spool": None if spool is None else str(spool),
            "subject": leaf.display_subject if leaf else None,
            "spki": str(leaf.pin) if leaf else None,
            "certificate_sha256": leaf.sha256.hex() if leaf else None,
            "problem": (told.event.problem or None) if told.event else None,
        }
    )
    if handed_over:
        what = f"the certificate {leaf.display_subject}" if leaf else "a problem of certspotter's"
        output.say(f"{what} is handed over to {spool}")
    return ExitCode.OK


def _event(invocation: Invocation) -> str:
    return invocation.environment.get("EVENT", "")


def _find_spool(invocation: Invocation) -> Path | None:
    """Where the configuration says to hand over; None where it says that nobody takes anything."""
    require_file(invocation)
    place = read_hook_place(invocation.config, invocation.environment)
    return (place.spool or spool_beside(place.store)) if place.enabled else None


def _read_event(environment: Mapping[str, str]) -> _Told:
    """What the environment tells. Raises MonitordError where it is not certspotter's, or its file is not as it says."""
    log, entry = environment.get("LOG_URI", ""), environment.get("ENTRY_INDEX", "")
    match environment.get("EVENT"):
        case None | "":
            raise MonitordError(
                "ct-hook is for certspotter to run, which sets EVENT and more in the environment; "
                "make it call this command from its directory hooks.d"
            )
        case "discovered_cert":
            return _discovered(environment, log, entry)
        case "malformed_cert":
            reason = environment.get("PARSE_ERROR", "")
            problem = environment.get("SUMMARY", _MALFORMED) + (f": {reason}" if reason else "")
            return _Told(Event(log=log, entry=entry, problem=problem))
        case "error":
            return _Told(Event(problem=environment.get("SUMMARY", _ERROR)))
    return _Told(None)


def _discovered(environment: Mapping[str, str], log: str, entry: str) -> _Told:
    file = environment.get("CERT_FILENAME")
    if not file:
        raise MonitordError(
            "certspotter does not say where the certificate is (CERT_FILENAME); run it without -no_save, or update it"
        )
    try:
        chain = read_capped(Path(file), limit=LARGEST_CHAIN)
    except OSError as error:
        raise MonitordError(f"the certificate {file} cannot be read: {error.strerror or error}") from error
    try:
        leaf = parse_certificate(next(iter(certificates_in(chain)), b""))
    except CertificateUnreadable as error:
        # It will be no better at another time, and a hook that fails ends certspotter: the daemon tells of it.
        return _Told(Event(log=log, entry=entry, problem=f"the certificate {file} cannot be used: {error}"))
    wanted = environment.get("PUBKEY_SHA256", "")
    if wanted and wanted.lower() != leaf.spki_sha256.hex():
        raise MonitordError(
            f"the certificate {file} does not have the public key that certspotter tells of (PUBKEY_SHA256 {wanted})"
        )
    return _Told(Event(chain=chain, log=log, entry=entry), leaf)
