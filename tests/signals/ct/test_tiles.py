from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.pinning.merkle import Frontier, leaf_hash
from monitord.pinning.treehead import TreeHead
from monitord.signals.ct.log import Limits
from monitord.signals.ct.tiles import TiledReader, tile_path
from monitord.signals.fetch import Fetcher
from tests.signals.ct.conftest import HOST, ISSUER, NOW, ROOT, issued, logged
from tests.signals.ct.test_logs import NO_PROOF, Watch
from tests.support.acmeserver import say
from tests.support.ctentries import filler
from tests.support.ctlogs import TiledLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LARGE = 70_000
ISSUER_PATH = f"issuer/{ISSUER.certificate.sha256.hex()}"


@pytest.fixture
async def log() -> AsyncIterator[TiledLog]:
    """A log with three entries about others."""
    async with TiledLog(NOW, *map(filler, range(3))) as listening:
        yield listening


@pytest.fixture(scope="module")
def large() -> TiledLog:
    """A log with as many entries as the example of the specification; its tree is costly."""
    log = TiledLog(NOW, *map(filler, range(LARGE)))
    assert len(log.tree.root()) == 32
    return log


@pytest.mark.parametrize(
    ("index", "path"),
    [(0, "000"), (7, "007"), (999, "999"), (1000, "x001/000"), (67_999, "x067/999"), (1_234_067, "x001/x234/067")],
)
def test_a_tile_is_named_in_groups_of_three_digits(index: int, path: str) -> None:
    """As in the specification's example."""
    assert tile_path(index) == path


@given(st.integers(min_value=0, max_value=2**40))
def test_a_tiles_name_is_its_number(index: int) -> None:
    """Nothing else has that name."""
    groups = tile_path(index).split("/")
    assert int("".join(group.removeprefix("x") for group in groups)) == index
    assert all(len(group) == 4 for group in groups[:-1])
    assert all(group.startswith("x") for group in groups[:-1])
    assert len(groups[-1]) == 3


async def test_the_tiles_of_a_tree_are_those_of_the_specification(large: TiledLog) -> None:
    """Of 70,000 entries: partial tiles of 112 hashes, of 17 and of 1; full ones are not needed for the edge."""
    async with large:
        large.calls.clear()
        reader = TiledReader(large.log, Fetcher(), NOW, {})
        head = await reader.head()
        tree = await reader.frontier(LARGE, head)
    assert large.calls == ["checkpoint", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]
    assert (tree.size, tree.root) == (LARGE, head.root)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_792, 65_793, 69_999])
async def test_the_tree_at_any_place_is_that_of_its_leaves(large: TiledLog, size: int) -> None:
    """Also in the middle, where the tiles have grown since."""
    async with large:
        reader = TiledReader(large.log, Fetcher(), NOW, {})
        tree = await reader.frontier(size, TreeHead(LARGE, large.shown_root, large.timestamp))
    assert tree == Frontier().extended(leaf_hash(entry.leaf) for entry in large.entries[:size])


@pytest.mark.parametrize("before", [255, 256, 257, 511, 512])
@pytest.mark.parametrize("more", [1, 2, 256, 257])
async def test_reading_goes_over_the_edges_of_tiles(before: int, more: int) -> None:
    """Each entry is read once, and the root fits; a tile that has grown is asked for anew."""
    async with TiledLog(NOW, *map(filler, range(before))) as log:
        watch, first, last = Watch(log), issued(), issued()
        assert (await watch.next()).faults == ()
        new = [first.logged_first, *map(filler, range(more - 2)), last.logged_first]
        log.entries += new[-more:]
        poll = await watch.next()
        expected = [first, last][-more:]
        assert [chain[0] for _, chain in logged(poll)] == [one.precertificate for one in expected]
        assert poll.faults == ()


