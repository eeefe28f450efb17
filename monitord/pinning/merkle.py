"""The Merkle tree of RFC 6962 section 2.1, kept as its right edge: enough to append leaves and to know the root."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\0" + entry).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of ``size`` leaves as the roots of the complete subtrees that it consists of, the largest first.

    There is one node for each bit that is set in ``size``.
    """

    size: int = 0
    nodes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError where the nodes cannot be those of a tree of this size."""
        if self.size < 0 or len(self.nodes) != self.size.bit_count():
            raise ValueError(f"{len(self.nodes)} nodes do not make a tree of {self.size} leaves")

    def extended(self, hashes: Iterable[bytes]) -> Frontier:
        """The tree with these hashes of leaves behind those that it has."""
        size, nodes = self.size, list(self.nodes)
        for added in hashes:
            node = added
            complete = size
            while complete & 1:
                node = _inner(nodes.pop(), node)
                complete >>= 1
            nodes.append(node)
            size += 1
        return Frontier(size, tuple(nodes))

    @property
    def root(self) -> bytes:
        """The Merkle Tree Hash."""
        if not self.nodes:
            return hashlib.sha256().digest()
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = _inner(node, root)
        return root


def _inner(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()
