"""Exit codes, those of the monitoring-plugins API, and the rules by which verdicts become one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from monitord.pinning.verdict import PinSetVerdict, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta


class ExitCode(IntEnum):
    """What a command ends with; Nagios, Icinga and shell scripts read it."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3
    INTERRUPTED = 130
    BROKEN_PIPE = 141


OF_VERDICT: Mapping[Verdict, ExitCode] = MappingProxyType(
    {
        Verdict.PIN_MISMATCH: ExitCode.CRITICAL,
        Verdict.UNTRUSTED: ExitCode.CRITICAL,
        Verdict.PINS_EXPIRED: ExitCode.WARNING,
        Verdict.UNDETERMINED: ExitCode.UNKNOWN,
        Verdict.NOT_PINNED: ExitCode.OK,
        Verdict.OK: ExitCode.OK,
    }
)
# A failure that is certain outweighs what could not be judged, and that a mere warning.
_WORST_FIRST = (ExitCode.CRITICAL, ExitCode.UNKNOWN, ExitCode.WARNING, ExitCode.OK)


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict with the exit code that it asks for, and why in a few words."""

    verdict: PinSetVerdict
    code: ExitCode
    why: str


def rule(verdict: PinSetVerdict, *, registered: bool, now: datetime, horizon: timedelta) -> Ruling:
    """The ruling on one pin set: by its verdict, else by what is weak about it.

    A registered pin set without pins is a warning, and so is one that stops to be enforced within ``horizon``.
    """
    code = OF_VERDICT[verdict.verdict]
    if code is not ExitCode.OK:
        return Ruling(verdict, code, verdict.verdict.value)
    if registered and not verdict.pinset.all_pins:
        return Ruling(verdict, ExitCode.WARNING, "no pins are registered")
    expires = verdict.pinset.expires
    if expires is not None and expires - now <= horizon:
        return Ruling(verdict, ExitCode.WARNING, f"pins expire on {expires:%Y-%m-%d}")
    return Ruling(verdict, code, verdict.verdict.value)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The code for all together; UNKNOWN for none at all."""
    return min(codes, key=_WORST_FIRST.index, default=ExitCode.UNKNOWN)