async def test_full_tiles_take_the_place_of_partial_ones(log: TiledLog) -> None:
    """A log may drop those that it has completed since; no more entries are read than it has signed."""
    watch, one, later = Watch(log), issued(), issued()
    await watch.next()
    log.entries += [one.logged_first, *map(filler, range(6)), later.logged_first, *map(filler, range(300))]
    log.published, log.partial = 10, False
    poll = await watch.next()
    assert ([chain[0] for _, chain in logged(poll)], poll.faults) == ([one.precertificate], ())
    assert [call for call in log.calls if call.startswith("tile/data")] == ["tile/data/000.p/10", "tile/data/000"]
    log.published = None
    poll = await watch.next()
    assert ([chain[0] for _, chain in logged(poll)], poll.faults) == ([later.precertificate], ())


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [(500, b"", "answered with status 500"), (200, b"x" * 127, "the tile 0 of level 0 does not have 4 hashes")],
)
async def test_hashes_that_cannot_be_had_are_told(log: TiledLog, status: int, body: bytes, sentence: str) -> None:
    """The entries are read without proof."""
    log.answers = {"tile/0": say(status, body)}
    watch, one = Watch(log, limits=Limits(lookback=1)), issued()
    log.entries.append(one.logged_first)
    poll = await watch.next()
    assert sentence in poll.faults[0]
    assert poll.faults[0].endswith("; its entries are read without proof that they are in its tree")
    assert len(poll.learned) == 1


async def test_hashes_that_are_not_those_of_the_tree(log: TiledLog) -> None:
    """The root does not fit, and nothing is used."""
    log.answers = {"tile/0": say(body=bytes(96))}
    watch = Watch(log)
    assert (await watch.next()).faults == (f"Test Log: {NO_PROOF}",)


async def test_a_data_tile_that_cannot_be_read_is_told(log: TiledLog) -> None:
    """By its number."""
    watch = Watch(log)
    await watch.next()
    log.entries.append(issued().logged_first)
    log.answers = {log.entries_path: say(body=b"\0" * 9)}
    assert (await watch.next()).faults == (
        "Test Log: the data tile 0 cannot be read: it ends inside the type of entry",
    )


class TestIssuers:
    """They are certificates of their own, named by their fingerprints."""

    async def test_each_is_asked_for_once(self, log: TiledLog) -> None:
        """However many certificates it has issued."""
        watch = Watch(log)
        await watch.next()
        for _ in range(2):
            log.entries += [issued().logged_first, issued().logged_later]
            assert len((await watch.next()).learned) == 2
        asked = [call for call in log.calls if call.startswith("issuer/")]
        assert asked == [ISSUER_PATH, f"issuer/{ROOT.certificate.sha256.hex()}"]

    @pytest.mark.parametrize("status", [403, 404, 410])
    async def test_one_that_the_log_does_not_have_is_left_out(self, log: TiledLog, status: int) -> None:
        """And those above it; the certificate counts all the same."""
        watch, one = Watch(log), issued()
        await watch.next()
        log.entries.append(one.logged_first)
        log.answers = {f"issuer/{ROOT.certificate.sha256.hex()}": say(status)}
        poll = await watch.next()
        assert (logged(poll), poll.faults) == ([(HOST, (one.precertificate, ISSUER.certificate))], ())

    async def test_another_certificate_for_a_fingerprint_is_left_out(self, log: TiledLog) -> None:
        """It would be judged as the issuer."""
        watch, one = Watch(log), issued()
        await watch.next()
        log.entries.append(one.logged_first)
        log.answers = {ISSUER_PATH: say(body=ROOT.certificate.der)}
        poll = await watch.next()
        assert logged(poll) == [(HOST, (one.precertificate,))]

    async def test_one_that_cannot_be_had_now_is_waited_for(self, log: TiledLog) -> None:
        """The entry is read again at the next poll, so that the chain is whole when it is judged."""
        watch, one = Watch(log), issued()
        await watch.next()
        log.entries += [filler(9), one.logged_first]
        log.answers = {ISSUER_PATH: say(500)}
        poll = await watch.next()
        assert (poll.learned, len(poll.faults)) == ((), 1)
        log.answers.clear()
        poll = await watch.next()
        assert (len(logged(poll)[0][1]), poll.faults) == (3, ())


async def test_only_checkpoints_of_the_named_origin_count(log: TiledLog) -> None:
    """Two logs of one operator may share a key by mistake, and a mirror may be set up wrong."""
    watch = Watch(log)
    await watch.next()
    log.origin = "log.example.test/2027"
    watch.source = Watch(log).source
    log.origin = "log.example.test/2026"
    assert "that of another log" in (await watch.next()).faults[0]
