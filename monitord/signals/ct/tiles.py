"""Logs by static-ct-api: a checkpoint, and tiles of 256 entries or hashes (https://c2sp.org/static-ct-api)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from monitord.pinning.merkle import Frontier
from monitord.pinning.treehead import HASH_SIZE, TreeHead
from monitord.signals.ct.asking import Refused, ask
from monitord.signals.ct.entries import Entry, EntryUnreadable, read_tile
from monitord.signals.ct.treehead import read_checkpoint
from monitord.signals.source import SignalFault

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from datetime import datetime

    from monitord.config.signals import CtLog
    from monitord.signals.fetch import Fetcher

WIDTH = 256
_HEIGHT = 8
_CHECKPOINT_LIMIT, _ISSUER_LIMIT, _TILE_LIMIT = 256 * 1024, 64 * 1024, 32 * 1024 * 1024
_GONE = (403, 404, 410)  # buckets without permission to list answer 403 for what they do not have
_ISSUERS_KEPT = 1024


class TiledReader:
    """Reads one log."""

    def __init__(self, log: CtLog, fetcher: Fetcher, now: datetime, issuers: MutableMapping[bytes, bytes]) -> None:
        """``now`` is the time of the poll that this reader is for; ``issuers`` keeps DER by fingerprint."""
        self._log = log
        self._fetcher = fetcher
        self._now = now
        self._issuers = issuers

    async def head(self) -> TreeHead:
        """The tree head in the checkpoint."""
        body = await self._get("checkpoint", _CHECKPOINT_LIMIT)
        return read_checkpoint(body, self._log.key, self._log.origin)

    async def frontier(self, size: int, head: TreeHead) -> Frontier:
        """The tree that the tiles of hashes show along its right edge."""
        nodes: tuple[bytes, ...] = ()
        level = 0
        while size >> _HEIGHT * level:
            hashes = await self._hashes(level, size >> _HEIGHT * level, head.size >> _HEIGHT * level)
            # The hashes of a tile are leaves to the levels above: what is complete among them is complete there.
            nodes = Frontier().extended(hashes).nodes + nodes
            level += 1
        return Frontier(size, nodes)

    async def entries(self, start: int, end: int, head: TreeHead) -> tuple[Entry, ...]:
        """Those of the entries that lie in one tile."""
        index, first = divmod(start, WIDTH)
        width = min(WIDTH, head.size - index * WIDTH)
        data, width = await self._tile("data", index, width)
        try:
            entries = read_tile(data, width)
        except EntryUnreadable as error:
            raise SignalFault(f"the data tile {index} cannot be read: {error}") from error
        return entries[first : min(end, head.size) - index * WIDTH]

    async def issuers(self, entry: Entry) -> tuple[bytes, ...]:
        """The certificates of these fingerprints, up to the first that the log does not have or gives another for."""
        found = []
        for fingerprint in entry.issuers:
            issuer = self._issuers.get(fingerprint)
            if issuer is None:
                try:
                    issuer = await self._get(f"issuer/{fingerprint.hex()}", _ISSUER_LIMIT)
                except Refused as refusal:
                    if refusal.status not in _GONE:
                        raise
                    break
                if hashlib.sha256(issuer).digest() != fingerprint:
                    break
                if len(self._issuers) >= _ISSUERS_KEPT:
                    self._issuers.clear()
                self._issuers[fingerprint] = issuer
            found.append(issuer)
        return tuple(found)

    async def _hashes(self, level: int, count: int, available: int) -> list[bytes]:
        """The last ``count`` mod 256 of the first ``count`` hashes of a level that has ``available``."""
        index, wanted = divmod(count, WIDTH)
        if not wanted:
            return []
        data, width = await self._tile(str(level), index, min(WIDTH, available - index * WIDTH))
        if len(data) != width * HASH_SIZE:
            raise SignalFault(f"the tile {index} of level {level} does not have {width} hashes")
        return [data[at : at + HASH_SIZE] for at in range(0, wanted * HASH_SIZE, HASH_SIZE)]

    async def _tile(self, level: str, index: int, width: int) -> tuple[bytes, int]:
        """A tile, and how wide it is: more than asked for where the log has only the full one by now."""
        path = f"tile/{level}/{tile_path(index)}"
        if width < WIDTH:
            try:
                return await self._get(f"{path}.p/{width}", _TILE_LIMIT), width
            except Refused as refusal:
                if refusal.status not in _GONE:
                    raise
        return await self._get(path, _TILE_LIMIT), WIDTH

    async def _get(self, path: str, limit: int) -> bytes:
        return (await ask(self._fetcher, f"{self._log.prefix}/{path}", limit=limit, now=self._now)).body


def tile_path(index: int) -> str:
    """The number of a tile as path: groups of three digits, all but the last marked with x (1234067: x001/x234/067)."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    return "/".join(reversed(groups))
