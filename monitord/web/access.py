"""Who asks, and whether they may: logins by bcrypt, client certificates, and a limit of requests.

The rules are exporter-toolkit's (``web/handler.go``): a user that does not exist costs as much time as one that does,
one password is hashed at a time, and what was found is remembered. Beyond 72 bytes bcrypt reads nothing, so a longer
password is no password.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ipaddress
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import bcrypt
from aiohttp import hdrs, web

from monitord.web.answers import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.config.secret import Secret
    from monitord.config.webfile import RateLimit, WebFile
    from monitord.web.following import Following

LONGEST_PASSWORD = 72
_REMEMBERED = 1000
_MOST_WAITING = 20
_USUAL_COST = "10"
_FAKE = "$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
_CHALLENGE = {hdrs.WWW_AUTHENTICATE: 'Basic realm="monitord", charset="UTF-8"'}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who has shown who they are: the user's name, or that in the client certificate."""

    name: str


VISITOR: web.RequestKey[Visitor | None] = web.RequestKey("visitor", Visitor)


class Refusal(Exception):  # noqa: N818 - reads as what happened
    """The request is not let in; ``response`` says why."""

    def __init__(self, response: web.Response) -> None:
        """Refuse with this answer."""
        super().__init__(response.status)
        self.response = response


class Access:
    """The door of the listener; ``following`` None lets everybody in, and nobody is known."""

    def __init__(self, following: Following | None) -> None:
        """Nobody has asked yet."""
        self._following = following
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="login")
        self._waiting = 0
        self._salt = os.urandom(16)
        self._known: OrderedDict[bytes, bool] = OrderedDict()
        self._tokens: tuple[float, float] | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers that every answer is to have."""
        return self._following.file.headers if self._following else {}

    def close(self) -> None:
        """Check no more logins."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def admit(self, request: web.BaseRequest) -> Visitor | None:
        """Who asks, None where that is not asked for. Raises Refusal."""
        if self._following is None:
            return None
        file = self._following.file
        if file.rate_limit is not None and not self._takes_token(file.rate_limit):
            raise Refusal(plain("Too many requests; try again later.", HTTPStatus.TOO_MANY_REQUESTS))
        certified = _certified(request, file)
        if not file.users:
            return certified
        name, password = _login(request)
        if not await self._is_right(file.users, name, password):
            raise _wrong()
        return Visitor(name)

    async def _is_right(self, users: Mapping[str, Secret], name: str, password: str) -> bool:
        if len(password.encode()) > LONGEST_PASSWORD:
            return False
        hashed = users[name].reveal() if name in users else _fake(users)
        asked = self._digest(name, hashed, password)
        if asked not in self._known:
            if self._waiting >= _MOST_WAITING:
                raise Refusal(plain("Too many logins at once; try again later.", HTTPStatus.SERVICE_UNAVAILABLE))
            self._waiting += 1
            try:
                matches = await asyncio.get_running_loop().run_in_executor(self._executor, _matches, hashed, password)
            finally:
                self._waiting -= 1
            self._known[asked] = matches and name in users
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(asked)  # so guesses do not push out who comes often
        return self._known[asked]

    def _digest(self, *texts: str) -> bytes:
        """What a login is remembered by; a password is not to be had from it."""
        encoded = [text.encode() for text in texts]
        return hashlib.sha256(self._salt + b"".join(b"%d:%s" % (len(text), text) for text in encoded)).digest()

    def _takes_token(self, limit: RateLimit) -> bool:
        now = asyncio.get_running_loop().time()
        tokens, at = self._tokens or (float(limit.burst), now)
        tokens = min(limit.burst, tokens + (now - at) / limit.interval.total_seconds())
        granted = tokens >= 1
        self._tokens = (tokens - granted, now)
        return granted


def _matches(hashed: str, password: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode(), hashed.encode())
    except ValueError:  # the form of a hash, and nothing in it
        return False


def _fake(users: Mapping[str, Secret]) -> str:
    """A hash that nothing matches, as costly as the costliest of the users: time must not tell who exists."""
    cost = max((secret.reveal()[4:6] for secret in users.values()), default=_USUAL_COST)
    return f"$2b${cost}{_FAKE}"


def _login(request: web.BaseRequest) -> tuple[str, str]:
    """User and password as in RFC 7617."""
    scheme, _, encoded = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except ValueError:
        raise _wrong() from None
    if scheme.lower() != "basic" or not colon:
        raise _wrong()
    return name, password


def _wrong() -> Refusal:
    response = plain("Log in as one of the users of web.config_file.", HTTPStatus.UNAUTHORIZED)
    response.headers.update(_CHALLENGE)
    return Refusal(response)


def _certified(request: web.BaseRequest, file: WebFile) -> Visitor | None:
    """Who the client's certificate says it is; the handshake has verified it."""
    certificate = request.get_extra_info("peercert") if file.tls and file.tls.verifies_clients else None
    allowed = file.tls.allowed_sans if file.tls else ()
    if allowed and not _names(certificate or {}) & {_plain_name(name) for name in allowed}:
        sentence = "The client certificate has none of the names in client_allowed_sans."
        raise Refusal(plain(sentence, HTTPStatus.FORBIDDEN))
    if not certificate:
        return None
    common = [value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
    names = [*common, *sorted(_names(certificate)), certificate.get("serialNumber", "a client certificate")]
    return Visitor(names[0])


def _names(certificate: Mapping[str, Any]) -> set[str]:
    return {_plain_name(name) for _, name in certificate.get("subjectAltName", ())}


def _plain_name(name: str) -> str:
    """One spelling for each IP address; every other name as it is."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name
