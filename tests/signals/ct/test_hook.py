from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitord import pki
from monitord.pinning.target import Target
from monitord.signals.ct.hook import HookSource
from monitord.signals.ct.spool import LARGEST_CHAIN, MOST_FILES, Event, SpoolError, put, spool_beside
from monitord.signals.ledger import Ledger
from monitord.signals.source import SourceName
from tests.signals.ct.conftest import HOST, ISSUERS, NOW, facts, issued, logged, watching
from tests.support.polling import Polled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitord.pinning.certificate import Certificate
    from monitord.signals.source import Poll, Subject

DESCRIPTORS = Path("/proc/self/fd")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NAME = "ab" * 32 + ".json"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A spool that is not there yet, beside a store."""
    return spool_beside(tmp_path / "monitord.db")


@pytest.fixture
def hook(spool: Path) -> Polled:
    """A source that reads it."""
    return Polled(HookSource(spool))


def event(*chain: Certificate, log: str = "https://log.example.test/", entry: str = "7") -> Event:
    """What certspotter tells of a certificate."""
    return Event(pki.pem_of(*chain), log, entry)


def look(hook: Polled, subjects: Sequence[Subject], now: datetime) -> Poll:
    """One poll."""
    return asyncio.run(hook.poll(subjects, now))


def files(spool: Path) -> list[str]:
    """The names of the files in it, and of those moved aside."""
    return sorted(path.relative_to(spool).as_posix() for path in spool.rglob("*") if not path.is_dir())


def test_what_the_hook_was_given_is_told(spool: Path, hook: Polled) -> None:
    """With its issuers and where it was logged; the spool is looked into each minute."""
    one = issued()
    assert hook.source.name is SourceName.CT_HOOK
    put(spool, event(one.precertificate, *one.issuers))
    poll = look(hook, watching(), NOW)
    assert logged(poll) == [(HOST, (one.precertificate, *ISSUERS))]
    (fact,) = facts(poll)
    where = "Certificate Transparency, by certspotter in https://log.example.test/, entry 7"
    assert (fact.source, fact.learned_at) == (where, NOW)
    assert (poll.faults, poll.next_at) == ((), NOW + MINUTE)


def test_a_spool_that_is_not_there_is_empty(spool: Path, hook: Polled) -> None:
    """Nobody has to use certspotter."""
    poll = look(hook, watching(), NOW)
    assert (poll.learned, poll.faults, dict(poll.state)) == ((), (), {})
    assert not spool.exists()


def test_a_file_goes_once_its_fact_is_kept(spool: Path, hook: Polled) -> None:
    """At the poll after: the state that names it is written together with the fact, so no crash loses either."""
    one, two = issued(), issued()
    put(spool, event(one.certificate))
    look(hook, watching(), NOW)
    assert len(files(spool)) == 1
    put(spool, event(two.certificate))
    poll = look(hook, watching(), NOW + MINUTE)
    assert [chain[0] for _, chain in logged(poll)] == [two.certificate]
    assert len(files(spool)) == 1
    poll = look(hook, watching(), NOW + 2 * MINUTE)
    assert (poll.learned, files(spool), hook.state) == ((), [], {})


def test_what_was_not_kept_is_told_again(spool: Path) -> None:
    """A crash between the poll and the store."""
    put(spool, event(issued().certificate))
    for _ in range(2):
        assert len((look(Polled(HookSource(spool)), watching(), NOW)).learned) == 1


def test_precertificate_and_certificate_are_one_fact(spool: Path, hook: Polled) -> None:
    """It may tell of both, and of each log."""
    one = issued()
    put(spool, event(one.precertificate, *one.issuers))
    put(spool, event(one.precertificate, *one.issuers, log="https://other.example.test/"))
    put(spool, event(one.certificate, *one.issuers))
    ledger = Ledger()
    poll = look(hook, watching(), NOW)
    ledger.take_in("ct_hook", poll.learned)
    (fact,) = ledger.signals_for(Target(HOST)).logged
    assert (len(poll.learned), fact.chain) == (3, (one.certificate, *ISSUERS))


def test_only_registered_names_are_told(spool: Path, hook: Polled) -> None:
    """The watch list of certspotter may have more; wildcards count for whom they cover."""
    wildcard = issued("*.example.test")
    put(spool, event(issued("other.test").certificate))
    put(spool, event(wildcard.certificate))
    put(spool, event(issued(not_before=NOW - 90 * DAY, not_after=NOW - DAY).certificate))
    poll = look(hook, watching(HOST, "www.example.test"), NOW)
    assert [host for host, _ in logged(poll)] == [HOST, "www.example.test"]
    look(hook, watching(HOST), NOW + MINUTE)
    assert files(spool) == []


def test_problems_of_certspotter_are_faults(spool: Path, hook: Polled) -> None:
    """Told once; nothing in them reaches a terminal or a log as more than text."""
    put(spool, Event(problem="backlog of size 7\x1b[2J\n<0>from https://log.example.test/"))
    poll = look(hook, watching(), NOW)
    assert poll.faults == ("certspotter reports: backlog of size 7?[2J?<0>from https://log.example.test/",)
    poll = look(hook, watching(), NOW + MINUTE)
    assert (poll.faults, files(spool)) == ((), [])


def test_many_problems_are_few_sentences(spool: Path, hook: Polled) -> None:
    """The rest is counted."""
    for number in range(30):
        put(spool, Event(problem=f"problem {number}"))
    poll = look(hook, watching(), NOW)
    assert (len(poll.faults), poll.faults[-1]) == (4, "and 27 more like this")


def test_a_few_hundred_files_at_a_time_the_oldest_first(spool: Path, hook: Polled) -> None:
    """A burst is taken over some minutes."""
    one = issued()
    put(spool, event(one.certificate))
    content = (spool / files(spool)[0]).read_bytes()
    for number in range(599):
        name = spool / f"{number:064x}.json"
        name.write_bytes(content)
        os.utime(name, (number, number))
    oldest = sorted(files(spool))[:500]
    poll = look(hook, watching(), NOW)
    assert len(poll.learned) == 500
    assert sorted(hook.state["handled"]) == oldest
    assert len((look(hook, watching(), NOW + MINUTE)).learned) == 100


class TestWriting:
    """What ``ct-hook`` does."""

    def test_the_same_event_twice_is_one_file(self, spool: Path) -> None:
        """After a failure it is called again."""
        for _ in range(2):
            put(spool, event(issued_once.certificate))
        (name,) = files(spool)
        assert stat.S_IMODE((spool / name).stat().st_mode) == 0o644
        assert json.loads((spool / name).read_text())["log"] == "https://log.example.test/"

    def test_texts_are_bounded(self, spool: Path) -> None:
        """Whoever runs a log chooses them."""
        put(spool, Event(log="x" * 9999, entry="y" * 9999, problem="z\0" * 9999))
        (name,) = files(spool)
        found = json.loads((spool / name).read_text())
        assert (len(found["log"]), len(found["entry"]), found["problem"]) == (500, 500, "z?" * 250)

    def test_a_full_spool_is_refused(self, spool: Path) -> None:
        """Nobody reads it, it seems; what lies there already may be written again."""
        put(spool, event(issued_once.certificate))
        for number in range(MOST_FILES - 1):
            os.mknod(spool / f"{number:064x}.json")
        put(spool, event(issued_once.certificate))
        with pytest.raises(SpoolError, match="is full: 10000 files wait in it; see that monitord runs"):
            put(spool, Event(problem="one more"))
        assert len(files(spool)) == MOST_FILES

    def test_a_place_that_cannot_be_written_is_told(self, tmp_path: Path) -> None:
        """With what to do about it; nothing half is left."""
        (tmp_path / "file").touch()
        for place in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "no" / "such"):
            with pytest.raises(SpoolError, match=r"cannot be written: .*; make it, and give certspotter's user"):
                put(place, Event(problem="x"))
        assert files(tmp_path) == ["file"]


class TestHostileFiles:
    """Whoever may write to the spool may not do more than that."""

    def aside(self, spool: Path) -> list[str]:
        """What was moved aside."""
        return files(spool / "faulty")

    def test_a_link_is_not_followed(self, spool: Path, hook: Polled, tmp_path: Path) -> None:
        """It might lead to what monitord alone may read, or remove."""
        spool.mkdir()
        secret = tmp_path / "secret"
        secret.write_text('{"chain": "", "log": "", "entry": "", "problem": "the secret"}')
        (spool / NAME).symlink_to(secret)
        poll = look(hook, watching(), NOW)
        assert poll.faults == (f"{spool / NAME} is moved aside: it cannot be read: Too many levels of symbolic links",)
        assert self.aside(spool) == [NAME]
        look(hook, watching(), NOW + MINUTE)
        assert secret.exists()

    def test_a_pipe_is_not_waited_for(self, spool: Path, hook: Polled) -> None:
        """Nobody may ever write to it."""
        spool.mkdir()
        os.mkfifo(spool / NAME)
        poll = look(hook, watching(), NOW)
        assert poll.faults == (f"{spool / NAME} is moved aside: it is not a regular file",)
        assert self.aside(spool) == [NAME]

    def test_a_directory_and_a_socket_are_moved_aside(
        self, spool: Path, hook: Polled, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No descriptor of them stays open."""
        (spool / NAME).mkdir(parents=True)
        with socket.socket(socket.AF_UNIX) as listening:
            before = len(list(DESCRIPTORS.iterdir()))
            monkeypatch.chdir(spool)  # a socket's path must be short
            listening.bind("cd" * 32 + ".json")
            poll = look(hook, watching(), NOW)
            assert len(list(DESCRIPTORS.iterdir())) == before
        assert len(poll.faults) == 2
        assert sorted(path.name for path in (spool / "faulty").iterdir()) == [NAME, "cd" * 32 + ".json"]

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "it is not an event that monitord ct-hook wrote"),
            (b"\xff\xfe", "it is not an event that monitord ct-hook wrote"),
            (b"[" * 100_000, "it is not an event that monitord ct-hook wrote"),
            (b"[]", "it is not an event that monitord ct-hook wrote"),
            (b"{}", "it is not an event that monitord ct-hook wrote"),
            (b'{"chain": "", "log": 5, "entry": "", "problem": ""}', "it is not an event that monitord ct-hook wrote"),
            (
                b'{"chain": "*", "log": "", "entry": "", "problem": ""}',
                "it is not an event that monitord ct-hook wrote",
            ),
            (b'{"chain": "", "log": "", "entry": "", "problem": ""}', "not a readable certificate"),
            (b'{"chain": "anVuaw==", "log": "", "entry": "", "problem": ""}', "not a readable certificate"),
            (b"x" * (2 * LARGEST_CHAIN + 1), "it has more than 2097152 bytes"),
        ],
    )
    def test_what_the_hook_did_not_write_is_moved_aside(
        self, spool: Path, hook: Polled, content: bytes, sentence: str
    ) -> None:
        """For a person to look at; what lies beside it counts."""
        spool.mkdir()
        (spool / NAME).write_bytes(content)
        put(spool, event(issued().certificate))
        poll = look(hook, watching(), NOW)
        (fault,) = poll.faults
        assert fault.startswith(f"{spool / NAME} is moved aside: {sentence}")
        assert (len(poll.learned), self.aside(spool)) == (1, [NAME])
        assert (look(hook, watching(), NOW + MINUTE)).faults == ()

    def test_a_huge_file_is_not_read(self, spool: Path, hook: Polled) -> None:
        """However large it claims to be."""
        spool.mkdir()
        with (spool / NAME).open("wb") as file:
            file.truncate(1 << 40)
        assert "it has more than 2097152 bytes" in (look(hook, watching(), NOW)).faults[0]

    def test_other_names_are_left_alone(self, spool: Path, hook: Polled) -> None:
        """They belong to somebody else."""
        spool.mkdir()
        for name in ("README", ".hidden", "x.json", NAME.upper(), NAME + "~"):
            (spool / name).write_text("mine")
        before = files(spool)
        hook.state = {"handled": ["../monitord.db", "README", 5]}
        poll = look(hook, watching(), NOW)
        assert (poll.learned, poll.faults, files(spool)) == ((), (), before)

    def test_a_place_aside_that_is_a_link_is_not_used(self, spool: Path, hook: Polled, tmp_path: Path) -> None:
        """Files would be moved to where it leads, and the oldest ones there deleted."""
        spool.mkdir()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        for number in range(150):
            (elsewhere / f"{number:064x}.json").touch()
        (spool / "faulty").symlink_to(elsewhere)
        (spool / NAME).write_text("junk")
        poll = look(hook, watching(), NOW)
        assert poll.faults[1].startswith(f"{spool / NAME} cannot be moved to {spool / 'faulty'}: ")
        assert len(files(elsewhere)) == 150

    def test_a_hundred_are_kept_aside(self, spool: Path, hook: Polled) -> None:
        """The oldest go; what is not of the spool's kind stays, and so does what is no file."""
        (spool / "faulty" / ("ee" * 32 + ".json")).mkdir(parents=True)
        (spool / "faulty" / "notes.txt").write_text("mine")
        for number in range(130):
            name = spool / f"{number:064x}.json"
            name.write_text("junk")
            os.utime(name, (number, number))
        look(hook, watching(), NOW)
        kept = self.aside(spool)
        assert "notes.txt" in kept
        assert [name for name in kept if name.endswith(".json")][-1] == f"{129:064x}.json"
        assert len(kept) == 100

    def test_what_a_killed_hook_left_is_cleared_away(self, spool: Path, hook: Polled) -> None:
        """After a day; a younger one may still be written. What else is there does not keep it from that."""
        (spool / ".unfinished-a").mkdir(parents=True)
        for name, age in ((".unfinished-b", 2 * DAY), (".unfinished-c", DAY / 2), ("other", 2 * DAY)):
            (spool / name).touch()
            os.utime(spool / name, ((NOW - age).timestamp(), (NOW - age).timestamp()))
        os.utime(spool / ".unfinished-a", (0, 0))
        assert (look(hook, watching(), NOW)).faults == ()
        assert files(spool) == [".unfinished-c", "other"]

    def test_a_spool_that_is_a_file_is_told(self, spool: Path, hook: Polled) -> None:
        """And looked at again."""
        spool.touch()
        poll = look(hook, watching(), NOW)
        assert poll.faults == (f"the spool {spool} cannot be read: Not a directory",)


issued_once = issued()
