"""Source: a service that searches Certificate Transparency by name, in the form of SSLMate's CT Search API (v1)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import nsmallest
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from monitord.signals.ct.asking import LONGEST_WAIT, Refused, ask, retry_after
from monitord.signals.ct.found import EntryUnfit, learned_of, read_chain
from monitord.signals.ct.watched import Watching
from monitord.signals.fetch import origin_of
from monitord.signals.source import Poll, SignalFault, SourceName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitord.config.secret import Secret
    from monitord.pinning.certificate import Certificate
    from monitord.signals.ct.watched import Watched
    from monitord.signals.fetch import Fetcher
    from monitord.signals.source import Learned, Subject

_LIMIT = 32 * 1024 * 1024
_MOST_ISSUANCES = 10_000
_LONGEST_ID = 200
_NAME, _PAUSE = "name:", "pause"
_EXPANDED = ("dns_names", "issuer", "cert_der")
_UNAUTHORIZED, _PAYMENT, _FORBIDDEN, _TOO_MANY, _SERVER_FAULT = 401, 402, 403, 429, 500
_WHEN_REFUSED = dict.fromkeys((_UNAUTHORIZED, _PAYMENT, _FORBIDDEN, _TOO_MANY), timedelta(hours=1))
_WHEN_BROKEN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where the search for a name stands: the last issuance that was read, if any, and when to ask again."""

    due: datetime
    after: str | None = None

    def to_state(self) -> dict[str, Any]:
        return {"due": self.due.isoformat(), "after": self.after}


class SearchSource:
    """Asks for the certificates that were issued for each registered name, and tells those that have not expired.

    A name that is new is asked for from the beginning: what the service returns are the issuances that are still
    valid. From then on only what came after. One request is made in a poll, for the name that waits longest, and
    ``pace`` lies between two, so that any number of names is spread over time; one that has more to tell is asked
    again in its turn. Addresses and names of one label are not asked for, because no public certificate has them.

    The service gives the certificate, or the precertificate where the certificate was not logged, without its
    issuers: the chain is the leaf alone. What a certificate covers is read from itself, not from the answer around it.
    """

    def __init__(
        self,
        url: str,
        fetcher: Fetcher,
        *,
        token: Secret | None = None,
        interval: timedelta = timedelta(hours=6),
        pace: timedelta = timedelta(seconds=40),
    ) -> None:
        """``url`` is that of the issuances; ``interval`` the time between two looks for a name."""
        self._url = url
        self._fetcher = fetcher
        self._token = token
        self._interval = interval
        self._pace = pace
        self._watching = Watching()

    @property
    def name(self) -> SourceName:
        """That of the search."""
        return SourceName.CT_SEARCH

    async def poll(self, subjects: Sequence[Subject], state: Mapping[str, Any], now: datetime) -> Poll:
        """Ask for the name that waits longest, if one is due and the service may be asked."""
        watched = await self._watching(subjects)
        agenda = await asyncio.to_thread(_agenda, watched, state, now)
        forgotten = dict.fromkeys(agenda.forgotten)
        if agenda.key is None:
            return Poll(now + self._interval, state=forgotten)
        pause = _time(state.get(_PAUSE), now)
        if pause > now or agenda.cursor.due > now:
            return Poll(max(pause, agenda.cursor.due), state=forgotten)
        done = await self._search(agenda.name, agenda.cursor, watched, now)
        next_at = max(done.pause, min(done.cursor.due, agenda.others_due), now + self._pace)
        kept = {agenda.key: done.cursor.to_state(), _PAUSE: done.pause.isoformat() if done.pause > now else None}
        if state.get(_PAUSE) is None and kept[_PAUSE] is None:
            del kept[_PAUSE]
        return Poll(next_at, tuple(done.learned), forgotten | kept, tuple(done.faults))

    async def _search(self, name: str, cursor: _Cursor, watched: Watched, now: datetime) -> _Searched:
        done = _Searched(_Cursor(now + self._interval, cursor.after), now, [], [])
        where = origin_of(self._url)
        try:
            answer = await ask(self._fetcher, self._address(name, cursor), limit=_LIMIT, now=now, headers=self._headers)
            issuances = _issuances(answer.body, where)
        except Refused as refusal:
            self._note_refusal(refusal, name, cursor, done, now)
            return done
        except SignalFault as fault:
            done.faults.append(f"the search for certificates: {fault}")
            done.cursor, done.pause = _Cursor(now, cursor.after), now + _WHEN_BROKEN
            return done
        unread = 0
        for issuance in issuances:
            try:
                found = _certificate(issuance)
            except EntryUnfit:
                unread += 1
                continue
            done.learned += learned_of((found,), watched, now, f"Certificate Transparency, by the search at {where}")
        if unread:
            done.faults.append(f"{where} gave {unread} certificates for {name} that cannot be read")
        last = _identifier(issuances[-1], where) if issuances else cursor.after
        if last != cursor.after:
            done.cursor = _Cursor(now, last)
        else:
            wait = retry_after(answer.headers, now) or timedelta()
            done.cursor = _Cursor(now + max(self._interval, wait), last)
        return done

    def _note_refusal(self, refusal: Refused, name: str, cursor: _Cursor, done: _Searched, now: datetime) -> None:
        """What to do about an answer with another status: leave the service alone, or only not ask for this name."""
        pause = _WHEN_REFUSED.get(refusal.status)
        if pause is None and refusal.status < _SERVER_FAULT:
            done.faults.append(f"the search for certificates of {name}: {refusal}")
            # From the beginning: it may be the last issuance that the service no longer knows.
            done.cursor = _Cursor(now + max(self._interval, refusal.wait or timedelta()))
            return
        done.faults.append(f"the search for certificates: {refusal}{self._advice(refusal.status)}")
        # Behind the names that wait already: it may be this one that the service cannot answer about.
        done.cursor, done.pause = _Cursor(now, cursor.after), now + (refusal.wait or pause or _WHEN_BROKEN)

    def _advice(self, status: int) -> str:
        if status == _TOO_MANY:
            return "" if self._token else "; with a token it may be asked more often"
        if status in _WHEN_REFUSED:
            return "; check the token" if self._token else "; it wants a token"
        return ""

    def _address(self, name: str, cursor: _Cursor) -> str:
        query = [("domain", name), ("include_subdomains", "false"), ("match_wildcards", "true")]
        query += [("expand", field) for field in _EXPANDED]
        if cursor.after is not None:
            query.append(("after", cursor.after))
        return f"{self._url}{'&' if '?' in self._url else '?'}{urlencode(query)}"

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token.reveal()}"} if self._token else {}


