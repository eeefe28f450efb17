"""The outbox that goes on while the store refuses: alerts go out from memory, and the store is told afterwards.

1. The store leads. As long as it can be written, everything is claimed from it and every result noted in it.
2. If it has refused, or has not answered, for ``PATIENCE``, what can still be read of it is sent without a lease, and
   what has waited as long to be written is sent from the backlog. Both go with the ids that they have in the store, so
   that no receiver ever sees them under another; nothing is made a batch that is not one already.
3. What came of that is kept as reports. The store notes them in the very transaction in which it is next claimed from,
   whenever each message gets there, so that nothing is sent a second time. Only where monitord dies before that is it,
   with the same id.
4. The order of an incident holds throughout: a message waits until all before it are settled, wherever they are. If
   the store cannot even be read, only what begins an incident is sent, and what follows on it.
5. The end of an incident is sent only to whom its beginning was delivered.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from monitord.errors import MonitordError
from monitord.outbox import Claimed, Delivery, DeliveryState, Report, Result, reports, stands
from monitord.pinning.incident import IncidentState
from monitord.turns import Waiting, choose, first_in_line, turns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
    from datetime import datetime

    from monitord.notify.relay import Log
    from monitord.outbox import Message, Standing
    from monitord.turns import Gathering

    Line = tuple[str, str]

PATIENCE = timedelta(seconds=5)
_LEASE = timedelta(minutes=2)
_SOON = timedelta(seconds=1)
_SILENT = "the store does not answer; check the disk it is on"
_T = TypeVar("_T")


class Store(Protocol):
    """Where messages are kept. Each call may raise an error, or take for ever."""

    async def claim(
        self,
        limit: Mapping[str, int],
        now: datetime,
        *,
        others: int,
        gathering: Gathering | None,
        reported: Sequence[Report],
    ) -> Claimed:
        """Note what is reported, and lease what is due."""

    async def report(self, reported: Sequence[Report]) -> Collection[str]:
        """Note what is reported; the ids of the messages that are there."""

    async def peek(
        self, limits: Mapping[str, int], now: datetime, others: int, reported: Mapping[str, Report]
    ) -> list[Delivery]:
        """What could be claimed if these reports had been noted."""

    async def lines(self, incidents: Collection[str]) -> Sequence[Standing]:
        """How every message about these incidents stands."""

    async def release_leases(self, now: datetime) -> None:
        """Everything pending is due now."""

    async def hold(self, receiver: str, since: datetime, until: datetime) -> None:
        """Leave a receiver alone."""

    async def holds(self, now: datetime) -> Mapping[str, datetime]:
        """The receivers that are to be left alone."""


class StoreSilentError(MonitordError):
    """The store has not answered."""


class Standby:
    """The store's outbox as the relay sees it. All methods belong to one event loop."""

    def __init__(
        self,
        store: Store,
        unwritten: Callable[[], Iterable[Message]],
        log: Log,
        *,
        answers_within: timedelta = PATIENCE,
    ) -> None:
        """An outbox in front of ``store``; ``unwritten`` gives the messages that are not in it yet, in order.

        A store that does not answer within that time counts as one that refuses.
        """
        self._store = store
        self._unwritten = unwritten
        self._log = log
        self._answer_seconds = answers_within.total_seconds()
        self._reports: dict[str, Report] = {}
        self._claiming: tuple[asyncio.Task[Claimed], tuple[Report, ...]] | None = None
        self._late: set[asyncio.Task[Any]] = set()
        self._refusing_since: datetime | None = None

    async def claim(
        self, limits: Mapping[str, int], now: datetime, *, others: int, gathering: Gathering | None
    ) -> Claimed:
        """From the store, or while it refuses from what can be read of it, and from the backlog (rules 1, 2).

        Raises what the store raises as long as its refusal is young.
        """
        claimed = await self._claim_stored(limits, now, others, gathering)
        overdue = [message for message in self._unwritten() if not timedelta() <= now - message.created_at < PATIENCE]
        if not overdue:
            return claimed
        left = dict(limits)
        for delivery in claimed.deliveries:
            left[delivery.receiver] = left.get(delivery.receiver, others) - 1
        unstored = await self._claim_unwritten(overdue, left, others, now)
        soon = now + _SOON
        return Claimed([*claimed.deliveries, *unstored], min(claimed.next_due or soon, soon))

    async def settle(self, delivery: Delivery, result: Result) -> None:
        """Note what came of an attempt: in memory at once, and in the store as soon as that takes it."""
        self._remember(reports(delivery, result))
        if self._refusing_since is None and not self._late:
            await self._write_reports()

    async def finish(self) -> None:
        """Have the store note what it has not noted yet.

        What it does not take is logged: how many messages were sent that it does not know, and how many were not sent.
        """
        if self._reports:
            await self._write_reports()
        unsent = [message for message in self._unwritten() if not self._is_settled(message.id)]
        if self._reports or unsent:
            self._log.error("outbox_unwritten", unnoted=len(self._reports), unsent=len(unsent))

    async def release_leases(self, now: datetime) -> None:
        """Everything pending is due now. Raises what the store raises as long as its refusal is young."""
        try:
            await self._ask(lambda: self._store.release_leases(now))
        except Exception:
            if self._is_young_refusal(now):
                raise

    async def hold(self, receiver: str, since: datetime, until: datetime) -> None:
        """Remember that the receiver wants to be left alone."""
        await self._ask(lambda: self._store.hold(receiver, since, until))

    async def holds(self, now: datetime) -> Mapping[str, datetime]:
        """The receivers that want to be left alone, and until when; none while the store cannot tell."""
        return await self._read(lambda: self._store.holds(now)) or {}

    async def _claim_stored(
        self, limits: Mapping[str, int], now: datetime, others: int, gathering: Gathering | None
    ) -> Claimed:
        try:
            claimed = await self._claim_in_time(limits, now, others, gathering)
        except Exception:
            if self._is_young_refusal(now):
                raise
        else:
            self._refusing_since = None
            return claimed
        found = await self._read(lambda: self._store.peek(limits, now, others, self._reports)) or []
        for delivery in found:
            self._begin(delivery, now)
        return Claimed(found, now + _SOON)

    async def _claim_in_time(
        self, limits: Mapping[str, int], now: datetime, others: int, gathering: Gathering | None
    ) -> Claimed:
        """What the store gives. A claim that it answers late is not lost: the next one gets its answer."""
        if self._claiming is None:
            reported = tuple(self._reports.values())
            call = self._store.claim(limits, now, others=others, gathering=gathering, reported=reported)
            self._claiming = asyncio.create_task(call), reported
        task, reported = self._claiming
        await self._wait_for(task)
        self._claiming = None
        claimed = task.result()
        self._forget(claimed.noted, reported)
        # What was sent meanwhile without the store; the report of it is noted by the next claim.
        known = [one for one in claimed.deliveries if self._reports.keys().isdisjoint(one.messages)]
        return claimed._replace(deliveries=known)

    async def _claim_unwritten(
        self, overdue: Sequence[Message], limits: Mapping[str, int], others: int, now: datetime
    ) -> list[Delivery]:
        """Rules 4 and 5, for messages that the store does not have."""
        stored = await self._read(lambda: self._store.lines({message.incident for message in overdue}))
        lines = {(message.receiver, message.incident) for message in overdue}
        told: set[Line] = set()
        if stored is None:
            blocked = lines - {(one.receiver, one.incident) for one in overdue if one.number == 1}
        else:
            states = [((one.receiver, one.incident), one.firing, stands(one, self._reports)) for one in stored]
            blocked = {line for line, _, state in states if state is DeliveryState.PENDING}
            told = {line for line, firing, state in states if firing and state is DeliveryState.DELIVERED}
        written = {one.id for one in stored or ()}
        known = {message.id: message for message in overdue if message.id not in written}
        waiting = []
        for message in known.values():
            report = self._reports.get(message.id)
            if report is None or report.result.state is DeliveryState.PENDING:
                waiting.append(_waiting(message, report))
            elif report.result.state is DeliveryState.DELIVERED and _fires(message):
                told.add((message.receiver, message.incident))
        heads = [
            one
            for one in first_in_line(waiting)
            if (one.receiver, one.incident) not in blocked
            and (_fires(known[one.id]) or (one.receiver, one.incident) in told)
        ]
        given = []
        for turn in choose(turns(heads, None, {}), limits, others, now):
            (one,) = turn.messages
            body = known[one.id].body
            given.append(Delivery(one.id, one.receiver, one.incident, body, one.attempts, one.created_at))
            self._begin(given[-1], now)
        return given

    def _is_settled(self, message_id: str) -> bool:
        report = self._reports.get(message_id)
        return report is not None and report.result.state is not DeliveryState.PENDING

    def _begin(self, delivery: Delivery, now: datetime) -> None:
        """Lease what is given out without the store."""
        begun = reports(delivery, Result(DeliveryState.PENDING, now))
        self._remember(replace(report, lease_until=now + _LEASE) for report in begun)

    def _remember(self, news: Iterable[Report]) -> None:
        for report in news:
            known = self._reports.get(report.message)
            self._reports[report.message] = replace(report, begun_at=known.begun_at) if known else report

    async def _write_reports(self) -> None:
        """Have the store note the reports."""
        reported = tuple(self._reports.values())
        with contextlib.suppress(Exception):  # the next claim finds out, and says so
            self._forget(await self._ask(lambda: self._store.report(reported)), reported)

    def _forget(self, noted: Collection[str], reported: Iterable[Report]) -> None:
        """Drop the reports that were noted, unless there is newer news."""
        for report in reported:
            if report.message in noted and self._reports.get(report.message) is report:
                del self._reports[report.message]

    def _is_young_refusal(self, now: datetime) -> bool:
        """Whether the store, which has just refused or not answered, has only begun to."""
        if self._refusing_since is None:
            self._refusing_since = now
        return not self._late and timedelta() <= now - self._refusing_since < PATIENCE

    async def _read(self, call: Callable[[], Coroutine[Any, Any, _T]]) -> _T | None:
        """What the store answers; None if it cannot be read."""
        try:
            return await self._ask(call)
        except Exception:  # noqa: BLE001 - whatever it is, alerts go on without it
            return None

    async def _ask(self, call: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """What the store answers in time; not asked while it still owes an answer."""
        if self._late:
            raise StoreSilentError(_SILENT)
        task = asyncio.create_task(call())
        await self._wait_for(task)
        return task.result()

    async def _wait_for(self, task: asyncio.Task[Any]) -> None:
        """Wait for an answer of the store, but not for ever."""
        await asyncio.wait({task}, timeout=0 if self._late else self._answer_seconds)
        if not task.done():
            self._late.add(task)
            task.add_done_callback(self._answered)
            raise StoreSilentError(_SILENT)

    def _answered(self, task: asyncio.Task[Any]) -> None:
        self._late.discard(task)
        if not task.cancelled():
            task.exception()  # or Python complains that nobody looked


def _fires(message: Message) -> bool:
    return bool(message.body["data"]["state"] == IncidentState.FIRING)


def _waiting(message: Message, report: Report | None) -> Waiting:
    """A message that the store does not have, as it waits according to the last report."""
    fresh = Waiting(
        message.id, message.receiver, message.incident, message.number, message.created_at, message.created_at
    )
    if report is None:
        return fresh
    due_at = report.result.next_attempt_at or fresh.due_at
    return replace(fresh, due_at=due_at, attempts=report.attempts, lease_until=report.lease_until)
