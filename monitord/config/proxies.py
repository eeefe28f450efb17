"""Proxies as people write them."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from monitord.config.environment import Expanded
from monitord.config.faults import UnfitError
from monitord.config.hosts import parse_host
from monitord.pinning.target import Proxy

_SPELLING = "write it like http://proxy.example.com:3128"


def parse_proxy(text: str) -> Proxy:
    """The proxy in ``http://[USER[:PASSWORD]@]HOST:PORT``, user name and password percent-encoded where they need it.

    Raises UnfitError, which shows nothing of it, also for a password that does not come out of the environment.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:  # a bad port or bracket
        raise UnfitError("", f"is not the URL of a proxy; {_SPELLING}") from None
    if parts.scheme == "https":
        raise UnfitError("", f"is reached by https, which is not supported; {_SPELLING}")
    if parts.scheme != "http" or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise UnfitError("", f"is not the URL of a proxy; {_SPELLING}")
    if not port:
        raise UnfitError("", f"has no port; {_SPELLING}")
    username, password = _decoded(parts.username), _decoded(parts.password)
    if (username is not None or password is not None) and (not username or ":" in username):
        raise UnfitError("", "has no user name that a proxy could take: not empty, and without a colon")
    if password is not None and _is_literal(text):
        raise UnfitError("", "must not have a password in the file; use proxy_password_file, or ${NAME} in its place")
    try:
        return Proxy(parse_host(host), port, username, password)
    except UnfitError as error:
        raise UnfitError("", f"has a host that {error.complaint}") from None


def _decoded(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise UnfitError("", "has percent signs in user name or password that are not UTF-8") from None
    if not decoded.isprintable():
        raise UnfitError("", "has control characters in user name or password")
    return decoded


def _is_literal(text: str) -> bool:
    """Whether user name and password stand in the file as they are."""
    written = text.written if isinstance(text, Expanded) else text
    login, at, _ = written.rpartition("@")
    return bool(at) and "${" not in login
