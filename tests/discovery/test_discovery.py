"""Lists in real files and on a real server, followed as they change."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from monitord.config.discovery import DiscoverySettings, HttpList, ListRules
from monitord.config.secret import Secret
from monitord.discovery.discovery import Discovery
from monitord.signals.fetch import Fetcher
from tests.support.sinks import WebhookSink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULES = ListRules(stores=frozenset({"mozilla"}))
ALWAYS = timedelta(0)
"""Each look asks every server: none of these tests waits for a time to pass."""


@dataclass
class Witness:
    """What a discovery told its listener and its log."""

    targets: dict[str, int] = field(default_factory=dict)
    reads: list[tuple[str, bool]] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)

    def set_lists(self, targets: Mapping[str, int]) -> None:
        """Keep the numbers."""
        self.targets = dict(targets)

    def list_read(self, source: str, at: datetime, *, success: bool) -> None:
        """Keep how it went."""
        assert at == NOW
        self.reads.append((source, success))

    def info(self, event: str, **details: object) -> None:
        """Keep a line."""
        self.lines.append((event, str(details["source"])))

    def error(self, event: str, **details: object) -> None:
        """Keep a line."""
        self.lines.append((event, str(details["fault"])))

    @property
    def faults(self) -> list[str]:
        """Every fault that was logged."""
        return [text for event, text in self.lines if event == "a list of endpoints has a fault"]


class Scene:
    """A directory with a configuration file, its lists, and a discovery that may be started again and again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.settings = DiscoverySettings(directory / "monitord.yaml", every=ALWAYS, rules=RULES)
        self.witness = Witness()
        self.kept = directory / "discovery.json"

    def use(self, *patterns: str, http: tuple[HttpList, ...] = (), **changes: Any) -> None:
        """Discover by these patterns and servers."""
        self.settings = replace(self.settings, file_sd=patterns, http_sd=http, **changes)

    def write(self, name: str, *hosts: str, **labels: str) -> None:
        """Put a list in place, whole."""
        self.text(name, json.dumps([{"targets": list(hosts), "labels": labels}]))

    def text(self, name: str, text: str) -> None:
        """Put a text in place, whole."""
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(text, "utf-8")
        unfinished.replace(path)

    async def start(self) -> Discovery:
        """A discovery that has begun."""
        self.witness = Witness()
        discovery = Discovery(
            self.settings,
            saved=self.kept,
            fetch=lambda _: Fetcher(timeout=10),
            listener=self.witness,
            now=lambda: NOW,
            log=self.witness,
        )
        await discovery.begin()
        return discovery


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """An empty scene."""
    return Scene(tmp_path)


def hosts(discovery: Discovery) -> list[str]:
    """The hosts that are in force."""
    return [host for host, _ in discovery.found]


