from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from monitord.store.faults import StoreError, explain, is_corruption, is_systemic
from monitord.store.store import Store
from tests.store.samples import HOST, PORT, Chains, at, clock, message, opened, outcome, shown

ROOT = Path(__file__).parents[2]


def run_child(program: str, *arguments: str) -> list[str]:
    """The lines that a program of the tests prints; it must end well."""
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def one_incident(url: str) -> None:
    """Make a store with an open incident and a message about it."""
    store = await Store.open(url, now=clock)
    step = opened()
    await store.record([outcome(transitions=[step])], [message(step)])
    await store.close()


def rename(path: Path, name: str) -> Path:
    """Give a file another name in its directory."""
    return path.rename(path.with_name(name))


async def test_full_disk(store: Store, url: str) -> None:
    """While the file may not grow, rounds fail whole; afterwards the same process goes on, and nothing is missing."""
    await store.close()
    lines = run_child("tests.store.full_disk", url)
    assert lines[:3] == [
        "record failed: the disk reports an I/O error; check the disk, its quota and the kernel log",
        "check_writable failed: the disk reports an I/O error; check the disk, its quota and the kernel log",
        "0 change points, 0 incidents, 0 pending",
    ]
    assert lines[3:] == ["check_writable passed", "record passed", "1 change points, 1 incidents, 1 pending"]

    again = await Store.open(url, now=clock)
    try:
        assert len(await again.change_points(HOST, PORT)) == 1
        assert await again.outbox_summary() == (1, at(0))
    finally:
        await again.close()


async def test_round_that_failed_is_recorded_later(store: Store, path: Path, chains: Chains) -> None:
    """What could not be written is not remembered as written: the very same outcome goes through afterwards."""
    step = opened()
    rounds, messages = [outcome(shown(chains.first), transitions=[step])], [message(step)]
    hidden = rename(path, "hidden.db")
    with pytest.raises(StoreError, match="moved or removed"):
        await store.record(rounds, messages)
    with pytest.raises(StoreError, match="moved or removed"):
        await store.check_writable()
    rename(hidden, path.name)
    await store.check_writable()
    await store.record(rounds, messages)
    assert len(await store.change_points(HOST, PORT)) == 1
    assert await store.outbox_summary() == (1, at(0))


async def test_file_that_was_replaced(store: Store, path: Path, chains: Chains) -> None:
    """Rounds are not written into a file that has lost its name to another."""
    rename(path, "hidden.db")
    rename(path.with_name(f"{path.name}.lock"), path.name)
    with pytest.raises(StoreError, match="moved or removed under the running monitord; restart it"):
        await store.record([outcome(shown(chains.first))], [])


async def test_database_that_another_process_holds(store: Store, path: Path, chains: Chains) -> None:
    """A writer that does not know our lock makes rounds fail with a clear cause, and not for ever."""
    intruder = sqlite3.connect(path, isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process holds it locked") as caught:
        await store.record([outcome(shown(chains.first))], [])
    assert caught.value.systemic
    assert await store.change_points(HOST, PORT) == []
    intruder.execute("ROLLBACK")
    intruder.close()
    await store.record([outcome(shown(chains.first))], [])
    assert len(await store.change_points(HOST, PORT)) == 1


def test_read_only_directory() -> None:
    """Without the right to write, opening ends with one sentence; root is put into an ordinary user's place."""
    with tempfile.TemporaryDirectory() as parent:
        directory = Path(parent) / "locked"
        directory.mkdir(0o555)
        (line,) = run_child("tests.store.read_only_directory", f"sqlite:///{directory}/monitord.db")
        assert line == (
            f"store {directory}/monitord.db: access is denied; check who may read and write the file and its directory"
        )
        assert list(directory.iterdir()) == []


@pytest.mark.parametrize("read_only", ["directory", "file", "both"])
def test_store_that_cannot_be_written_at_the_start(read_only: str) -> None:
    """It is read, so that open incidents are known, and written as soon as that can be, by the same process."""
    with tempfile.TemporaryDirectory() as parent:
        path = Path(parent) / "state" / "monitord.db"
        asyncio.run(one_incident(f"sqlite:///{path}"))
        path.chmod(0o400 if read_only in ("file", "both") else 0o600)
        path.parent.chmod(0o500 if read_only in ("directory", "both") else 0o700)
        program = [sys.executable, "-m", "tests.store.unwritable", f"sqlite:///{path}"]
        with subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            note, known, refused = (child.stdout.readline() for _ in range(3))
            path.parent.chmod(0o700)
            path.chmod(0o600)
            child.stdin.write("go on\n")
            child.stdin.flush()
            assert child.stdout.read() == "recorded 2\n"
        assert note.startswith(f"store {path}: ")
        assert note.endswith("; until then what is seen is kept in memory, and alerts go out from there\n")
        assert known == "a1\n"
        assert refused == f"refused: {note.partition('; until')[0]}\n"
        assert child.returncode == 0


@pytest.mark.parametrize(
    ("provoke", "cause", "systemic"),
    [
        (
            ["PRAGMA max_page_count=2", "CREATE TABLE a (b)", "INSERT INTO a VALUES (zeroblob(9999))"],
            "the disk is full",
            True,
        ),
        (["PRAGMA query_only=ON", "CREATE TABLE a (b)"], "it is read-only", True),
        (["SELECT a FROM missing"], "no such table: missing", True),
        (["CREATE TABLE a (b NOT NULL)", "INSERT INTO a VALUES (NULL)"], "contradicts what is stored", False),
    ],
)
def test_cause_of_an_error(tmp_path: Path, provoke: list[str], cause: str, systemic: bool) -> None:
    """What SQLite says is told in words that say what to do and whom to blame, bare or as SQLAlchemy wraps it."""
    connection = sqlite3.connect(tmp_path / "a.db")

    def run() -> None:
        for statement in provoke:
            connection.execute(statement)

    with pytest.raises(sqlite3.Error) as caught:
        run()
    connection.close()
    for error in (caught.value, OperationalError("…", {}, caught.value)):
        sentence = explain(Path("/var/lib/monitord.db"), error)
        assert sentence.startswith("store /var/lib/monitord.db: ")
        assert cause in sentence
        assert "\n" not in sentence
        assert not is_corruption(error)
        assert is_systemic(error) is systemic


def test_cause_outside_the_database() -> None:
    """Errors of the system are told likewise, and by their own text where that says all."""
    for number, cause in ((errno.EACCES, "access is denied"), (errno.ENOSPC, "disk is full"), (errno.ENOTDIR, "Not a")):
        error = OSError(number, os.strerror(number), "/a")
        assert cause in explain(Path("/a"), error)
        assert is_systemic(error)
