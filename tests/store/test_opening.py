from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from monitord.store.faults import StoreError
from monitord.store.store import Store
from tests.store.samples import HOST, PORT, Chains, clock, opened, outcome, shown

if TYPE_CHECKING:
    from pathlib import Path


def names(path: Path) -> set[str]:
    """What lies in the store's directory."""
    return {file.name for file in path.parent.iterdir()}


def mode(path: Path) -> int:
    """Who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def run_sql(path: Path, *statements: str) -> None:
    """Change a database by other means than the store's."""
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def overwrite(path: Path, content: bytes, offset: int = 0) -> None:
    """Damage a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


async def test_new_store_is_its_owners_alone(store: Store, path: Path) -> None:
    """Directory, database and side files are made, readable by nobody else."""
    await store.check_writable()
    assert mode(path.parent) == 0o700
    assert {name: mode(path.parent / name) for name in names(path)} == dict.fromkeys(
        ["monitord.db", "monitord.db-wal", "monitord.db-shm", "monitord.db.lock"], 0o600
    )
    assert store.opened_notes == ()
    assert await store.load_incidents() == {}
    assert await store.load_streaks() == {}


async def test_store_is_durable_by_its_settings(store: Store, path: Path) -> None:
    """The write-ahead log is in use while the store is open, and empty files are left none after closing."""
    assert "monitord.db-wal" in names(path)
    await store.close()
    assert names(path) == {"monitord.db", "monitord.db.lock"}


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("postgresql://user:hunter2@db/monitord", "only SQLite is supported"),
        ("mysql://db/monitord", "only SQLite is supported"),
        ("no url: hunter2", "cannot be read"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:////tmp/monitord.db?mode=ro", "must name a file and nothing else"),
        ("sqlite:///file:monitord.db", "must name a file"),
    ],
)
async def test_url_that_is_no_file(url: str, fault: str) -> None:
    """Any other URL is refused with the right spelling, and without its password."""
    with pytest.raises(StoreError, match=fault) as caught:
        await Store.open(url, now=clock)
    assert "sqlite:////absolute/path/monitord.db" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_second_writer_is_told_of_the_first(store: Store, url: str) -> None:
    """Two daemons on one store: the second is refused with the pid of the first, until that one is gone."""
    for _ in range(2):
        with pytest.raises(StoreError, match=rf"another monitord \(pid {os.getpid()}\) is running"):
            await Store.open(url, now=clock)
    await store.close()
    await (await Store.open(url, now=clock)).close()


async def test_lock_ends_with_its_holder(path: Path, url: str) -> None:
    """A monitord that was killed does not keep the next one out, though its lock file is there."""
    path.parent.mkdir()
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom monitord.store.lock import WriterLock\n"
        "lock = WriterLock(Path(sys.argv[1]))\nprint('locked', flush=True)\nsys.stdin.read()\n"
    )
    holder = subprocess.Popen(  # noqa: ASYNC220 - its first line is awaited by blocking
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(StoreError, match=rf"\(pid {holder.pid}\)"):
            await Store.open(url, now=clock)
        holder.kill()
    await (await Store.open(url, now=clock)).close()


async def test_reader_beside_the_writer(store: Store, url: str, chains: Chains) -> None:
    """A reader sees what is committed, as it comes, and cannot write."""
    reader = await Store.open(url, now=clock, exclusive=False)
    try:
        assert await reader.load_incidents() == {}
        step = opened()
        await store.record([outcome(shown(chains.first), transitions=[step])], [])
        assert list(await reader.load_incidents()) == [step.incident.key]
        assert len(await reader.change_points(HOST, PORT)) == 1
        for attempt in (reader.check_writable(), reader.record([outcome(shown(chains.second))], [])):
            with pytest.raises(StoreError, match="read-only"):
                await attempt
    finally:
        await reader.close()
    assert len(await store.change_points(HOST, PORT)) == 1


async def test_reader_makes_nothing(path: Path, url: str) -> None:
    """Without a store a reader says when there will be one, and leaves no trace."""
    with pytest.raises(StoreError, match="there is none yet"):
        await Store.open(url, now=clock, exclusive=False)
    assert path.parent not in path.parent.parent.iterdir()


@pytest.mark.parametrize("exclusive", [True, False])
async def test_newer_schema_is_refused(store: Store, path: Path, url: str, *, exclusive: bool) -> None:
    """A store that a newer monitord wrote is left as it is."""
    await store.close()
    run_sql(path, "UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()  # noqa: ASYNC240 - a small local file
    with pytest.raises(StoreError, match="written by a newer monitord"):
        await Store.open(url, now=clock, exclusive=exclusive)
    assert path.read_bytes() == before  # noqa: ASYNC240


async def test_database_of_another_program_is_refused(path: Path, url: str) -> None:
    """A healthy database without our schema is somebody else's, and stays exactly as it is."""
    path.parent.mkdir()
    run_sql(path, "CREATE TABLE theirs (a)")
    before = path.read_bytes()  # noqa: ASYNC240 - a small local file
    with pytest.raises(StoreError, match="of another program"):
        await Store.open(url, now=clock)
    assert path.read_bytes() == before  # noqa: ASYNC240


