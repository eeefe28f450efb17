"""Killed two hundred times at every step of the delivery, monitord loses nothing, and nothing comes out of order."""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
import random
import signal
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from tests.notify.lives import FAR, POINTS, SECRET, Life, live, story
from tests.support.sinks import ReceivedCall, ReceivedMail, SmtpSink, WebhookSink, accept

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 200
SEEDS = 2  # so that two processors share the work
RECEIVED = "received and not yet answered"
REFUSED = 0.2
LONGEST_LIFE = 60.0


class Lives:
    """Runs lives one after another, and counts where they ended."""

    def __init__(self, directory: Path, mail: SmtpSink, hook: WebhookSink, chance: random.Random) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.notify.lives"])
        began, store = datetime.now(UTC) - timedelta(minutes=1), f"sqlite:///{directory}/monitord.db"
        self.first = Life(began, store, hook.url, mail.port, 0, None, 0)
        self._hook = hook
        self._chance = chance
        self.taken: list[ReceivedCall] = []
        self.kills: Counter[str] = Counter()
        self.round = 0

    async def live(self, point: str | None, count: int) -> None:
        """One life, which goes on where the last one ended."""
        life = replace(self.first, round=self.round, point=point, count=count)
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=live, args=(life, theirs))
        left = count

        async def answer(request: web.Request) -> web.StreamResponse:
            nonlocal left
            call = self._hook.calls[-1]
            if point is not None and self._chance.random() < REFUSED:
                return web.Response(status=503)
            self.taken.append(call)
            left -= 1
            if point == RECEIVED and not left:
                self.kills[RECEIVED] += 1
                process.kill()
            return await accept(request)

        self._hook.answer = answer
        process.start()
        theirs.close()
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(process.sentinel, over.set)
        try:
            async with asyncio.timeout(LONGEST_LIFE):
                await over.wait()
        finally:
            loop.remove_reader(process.sentinel)
            process.kill()
            process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        while ours.poll():
            try:
                said = ours.recv()
            except EOFError:
                break
            if isinstance(said, str):
                self.kills[said] += 1
            else:
                self.round = said + 1
        ours.close()
        process.close()


def rows(directory: Path) -> dict[str, list[tuple[str, int, str]]]:
    """Every delivery of the store, by its id: incident, number and receiver of each of its messages."""
    query = "SELECT coalesce(batch, id), incident, number, receiver, state FROM outbox ORDER BY created_at, number, id"
    found = defaultdict(list)
    with closing(sqlite3.connect(directory / "monitord.db")) as database:
        for delivery, incident, number, receiver, state in database.execute(query):
            assert state == "delivered"
            found[delivery].append((incident, number, receiver))
    return found


def verified(call: ReceivedCall) -> tuple[str, str]:
    """Id and body of a call, if the reference implementation finds its signature good."""
    Webhook(SECRET).verify(call.body, dict(call.headers))
    return call.headers["webhook-id"], call.body.decode()


def undated(mail: ReceivedMail) -> tuple[str, str]:
    """Id and content of a mail, without the date of the attempt."""
    message = mail.message
    identifier = str(message["Message-ID"]).strip("<>").partition("@")[0]
    del message["Date"]
    return identifier, message.as_string()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_two_hundred_kills_lose_nothing_and_repeat_only_under_the_same_id(tmp_path: Path, seed: int) -> None:
    """Lost 0, out of order 0; what comes twice has the same id and content. Every signature is good."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    async with SmtpSink() as mail, WebhookSink() as hook:
        lives = Lives(tmp_path, mail, hook, chance)
        points = itertools.cycle((*POINTS, RECEIVED))
        while lives.kills.total() < KILLS // SEEDS:
            point = next(points)
            await lives.live(point, chance.randint(1, FAR.get(point, 2)))
        await lives.live(None, 0)
        arrivals = {"hook": [verified(call) for call in lives.taken], "mail": [undated(one) for one in mail.mails]}
        assert {verified(call) for call in hook.calls} == set(arrivals["hook"]), "no attempt differed from the others"
    assert set(lives.kills) == {*POINTS, RECEIVED}

    deliveries = rows(tmp_path)
    rounds = [story(lives.first.began, number) for number in range(lives.round)]
    told = [(one.incident, one.number, one.receiver) for messages in rounds for _, one in messages]
    assert sorted(one for messages in deliveries.values() for one in messages) == sorted(told)
    for receiver, arrived in arrivals.items():
        contents: dict[str, str] = {}
        lines: dict[str, list[int]] = defaultdict(list)
        for identifier, content in arrived:
            assert contents.setdefault(identifier, content) == content
            for incident, number, to in deliveries[identifier]:
                assert to == receiver
                lines[incident].append(number)
        lost = {(incident, number) for incident, number, to in told if to == receiver}
        lost -= {(incident, number) for incident, line in lines.items() for number in line}
        assert lost == set()
        assert [line for line in lines.values() if line != sorted(line)] == []
        assert len(arrived) > len(contents), "no life ended between the answer and the note of it"
    assert any(len(messages) > 1 for messages in deliveries.values())
    for identifier, body in arrivals["hook"]:
        if len(deliveries[identifier]) > 1:
            listed = [entry["incident"] for entry in json.loads(body)["data"]["grouped"]]
            assert listed == [incident for incident, _, _ in deliveries[identifier]]
