"""One log, read on from where it stands: its tree head, the entries since, and the proof that they are the log's.

1. The tree head: signed, not smaller than the one before, the same root at the same size. Else a fault, and nothing
   of the answer is used. One that was signed earlier is no news: caches and mirrors lag behind.
2. A log that is new begins at its end. One that is hopelessly behind goes on near its end, with a fault that says
   how many entries nobody looks at.
3. The entries in portions, up to the limit of the poll; of those that may cover a registered name the issuers too.
   A portion that fails is read again at the next poll; what came before it counts.
4. Where the end is reached, the hash of all entries must be the root that the log signed. If it is not, the log
   showed entries that it does not have or kept some back: a fault, what was found since is not used, and reading goes
   back to the last place that was confirmed. Entries of a poll that ends before the end are used unconfirmed, because
   a warning must not wait for a backlog; the same check reaches them when the end is reached.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from monitord.pinning.merkle import leaf_hash
from monitord.pinning.treehead import LogKeyUnusable
from monitord.signals.asking import join
from monitord.signals.ct.asking import Refused
from monitord.signals.ct.found import EntryUnfit, check_precertificate, learned_of, read_chain
from monitord.signals.source import SignalFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitord.config.signals import CtLog
    from monitord.pinning.merkle import Frontier
    from monitord.pinning.treehead import TreeHead
    from monitord.signals.ct.entries import Entry
    from monitord.signals.ct.log import Limits, Reader
    from monitord.signals.ct.place import Place
    from monitord.signals.ct.watched import Watched
    from monitord.signals.source import Learned

_BEHIND = timedelta(seconds=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Course:
    """The reading of one log, under way."""

    log: CtLog
    reader: Reader
    place: Place
    learned: list[Learned] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def note(self, fault: object) -> None:
        self.faults.append(f"{self.log.label}: {fault}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reading of every log in a poll has in common.

    ``interval`` is the time between two questions to a log that has been read to its end. ``expired`` says whether the
    time of the poll is used up.
    """

    watched: Watched
    now: datetime
    interval: timedelta
    limits: Limits
    expired: Callable[[], bool]

    async def read(self, log: CtLog, reader: Reader, place: Place) -> tuple[Place, list[Learned]]:
        """Read on from ``place``: where it stands then, and what was learned. Never raises for what the log does."""
        course = _Course(log, reader, place)
        due = self.now + self.interval
        try:
            if await self._read(course):
                due = self.now + min(_BEHIND, self.interval)
        except (SignalFault, LogKeyUnusable) as fault:
            course.note(fault)
            if isinstance(fault, Refused) and fault.wait is not None:
                due = max(due, self.now + fault.wait)
        return replace(course.place, due=due, faults=join(course.faults)), course.learned

    async def _read(self, course: _Course) -> bool:
        """Read on; whether there is more to read."""
        before = course.place
        head = _newer(before.head, await course.reader.head())
        self._note_silence(course, head)
        position = before.position
        if before.head is None:
            position = max(0, head.size - self.limits.lookback)
        elif head.size - position > self.limits.backlog:
            position = max(position, head.size - self.limits.entries)
            course.note(
                f"{head.size - before.position} entries behind, more than can be read up; "
                f"{position - before.position} of them are skipped, and certificates in them will not be noticed"
            )
        course.place = replace(before, head=head)
        if before.tree is None or position != before.position:
            tree = await self._tree(course, position, head)
            course.place = replace(course.place, position=position, tree=tree, proven=None)
        await self._read_entries(course, head)
        _require_proof(before, head, course)
        return course.place.position < head.size

    async def _tree(self, course: _Course, position: int, head: TreeHead) -> Frontier | None:
        """The tree of all entries before ``position``; None, and a fault, if the log does not tell."""
        try:
            return await course.reader.frontier(position, head)
        except SignalFault as fault:
            course.note(f"{fault}; its entries are read without proof that they are in its tree")
            return None

    async def _read_entries(self, course: _Course, head: TreeHead) -> None:
        unread: list[str] = []
        end = min(head.size, course.place.position + self.limits.entries)
        try:
            while course.place.position < end and not self.expired():
                await self._read_portion(course, end, head, unread)
        finally:
            if unread:
                course.note(unread[0] + (f", and {len(unread) - 1} more like it" if len(unread) > 1 else ""))

    async def _read_portion(self, course: _Course, end: int, head: TreeHead, unread: list[str]) -> None:
        place = course.place
        entries = await course.reader.entries(place.position, end, head)
        if not entries:
            raise SignalFault(f"it gives no entry {place.position}, which its tree head says it has")
        learned: list[Learned] = []
        for index, entry in enumerate(entries, place.position):
            try:
                learned += await self._examined(course, entry, index)
            except EntryUnfit as error:
                unread.append(f"entry {index} cannot be used: {error}")
        tree = place.tree.extended(leaf_hash(entry.leaf) for entry in entries) if place.tree is not None else None
        course.place = replace(place, position=place.position + len(entries), tree=tree)
        course.learned += learned

    async def _examined(self, course: _Course, entry: Entry, index: int) -> list[Learned]:
        if entry.fault is not None:
            raise EntryUnfit(entry.fault)
        if not self.watched.may_name(entry.signed):
            return []
        chain = read_chain(entry.certificate, await course.reader.issuers(entry))
        if entry.precertificate is not None:
            check_precertificate(chain, entry.precertificate)
        where = f"Certificate Transparency log {course.log.label}, entry {index}"
        return learned_of(chain, self.watched, self.now, where)

    def _note_silence(self, course: _Course, head: TreeHead) -> None:
        """A fault for a log that signs nothing new: it is broken, or what we see of it is not what others see."""
        signed = _EPOCH + timedelta(milliseconds=min(head.timestamp, 2**47))
        if head.timestamp and not course.log.frozen and self.now - signed > self.limits.stale:
            course.note(f"it has signed no tree head since {signed:%Y-%m-%d %H:%M} UTC")


def _newer(before: TreeHead | None, head: TreeHead) -> TreeHead:
    """The later of the tree head before and the one that the log shows. Raises SignalFault where both cannot be true.

    Which is the later one can be told only where their timestamps are known.
    """
    if before is None:
        return head
    if head.size == before.size and head.root != before.root:
        raise SignalFault(f"it gives two different roots for {head.size} entries, which no honest log does")
    if head.size <= before.size and 0 < head.timestamp < before.timestamp:
        return before
    if head.size < before.size:
        raise SignalFault(f"its tree has shrunk from {before.size} to {head.size} entries, which no honest log's does")
    return head


def _require_proof(before: Place, head: TreeHead, course: _Course) -> None:
    """Confirm all that was read, if it was read to the end; else undo it, back to what was confirmed before."""
    tree = course.place.tree
    if tree is None or tree.size != head.size:
        return
    if tree.root == head.root:
        course.place = replace(course.place, proven=tree)
        return
    course.learned.clear()
    if before.proven is not None:
        course.place = replace(before, position=before.proven.size, tree=before.proven)
    else:
        course.place = replace(before, tree=None)
    raise SignalFault("its entries do not hash to the root that it gives; they are not used, and will be read again")
