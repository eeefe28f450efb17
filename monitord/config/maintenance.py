"""Which times for maintenance the configuration has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.pinning.quiet import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.config.faults import Fault
    from monitord.config.reading import Parsed
    from monitord.config.schema import MainFile
    from monitord.pinning.target import Target


def windows_of(main: Parsed[MainFile], targets: Sequence[Target], warnings: list[Fault]) -> tuple[Window, ...]:
    """The times for maintenance of a configuration; a warning for each that no registered endpoint has to do with."""
    windows = []
    for index, entry in enumerate(main.content.maintenance):
        scope = entry.scope()
        windows.append(Window(f"maintenance-{index + 1}", scope, entry.times(), entry.reason))
        if not any(scope.covers_endpoint(target.host, target.port, target.labels) for target in targets):
            message = "no registered endpoint has to do with this maintenance; look at its hosts and match"
            warnings.append(main.fault(("maintenance", index), message))
    return tuple(windows)
