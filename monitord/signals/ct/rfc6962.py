"""Logs by the interface of RFC 6962 section 4: ``get-sth``, ``get-entries``, ``get-entry-and-proof``."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from monitord.pinning.merkle import Frontier, leaf_hash
from monitord.pinning.treehead import HASH_SIZE, TreeHead
from monitord.signals.ct.asking import Refused, ask
from monitord.signals.ct.entries import Entry, read_entry
from monitord.signals.ct.treehead import read_signed_tree_head
from monitord.signals.source import SignalFault

if TYPE_CHECKING:
    from datetime import datetime

    from monitord.config.signals import CtLog
    from monitord.signals.fetch import Fetcher

# Servers give fewer if they like (RFC 6962 section 4.6); many give 32 or 256.
_BATCH = 256
_HEAD_LIMIT, _PROOF_LIMIT, _ENTRIES_LIMIT = 64 * 1024, 1024 * 1024, 32 * 1024 * 1024


class Rfc6962Reader:
    """Reads one log."""

    def __init__(self, log: CtLog, fetcher: Fetcher, now: datetime) -> None:
        """``now`` is the time of the poll that this reader is for."""
        self._log = log
        self._fetcher = fetcher
        self._now = now

    async def head(self) -> TreeHead:
        """The signed tree head."""
        return read_signed_tree_head(await self._get("get-sth", _HEAD_LIMIT), self._log.key)

    async def frontier(self, size: int, head: TreeHead) -> Frontier | None:  # noqa: ARG002 - the interface's
        """The tree that the last entry's audit path shows; None where the log refuses to give one, as some do.

        The path of the last entry of a tree (RFC 6962 section 2.1.1) consists of the complete subtrees before it.
        """
        if not size:
            return Frontier()
        try:
            body = await self._get(f"get-entry-and-proof?leaf_index={size - 1}&tree_size={size}", _PROOF_LIMIT)
        except Refused:
            return None
        try:
            answer = json.loads(body)
            leaf = base64.b64decode(answer["leaf_input"], validate=True)
            path = [base64.b64decode(node, validate=True) for node in answer["audit_path"]]
            if any(len(node) != HASH_SIZE for node in path):
                raise ValueError("not hashes")
            before = Frontier(size - 1, tuple(reversed(path)))
        except (ValueError, TypeError, KeyError, RecursionError):
            raise SignalFault("the proof of its last entry cannot be read") from None
        return before.extended([leaf_hash(leaf)])

    async def entries(self, start: int, end: int, head: TreeHead) -> tuple[Entry, ...]:  # noqa: ARG002
        """As many of the entries as the server cares to give."""
        wanted = min(end - start, _BATCH)
        body = await self._get(f"get-entries?start={start}&end={start + wanted - 1}", _ENTRIES_LIMIT)
        try:
            given = [
                (
                    base64.b64decode(one["leaf_input"], validate=True),
                    base64.b64decode(one["extra_data"], validate=True),
                )
                for one in json.loads(body)["entries"][:wanted]
            ]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise SignalFault(f"the entries from {start} cannot be read") from None
        if not given:
            raise SignalFault(f"it gives no entry {start}, which its tree head says it has")
        return tuple(read_entry(leaf, extra) for leaf, extra in given)

    async def issuers(self, entry: Entry) -> tuple[bytes, ...]:
        """Those that came with the entry."""
        return entry.issuers

    async def _get(self, path: str, limit: int) -> bytes:
        answer = await ask(self._fetcher, f"{self._log.prefix}/ct/v1/{path}", limit=limit, now=self._now)
        return answer.body
