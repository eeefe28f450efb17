"""``replay``: stories of certificates over time, played through the daemon's rules under a simulated clock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len
from rich.text import Text

from monitord.cli.exitcode import ExitCode
from monitord.cli.paragraph import paragraph
from monitord.cli.terminal import Output
from monitord.pinning.printable import printable
from monitord.replay.played import play_through
from monitord.replay.reading import read_story
from monitord.replay.reckoning import Fate
from monitord.replay.telling import pinset_entry, step_entry, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from monitord.replay.expectation import Check
    from monitord.replay.played import Played
    from monitord.replay.reckoning import Reckoned
    from monitord.replay.telling import Step

_HEADINGS = ("ok", "predicted", "failed", "lead time", "asked for", "false", "cause", "pin set", "story")
_STYLES = {"critical": "red", "warning": "yellow", "info": ""}
_NOTHING = "-"


@click.command(short_help="Play stories through the rules under a simulated clock.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: transitions, then pin sets.")
def replay(files: tuple[str, ...], *, as_json: bool) -> ExitCode:
    """Play each story of certificates over time through the rules of the daemon, under a simulated clock.

    Says what would have been alerted and when, when the apps would have failed, how long before that it was predicted,
    and which alarms were false. The exit code is 0 if every story ends as its own expect: says, 2 if one does not, 3
    if a file is no story, and then nothing is played.
    """
    output = Output(as_json=as_json)
    readings = [read_story(Path(file)) for file in files]
    faults = [fault for reading in readings for fault in reading.faults]
    for fault in dict.fromkeys(faults):
        output.lines(fault)
    if faults:
        return ExitCode.UNKNOWN
    for warning in dict.fromkeys(warning for reading in readings for warning in reading.warnings):
        output.lines(f"{warning.file}:{warning.line}: warning: {warning.message}")
    played = []
    for story in (reading.story for reading in readings if reading.story):
        with output.waiting(f"playing {story.name}"):
            one = play_through(story)
        played.append(one)
        _tell(output, one)
    if len(played) > 1:
        for line in _table(played):
            output.say(line)
    return ExitCode.CRITICAL if any(one.holds() is False for one in played) else ExitCode.OK


def _tell(output: Output, played: Played) -> None:
    story = played.story
    output.say(Text(printable(story.name), "bold"))
    for step in steps_of(played.rounds):
        output.fact(step_entry(story, step))
        output.say(_line(step))
        if step.state == "firing" and step.evidence:
            for line in paragraph(step.evidence, 6, output.breaks_at):
                output.say(line)
    for reckoned in played.reckoned:
        output.fact(pinset_entry(story, reckoned, played.checks))
        output.say(f"  {_result(reckoned)}")
    for check in played.checks:
        output.say(_verdict(check))
    output.say()


def _line(step: Step) -> Text:
    about = ""
    if step.predicted_at is not None:
        about = f"  {step.cause} at {step.predicted_at}, confidence {step.confidence:.2f}"
    why = f" ({step.why})" if step.why and step.why != step.state else ""
    style = _STYLES[step.severity] if step.why is None else "green"
    return Text.assemble(
        f"  {_minute(step.at)}  {printable(step.pinset or _NOTHING)}  {step.kind} ",
        (f"{step.state}{why}", style),
        f" {step.severity}" if step.why is None else "",
        printable(about),
    )


def _result(one: Reckoned) -> str:
    outcome = f"fails at {_minute(one.fails_at)} ({one.failure})" if one.fails_at else "never fails"
    if one.foretold is None:
        warning = "not predicted"
    else:
        ahead = f", {_span(one.lead)} ahead" if one.lead is not None else ""
        warning = f"predicted since {_minute(one.foretold.began)}{ahead} ({one.foretold.cause})"
    number = one.false_alarms
    false = f"{number} false alarm{'' if number == 1 else 's'}"
    whose = ", ".join(f"that of {_minute(alarm.began)}" for alarm in one.alarms if alarm.fate is Fate.FALSE)
    return f"pin set {one.pinset}: {outcome}; {warning}; {false}{f' ({whose})' if whose else ''}"


def _verdict(check: Check) -> Text:
    whose = f"{check.pinset}: " if check.pinset else ""
    return Text.assemble(
        "  ",
        ("ok  ", "green") if check.holds else ("FAIL", "bold red"),
        printable(f"  {whose}{check.key}: expected {check.expected}, found {check.found}"),
    )


def _table(played: Sequence[Played]) -> Iterator[Text]:
    """A row for each pin set; the columns of a known width come first, and titles of any length at the end."""
    rows = [_HEADINGS, *(_row(one, reckoned) for one in played for reckoned in one.reckoned)]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(_HEADINGS) - 1)]
    for number, (*row, story) in enumerate(rows):
        cells = [cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        yield Text("  ".join((*cells, story)), "bold" if number == 0 else "red" if row[0] == "NO" else "")


def _row(played: Played, one: Reckoned) -> tuple[str, ...]:
    alarm = one.foretold or (one.alarms[0] if one.alarms else None)
    holds, asked = played.holds(one.pinset), played.asked(one)
    return (
        _NOTHING if holds is None else "yes" if holds else "NO",
        f"{alarm.began:%Y-%m-%d}" if alarm else _NOTHING,
        f"{one.fails_at:%Y-%m-%d}" if one.fails_at else _NOTHING,
        _span(one.lead) if one.lead is not None else _NOTHING,
        _span(asked) if asked is not None else _NOTHING,
        str(one.false_alarms),
        alarm.cause if alarm else _NOTHING,
        printable(one.pinset),
        printable(played.story.name),
    )


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%MZ}"


def _span(span: timedelta | None) -> str:
    """A duration in days and hours, for people."""
    minutes = 0 if span is None else round(span.total_seconds() / 60)
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number]
    return " ".join(parts) or "0 h"
