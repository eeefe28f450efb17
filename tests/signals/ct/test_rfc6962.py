from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from monitord.signals.ct.log import Limits
from tests.signals.ct.conftest import NOW, issued, logged
from tests.signals.ct.test_logs import NO_PROOF, Watch
from tests.support.acmeserver import say
from tests.support.ctentries import filler
from tests.support.ctlogs import Rfc6962Log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROOF = "ct/v1/get-entry-and-proof"
UNPROVEN = "its entries are read without proof that they are in its tree"


@pytest.fixture
async def log() -> AsyncIterator[Rfc6962Log]:
    """A log with three entries about others."""
    async with Rfc6962Log(NOW, *map(filler, range(3))) as listening:
        yield listening


@pytest.mark.parametrize("most", [1, 7, 32, 1000])
async def test_a_server_may_give_fewer_entries_than_were_asked_for(log: Rfc6962Log, most: int) -> None:
    """RFC 6962 section 4.6; it is asked for the rest, and never for more than 256."""
    log.most = most
    watch, one = Watch(log), issued()
    await watch.next()
    log.entries += [*map(filler, range(300)), one.logged_first]
    poll = await watch.next()
    assert ([chain[0] for _, chain in logged(poll)], poll.faults) == ([one.precertificate], ())
    asked = [call.partition("?")[2] for call in log.calls if call.startswith("ct/v1/get-entries")]
    assert asked[0] == "start=3&end=258"
    assert asked[1] == (f"start={3 + most}&end={min(302 + 1, 3 + most + 255)}" if most < 256 else "start=259&end=303")


async def test_a_server_that_gives_more_than_was_asked_for(log: Rfc6962Log) -> None:
    """The rest is not believed."""
    watch = Watch(log)
    await watch.next()
    log.entries += [filler(9)]
    entry = {"leaf_input": "AAAA", "extra_data": "AAAA"}
    shown = {"entries": [entry] * 5}
    log.answers = {log.entries_path: say(body=json.dumps(shown))}
    poll = await watch.next()
    assert f"Test Log: {NO_PROOF}" in poll.faults


@pytest.mark.parametrize(
    "body",
    [
        b'{"entries": []}',
        b'{"entries": {}}',
        b'{"entries": [5]}',
        b"[]",
        b"[" * 100_000,
        b'{"entries": [{"leaf_input": "\xff", "extra_data": ""}]}',
        b'{"entries": [{"leaf_input": "***", "extra_data": ""}]}',
        b'{"entries": [{"leaf_input": "AAAA"}]}',
    ],
)
async def test_what_are_no_entries_is_told(log: Rfc6962Log, body: bytes) -> None:
    """They are read again at the next poll."""
    watch, one = Watch(log), issued()
    await watch.next()
    log.entries.append(one.logged_first)
    log.answers = {log.entries_path: say(body=body)}
    (fault,) = (await watch.next()).faults
    assert fault in (
        "Test Log: the entries from 3 cannot be read",
        "Test Log: it gives no entry 3, which its tree head says it has",
    )
    log.answers.clear()
    assert len((await watch.next()).learned) == 1


async def test_a_server_that_tells_no_proofs_is_read_without(log: Rfc6962Log) -> None:
    """Some refuse; that is no fault. Growth is all that can be checked then."""
    log.answers = {PROOF: say(404)}
    watch, one = Watch(log), issued()
    assert (await watch.next()).faults == ()
    log.entries.append(one.logged_first)
    log.root = bytes(32)
    poll = await watch.next()
    assert ([chain[0] for _, chain in logged(poll)], poll.faults) == ([one.precertificate], ())
    log.answers.clear()
    log.root = None
    log.entries.append(filler(1))
    await watch.next()
    log.root = bytes(32)
    log.entries.append(filler(2))
    assert (await watch.next()).faults == (f"Test Log: {NO_PROOF}",)


@pytest.mark.parametrize(
    "body",
    [
        b"junk",
        b"{}",
        b'{"leaf_input": "AAAA", "audit_path": []}',
        b'{"leaf_input": "AAAA", "audit_path": ["AAAA"]}',
        b'{"leaf_input": "AAAA", "audit_path": 5}',
    ],
)
async def test_a_proof_that_cannot_be_read_is_told(log: Rfc6962Log, body: bytes) -> None:
    """The entries are read nevertheless, since a warning matters more than a proof."""
    log.answers = {PROOF: say(body=body)}
    watch, one = Watch(log, limits=Limits(lookback=1)), issued()
    log.entries.append(one.logged_first)
    poll = await watch.next()
    assert poll.faults == (f"Test Log: the proof of its last entry cannot be read; {UNPROVEN}",)
    assert len(poll.learned) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 255, 256, 257])
async def test_the_tree_before_the_first_entry_is_proven(size: int) -> None:
    """By the audit path of the entry before it, for every shape of tree: a root that then fits says so."""
    async with Rfc6962Log(NOW, *map(filler, range(size))) as log:
        watch = Watch(log)
        assert (await watch.next()).faults == ()
        log.entries.append(filler(size))
        assert (await watch.next()).faults == ()
        log.root = bytes(32)
        log.entries.append(filler(size + 1))
        assert (await watch.next()).faults == (f"Test Log: {NO_PROOF}",)
