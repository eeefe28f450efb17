from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from monitord.store.store import Store
from tests.store.samples import HOST, PORT, at, clock

ROOT = Path(__file__).parents[2]


def record_until_killed(url: str, rounds: int) -> int:
    """Let another process record and kill it amid its work after so many rounds; how many it had said were done."""
    program = [sys.executable, "-m", "tests.store.crashing_writer", url]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(rounds):
            assert writer.stdout.readline()
        writer.kill()
        return rounds + len(writer.stdout.readlines())


@pytest.mark.parametrize("rounds", [1, 7, 60])
async def test_kill_leaves_whole_rounds(url: str, rounds: int) -> None:
    """After SIGKILL amid writing there is every round that was confirmed, at most one more, and no part of another."""
    confirmed = record_until_killed(url, rounds)
    store = await Store.open(url, now=clock)
    try:
        assert store.opened_notes == ()
        points = await store.change_points(HOST, PORT)
        assert len(points) in (confirmed, confirmed + 1)
        assert [point.since for point in points] == [at(number + 1) for number in range(len(points))]
        (incident,) = (await store.load_incidents()).values()
        assert incident.id == f"i{len(points)}"
        assert await store.outbox_summary() == (4 * len(points) - 2, at(1))
        await store.check_writable()
    finally:
        await store.close()
