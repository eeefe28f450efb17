"""OCSP: the responders that served certificates name are asked about just these.

Few certificates still name one (Let's Encrypt's do not since 2025); where there is none, nothing is asked. "unknown"
and every failure are faults: neither calms anybody, nor is it a revocation.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from monitord.pinning.ocsp import Status, read_answer, request_about, responders
from monitord.pinning.revocation import RevocationUnclear, Revoked
from monitord.signals.asking import MOST_FAULTS, ask_by_server, due_after, is_due, join, next_time, unused
from monitord.signals.fetch import origin_of
from monitord.signals.revocable import find_revocable, outdated, show, tell
from monitord.signals.source import Poll, SourceName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from monitord.pinning.trust import TrustStore
    from monitord.signals.fetch import Fetcher
    from monitord.signals.revocable import Revocable
    from monitord.signals.source import Subject

_AT_ONCE = 4
_LARGEST = 64 * 1024
_LONGEST_GET = 255  # of the encoded question (RFC 5019 section 5)
_ANSWER = "answer:"


@dataclass(slots=True)
class _Enquiry:
    """A certificate whose responder is asked, and what is noted of it."""

    subject: Revocable
    urls: tuple[str, ...]
    due: datetime | None = None
    failures: int = 0
    revoked: Revoked | None = None
    fault: str | None = None
    asked: bool = False

    @property
    def url(self) -> str:
        """The responder to ask: another one after a failure, if the certificate names several."""
        return self.urls[self.failures % len(self.urls)]

    @property
    def title(self) -> str:
        """What is asked for, for people."""
        return f"the answer of {origin_of(self.url)} about {show(self.subject.certificate)}"

    def fail(self, due: datetime, fault: str | None) -> None:
        """Note that there was no answer; what was known before stays."""
        self.due, self.failures, self.fault, self.asked = due, self.failures + 1, fault, True

    def write(self) -> dict[str, Any]:
        """What to note of it."""
        return {
            "due": self.due.isoformat() if self.due else None,
            "failures": self.failures,
            "fault": self.fault,
            "revoked": [self.revoked.at.isoformat(), self.revoked.reason] if self.revoked else None,
        }


class OcspSource:
    """The OCSP responders of the certificates that endpoints serve."""

    name = SourceName.OCSP

    def __init__(
        self,
        fetcher: Fetcher,
        stores: Callable[[], Mapping[str, TrustStore]],
        *,
        every: timedelta = timedelta(hours=6),
    ) -> None:
        """``stores`` are the trust stores in use."""
        self._fetcher = fetcher
        self._stores = stores
        self._every = every

    async def poll(self, subjects: Sequence[Subject], state: Mapping[str, Any], now: datetime) -> Poll:
        """Ask about the certificates that are due, and tell which are revoked."""
        revocables = await asyncio.to_thread(find_revocable, subjects, tuple(self._stores().values()), now)
        enquiries, notes, faults = self._sort(revocables, state, now)
        due = [one for one in enquiries if is_due(one.due, now, self._every)]
        await ask_by_server(due, lambda one: self._ask(one, now), now, self._every, at_once=_AT_ONCE)
        notes |= {_ANSWER + one.subject.key: one.write() for one in due if one.asked}
        revoked = {one.subject.key: one.revoked for one in enquiries if one.revoked}
        learned, told = tell(revocables, revoked, state, now, "OCSP")
        notes |= told
        # As for lists: what fails still is said again whenever anything is said.
        faults = [*faults, *(one.fault for one in enquiries if one.fault)] if notes else []
        notes |= outdated(state, {subject.target.host for subject in subjects}, now)
        next_at = next_time([one.due for one in enquiries], now, self._every)
        return Poll(next_at, learned, unused(state, (_ANSWER,), now, self._every) | notes, join(faults, MOST_FAULTS))

    def _sort(
        self, revocables: Sequence[Revocable], state: Mapping[str, Any], now: datetime
    ) -> tuple[list[_Enquiry], dict[str, Any], list[str]]:
        """What could be asked; new notes and the faults of certificates whose responder cannot be read."""
        enquiries: list[_Enquiry] = []
        notes: dict[str, Any] = {}
        faults: list[str] = []
        for one in revocables:
            noted = state.get(_ANSWER + one.key, {})
            try:
                urls = responders(one.certificate)
            except RevocationUnclear as error:
                faults.append(f"{show(one.certificate)} {error}")
                if is_due(noted.get("due"), now, self._every):
                    notes[_ANSWER + one.key] = {"due": (now + self._every).isoformat()}
                continue
            if urls:
                due, revoked = noted.get("due"), noted.get("revoked")
                enquiries.append(
                    _Enquiry(
                        one,
                        urls,
                        datetime.fromisoformat(due) if due else None,
                        noted.get("failures", 0),
                        Revoked(datetime.fromisoformat(revoked[0]), revoked[1]) if revoked else None,
                        noted.get("fault"),
                    )
                )
        return enquiries, notes, faults

    async def _ask(self, one: _Enquiry, now: datetime) -> None:
        """Ask one responder. Raises FetchFault, and RevocationUnclear where the answer is of no use."""
        certificate, issuer = one.subject.certificate, one.subject.issuer
        question = request_about(certificate, issuer)
        encoded = quote(base64.b64encode(question), safe="")
        if len(encoded) <= _LONGEST_GET:
            answer = await self._fetcher.get(f"{one.url.rstrip('/')}/{encoded}", limit=_LARGEST)
        else:
            headers = {"content-type": "application/ocsp-request"}
            answer = await self._fetcher.post(one.url, question, limit=_LARGEST, headers=headers)
        if answer.status != HTTPStatus.OK:
            raise RevocationUnclear(f"is no answer: status {answer.status}")
        found = read_answer(answer.body, certificate, issuer, now)
        if found.status is Status.UNKNOWN:
            raise RevocationUnclear('is "unknown": the responder does not know the certificate')
        one.revoked = found.revoked
        one.due, one.failures, one.fault, one.asked = due_after(found.until, now, self._every), 0, None, True
