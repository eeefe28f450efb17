"""Where the reading of a log stands, as it is kept between polls and over restarts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from monitord.pinning.merkle import Frontier
from monitord.pinning.treehead import HASH_SIZE, TreeHead
from monitord.signals.ct.asking import LONGEST_WAIT

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Place:
    """How far a log has been read.

    ``head`` is the last tree head that was accepted, ``position`` the number of the next entry. ``tree`` is the tree
    of all entries before ``position``, as far as it is known; ``proven`` the latest such tree that a tree head has
    confirmed. ``due`` is when the log is asked again, ``faults`` what was wrong when it was asked last.
    """

    due: datetime
    head: TreeHead | None = None
    position: int = 0
    tree: Frontier | None = None
    proven: Frontier | None = None
    faults: tuple[str, ...] = ()

    def is_due(self, now: datetime) -> bool:
        """Whether to ask now. A time that no server may ask us to wait for is that of a clock that went wrong."""
        return self.due <= now or self.due > now + 2 * LONGEST_WAIT

    def to_state(self) -> dict[str, Any]:
        """As JSON."""
        head = self.head
        return {
            "due": self.due.isoformat(),
            "head": [head.size, head.root.hex(), head.timestamp] if head else None,
            "position": self.position,
            "tree": _nodes(self.tree),
            "proven": _nodes(self.proven),
            "faults": list(self.faults),
        }


def place_from(state: Mapping[str, Any]) -> Place:
    """The place that ``to_state`` wrote. Raises ValueError for anything else."""
    try:
        due = datetime.fromisoformat(state["due"])
        if due.utcoffset() != timedelta():
            raise ValueError("a time without its zone")
        head = None
        if state["head"] is not None:
            size, root, timestamp = state["head"]
            head = TreeHead(_natural(size), _hash(root), _natural(timestamp))
        position, tree, proven = _natural(state["position"]), _frontier(state["tree"]), _frontier(state["proven"])
        place = Place(due, head, position, tree, proven, tuple(map(str, state["faults"])))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("not a place in a log") from error
    if place.position > (head.size if head else 0) or (tree and tree.size != position):
        raise ValueError("a place that contradicts itself")
    if proven and proven.size > position:
        raise ValueError("a place that contradicts itself")
    return place


def _nodes(tree: Frontier | None) -> list[Any] | None:
    return None if tree is None else [tree.size, *(node.hex() for node in tree.nodes)]


def _frontier(value: Any) -> Frontier | None:  # noqa: ANN401 - whatever was in the state
    if value is None:
        return None
    size, *nodes = value
    return Frontier(_natural(size), tuple(_hash(node) for node in nodes))


def _natural(value: Any) -> int:  # noqa: ANN401
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("not a natural number")
    return value


def _hash(text: Any) -> bytes:  # noqa: ANN401
    value = bytes.fromhex(text)
    if len(value) != HASH_SIZE:
        raise ValueError("not a hash")
    return value
