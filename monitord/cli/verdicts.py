"""Verdicts for people: a summary that a monitoring system shows, and a block for each pin set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from monitord.cli.exitcode import ExitCode
from monitord.cli.plugin import status_text
from monitord.cli.predicted import prediction_lines
from monitord.pinning.ahead import likely
from monitord.pinning.alike import Match, alike, match_of
from monitord.pinning.prediction import Cause
from monitord.pinning.printable import printable
from monitord.pinning.report import prediction_entry, roles, verdict_entry
from monitord.pinning.ruling import OF_VERDICT, Rating, worst
from monitord.pinning.standing import Standing
from monitord.pinning.target import format_endpoint
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from monitord.cli.terminal import Output
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.pins import PinSet
    from monitord.pinning.ruling import Ruling
    from monitord.pinning.verdict import Judgement, PinSetVerdict

    Entry = Callable[[PinSetVerdict], dict[str, Any]]
    Details = Callable[[PinSetVerdict], Iterator[Text]]

STYLES = {Rating.OK: "green", Rating.WARNING: "yellow", Rating.CRITICAL: "bold red", Rating.UNKNOWN: "magenta"}
_MOST_NAMED = 5
_PIN_WIDTH = 51  # "sha256/" and 44 characters of base64
IS_PINNED, _IN_VAIN = "*", "!"
_ELSEWHERE = "not where the client looks for that pin, so it does not count"
_SIGNS = {Match.PINNED: IS_PINNED, Match.IN_VAIN: _IN_VAIN, Match.NONE: " "}
_STANDINGS = {
    Standing.LIVE: "live",
    Standing.PLAUSIBLE: "a spare: a known certificate has it",
    Standing.NEVER_SEEN: "no known certificate has it",
}
_GROUPS = {
    Rating.CRITICAL: "fail",
    Rating.UNKNOWN: "could not be judged",
    Rating.WARNING: "need attention",
}
_WILL_FAIL, _FAIL_OR_WILL = "will fail soon", "fail or will soon"


def chains(verdict: PinSetVerdict) -> Iterator[Text]:
    """What was presented, and the paths that decided."""
    groups = alike(verdict.judgements)
    for judgements in groups:
        yield from _group(verdict, judgements, alone=len(groups) == 1)


def print_rulings(
    output: Output,
    rulings: list[tuple[Ruling, str]],
    now: datetime,
    entry: Entry = verdict_entry,
    details: Details = chains,
) -> None:
    """Print rulings with the advice on each; ``entry`` makes the JSON, ``details`` what stands below the pins."""
    output.say(summary([ruling for ruling, _ in rulings]))
    for ruling, advice in rulings:
        output.fact(with_predictions(entry(ruling.verdict), ruling))
        output.say()
        for line in _block(ruling, details):
            output.say(line)
        if advice:
            output.say(indented(f"What to do: {advice}"))
        # The end of the pin set is told, with its advice, as its weakness.
        for line in prediction_lines(
            [one for one in likely(ruling.predictions) if one.cause is not Cause.PINS_EXPIRE], now, output.breaks_at
        ):
            output.say(line)


def with_predictions(record: dict[str, Any], ruling: Ruling) -> dict[str, Any]:
    """The JSON of a verdict with the predictions about its pin set."""
    return {**record, "predictions": [prediction_entry(one) for one in ruling.predictions]}


def summary(rulings: Sequence[Ruling]) -> Text:
    """The first line: ``MONITORD CRITICAL - 1 of 3 pin sets fail: …``."""
    rating = worst(ruling.rating for ruling in rulings)
    if rating is Rating.OK:
        pinned = sum(ruling.verdict.verdict is Verdict.OK for ruling in rulings)
        rest = len(rulings) - pinned
        parts = [f"{_count(pinned, 'pin set')} ok"] * bool(pinned)
        parts += [f"{_count(rest, 'chain')} trusted, without pins"] * bool(rest)
        text = ", ".join(parts)
    else:
        alike = [ruling for ruling in rulings if ruling.rating is rating]
        named = [_named(ruling) for ruling in alike[:_MOST_NAMED]]
        more = f" and {len(alike) - _MOST_NAMED} more" if len(alike) > _MOST_NAMED else ""
        text = f"{len(alike)} of {len(rulings)} pin sets {_group_of(rating, alike)}: {', '.join(named)}{more}"
    return Text.assemble("MONITORD ", (rating.name, STYLES[rating]), " - ", status_text(text))


def exit_code(rulings: Iterable[Ruling]) -> ExitCode:
    """What a command ends with that prints these: the worst of them."""
    return ExitCode(worst(ruling.rating for ruling in rulings))


def _group_of(rating: Rating, rulings: Sequence[Ruling]) -> str:
    """What the pin sets with the worst rating have in common."""
    failing = [ruling for ruling in rulings if OF_VERDICT[ruling.verdict.verdict] is rating]
    if rating is not Rating.CRITICAL or len(failing) == len(rulings):
        return _GROUPS[rating]
    return _FAIL_OR_WILL if failing else _WILL_FAIL


def _block(ruling: Ruling, details: Details) -> Iterator[Text]:
    verdict = ruling.verdict
    pinset = verdict.pinset
    stores = ", ".join(dict.fromkeys(judgement.trust for judgement in verdict.judgements)) or verdict.trust
    yield Text.assemble(
        (verdict.verdict.value.upper(), STYLES[ruling.rating]),
        "  ",
        (printable(verdict.target.endpoint), "bold"),
        printable(f"  pin set {pinset.name}, client {pinset.client}, trust {stores}"),
    )
    yield indented(f"{_capital(verdict.reason)}.")
    for weakness in ruling.weaknesses:
        yield indented(f"{_capital(weakness)}.")
    yield from _pins(verdict)
    yield from details(verdict)


def _pins(verdict: PinSetVerdict) -> Iterator[Text]:
    for number, pin in enumerate(verdict.pinset.all_pins):
        label = "pins" if number == 0 else ""
        standing = _STANDINGS[verdict.standings[pin]] if pin in verdict.standings else ""
        yield indented(f"{label:<6}{pin}  {standing}".rstrip())


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
        untrusted = judgement.verdict is Verdict.UNTRUSTED
        why = "the chain is not trusted, so no pin counts" if untrusted else _ELSEWHERE
        yield indented(f"  {_IN_VAIN} is pinned, but {why}")


def mark(certificate: Certificate, judgement: Judgement, pinset: PinSet) -> str:
    """The sign for a certificate that a pin is of, and that counts or does not."""
    return _SIGNS[match_of(certificate, judgement, pinset)]


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
