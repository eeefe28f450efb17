"""Logs on standard error: for people on a terminal, as JSON Lines everywhere else.

Subjects of certificates, banners and error texts of servers are chosen by whoever runs those servers. Nothing that
they write can end a line, move a terminal's cursor, or begin a line with the ``<N>`` that journald takes for a level.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, TextIO

import structlog

from monitord.pinning.printable import printable

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

# APScheduler warns each time a job's turn comes while it still runs, which is no fault here.
_LIBRARIES = {
    "aiohttp": logging.WARNING,
    "alembic": logging.WARNING,
    "apscheduler": logging.ERROR,
    "asyncio": logging.WARNING,
    "sqlalchemy": logging.WARNING,
}
_TRACEBACK_INDENT = "    "


def configure(*, json: bool | None = None, level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log line of the process, of the libraries too, to standard error (or ``stream``).

    ``json`` None means JSON unless the stream is a terminal; journald's is none. ``level`` is ``debug``, ``info``,
    ``warning`` or ``error``; libraries are heard only of faults unless it is ``debug``. May be called again.
    """
    target = stream if stream is not None else sys.stderr
    terminal = target.isatty()
    as_json = not terminal if json is None else json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(as_json=as_json, colors=terminal and not os.environ.get("NO_COLOR")),
            ],
        )
    )
    threshold = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(threshold)
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(
            threshold if threshold <= logging.DEBUG else max(threshold, logging.WARNING)
        )
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def get_logger(**context: object) -> structlog.stdlib.BoundLogger:
    """A logger that adds ``context`` to each of its lines: ``log.info("probed", host=…, port=…)``."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("monitord", **context)
    return logger


def _renderers(*, as_json: bool, colors: bool) -> list[Processor]:
    if as_json:
        # json.dumps escapes all but printable ASCII, and a line that begins with { cannot begin with <N>.
        return [structlog.processors.JSONRenderer()]
    return [_escape_values, structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0)]


def _escape_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {
        printable(key): _indent(str(value)) if key in ("exception", "stack") else _escaped(value)
        for key, value in event.items()
    }


def _escaped(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    return printable(value if isinstance(value, str) else repr(value))


def _indent(traceback: str) -> str:
    """A traceback keeps its lines, but none of them can pose as a log line of its own."""
    return "\n".join(_TRACEBACK_INDENT + printable(line) for line in traceback.split("\n"))
