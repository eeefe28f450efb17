"""Orders about incidents: of a daemon over its socket, and of the store where none runs; what they print."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitord.control import this_user
from tests.cli.troubles import PAYMENTS, SEARCH, Scene, make_scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Result

    Monitord = Callable[..., Result]

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
async def scene(home: Path) -> Scene:
    """The apps of one of two endpoints cannot connect; no daemon runs."""
    scene = make_scene(home)
    await scene.look()
    return scene


def masked(text: str) -> str:
    """A text without what differs from run to run: keys, times of this very moment, ids of silences, users."""
    text = re.sub(r"sha256/[A-Za-z0-9+/]{43}=", "sha256/…", text)
    text = re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC(?<!2026-03-02 09:30 UTC)", "(then)", text)
    text = re.sub(r"(?m)(?<=\(silence )[0-9a-f]{8}\b|^[0-9a-f]{8}\b", "(id)", text)
    return text.replace(f"by {this_user().name}", "by (user)")


def golden(name: str, text: str) -> None:
    """The text is that of the golden file; with REGENERATE_GOLDEN it becomes that."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("REGENERATE_GOLDEN"):
        path.write_text(masked(text))
    assert masked(text) == path.read_text()


async def called(monitord: Monitord, *words: object) -> Result:
    """What a command did, run beside the daemon of this process."""
    return await asyncio.to_thread(monitord, *words)


async def test_incidents_are_listed_from_the_store(scene: Scene, monitord: Monitord) -> None:
    """Without a daemon; the exit code is that of the worst."""
    result = await called(monitord, "incidents")
    assert (result.code, result.err) == (2, "")
    golden("incidents", result.out)
    record = (await called(monitord, "incidents", "--json")).record
    assert (record["kind"], record["host"], record["severity"]) == ("pin_mismatch", PAYMENTS, "critical")
    assert (record["acknowledged"], record["silenced"], record["untold"], record["flapping"]) == (
        None,
        None,
        False,
        False,
    )
    del scene


async def test_incidents_of_one_host(scene: Scene, monitord: Monitord) -> None:
    """Of a host, or of one of its ports."""
    assert (await called(monitord, "incidents", SEARCH)).out == "no incident is open\n"
    assert (await called(monitord, "incidents", f"{PAYMENTS}:8443")).code == 0
    assert len((await called(monitord, "incidents", f"{PAYMENTS}:443", SEARCH, "--json")).records) == 1
    del scene


@pytest.mark.parametrize("running", [False, True])
async def test_an_order_is_the_same_with_a_daemon_and_without(
    scene: Scene, monitord: Monitord, *, running: bool
) -> None:
    """Acknowledge, silence, look, end it; then it is all in the store, whoever put it there."""

    async def give_orders() -> None:
        (identifier,) = [one["incident"] for one in (await called(monitord, "incidents", "--json")).records]
        seen = await called(monitord, "ack", identifier[:6], "--reason", "on it")
        assert (seen.code, seen.out) == (0, f"pin_mismatch {PAYMENTS}:443 (default) is acknowledged\n")
        quiet = await called(monitord, "silence", PAYMENTS, "--for", "2h", "--reason", "a move", "--json")
        assert (quiet.record["endpoints"], quiet.record["incidents"]) == (1, [identifier])
        shown = await called(monitord, "incidents", "--json")
        assert shown.code == 2
        assert shown.record["acknowledged"]["reason"] == "on it"
        assert shown.record["silenced"]["reason"] == "a move"
        listed = await called(monitord, "silences", "--json")
        assert listed.record["silence"] == quiet.record["silence"]
        assert listed.record["hosts"] == [PAYMENTS]
        golden("incidents-quiet", (await called(monitord, "incidents")).out)
        golden("silences", (await called(monitord, "silences")).out)
        ended = await called(monitord, "unsilence", quiet.record["silence"])
        assert (ended.code, ended.out) == (0, f"no longer silenced: {PAYMENTS}\n")
        assert (await called(monitord, "silences")).out == "nothing is silenced\n"
        assert len((await called(monitord, "silences", "--all", "--json")).records) == 1
        taken_back = await called(monitord, "ack", identifier, "--undo")
        assert taken_back.out == f"pin_mismatch {PAYMENTS}:443 (default) is no longer acknowledged\n"

    if running:
        scene.now = scene.clock().now(scene.now.tzinfo)  # orders carry the time of the daemon's clock
        async with scene.daemon():
            await give_orders()
    else:
        await give_orders()
    log = (await called(monitord, "history", PAYMENTS, "--json")).records
    steps = [(one["because"], one["told"]) for one in log if one["what"] == "incident"]
    assert steps == [
        ("opened", True),
        ("acknowledged", False),
        ("silenced", False),
        ("unacknowledged", False),
    ]