def answering(text: str, status: int = 200) -> Any:
    """An answer of a server."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text, content_type="application/json")

    return answer


@asynccontextmanager
async def list_server(*names: str) -> AsyncIterator[WebhookSink]:
    """A server that gives out a list of these hosts."""
    async with WebhookSink(answering(json.dumps([{"targets": list(names)}]))) as server:
        yield server


async def test_files_are_read_at_the_start_and_when_they_change(scene: Scene) -> None:
    """One is changed, one comes, one goes: each is noticed at the next look, and nothing else is read anew."""
    scene.write("lists/a.json", "a.example.com", team="one")
    scene.write("lists/b.json", "b.example.com")
    scene.use("lists/*.json")
    discovery = await scene.start()
    assert hosts(discovery) == ["a.example.com", "b.example.com"]
    assert scene.witness.targets == {"lists/*.json": 2}
    assert not await discovery.look()
    target, source = discovery.found["a.example.com", 443]
    assert (dict(target.labels), source) == ({"team": "one"}, "lists/*.json")

    scene.write("lists/a.json", "a.example.com", team="two")
    assert await discovery.look()
    assert discovery.found["a.example.com", 443][0].labels == {"team": "two"}
    scene.write("lists/c.json", "c.example.com")
    assert await discovery.look()
    (scene.directory / "lists" / "b.json").unlink()
    assert await discovery.look()
    assert hosts(discovery) == ["a.example.com", "c.example.com"]
    assert {success for _, success in scene.witness.reads} == {True}
    assert scene.witness.lines == []


async def test_a_faulty_file_changes_nothing_also_over_a_restart(scene: Scene) -> None:
    """The last good list stays in force; the fault is told once, with its line, and counted at each look."""
    scene.write("list.json", "a.example.com", "b.example.com")
    scene.use("list.json")
    discovery = await scene.start()
    scene.text("list.json", '[\n{"targets": ["a.example.com",\n"c d"]}]')
    fault = f"{scene.directory}/list.json:3: 'c d' has blanks in it; write only the host name"
    for _ in range(2):
        assert not await discovery.look()
    assert hosts(discovery) == ["a.example.com", "b.example.com"]
    assert scene.witness.faults == [fault]
    assert scene.witness.reads[-2:] == [("list.json", False), ("list.json", False)]

    discovery = await scene.start()
    assert hosts(discovery) == ["a.example.com", "b.example.com"]
    assert scene.witness.faults == [fault]

    scene.write("list.json", "e.example.com")
    assert await discovery.look()
    assert hosts(discovery) == ["e.example.com"]
    assert scene.witness.lines[-1] == ("a list of endpoints has no fault any more", "list.json")
    assert scene.witness.reads[-1] == ("list.json", True)


async def test_without_a_good_list_the_sound_part_of_a_faulty_one_is_in_force(scene: Scene) -> None:
    """Something is watched rather than nothing, and each version is taken as far as it goes."""
    scene.text("list.json", '[{"targets": ["a.example.com", "c d"]}]')
    scene.use("list.json")
    discovery = await scene.start()
    assert hosts(discovery) == ["a.example.com"]
    scene.text("list.json", '[{"targets": ["a.example.com", "b.example.com", "c d"]}]')
    assert await discovery.look()
    assert hosts(discovery) == ["a.example.com", "b.example.com"]


@pytest.mark.parametrize("pattern", ["list.json", "lists/*.json"])
async def test_a_file_or_directory_that_is_away_takes_nothing_with_it(scene: Scene, pattern: str) -> None:
    """A name without a file, or a pattern without its directory, is a fault and no empty list."""
    scene.write("list.json", "a.example.com")
    scene.write("lists/list.json", "a.example.com")
    scene.use(pattern)
    discovery = await scene.start()
    (scene.directory / pattern.partition("/")[0]).rename(scene.directory / "away")
    assert not await discovery.look()
    assert hosts(discovery) == ["a.example.com"]
    (fault,) = scene.witness.faults
    assert str(scene.directory) in fault
    discovery = await scene.start()
    assert hosts(discovery) == ["a.example.com"]
    (scene.directory / "away").rename(scene.directory / pattern.partition("/")[0])
    assert not await discovery.look()
    assert scene.witness.reads[-1] == (pattern, True)


async def test_an_empty_list_takes_all_away(scene: Scene) -> None:
    """It is what a list says whose last endpoint is gone."""
    scene.write("list.json", "a.example.com")
    scene.use("list.json")
    discovery = await scene.start()
    scene.text("list.json", "[]")
    assert await discovery.look()
    assert hosts(discovery) == []
    assert scene.witness.targets == {"list.json": 0}


async def test_a_server_is_asked_at_each_turn_with_what_it_wants(scene: Scene) -> None:
    """A login or a token goes along, beside what Prometheus would send."""
    async with list_server("a.example.com") as server:
        plain = HttpList(f"{server.url}?token=t0ps3cret")
        login = HttpList(server.url, username="me", password=Secret("p\u00e4ss"))
        token = HttpList(f"{server.url}/more", token=Secret("b34r3r"))
        scene.use(http=(plain, login, token), every=timedelta(0))
        discovery = await scene.start()
        assert hosts(discovery) == ["a.example.com"]
        headers = {call.path: call.headers for call in server.calls}
        assert "authorization" not in headers["/hook?token=t0ps3cret"]
        assert headers["/hook"]["authorization"] == "Basic " + base64.b64encode("me:p\u00e4ss".encode()).decode()
        assert headers["/hook/more"]["authorization"] == "Bearer b34r3r"
        assert headers["/hook"]["x-prometheus-refresh-interval-seconds"] == "0"
        server.answer = answering('[{"targets": ["b.example.com"]}]')
        assert await discovery.look()
        assert hosts(discovery) == ["b.example.com"]
        assert scene.witness.targets == {server.url: 2, f"{server.url}/more": 1}
    assert "t0ps3cret" not in str((scene.witness, scene.kept.read_text("utf-8")))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (answering("[]", 500), "answered with the status 500, not 200"),
        (answering("<html>Log in</html>"), "it is not a list of groups, each with targets: and labels:"),
        (
            answering('[{"targets": ["b.example.com"], "labels": {"__monitord_trust": "x"}}]'),
            "group 1: trust store 'x'",
        ),
        (answering('["' + "x" * 17_000_000 + '"]'), "answered with more than 16777216 bytes"),
    ],
    ids=["status", "page", "faulty", "endless"],
)
async def test_a_server_that_fails_changes_nothing_also_over_a_restart(scene: Scene, answer: Any, fault: str) -> None:
    """The last list stays in force, in a daemon that is started anew as well, and the URL's query is never shown."""
    async with list_server("a.example.com") as server:
        scene.use(http=(HttpList(f"{server.url}?token=t0ps3cret"),))
        discovery = await scene.start()
        server.answer = answer
        assert not await discovery.look()
        assert hosts(discovery) == ["a.example.com"]
        (said,) = scene.witness.faults
        assert fault in said
        assert said.startswith("http://127.0.0.1:")
        assert scene.witness.reads[-1] == (server.url, False)
        assert "t0ps3cret" not in str(scene.witness)
        discovery = await scene.start()
        assert hosts(discovery) == ["a.example.com"]
        assert not await discovery.look()
    assert not await discovery.look()
    assert hosts(discovery) == ["a.example.com"]
    assert "cannot be connected to" in scene.witness.faults[-1]


