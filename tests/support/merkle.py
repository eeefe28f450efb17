"""The Merkle tree of RFC 6962 section 2.1, as its definition has it: recursive, of the list of all leaves."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Tree:
    """The tree over these leaves, given as the hash of each; subtrees are computed once."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        """All leaves; they may not change afterwards."""
        self._hashes = tuple(hashes)
        self.root_of = cache(self._root_of)

    def root(self, size: int | None = None) -> bytes:
        """MTH(D[0:size])."""
        return self.root_of(0, len(self._hashes) if size is None else size)

    def path(self, index: int, size: int) -> list[bytes]:
        """PATH(index, D[0:size]) of section 2.1.1."""
        return self._path(index, 0, size)

    def _root_of(self, start: int, end: int) -> bytes:
        if end == start:
            return hashlib.sha256(b"").digest()
        if end - start == 1:
            return self._hashes[start]
        middle = start + _largest_power_below(end - start)
        return hashlib.sha256(b"\1" + self.root_of(start, middle) + self.root_of(middle, end)).digest()

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start <= 1:
            return []
        middle = start + _largest_power_below(end - start)
        if start + index < middle:
            return [*self._path(index, start, middle), self.root_of(middle, end)]
        return [*self._path(start + index - middle, middle, end), self.root_of(start, middle)]


def hash_of_leaf(entry: bytes) -> bytes:
    """The hash of one leaf."""
    return hashlib.sha256(b"\0" + entry).digest()


def _largest_power_below(number: int) -> int:
    return 1 << (number - 1).bit_length() - 1
