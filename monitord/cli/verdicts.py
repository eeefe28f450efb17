"""Verdicts for people: a summary that a monitoring system shows, and a block for each pin set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from monitord.cli.exitcode import ExitCode, worst
from monitord.cli.plugin import status_text
from monitord.cli.printable import printable
from monitord.pinning.pins import Client
from monitord.pinning.report import roles, verdict_entry
from monitord.pinning.standing import Standing
from monitord.pinning.target import format_endpoint
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from monitord.cli.exitcode import Ruling
    from monitord.cli.terminal import Output
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.pins import PinSet
    from monitord.pinning.verdict import Judgement, PinSetVerdict

    Entry = Callable[[PinSetVerdict], dict[str, Any]]
    Details = Callable[[PinSetVerdict], Iterator[Text]]

STYLES = {ExitCode.OK: "green", ExitCode.WARNING: "yellow", ExitCode.CRITICAL: "bold red", ExitCode.UNKNOWN: "magenta"}
_MOST_NAMED = 5
_PIN_WIDTH = 51  # "sha256/" and 44 characters of base64
IS_PINNED, _IN_VAIN = "*", "!"
_STANDINGS = {
    Standing.LIVE: "live",
    Standing.PLAUSIBLE: "a spare: a known certificate has it",
    Standing.NEVER_SEEN: "no known certificate has it",
}
_GROUPS = {
    ExitCode.CRITICAL: "fail",
    ExitCode.UNKNOWN: "could not be judged",
    ExitCode.WARNING: "need attention",
}


def chains(verdict: PinSetVerdict) -> Iterator[Text]:
    """What was presented, and the paths that decided."""
    groups = _groups(verdict.judgements)
    for judgements in groups:
        yield from _group(verdict, judgements, alone=len(groups) == 1)


def print_rulings(
    output: Output, rulings: list[tuple[Ruling, str]], entry: Entry = verdict_entry, details: Details = chains
) -> None:
    """Print rulings with the advice on each; ``entry`` makes the JSON, ``details`` what stands below the pins."""
    output.say(summary([ruling for ruling, _ in rulings]))
    for ruling, advice in rulings:
        output.fact(entry(ruling.verdict))
        output.say()
        for line in _block(ruling, details):
            output.say(line)
        if advice:
            output.say(indented(f"What to do: {advice}"))


def summary(rulings: Sequence[Ruling]) -> Text:
    """The first line: ``MONITORD CRITICAL - 1 of 3 pin sets fail: …``."""
    code = worst(ruling.code for ruling in rulings)
    if code is ExitCode.OK:
        pinned = sum(ruling.verdict.verdict is Verdict.OK for ruling in rulings)
        rest = len(rulings) - pinned
        parts = [f"{_count(pinned, 'pin set')} ok"] * bool(pinned)
        parts += [f"{_count(rest, 'chain')} trusted, without pins"] * bool(rest)
        text = ", ".join(parts)
    else:
        alike = [ruling for ruling in rulings if ruling.code is code]
        named = [_named(ruling) for ruling in alike[:_MOST_NAMED]]
        more = f" and {len(alike) - _MOST_NAMED} more" if len(alike) > _MOST_NAMED else ""
        text = f"{len(alike)} of {len(rulings)} pin sets {_GROUPS[code]}: {', '.join(named)}{more}"
    return Text.assemble("MONITORD ", (code.name, STYLES[code]), " - ", status_text(text))


def _block(ruling: Ruling, details: Details) -> Iterator[Text]:
    verdict = ruling.verdict
    pinset = verdict.pinset
    stores = ", ".join(dict.fromkeys(judgement.trust for judgement in verdict.judgements)) or verdict.trust
    yield Text.assemble(
        (verdict.verdict.value.upper(), STYLES[ruling.code]),
        "  ",
        (printable(verdict.target.endpoint), "bold"),
        printable(f"  pin set {pinset.name}, client {pinset.client}, trust {stores}"),
    )
    yield indented(f"{_capital(verdict.reason)}.")
    if ruling.code is ExitCode.WARNING and ruling.why != verdict.verdict.value:
        yield indented(f"{_capital(ruling.why)}.")
    yield from _pins(verdict)
    yield from details(verdict)


def _pins(verdict: PinSetVerdict) -> Iterator[Text]:
    for number, pin in enumerate(verdict.pinset.all_pins):
        label = "pins" if number == 0 else ""
        standing = _STANDINGS[verdict.standings[pin]] if pin in verdict.standings else ""
        yield indented(f"{label:<6}{pin}  {standing}".rstrip())


def _groups(judgements: Iterable[Judgement]) -> list[list[Judgement]]:
    """Judgements that differ in nothing but the address, together."""
    found: dict[object, list[Judgement]] = {}
    for judgement in judgements:
        seen = judgement.observation
        same = (judgement.trust, judgement.verdict, judgement.reason, judgement.path, seen.chain, seen.tls_version)
        found.setdefault((*same, seen.failure), []).append(judgement)
    return list(found.values())


def _group(verdict: PinSetVerdict, judgements: list[Judgement], *, alone: bool) -> Iterator[Text]:
    first = judgements[0]
    seen = first.observation
    addresses = ", ".join(dict.fromkeys(_address(one, verdict) for one in judgements if one.observation.address))
    stores = {judgement.trust for judgement in verdict.judgements}
    facts = [seen.tls_version or "", f"{seen.key_type} key" if seen.key_type else ""]
    facts.append(f"with trust {first.trust}" if len(stores) > 1 else "")
    where = f"at {addresses}" if addresses else ("chain" if seen.chain else "")
    head = "  ".join(filter(None, (where, *facts)))
    if not alone:
        head = f"{head}: {first.verdict}" + ("" if first.reason == verdict.reason else f", {first.reason}")
    if seen.failure and seen.chain:
        head += f"  (then {seen.failure.reason}: {seen.failure.detail})"
    if head and (addresses or not alone):
        yield indented(head)
    if seen.chain:
        yield from _certificates(first, verdict.pinset)


def _address(judgement: Judgement, verdict: PinSetVerdict) -> str:
    seen = judgement.observation
    return seen.address if seen.port == verdict.target.port else format_endpoint(seen.address, seen.port)


def _certificates(judgement: Judgement, pinset: PinSet) -> Iterator[Text]:
    """The presented chain beside the validated path: a row for each certificate, with its place in either."""
    chain, path = judgement.observation.chain, judgement.path
    rows = list(zip(path, roles(path), strict=True))
    rows += [(one, role) for one, role in zip(chain, roles(chain), strict=True) if one not in path]
    yield indented(f"  {'sent':<5}{'path':<5}  {'role':<13}{'pin':<{_PIN_WIDTH + 2}}{'until':<12}subject")
    marks = {certificate: mark(certificate, judgement, pinset) for certificate, _ in rows}
    for certificate, role in rows:
        row = indented(
            f"  {_place(certificate, chain):<5}{_place(certificate, path):<5}{marks[certificate]} {role:<13}"
            f"{certificate.pin!s:<{_PIN_WIDTH + 2}}{certificate.not_after:%Y-%m-%d}  {certificate.display_subject}"
        )
        if marks[certificate] == IS_PINNED:
            row.stylize("green")
        yield row
    if IS_PINNED in marks.values():
        yield indented(f"  {IS_PINNED} is pinned")
    if _IN_VAIN in marks.values():
        yield indented(f"  {_IN_VAIN} is pinned, but not where the client looks for that pin, so it does not count")


def mark(certificate: Certificate, judgement: Judgement, pinset: PinSet) -> str:
    """The sign for a certificate that a pin is of, and that counts or does not."""
    pin = certificate.certificate_pin if pinset.client is Client.CERTIFICATE else certificate.pin
    if pin in judgement.matched and certificate in judgement.path:
        return IS_PINNED
    in_vain = bool(judgement.path) and pin in pinset.all_pins and pin not in judgement.matched
    return _IN_VAIN if in_vain else " "


def _place(certificate: Certificate, among: Sequence[Certificate]) -> str:
    return str(among.index(certificate) + 1) if certificate in among else "-"


def _named(ruling: Ruling) -> str:
    verdict = ruling.verdict
    return f"{verdict.target.endpoint} {verdict.pinset.name} {ruling.why}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def indented(text: str) -> Text:
    """A line below a heading."""
    return Text("  " + printable(text))
