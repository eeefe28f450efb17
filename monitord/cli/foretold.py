"""Forecasts for people: what fails already, what is coming, what the rest is based on, and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from monitord.cli.paragraph import paragraph
from monitord.cli.plugin import status_text
from monitord.cli.predictiontable import table
from monitord.cli.timeline import draw
from monitord.cli.verdicts import summary
from monitord.pinning.ahead import likely
from monitord.pinning.futures import LOOK_AHEAD
from monitord.pinning.lifelines import Scene, survivals
from monitord.pinning.prediction import NEVER
from monitord.pinning.ruling import Rating, worst
from monitord.pinning.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from monitord.cli.outlook import Outlook
    from monitord.cli.timeline import Glyphs
    from monitord.config.settings import Configuration

_MOST_DETAILED = 10
_MOST_NAMED = 5
PICTURES = 3
"""How many pictures are drawn where nobody asks for all."""


def told(
    outlooks: Sequence[Outlook], now: datetime, *, everything: bool = False, width: int | None = None
) -> Iterator[Text]:
    """Everything that is printed for people, but for the pictures; ``width`` as in ``paragraph``."""
    yield _first_line(outlooks, now)
    yield from _part(_grouped(((one, _trouble(one)) for one in outlooks), width))
    rows = [
        (prediction, one)
        for one in outlooks
        for prediction in (one.ruling.predictions if everything else likely(one.ruling.predictions))
    ]
    yield from _part(table(rows, now, width) if rows else ())
    brief = len(outlooks) > _MOST_DETAILED
    remarks = ((one, remark) for one in outlooks for remark in _remarks(one, now, everything=everything, brief=brief))
    yield from _part(_grouped(remarks, width))


def _part(lines: Iterable[Text]) -> Iterator[Text]:
    """The lines after an empty one, if there are any."""
    for number, line in enumerate(lines):
        if number == 0:
            yield Text()
        yield line


def _first_line(outlooks: Sequence[Outlook], now: datetime) -> Text:
    rulings = [one.ruling for one in outlooks]
    line = summary(rulings)
    if worst(ruling.rating for ruling in rulings) is not Rating.OK:
        return line
    ahead = [(sure.at, one, sure) for one in outlooks for sure in likely(one.ruling.predictions)]
    if not ahead:
        return line.append(f", nothing predicted until {now + LOOK_AHEAD:%Y-%m-%d}")
    _, outlook, first = min(ahead, key=lambda found: found[0])
    return line.append(
        status_text(f", nothing soon; first: {outlook.name} {first.cause} expected on {first.at:%Y-%m-%d}")
    )


def _grouped(remarks: Iterable[tuple[Outlook, str]], width: int | None) -> Iterator[Text]:
    """Each remark once, with the pin sets that it is about in front."""
    about: dict[str, list[str]] = {}
    for outlook, remark in remarks:
        if remark:
            about.setdefault(remark, []).append(outlook.name)
    for remark, names in about.items():
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        yield from paragraph(f"{', '.join(names[:_MOST_NAMED])}{more}: {remark}", 0, width)


def _trouble(outlook: Outlook) -> str:
    """Why nothing is predicted for a set that has a greater worry; "" for others."""
    verdict = outlook.ruling.verdict
    if verdict.verdict.apps_fail:
        return f"fails now, so nothing is predicted: {verdict.verdict}, {verdict.reason}"
    if verdict.verdict is Verdict.PINS_EXPIRED:
        return f"no longer enforced, so nothing is predicted: {verdict.reason}"
    if verdict.verdict is Verdict.UNDETERMINED and not likely(outlook.ruling.predictions):
        return f"nothing can be predicted: {verdict.reason}"
    return ""


def _remarks(outlook: Outlook, now: datetime, *, everything: bool, brief: bool) -> Iterator[str]:
    """What the table does not say about a pin set; ``brief``: it is one of many."""
    ruling = outlook.ruling
    sure = likely(ruling.predictions)
    if not sure and not _trouble(outlook):
        rests = "" if brief else f"; that rests on: {'; '.join(_basis(outlook, now))}"
        yield f"nothing is predicted until {now + LOOK_AHEAD:%Y-%m-%d}{rests}"
    unlikely = len(ruling.predictions) - len(sure)
    if unlikely and not everything:
        yield f"{unlikely} unlikely failure{'' if unlikely == 1 else 's'} not shown; to list: --all"
    yield from ruling.weaknesses


def _basis(outlook: Outlook, now: datetime) -> Iterator[str]:
    """What a forecast was told from, and what was not to be had: unknown is not fine."""
    foresight, since = outlook.foresight, outlook.watched_since(now)
    signals = foresight.signals
    if since is None:
        yield "this look alone, no history yet"
    else:
        renewals = len(foresight.history.renewals)
        seen = f"{renewals} renewal{'' if renewals == 1 else 's'} seen" if renewals else "no renewal seen yet"
        yield f"watched since {since:%Y-%m-%d}, {seen}"
    served = {one.chain[0].sha256 for one in foresight.observations if one.chain}
    has_window = any(window.certificate in served for window in signals.windows)
    yield "the ARI window of the certificate" if has_window else "no ARI window known"
    logged = len(signals.logged)
    known = f"{logged} certificate{'' if logged == 1 else 's'}" if logged else "nothing"
    yield f"{known} known from Certificate Transparency"


def pictures(
    outlooks: Sequence[Outlook],
    configuration: Configuration,
    now: datetime,
    width: int,
    glyphs: Glyphs,
    most: int | None = None,
) -> Iterator[Text]:
    """Pictures of the pin sets of which a chain was seen, those that fail first first; each after an empty line.

    At most so many, and then it is said how many are left out.
    """
    seen = [one for one in outlooks if any(part.observation.chain for part in one.ruling.verdict.judgements)]
    seen.sort(key=lambda one: min((sure.at for sure in likely(one.ruling.predictions)), default=NEVER))
    shown = seen[:most]
    for one in shown:
        yield Text()
        yield from draw(_scene(one, configuration, now), width, glyphs)
    if len(seen) > len(shown):
        left_out = len(seen) - len(shown)
        yield Text()
        yield Text(f"{left_out} more pin set{'' if left_out == 1 else 's'} not drawn; to draw them all: --timeline")


def _scene(outlook: Outlook, configuration: Configuration, now: datetime) -> Scene:
    verdict, foresight, trust = outlook.ruling.verdict, outlook.foresight, configuration.trust_stores
    return Scene(
        verdict,
        outlook.ruling.predictions,
        survivals(verdict, foresight.history, foresight.signals, trust, now, configuration.policy),
        foresight.coming,
        now,
        configuration.release_time,
    )