async def test_a_daemon_heeds_an_order_at_once(scene: Scene, monitord: Monitord) -> None:
    """What is silenced over the socket is not told by the next round."""
    scene.shown[SEARCH] = scene.shown[PAYMENTS]  # for another name, so it is refused
    scene.now = scene.clock().now(scene.now.tzinfo)
    async with scene.daemon() as cycle:
        result = await called(
            monitord,
            "silence",
            "*.example.test",
            "--match",
            "team=search",
            "--kind",
            "untrusted",
            "--for",
            "30m",
            "--reason",
            "deploying",
        )
        assert result.code == 0
        assert "silenced until" in result.out
        assert "*.example.test team=search [untrusted] (1 endpoint, 0 open incidents)" in result.out
        outcome = await cycle.run_round((SEARCH, 443))
        assert outcome is not None
        assert [(step.reason.value, step.notify) for step in outcome.transitions] == [("opened", False)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ack", "nonsense"], "no incident nonsense is open; to see which are: monitord incidents"),
        (["ack", "a"], "no incident a is open; to see which are: monitord incidents"),
        (["unsilence", "nonsense"], "there is no silence nonsense; to see which there are: monitord silences"),
        (["silence", "--for", "2h", "--reason", "x"], "a silence needs a host or labels; '*' is every host"),
        (
            ["silence", "api.exmaple.com", "--for", "2h", "--reason", "x"],
            "no registered endpoint has to do with this; to see what is registered: monitord domains",
        ),
        (
            ["silence", "*", "--for", "2", "--reason", "x"],
            "--for '2' is not a duration; write it like 30s, 15m, 12h or 14d",
        ),
        (["silence", "*", "--for", "500d", "--reason", "x"], "a silence lasts more than no time and at most 365 days"),
        (["silence", "*", "--for", "2h", "--reason", " "], "reason is needed, a text of at most 500 characters"),
        (
            ["silence", "*", "--match", "team", "--for", "2h", "--reason", "x"],
            "--match 'team' is not a label with its value; write it like team=payments",
        ),
        (["silence", "a/b", "--for", "2h", "--reason", "x"], "'a/b' has a path; write only the host name"),
        (
            ["history", "nobody.example"],
            "nothing is known of nobody.example; to see what is registered: monitord domains",
        ),
        (
            ["history", PAYMENTS, "--since", "long ago"],
            "--since 'long ago' is neither a duration such as 30d nor a date such as 2027-01-01",
        ),
    ],
)
@pytest.mark.parametrize("running", [False, True])
async def test_what_cannot_be_done_is_one_sentence(
    scene: Scene, monitord: Monitord, words: list[str], said: str, *, running: bool
) -> None:
    """The same from a daemon and without one, with exit code 3."""
    if running:
        async with scene.daemon():
            result = await called(monitord, *words)
    else:
        result = await called(monitord, *words)
    assert (result.code, result.out, result.err) == (3, "", f"monitord: {said}\n")


async def test_without_a_store_nothing_is_made(home: Path, monitord: Monitord) -> None:
    """A store that root makes would not be the daemon's."""
    make_scene(home)
    for words in (["incidents"], ["silence", PAYMENTS, "--for", "2h", "--reason", "x"], ["history", PAYMENTS]):
        result = await called(monitord, *words)
        assert result.code == 3
        assert "it is made when monitord runs" in result.err
    assert not (home / "monitord.db").exists()


async def test_a_fault_of_the_configuration_does_not_keep_anybody_from_silencing(
    scene: Scene, monitord: Monitord
) -> None:
    """The daemon runs with what it had; only where none runs the configuration has to be sound."""
    config = scene.home / "monitord.yaml"
    async with scene.daemon():
        config.write_text(config.read_text() + "nonsense: true\n")
        result = await called(monitord, "silence", PAYMENTS, "--for", "2h", "--reason", "x")
        assert (result.code, result.err) == (0, "")
    result = await called(monitord, "silence", PAYMENTS, "--for", "2h", "--reason", "x")
    assert result.code == 3
    assert "unknown key 'nonsense'" in result.err


async def test_the_history_of_a_host(scene: Scene, monitord: Monitord) -> None:
    """What was shown, how it was judged, what was told of it; and what has become of it."""
    golden("history", (await called(monitord, "history", PAYMENTS)).out)
    assert (await called(monitord, "history", f"{PAYMENTS}:443", "--since", "2026-03-03")).out == ""
    records = (await called(monitord, "history", PAYMENTS, "--since", "2026-03-02", "--json")).records
    assert [record["what"] for record in records] == ["shown", "verdict", "incident"]
    assert records[0]["seen"][0]["chain"][0]["subject"] == f"CN={PAYMENTS}"
    del scene


async def test_who_asks_through_sudo_is_named(
    scene: Scene, monitord: Monitord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root is nobody in particular; the log has who became root, and believes it of root alone."""
    monkeypatch.setenv("SUDO_USER", "ann")
    result = await called(monitord, "silence", PAYMENTS, "--for", "2h", "--reason", "x", "--json")
    assert result.record["by"] == ("ann as root" if os.geteuid() == 0 else result.record["by"])
    assert os.geteuid() == 0 or "ann" not in result.record["by"]
    del scene
