from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.config.signals import CtLog, CtLogKind
from monitord.signals.ct.loglist import logs_from_state, logs_to_state, read_log_list
from monitord.signals.source import SignalFault
from tests.signals.ct.conftest import NOW, issued
from tests.signals.ct.test_logs import DAY, HOUR, MINUTES, Watch
from tests.support.acmeserver import say
from tests.support.ctentries import filler
from tests.support.ctlogs import Rfc6962Log, TiledLog
from tests.support.sinks import WebhookSink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.ctlogs import LocalLog

DYNAMIC, TILED = Rfc6962Log(NOW), TiledLog(NOW)
URL, MONITORING = "https://dynamic.example.test/2026/", "https://mon.tiled.example.test/2026/"

KEYS = st.sampled_from(["operators", "logs", "tiled_logs", "state", "key", "url", "usable"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def entry(log: LocalLog, **changes: Any) -> dict[str, Any]:
    """A log as a list has it; None leaves a key out."""
    found = {
        "description": "Test log",
        "log_id": base64.b64encode(hashlib.sha256(log.spki).digest()).decode(),
        "key": base64.b64encode(log.spki).decode(),
        "mmd": 86400,
        "state": {"usable": {"timestamp": "2025-01-01T00:00:00Z"}},
        "temporal_interval": {"start_inclusive": "2026-01-01T00:00:00Z", "end_exclusive": "2026-07-01T00:00:00Z"},
    }
    return {key: value for key, value in (found | changes).items() if value is not None}


def dynamic(**changes: Any) -> dict[str, Any]:
    """A log by RFC 6962."""
    return entry(DYNAMIC, **({"url": URL} | changes))


def tiled(**changes: Any) -> dict[str, Any]:
    """A log by static-ct-api."""
    submission = {"submission_url": "https://log.tiled.example.test/2026/", "monitoring_url": MONITORING}
    return entry(TILED, **(submission | changes))


def listing(*logs: dict[str, Any], tiles: tuple[dict[str, Any], ...] = (), more: Any = ()) -> bytes:
    """A log list of version 3 with one operator."""
    operator = {"name": "Operator", "email": ["ct@example.test"], "logs": list(logs), "tiled_logs": list(tiles)}
    return json.dumps({"version": "60.1", "operators": [operator, *more]}).encode()


class TestReading:
    """What a list says."""

    def test_logs_of_both_interfaces_are_read(self) -> None:
        """A tiled log's checkpoint must begin with where it takes submissions."""
        assert read_log_list(listing(dynamic(), tiles=(tiled(),)), NOW) == (
            CtLog(URL, CtLogKind.RFC6962, DYNAMIC.spki, "Test log"),
            CtLog(MONITORING, CtLogKind.TILED, TILED.spki, "Test log", "log.tiled.example.test/2026"),
        )

    def test_a_list_of_before_the_tiles(self) -> None:
        """Its operators have no such key."""
        body = json.dumps({"operators": [{"name": "Operator", "logs": [dynamic()]}]}).encode()
        assert [log.url for log in read_log_list(body, NOW)] == [URL]

    @pytest.mark.parametrize(
        ("state", "read"),
        [
            ("pending", False),
            ("qualified", True),
            ("usable", True),
            ("readonly", True),
            ("retired", False),
            ("rejected", False),
        ],
    )
    def test_the_state_says_whether_it_is_read(self, state: str, read: bool) -> None:
        """One that is read-only signs nothing new."""
        found = read_log_list(listing(dynamic(state={state: {}}), tiles=(tiled(),)), NOW)
        assert [log.url for log in found] == [*([URL] if read else []), MONITORING]
        assert [log.frozen for log in found if log.url == URL] == ([state == "readonly"] if read else [])

    @pytest.mark.parametrize(
        ("interval", "read"),
        [
            (None, True),
            ({"start_inclusive": "2024-01-01T00:00:00Z", "end_exclusive": "2026-02-28T11:00:00Z"}, False),
            ({"start_inclusive": "2024-01-01T00:00:00Z", "end_exclusive": "2026-03-01T00:00:00Z"}, True),
            ({"start_inclusive": "2027-01-01T00:00:00Z", "end_exclusive": "2027-07-01T00:00:00Z"}, True),
            ({"end_exclusive": "some day"}, True),
            ({"end_exclusive": "2026-02-01T00:00:00"}, True),
            ({"end_exclusive": "9999-12-31T23:59:59Z"}, True),
            ({}, True),
            ("2026", True),
        ],
    )
    def test_a_period_that_is_over_needs_no_reading(self, interval: Any, read: bool) -> None:
        """All certificates in it have expired, with a day to spare; what does not say so may have others."""
        found = read_log_list(listing(dynamic(temporal_interval=interval), tiles=(tiled(),)), NOW)
        assert (URL in [log.url for log in found]) == read

    @pytest.mark.parametrize(
        "changes",
        [
            {"url": "ftp://dynamic.example.test/"},
            {"url": "https://[dynamic.example.test/"},
            {"url": "https://" + "x" * 3000},
            {"url": 5},
            {"key": "junk"},
            {"key": "\u2603"},
            {"key": None},
            {"key": base64.b64encode(TILED.spki).decode()},
            {"log_id": "junk"},
            {"log_id": None, "key": 5},
            {"state": None},
            {"state": {}},
            {"state": {"of things": {}}},
        ],
    )
    def test_a_log_that_cannot_be_read_costs_that_log_alone(self, changes: dict[str, Any]) -> None:
        """Also one whose id is not that of its key."""
        found = read_log_list(listing(dynamic(**changes), tiles=(tiled(),)), NOW)
        assert [log.url for log in found] == [MONITORING]

    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            (b"", "it is not a log list of version 3"),
            (b"<html>", "it is not a log list of version 3"),
            (b"[" * 100_000, "it is not a log list of version 3"),
            (b"[]", "it is not a log list of version 3"),
            (b'{"operators": 5}', "it is not a log list of version 3"),
            (b'{"operators": [{"logs": [5]}]}', "it is not a log list of version 3"),
            (b'{"operators": []}', "no log in it is usable, qualified or read-only"),
            (listing(dynamic(state={"retired": {}})), "no log in it is usable, qualified or read-only"),
            (listing(*[dynamic() for _ in range(501)]), "it has more than 500 logs"),
        ],
    )
    def test_what_is_no_list_is_told(self, body: bytes, sentence: str) -> None:
        """So that the logs of the last one are kept."""
        with pytest.raises(SignalFault, match=sentence):
            read_log_list(body, NOW)

    def test_texts_are_bounded(self) -> None:
        """They are kept and shown."""
        (log,) = read_log_list(listing(dynamic(description="\x1b[2J" + "x" * 5000)), NOW)
        assert len(log.name) == 200
        assert log.label == "?[2J" + "x" * 76

    @given(JSON)
    def test_any_json_is_a_list_or_a_fault(self, value: Any) -> None:
        """Nothing else comes of it."""
        with contextlib.suppress(SignalFault):
            read_log_list(json.dumps({"operators": value}).encode(), NOW)

    def test_logs_are_kept_as_they_are(self) -> None:
        """Through JSON."""
        logs = read_log_list(listing(dynamic(state={"readonly": {}}), tiles=(tiled(),)), NOW)
        assert logs_from_state(json.loads(json.dumps(logs_to_state(logs)))) == logs
        broken: list[Any] = [5, [5], [{"url": "x"}], [logs_to_state(logs)[0] | {"kind": "new"}]]
        for kept in broken:
            with pytest.raises(ValueError, match="not a"):
                logs_from_state(kept)


