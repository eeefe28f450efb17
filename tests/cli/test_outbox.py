"""Messages, listed, sent again and dropped: by a daemon over its socket, and on the store where none runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitord.control import ControlServer, listening_path, request
from monitord.mailroom import Mailroom
from monitord.outbox import batch_id
from monitord.store.store import Store
from monitord.turns import Gathering
from tests.store.samples import NOON, at, cleared, clock, dead, delivered, failed, message, opened, outcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from monitord.outbox import Delivery
    from tests.cli.conftest import Result

    Monitord = Callable[..., Result]

GOLDEN = Path(__file__).parent / "golden"
GONE = "webhook https://hooks.example.com answered 404 (no such hook)"


@dataclass
class Mail:
    """A store with messages in it: ids by what became of them."""

    home: Path
    ids: dict[str, str] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """The store, opened as a daemon does."""
        store = await Store.open(f"sqlite:///{self.home}/monitord.db", now=clock)
        try:
            yield store
        finally:
            await store.close()

    @contextlib.asynccontextmanager
    async def daemon(self) -> AsyncIterator[list[str]]:
        """A daemon that takes orders; the list has an entry for each time that it was woken."""
        woken: list[str] = []
        async with self.store() as store:
            room = Mailroom(store, lambda: at(60), lambda: woken.append("woken"))
            path = listening_path(f"sqlite:///{self.home}/monitord.db", {})
            server = ControlServer(path, self.home / "monitord.yaml", room.handlers)
            await server.start()
            try:
                yield woken
            finally:
                await server.stop()

    async def claimed(self) -> list[Delivery]:
        """What a relay would send now."""
        async with self.store() as store:
            return (await store.claim(9, at(10_000_000))).deliveries


@pytest.fixture
async def mail(home: Path) -> Mail:
    """One message given up, one tried, one delivered, five of one cause given up together; no daemon runs."""
    mail = Mail(home)
    async with mail.store() as store:
        for name in ("dead", "tried", "delivered"):
            step = opened(name, host=f"{name}.example.test")
            await store.record([outcome(transitions=[step])], [message(step)])
            (delivery,) = (await store.claim(1, NOON)).deliveries
            mail.ids[name] = delivery.id
            news = {
                "dead": dead(delivery, GONE),
                "tried": failed(delivery, "webhook https://hooks.example.com answered 503", at(5)),
                "delivered": delivered(delivery, NOON),
            }
            await store.report(news[name])
        ended = cleared(opened("dead", host="dead.example.test"), minute=1)
        await store.record([outcome(transitions=[ended])], [message(ended)])
        steps = [opened(f"g{number}", minute=2, host=f"g{number}.example.test") for number in range(5)]
        messages = [message(step, "pager", group="x") for step in steps]
        await store.record([outcome(transitions=[step]) for step in steps], messages)
        at_once = Gathering(timedelta(microseconds=1), timedelta(minutes=5), at(99))
        (batch,) = (await store.claim({"pager": 9}, at(3), gathering=at_once)).deliveries
        assert batch.id == batch_id(batch.messages)
        mail.ids["batch"] = batch.id
        await store.report(dead(batch, "mail server mail.example.com:25 answered 550 no"))
    return mail


async def called(monitord: Monitord, *words: object) -> Result:
    """What a command did, run beside the daemon of this process."""
    return await asyncio.to_thread(monitord, *words)


@contextlib.asynccontextmanager
async def beside(mail: Mail, *, running: bool) -> AsyncIterator[None]:
    """With a daemon, or without."""
    if running:
        async with mail.daemon():
            yield
    else:
        yield


@pytest.mark.parametrize("running", [False, True])
async def test_what_waits_and_what_was_given_up_is_listed(mail: Mail, monitord: Monitord, *, running: bool) -> None:
    """The oldest first, with the reason; what was delivered or left out only if asked for."""
    async with beside(mail, running=running):
        result = await called(monitord, "outbox")
        assert (result.code, result.err) == (1, "")
        path = GOLDEN / "outbox.txt"
        if os.environ.get("REGENERATE_GOLDEN"):
            path.write_text(result.out)
        assert result.out == path.read_text()
        records = (await called(monitord, "outbox", "--json")).records
        assert {one["id"]: one["state"] for one in records} == {
            mail.ids["dead"]: "dead",
            mail.ids["tried"]: "pending",
            mail.ids["batch"]: "dead",
        }
        first = next(one for one in records if one["id"] == mail.ids["dead"])
        assert first == {
            "id": mail.ids["dead"],
            "receiver": "ops",
            "state": "dead",
            "event": "pin_mismatch.firing",
            "severity": "critical",
            "endpoints": [{"host": "dead.example.test", "port": 443, "pinset": "app", "incident": "dead"}],
            "attempts": 1,
            "created_at": "2026-03-02T12:00:00Z",
            "next_attempt_at": None,
            "being_sent": False,
            "delivered_at": None,
            "error": GONE,
        }
        other = await called(monitord, "outbox", "--state", "delivered", "--state", "skipped", "--json")
        assert other.code == 0
        assert [(one["state"], one["event"]) for one in other.records] == [
            ("delivered", "pin_mismatch.firing"),
            ("skipped", "pin_mismatch.resolved"),
        ]


@pytest.mark.parametrize("running", [False, True])
async def test_what_was_given_up_is_sent_again(mail: Mail, monitord: Monitord, *, running: bool) -> None:
    """By the beginning of its id, or all at once; a batch stays one."""
    async with beside(mail, running=running):
        one = await called(monitord, "outbox", "resend", mail.ids["dead"][:8])
        assert (one.code, one.out) == (0, f"message {mail.ids['dead']} is sent now\n")
        rest = await called(monitord, "outbox", "resend", "--all-dead", "--json")
        assert rest.record == {"done": [mail.ids["batch"]], "refused": []}
        none = await called(monitord, "outbox", "resend", "--all-dead")
        assert (none.code, none.out) == (0, "nothing was given up\n")
    assert {one.id for one in await mail.claimed()} == {mail.ids[name] for name in ("dead", "tried", "batch")}


@pytest.mark.parametrize("running", [False, True])
async def test_what_is_not_worth_sending_is_dropped(mail: Mail, monitord: Monitord, *, running: bool) -> None:
    """Also what waits; what cannot be dropped is told beside what was."""
    async with beside(mail, running=running):
        result = await called(monitord, "outbox", "drop", mail.ids["batch"], mail.ids["tried"], mail.ids["delivered"])
        assert result.code == 1
        assert result.out == f"message {mail.ids['batch']} is dropped\nmessage {mail.ids['tried']} is dropped\n"
        assert result.err == f"monitord: message {mail.ids['delivered']} was delivered already\n"
        refused = await called(monitord, "outbox", "resend", mail.ids["tried"])
        assert refused.code == 3
        assert "is not to be sent: it was dropped" in refused.err
        assert [one["id"] for one in (await called(monitord, "outbox", "--json")).records] == [mail.ids["dead"]]
    assert await mail.claimed() == []


async def test_a_daemon_sends_at_once_what_is_to_be_sent_again(mail: Mail, monitord: Monitord) -> None:
    """It is woken; an order that makes no sense wakes nobody."""
    async with mail.daemon() as woken:
        await called(monitord, "outbox", "resend", mail.ids["dead"])
        assert woken == ["woken"]


async def test_a_daemon_that_was_killed_amid_sending_keeps_nobody_from_dropping(mail: Mail, monitord: Monitord) -> None:
    """Its leases mean nothing once no daemon runs."""
    (leased,) = await mail.claimed()
    result = await called(monitord, "outbox", "drop", leased.id)
    assert (result.code, result.out) == (0, f"message {leased.id} is dropped\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["resend"], "name messages, or give --all-dead"),
        (["resend", "--all-dead", "abcdef"], "name messages, or give --all-dead"),
        (["drop"], "Missing argument"),
        (["--state", "lost"], "Invalid value for '--state'"),
        (["resend", "0123456789"], "there is no message 0123456789; monitord outbox lists them"),
    ],
)
async def test_a_mistake_is_said(mail: Mail, monitord: Monitord, words: list[str], complaint: str) -> None:
    """Bad usage and unknown ids end with 3."""
    del mail
    result = await called(monitord, "outbox", *words)
    assert (result.code, result.out) == (3, "")
    assert complaint in result.err


async def test_a_request_of_any_shape_is_answered(mail: Mail) -> None:
    """What comes over the socket is not trusted to be what the command sends."""
    paths = (listening_path(f"sqlite:///{mail.home}/monitord.db", {}),)
    config = mail.home / "monitord.yaml"
    async with mail.daemon():
        for arguments in ({"states": ["lost"]}, {"states": 7}, {"states": [7]}):
            answer = await asyncio.to_thread(request, paths, "outbox", config, arguments)
            assert answer is not None
            assert answer["ok"] is False, arguments
