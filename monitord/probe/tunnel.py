"""The way through an HTTP proxy: CONNECT (RFC 9110 section 9.3.6), with Basic authentication (RFC 7617)."""

from __future__ import annotations

import base64
import re
from functools import partial
from typing import TYPE_CHECKING

from monitord.pinning.observation import FailureReason
from monitord.probe.stage import Dialogue, Refused, quoted, read_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitord.pinning.target import Proxy

TUNNEL = "CONNECT at the proxy"
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (?P<code>\d{3})(?: .*)?")
_WANTS_LOGIN = (b"407", b"401")  # the latter from tinyproxy, for a wrong login


def ask_for_tunnel(proxy: Proxy, destination: str, *, greeting_may_follow: bool) -> Dialogue:
    """The dialogue that has a proxy connect to ``destination``, a ``host:port``.

    ``greeting_may_follow``: the server there speaks first, so its first bytes may come together with the proxy's
    answer; they are the ``rest`` of the dialogue. Else there must be none.
    """
    script = partial(_connect, proxy, destination, greeting_may_follow)
    return Dialogue(TUNNEL, FailureReason.PROXY, script)


def _connect(proxy: Proxy, destination: str, greeting_may_follow: bool, incoming: bytearray) -> Iterator[bytes]:  # noqa: FBT001 - a partial has no other way to leave the buffer for last
    yield _request(proxy, destination)
    line = answer = (yield from read_until(incoming, b"\n")).removesuffix(b"\r")
    status = _STATUS_LINE.fullmatch(answer)
    if status is None:
        raise Refused(f"the proxy does not speak HTTP, it said {quoted(answer)}")
    while line:
        line = (yield from read_until(incoming, b"\n")).removesuffix(b"\r")
    if status["code"] in _WANTS_LOGIN:
        had = "does not accept the user name and password" if proxy.username is not None else "wants a user name"
        raise Refused(f"the proxy {had}: {quoted(answer)}")
    if not status["code"].startswith(b"2"):
        raise Refused(f"the proxy did not connect to {destination}: {quoted(answer)}")
    if incoming and not greeting_may_follow:
        raise Refused(f"the proxy sent {len(incoming)} bytes behind its answer, before anybody was asked")


def _request(proxy: Proxy, destination: str) -> bytes:
    lines = [f"CONNECT {destination} HTTP/1.1", f"Host: {destination}", "User-Agent: monitord"]
    if proxy.username is not None:
        login = base64.b64encode(f"{proxy.username}:{proxy.password or ''}".encode())
        lines.append(f"Proxy-Authorization: Basic {login.decode('ascii')}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")
