"""Exit codes, those of the monitoring-plugins API."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command ends with; Nagios, Icinga and shell scripts read it."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3
    INTERRUPTED = 130
    BROKEN_PIPE = 141