async def test_file_that_never_was_a_store_is_refused(path: Path, url: str) -> None:
    """A mistaken path does not move a file of something else aside, however often it is tried."""
    path.parent.mkdir()
    path.write_text("root:x:0:0:root:/root:/bin/sh\n")  # noqa: ASYNC240 - a small local file
    for exclusive in (True, True, False):
        with pytest.raises(StoreError, match="not a database"):
            await Store.open(url, now=clock, exclusive=exclusive)
    assert names(path) == {path.name}


@pytest.mark.parametrize("place", [0, 100, 4096 * 4])
async def test_damaged_store_is_moved_aside(store: Store, path: Path, url: str, chains: Chains, place: int) -> None:
    """Damage to the header, the schema or a table: the file is kept under a name with the time, and a new one begun."""
    for minute, chain in enumerate([chains.first, chains.second] * 20):
        await store.record([outcome(shown(chain), minute=minute)], [])
    await store.close()
    overwrite(path, b"\xa5" * 4096, place)
    damaged = path.read_bytes()  # noqa: ASYNC240 - a small local file

    again = await Store.open(url, now=clock)
    try:
        (note,) = again.opened_notes
        aside = path.with_name("monitord.db.corrupt-20260302T120000Z")
        assert str(aside) in note
        assert "was damaged" in note
        assert aside.read_bytes() == damaged
        assert await again.change_points(HOST, PORT) == []
        await again.record([outcome(shown(chains.first))], [])
        assert mode(path) == 0o600
    finally:
        await again.close()


async def test_reader_leaves_a_damaged_store_alone(store: Store, path: Path, url: str) -> None:
    """A reader says what is wrong and moves nothing."""
    await store.close()
    overwrite(path, b"\xa5" * 4096)
    with pytest.raises(StoreError, match="not a database"):
        await Store.open(url, now=clock, exclusive=False)
    assert names(path) == {"monitord.db", "monitord.db.lock"}


async def test_damaged_twice_in_a_second(store: Store, path: Path, url: str) -> None:
    """A second damaged file does not replace the first."""
    await store.close()
    for _ in range(2):
        overwrite(path, b"\xa5" * 4096)
        await (await Store.open(url, now=clock)).close()
    assert names(path) == {
        "monitord.db",
        "monitord.db.lock",
        "monitord.db.corrupt-20260302T120000Z",
        "monitord.db.corrupt-20260302T120000Z-2",
    }


async def test_directory_that_cannot_be_written(tmp_path: Path) -> None:
    """A path under a file, or where nobody may make files, is one clear sentence."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "monitord.db", "/proc/monitord/monitord.db"):
        with pytest.raises(StoreError, match=str(path)):
            await Store.open(f"sqlite:///{path}", now=clock)
