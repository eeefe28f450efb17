from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitord.pinning.merkle import Frontier, leaf_hash
from tests.support.merkle import Tree, hash_of_leaf

LEAVES = st.lists(st.binary(max_size=8), max_size=70)


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    """RFC 6962 section 2.1."""
    assert Frontier().root == hashlib.sha256(b"").digest()
    assert (Frontier().size, Frontier().nodes) == (0, ())


def test_leaves_and_nodes_are_hashed_apart() -> None:
    """With 0x00 and 0x01 in front, so that no node can be passed off as a leaf."""
    assert leaf_hash(b"") == hashlib.sha256(b"\0").digest()
    a, b = leaf_hash(b"a"), leaf_hash(b"b")
    assert Frontier().extended([a]).root == a
    assert Frontier().extended([a, b]).root == hashlib.sha256(b"\1" + a + b).digest()


def test_seven_leaves_are_hashed_as_in_the_standards_example() -> None:
    """The picture of RFC 6962 section 2.1.3: ((d0 d1) (d2 d3)) ((d4 d5) d6)."""
    leaves = [leaf_hash(bytes([number])) for number in range(7)]

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\1" + left + right).digest()

    four = node(node(leaves[0], leaves[1]), node(leaves[2], leaves[3]))
    two = node(leaves[4], leaves[5])
    tree = Frontier().extended(leaves)
    assert tree.nodes == (four, two, leaves[6])
    assert tree.root == node(four, node(two, leaves[6]))


@given(LEAVES)
def test_the_root_is_that_of_the_definition(leaves: list[bytes]) -> None:
    """Whatever the leaves: the edge alone knows what the recursive definition makes of them all."""
    hashes = [leaf_hash(leaf) for leaf in leaves]
    assert hashes == [hash_of_leaf(leaf) for leaf in leaves]
    assert Frontier().extended(hashes).root == Tree(hashes).root()


@given(LEAVES, st.integers(min_value=0))
def test_a_tree_may_be_extended_in_any_steps(leaves: list[bytes], cut: int) -> None:
    """A poll ends where it likes."""
    hashes = [leaf_hash(leaf) for leaf in leaves]
    middle = cut % (len(hashes) + 1)
    assert Frontier().extended(hashes[:middle]).extended(hashes[middle:]) == Frontier().extended(hashes)


@given(st.integers(min_value=1, max_value=300))
def test_the_audit_path_of_the_last_leaf_is_the_tree_before_it(size: int) -> None:
    """Which is how reading begins in the middle of a log that tells such paths (RFC 6962 section 2.1.1)."""
    hashes = [leaf_hash(bytes(str(number), "ascii")) for number in range(size)]
    path = Tree(hashes).path(size - 1, size)
    assert Frontier(size - 1, tuple(reversed(path))) == Frontier().extended(hashes[:-1])


@pytest.mark.parametrize(("size", "nodes"), [(-1, 0), (0, 1), (1, 0), (3, 1), (4, 2), (256, 8)])
def test_nodes_that_make_no_such_tree_are_refused(size: int, nodes: int) -> None:
    """There is one for each bit of the size."""
    with pytest.raises(ValueError, match="do not make a tree"):
        Frontier(size, (bytes(32),) * nodes)
