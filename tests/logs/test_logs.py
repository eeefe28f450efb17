from __future__ import annotations

import io
import json
import logging
import os
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from monitord.logs import configure, get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = "CN=\x1b[2J\r\n<0>kernel: panic\u202e\x00\x7f\x9b\ud800"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The JSON objects in a stream, one a line."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def human(text: str) -> io.StringIO:
    """What people read when a server sent ``text``, as an event, a value, in a list and in a key."""
    stream = io.StringIO()
    configure(json=False, stream=stream)
    get_logger(room="probe").warning(text, subject=text, nested=[text], **{f"k{text}": 1})
    return stream


def test_a_stream_that_is_no_terminal_gets_json() -> None:
    """Journald, files and pipes get one JSON object a line, with level, time and details."""
    stream = io.StringIO()
    configure(stream=stream)
    get_logger(room="probe").info("probed", host="example.com", port=443)
    (line,) = lines(stream)
    written = datetime.fromisoformat(line.pop("timestamp"))
    assert written.tzinfo == UTC
    assert line == {"event": "probed", "level": "info", "room": "probe", "host": "example.com", "port": 443}


def test_a_terminal_gets_text() -> None:
    """On a terminal a line is for people: time, level, event and details, no braces."""
    master, slave = os.openpty()
    try:
        with os.fdopen(slave, "w") as terminal:
            configure(stream=terminal)
            get_logger().info("probed", host="example.com")
            terminal.flush()
            shown = os.read(master, 4096).decode()
    finally:
        os.close(master)
    assert "probed" in shown
    assert "example.com" in shown
    assert "{" not in shown


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR a terminal gets no escape sequences."""
    monkeypatch.setenv("NO_COLOR", "1")
    master, slave = os.openpty()
    try:
        with os.fdopen(slave, "w") as terminal:
            configure(stream=terminal)
            get_logger().info("probed", host="example.com")
            terminal.flush()
            shown = os.read(master, 4096)
    finally:
        os.close(master)
    assert b"host=example.com" in shown
    assert b"\x1b" not in shown


def test_levels_below_the_threshold_are_silent() -> None:
    """A level is a threshold, for our own lines."""
    stream = io.StringIO()
    configure(level="warning", stream=stream)
    log = get_logger()
    log.info("quiet")
    log.warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_libraries_go_through_the_same_renderer() -> None:
    """A library's fault is one JSON line too; its chatter is heard only when debugging."""
    stream = io.StringIO()
    configure(level="info", stream=stream)
    logging.getLogger("apscheduler.executors.default").info("Running job %s", "tick")
    logging.getLogger("apscheduler.executors.default").error("job %r was\nskipped", HOSTILE)
    configure(level="debug", stream=stream)
    logging.getLogger("apscheduler.scheduler").debug("Looking for jobs to run")
    first, second = lines(stream)
    assert first["logger"] == "apscheduler.executors.default"
    assert first["event"] == f"job {HOSTILE!r} was\nskipped"
    assert first["level"] == "error"
    assert second["event"] == "Looking for jobs to run"


def test_warnings_of_python_are_log_lines() -> None:
    """A deprecation in a library does not break the JSON on standard error."""
    stream = io.StringIO()
    configure(stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old ways", UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    (line,) = lines(stream)
    assert "old ways" in line["event"]


def test_an_exception_stays_inside_its_line() -> None:
    """In JSON a traceback is a value of the one line it belongs to."""
    stream = io.StringIO()
    configure(stream=stream)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        get_logger().exception("a job failed", job="tick")
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert "Traceback" in line["exception"]
    assert HOSTILE in line["exception"]


def test_an_exception_for_people_keeps_its_lines_indented() -> None:
    """A traceback is readable, and none of its lines can pose as a log line or carry a level."""
    stream = io.StringIO()
    configure(json=False, stream=stream)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        get_logger().exception("a job failed")
    first, *rest = stream.getvalue().rstrip("\n").split("\n")
    assert "a job failed" in first
    assert any("Traceback" in line for line in rest)
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


@given(st.text(max_size=40))
def test_whatever_a_server_sends_stays_on_one_printable_line(text: str) -> None:
    """No text, as an event, a value, an element or a key, can begin a line or reach the terminal raw."""
    shown = human(text).getvalue()
    assert shown.endswith("\n")
    assert shown[:-1].isprintable()
    assert not shown.startswith("<")


def test_hostile_text_is_shown_escaped() -> None:
    """What was sent can still be read from the line."""
    shown = human(HOSTILE).getvalue()
    assert r"\x1b[2J\r\n<0>kernel: panic\u202e\x00\x7f\x9b\ud800" in shown


@given(st.text(max_size=40))
def test_json_lines_survive_any_text(text: str) -> None:
    """A JSON line is printable ASCII, begins with a brace and gives back exactly what was logged."""
    stream = io.StringIO()
    configure(json=True, stream=stream)
    get_logger().info("probed", subject=text)
    written = stream.getvalue()
    assert written.startswith("{")
    assert written[:-1].isascii()
    assert written[:-1].isprintable()
    assert lines(stream)[0]["subject"] == text