async def test_a_server_is_not_asked_before_its_turn(scene: Scene) -> None:
    """Between two questions lies what the configuration says, after a restart as well if the list was kept."""
    async with list_server("a.example.com") as server:
        scene.use(http=(HttpList(server.url),), every=timedelta(days=1))
        discovery = await scene.start()
        assert len(server.calls) == 1
        assert not await discovery.look()
        assert len(server.calls) == 1


async def test_the_first_of_several_lists_is_heeded(scene: Scene) -> None:
    """Files go before servers, in the order of the configuration."""
    async with list_server("a.example.com", "c.example.com") as server:
        scene.write("z.json", "a.example.com", team="z")
        scene.write("b.json", "a.example.com", "b.example.com", team="b")
        scene.use("z.json", "b.json", http=(HttpList(server.url),))
        discovery = await scene.start()
        assert {
            host: (target.labels.get("team"), source) for (host, _), (target, source) in discovery.found.items()
        } == {
            "a.example.com": ("z", "z.json"),
            "b.example.com": ("b", "b.json"),
            "c.example.com": (None, server.url),
        }
        assert scene.witness.targets == {"z.json": 1, "b.json": 2, server.url: 2}


async def test_other_rules_are_followed_at_once(scene: Scene) -> None:
    """A pin set that was missing is there now, an interval is another, a source is gone with its endpoints."""
    pin = f"sha256/{base64.b64encode(bytes(32)).decode()}"
    scene.text("list.json", '[{"targets": ["a.example.com"], "labels": {"__monitord_pinsets": "app"}}]')
    scene.write("more.json", "b.example.com")
    scene.use("list.json", "more.json")
    discovery = await scene.start()
    assert hosts(discovery) == ["b.example.com"]
    rules = replace(RULES, interval=timedelta(minutes=3), pinsets={"app": {"name": "app", "pins": [pin]}})
    scene.use("list.json", rules=rules)
    await discovery.follow(scene.settings)
    ((target, _),) = discovery.found.values()
    assert (target.host, target.interval) == ("a.example.com", timedelta(minutes=3))
    assert [pinset.name for pinset in target.pinsets] == ["app"]
    assert scene.witness.targets == {"list.json": 1}

    # A list that is faulty by the new rules stays in force only as far as it is sound: what it refers to is gone.
    scene.use("list.json", rules=RULES)
    await discovery.follow(scene.settings)
    assert hosts(discovery) == []
    assert len(scene.witness.faults) == 2


async def test_kept_lists_that_cannot_be_read_cost_only_themselves(scene: Scene) -> None:
    """A damaged file, or one of another version, is told of, and replaced."""
    scene.write("list.json", "a.example.com")
    scene.use("list.json")
    kept = scene.kept
    for text in ("", "[]", '{"version": 99, "lists": []}', '{"version": 1, "lists": [{"source": 5}]}', "[" * 100_000):
        kept.write_text(text, "utf-8")
        discovery = await scene.start()
        assert hosts(discovery) == ["a.example.com"]
        (line,) = scene.witness.lines
        assert str(kept) in line[1]
        await scene.start()
        assert scene.witness.lines == []
    assert kept.stat().st_mode & 0o077 == 0


async def test_what_cannot_be_kept_is_told_once_and_in_force(scene: Scene) -> None:
    """A directory that is away; when it is back, the lists are kept."""
    scene.kept = scene.directory / "away" / "discovery.json"
    scene.write("list.json", "a.example.com")
    scene.use("list.json")
    discovery = await scene.start()
    await discovery.look()
    assert hosts(discovery) == ["a.example.com"]
    (fault,) = scene.witness.faults
    assert fault.startswith(f"{scene.kept} cannot be written: ")
    scene.kept.parent.mkdir()
    await discovery.look()
    assert scene.kept.exists()
    assert scene.witness.lines[-1][0] == "a list of endpoints has no fault any more"
