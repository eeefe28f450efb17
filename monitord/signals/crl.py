"""Revocation lists: fetched from where the served certificates say that they are, and read for just those.

1. Every certificate on a trusted path is a question to the list that it names; to the next one that it names where the
   first failed before.
2. A list is fetched once for all certificates that name it: daily, sooner when it announces the next one, never within
   the hour. Where no certificate was added, the server may say that nothing is new and save the transfer (304).
3. What a list says of these certificates is noted, the list itself is not kept.
4. A server that cannot be reached is not asked for its other lists in the same poll.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from monitord.pinning.report import timestamp
from monitord.pinning.revocation import Question, RevocationUnclear, distribution_points, look_up
from monitord.signals.asking import MOST_FAULTS, ask_by_server, due_after, is_due, join, next_time, unused
from monitord.signals.listing import Listing
from monitord.signals.revocable import find_revocable, outdated, show, tell
from monitord.signals.source import Poll, SourceName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from monitord.pinning.trust import TrustStore
    from monitord.signals.fetch import Answer, Fetcher
    from monitord.signals.revocable import Revocable
    from monitord.signals.source import Subject

LARGEST = 64 * 1024 * 1024
"""In bytes; lists of well-known CAs have reached half of it."""
_AT_ONCE = 2
_MOST_PLACES = 4
_LIST, _NONE = "list:", "none:"


class CrlSource:
    """The revocation lists of the certificates that endpoints serve."""

    name = SourceName.CRL

    def __init__(
        self,
        fetcher: Fetcher,
        stores: Callable[[], Mapping[str, TrustStore]],
        *,
        every: timedelta = timedelta(days=1),
        limit: int = LARGEST,
    ) -> None:
        """``stores`` are the trust stores in use, ``limit`` is the size of a list in bytes."""
        self._fetcher = fetcher
        self._stores = stores
        self._every = every
        self._limit = limit

    async def poll(self, subjects: Sequence[Subject], state: Mapping[str, Any], now: datetime) -> Poll:
        """Fetch the lists that are due, and tell which of the certificates they revoke."""
        revocables = await asyncio.to_thread(find_revocable, subjects, tuple(self._stores().values()), now)
        lists, notes, faults = self._sort(revocables, state, now)
        due = [one for one in lists if one.is_due(now, self._every)]
        await ask_by_server(due, lambda one: self._ask(one, now), now, self._every, at_once=_AT_ONCE)
        notes |= {_LIST + one.url: one.write() for one in due if one.asked}
        revoked = {key: found for one in lists for key, found in one.answers()}
        learned, told = tell(revocables, revoked, state, now, "CRL")
        notes |= told
        # What fails still is said again whenever anything is said, so that one good list does not make up for it.
        faults = [*faults, *(fault for one in lists for fault in one.faults)] if notes else []
        notes |= outdated(state, {subject.target.host for subject in subjects}, now)
        next_at = next_time([one.due for one in lists], now, self._every)
        return Poll(
            next_at, learned, unused(state, (_LIST, _NONE), now, self._every) | notes, join(faults, MOST_FAULTS)
        )

    def _sort(
        self, revocables: Sequence[Revocable], state: Mapping[str, Any], now: datetime
    ) -> tuple[list[Listing], dict[str, Any], list[str]]:
        """The lists that certificates name; new notes and the faults of certificates that name none to go by."""
        lists: dict[str, Listing] = {}
        notes: dict[str, Any] = {}
        faults: list[str] = []
        for one in revocables:
            try:
                points = distribution_points(one.certificate)
            except RevocationUnclear as error:
                faults.append(f"{show(one.certificate)} {error}")
                if is_due(state.get(_NONE + one.key, {}).get("due"), now, self._every):
                    notes[_NONE + one.key] = {"due": (now + self._every).isoformat()}
                continue
            places = [(url, point.names) for point in points for url in point.urls][:_MOST_PLACES]
            if places:
                sound = [place for place in places if not state.get(_LIST + place[0], {}).get("failures")]
                url, names = (sound or places)[0]
                if url not in lists:
                    lists[url] = Listing.read(url, state.get(_LIST + url))
                lists[url].questions[one.key] = Question(one.certificate, one.issuer, names)
        return list(lists.values()), notes, faults

    async def _ask(self, one: Listing, now: datetime) -> None:
        """Fetch one list and read it. Raises FetchFault, and RevocationUnclear where all of it is of no use."""
        answer = await self._fetcher.get(one.url, limit=self._limit, headers=one.conditions)
        if answer.status == HTTPStatus.NOT_MODIFIED and one.until is not None:
            if one.until < now:
                raise RevocationUnclear(f"expired at {timestamp(one.until)}, and there is no newer one")
            one.renew(due_after(one.until, now, self._every))
            return
        if answer.status != HTTPStatus.OK:
            raise RevocationUnclear(f"cannot be had: status {answer.status}")
        # In a thread: a large list takes a second, and probes must not wait for it.
        found = await asyncio.to_thread(look_up, answer.body, tuple(one.questions.values()), now)
        one.take_in(found, _validators(answer), due_after(found.until, now, self._every))


def _validators(answer: Answer) -> dict[str, str]:
    """What a later request may be conditional on (RFC 9110 section 13.1)."""
    return {
        condition: answer.headers[header]
        for condition, header in (("if-none-match", "etag"), ("if-modified-since", "last-modified"))
        if header in answer.headers
    }