@dataclass(slots=True)
class _Searched:
    """What a search came to; the service as a whole is not asked again before ``pause``."""

    cursor: _Cursor
    pause: datetime
    learned: list[Learned]
    faults: list[str]


@dataclass(frozen=True, slots=True)
class _Agenda:
    """Whose turn it is.

    The name that waits longest, under its key, None where there is none; when the first other name is due; and the keys
    of names that are no longer registered.
    """

    key: str | None
    name: str
    cursor: _Cursor
    others_due: datetime
    forgotten: tuple[str, ...]


def _agenda(watched: Watched, state: Mapping[str, Any], now: datetime) -> _Agenda:
    names = {_key(name): name for name in watched.dns_names if "." in name}
    forgotten = tuple(key for key in state if key.startswith(_NAME) and key not in names)
    cursors = {key: _cursor(state.get(key), now) for key in names}
    # The hash in the key spreads names that wait equally long, instead of going through one domain in a row.
    first, *second = nsmallest(2, cursors, key=lambda one: (cursors[one].due, one)) or (None,)
    others_due = cursors[second[0]].due if second else datetime.max.replace(tzinfo=UTC)
    if first is None:
        return _Agenda(None, "", _Cursor(now), others_due, forgotten)
    return _Agenda(first, names[first], cursors[first], others_due, forgotten)


def _issuances(body: bytes, where: str) -> list[dict[str, Any]]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise SignalFault(f"the answer of {where} is not JSON") from None
    if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
        raise SignalFault(f"the answer of {where} is not a list of issuances")
    if len(answer) > _MOST_ISSUANCES:
        raise SignalFault(f"the answer of {where} has more than {_MOST_ISSUANCES} issuances")
    if answer:
        _identifier(answer[-1], where)
    return answer


def _identifier(issuance: Mapping[str, Any], where: str) -> str:
    """The issuance's opaque id. Raises SignalFault where there is none, without which nobody can go on."""
    value = issuance.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID:
        raise SignalFault(f"the answer of {where} has an issuance without id")
    return value


def _certificate(issuance: Mapping[str, Any]) -> Certificate:
    try:
        return read_chain(base64.b64decode(issuance["cert_der"], validate=True), ())[0]
    except (KeyError, TypeError, ValueError) as error:
        raise EntryUnfit("there is no certificate in it") from error


def _cursor(kept: Any, now: datetime) -> _Cursor:  # noqa: ANN401 - from the state
    """What was kept for a name; one that is new, or that cannot be understood, is due from the beginning."""
    if not isinstance(kept, dict):
        return _Cursor(datetime.min.replace(tzinfo=now.tzinfo))
    after = kept.get("after")
    return _Cursor(_time(kept.get("due"), now), after if isinstance(after, str) else None)


def _time(kept: Any, now: datetime) -> datetime:  # noqa: ANN401 - from the state
    """A kept time; now where there is none, and where it lies so far ahead that a clock must have gone wrong."""
    try:
        time = datetime.fromisoformat(kept)
        return now if time - now > 2 * LONGEST_WAIT else time
    except (TypeError, ValueError):
        return now


def _key(name: str) -> str:
    return _NAME + hashlib.sha256(name.encode()).hexdigest()[:32]
