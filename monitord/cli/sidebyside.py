"""One pin set under the rule of every client library, side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.text import Text

from monitord.cli.verdicts import STYLES, summary, with_predictions
from monitord.pinning.pins import Client
from monitord.pinning.printable import printable
from monitord.pinning.report import verdict_entry
from monitord.pinning.ruling import OF_VERDICT
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitord.cli.judging import Judged
    from monitord.cli.terminal import Output
    from monitord.cli.verdicts import Entry
    from monitord.pinning.pins import PinSet
    from monitord.pinning.ruling import Ruling
    from monitord.pinning.verdict import PinSetVerdict

_KEYS_AGAINST_CERTIFICATES = (
    "these pins are of public keys and this client compares whole certificates, so they can never match"
)
_CERTIFICATES_AGAINST_KEYS = (
    "these pins are of whole certificates and this client compares public keys, so they can never match"
)
_CLIENT_WIDTH = max(map(len, Client)) + 2
_VERDICT_WIDTH = max(map(len, Verdict)) + 2


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A pin set as registered, and the verdict of every client on its pins, that of its own client included."""

    ruling: Ruling
    verdicts: tuple[PinSetVerdict, ...]


def _compare(judged: Judged) -> list[_Comparison]:
    """The pin sets of an endpoint, ruled on already, under every client."""
    return [_Comparison(ruling, tuple(_under_every_client(judged, ruling.verdict))) for ruling in judged.rulings]


def _under_every_client(judged: Judged, own: PinSetVerdict) -> Iterator[PinSetVerdict]:
    others = replace(judged.target, pinsets=tuple(_as_of(client, own.pinset) for client in Client))
    for verdict in judged.judge(others):
        yield own if verdict.pinset.client is own.pinset.client else verdict


def _as_of(client: Client, pinset: PinSet) -> PinSet:
    """The same pins in the form of another client: only Apple's has separate lists."""
    if client is Client.APPLE:
        return replace(pinset, client=client)
    return replace(pinset, client=client, pins=pinset.all_pins, leaf_pins=None, ca_pins=None)


def print_comparisons(output: Output, judged: Sequence[Judged], entry: Entry = verdict_entry) -> None:
    """A table for each pin set; as JSON an object for each pin set and client."""
    comparisons = [comparison for one in judged for comparison in _compare(one)]
    output.say(summary([one.ruling for one in comparisons]))
    for one in comparisons:
        own = one.ruling.verdict.pinset.client
        for verdict in one.verdicts:
            registered = verdict.pinset.client is own
            record = with_predictions(entry(verdict), one.ruling) if registered else entry(verdict)
            output.fact({**record, "registered": registered, "note": _note(own, verdict) or None})
        output.say()
        for line in _table(one):
            output.say(line)


def _table(comparison: _Comparison) -> Iterator[Text]:
    registered = comparison.ruling.verdict
    pinset = registered.pinset
    yield Text.assemble(
        (printable(registered.target.endpoint), "bold"),
        printable(f"  pin set {pinset.name}, trust {', '.join(pinset.trust)}"),
    )
    yield Text(f"    {'client':<{_CLIENT_WIDTH}}{'verdict':<{_VERDICT_WIDTH}}why")
    for verdict in comparison.verdicts:
        client = verdict.pinset.client
        note = _note(pinset.client, verdict)
        yield Text.assemble(
            "  * " if client is pinset.client else "    ",
            f"{client:<{_CLIENT_WIDTH}}",
            (f"{verdict.verdict:<{_VERDICT_WIDTH}}", STYLES[OF_VERDICT[verdict.verdict]]),
            printable(note or verdict.reason),
        )
    yield Text("  * is the client that the pin set is registered for; the exit code goes by it")


def _note(own: Client, verdict: PinSetVerdict) -> str:
    """Why the pins of one kind of client are nothing to another; "" where they are."""
    client = verdict.pinset.client
    if verdict.verdict is not Verdict.PIN_MISMATCH or (own is Client.CERTIFICATE) is (client is Client.CERTIFICATE):
        return ""
    return _CERTIFICATES_AGAINST_KEYS if own is Client.CERTIFICATE else _KEYS_AGAINST_CERTIFICATES