class TestKeeping:
    """Lists that a source reads."""

    @pytest.fixture
    async def logs(self) -> AsyncIterator[list[LocalLog]]:
        """A log of each kind, with an entry about others."""
        async with Rfc6962Log(NOW, filler(1)) as one, TiledLog(NOW, filler(1)) as two:
            yield [one, two]

    @pytest.fixture
    async def web(self, logs: list[LocalLog]) -> AsyncIterator[WebhookSink]:
        """A web server that has the list of them."""
        async with WebhookSink(say(body=list_of(*logs))) as server:
            yield server

    async def test_the_logs_of_a_file_are_read(self, logs: list[LocalLog], tmp_path: Path) -> None:
        """The file is read each time; it costs nothing, so a change of it holds at once."""
        file = tmp_path / "logs.json"
        file.write_bytes(list_of(logs[0]))
        watch = Watch(*logs, logs=[], lists=[str(file)])
        assert (await watch.next()).faults == ()
        assert (len(logs[0].calls) > 0, logs[1].calls) == (True, [])
        file.write_bytes(list_of(*logs))
        poll = await watch.next()
        assert poll.faults == ()
        for log in logs:
            log.entries.append(issued().logged_first)
        poll = await watch.next()
        assert len(poll.learned) == 2
        assert not [key for key in poll.state if key.startswith("list:")]

    async def test_a_list_of_the_web_is_read_once_a_day(self, logs: list[LocalLog], web: WebhookSink) -> None:
        """Over a restart too."""
        watch = Watch(*logs, logs=[], lists=[web.url])
        await watch.next()
        for log in logs:
            log.entries.append(issued().logged_first)
        assert len((await watch.restarted().next()).learned) == 2
        assert len(web.calls) == 1
        await watch.next(at=NOW + DAY - MINUTES)
        assert len(web.calls) == 1
        assert (await watch.next(at=NOW + DAY)).faults == ()
        assert len(web.calls) == 2

    async def test_a_log_that_is_named_twice_is_read_once(self, logs: list[LocalLog], web: WebhookSink) -> None:
        """As the configuration says, which knows better than a list."""
        named = replace(logs[0].log, url=logs[0].url.rstrip("/"), name="Mine")
        watch = Watch(*logs, logs=[named], lists=[web.url, web.url + "?again"])
        await watch.next()
        logs[0].calls.clear()
        logs[0].signer = logs[1].key
        poll = await watch.next()
        assert poll.faults == ("Mine: the signature of the tree head is not that of the log's key",)
        assert len(logs[0].calls) == 1

    async def test_the_logs_are_kept_while_the_list_cannot_be_had(self, logs: list[LocalLog], web: WebhookSink) -> None:
        """It is asked for again each hour, and it is said all the time that it is an old one."""
        watch = Watch(*logs, logs=[], lists=[web.url])
        await watch.next()
        web.answer = say(500)
        poll = await watch.next(at=NOW + DAY)
        origin = web.url.removesuffix("/hook")
        sentence = (
            f"the log list cannot be used: {origin} answered with status 500; the logs that it named last are read"
        )
        assert poll.faults == (sentence,)
        logs[0].entries.append(issued().logged_first)
        again = await watch.restarted().next()
        assert (again.faults, len(again.learned), len(web.calls)) == ((sentence,), 1, 2)
        await watch.next(at=NOW + DAY + HOUR)
        assert len(web.calls) == 3
        web.answer = say(body=list_of(*logs))
        assert (await watch.next(at=NOW + DAY + 2 * HOUR)).faults == ()

    async def test_a_list_that_never_could_be_had_leaves_no_logs(self, logs: list[LocalLog]) -> None:
        """What was read before by another list is not forgotten, since nobody knows which logs there are."""
        watch = Watch(*logs)
        await watch.next()
        places = dict(watch.state)
        async with WebhookSink(say(429, headers={"Retry-After": "7200"})) as web:
            other = Watch(logs=[], lists=[web.url])
            other.state, other.now = watch.state, watch.now
            poll = await other.next()
            assert poll.faults[0].endswith("answered with status 429; none of its logs is read")
            assert places.items() <= other.state.items()
            assert (poll.next_at, len(web.calls)) == (other.now + MINUTES, 1)
            assert (await other.next(after=2 * HOUR - MINUTES)).faults == poll.faults
            assert len(web.calls) == 1
            await other.next(after=MINUTES)
            assert len(web.calls) == 2

    async def test_a_token_in_the_url_is_not_told(self) -> None:
        """The sentence names scheme, host and port alone."""
        async with WebhookSink(say(404)) as web:
            watch = Watch(logs=[], lists=[web.url + "?token=secret"])
            poll = await watch.next()
        assert "secret" not in poll.faults[0] + json.dumps(watch.state)

    async def test_a_file_that_cannot_be_read_is_told(self, tmp_path: Path) -> None:
        """Not there, a pipe that nobody writes to, too large: nothing waits for it."""
        os.mkfifo(tmp_path / "pipe")
        with (tmp_path / "large").open("wb") as file:
            file.truncate(17 * 1024 * 1024)
        (tmp_path / "junk").write_text("[]")
        for name, sentence in (
            ("missing", "the file cannot be read: No such file or directory"),
            ("pipe", "the file cannot be read: it is not a regular file"),
            ("large", "the file cannot be read: it is larger than 16,777,216 bytes"),
            ("junk", "it is not a log list of version 3"),
        ):
            poll = await Watch(logs=[], lists=[str(tmp_path / name)]).next()
            beginning = f"the log list {tmp_path / name} cannot be used: {sentence}"
            assert poll.faults == (f"{beginning}; none of its logs is read",)

    async def test_a_list_larger_than_all_logs_of_the_world_is_refused(self) -> None:
        """It is read no further than 16 MB."""
        async with WebhookSink(say(body=b" " * (17 * 1024 * 1024))) as web:
            poll = await Watch(logs=[], lists=[web.url]).next()
        assert "answered with more than 16777216 bytes" in poll.faults[0]

    @pytest.mark.parametrize(
        "broken",
        [
            5,
            {},
            {"due": "soon", "logs": [], "fault": None},
            {"due": "2026-04-01T00:00:00", "logs": [], "fault": None},
            {"due": "2026-03-02T00:00:00+00:00", "logs": [{}], "fault": None},
            {"due": "2030-03-02T00:00:00+00:00", "logs": [], "fault": None},
        ],
    )
    async def test_a_list_that_was_kept_badly_is_read_anew(
        self, logs: list[LocalLog], web: WebhookSink, broken: Any
    ) -> None:
        """Another version may have kept it, or a clock that went wrong."""
        watch = Watch(*logs, logs=[], lists=[web.url])
        await watch.next()
        (key,) = (key for key in watch.state if key.startswith("list:"))
        watch.state[key] = broken
        assert (await watch.next()).faults == ()
        assert len(web.calls) == 2


def list_of(*logs: LocalLog) -> bytes:
    """A list that names these logs."""
    return listing(
        *(entry(log, url=log.url) for log in logs if log.kind is CtLogKind.RFC6962),
        tiles=tuple(
            entry(log, monitoring_url=log.url, submission_url=f"https://{TiledLog.origin}/")
            for log in logs
            if log.kind is CtLogKind.TILED
        ),
    )
