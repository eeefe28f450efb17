"""Hosts, ports and endpoints as people write them, in the one form that the rest uses."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

import idna

from monitord.config.faults import UnfitError
from monitord.pinning.target import DEFAULT_PORT, ConnectAddress, format_endpoint

MAX_PORT = 65535
_LONGEST_NAME, _LONGEST_LABEL = 253, 63
# Underscores are no part of host names (RFC 1123) but are in use, and resolvers look them up.
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_PATTERN = re.compile(r"[a-z0-9_.:*?\[\]-]+")
_ZONE = re.compile(r"[A-Za-z0-9_.-]+")  # the interface of a link-local address, as in fe80::1%eth0
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


def parse_host(text: str) -> str:
    """A DNS name in lower-case ASCII (IDNA) form without trailing dot, or an IP literal in its shortest form.

    Raises UnfitError, saying what to write instead.
    """
    address = _ip_literal(text)
    if address is not None:
        return address
    name = text.lower().removesuffix(".")
    if not _NAME.fullmatch(name):
        _refuse_other_things(text)
        if not name.isascii():
            name = _to_ascii(text, name)
    if not _NAME.fullmatch(name):
        raise UnfitError(text, "is not a host name; it may have letters, digits, hyphens and underscores between dots")
    if len(name) > _LONGEST_NAME or max(map(len, name.split("."))) > _LONGEST_LABEL:
        limits = f"at most {_LONGEST_NAME} characters, {_LONGEST_LABEL} of them between two dots"
        raise UnfitError(text, f"is too long; a host name has {limits}")
    if _NUMERIC_END.fullmatch(name):
        raise UnfitError(text, "is neither a host name nor a complete IP address")
    return name


def parse_endpoint(text: str, default_port: int = DEFAULT_PORT) -> tuple[str, int]:
    """Host and port in ``HOST``, ``HOST:PORT``, ``[IPV6]`` or ``[IPV6]:PORT``. Raises UnfitError."""
    host, port = _split_port(text)
    return parse_host(host), default_port if port is None else port


def parse_host_pattern(text: str) -> str:
    """A host or HOST:PORT in the one form that the rest uses, or a pattern of them with ``*`` and ``?``.

    Raises UnfitError.
    """
    if "*" not in text and "?" not in text:
        host, port = parse_endpoint(text, 0)
        return format_endpoint(host, port) if port else host
    pattern = text.lower()
    if not _PATTERN.fullmatch(pattern):
        raise UnfitError(text, "is not a pattern of host names; beside * and ? it has what host names have")
    return pattern


def parse_connect_address(text: str) -> ConnectAddress:
    """The address in ``IP``, ``IP:PORT``, ``IPV6``, ``[IPV6]`` or ``[IPV6]:PORT``. Raises UnfitError."""
    host, port = _split_port(text)
    address = _ip_literal(host)
    if address is None:
        raise UnfitError(text, "is not an IP address; write it like 192.0.2.10 or [2001:db8::1]:8443")
    return ConnectAddress(address, port)


def parse_listen(text: str) -> tuple[str, int]:
    """Host and port to listen on; host "" (written ``:PORT``) is every interface, port 0 any free one.

    Raises UnfitError.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch("[0-9]{1,5}", port) or int(port) > MAX_PORT:
        raise UnfitError(text, "is not a listen address; write it like 127.0.0.1:9843, [::1]:9843 or :9843")
    if host == "*":
        raise UnfitError(text, "has * for a host; write only :PORT for every interface")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise UnfitError(text, "is an IPv6 address without brackets; write it like [::1]:9843")
    return parse_host(host) if host else "", int(port)


def _split_port(text: str) -> tuple[str, int | None]:
    if _ip_literal(text) is not None:
        return text, None
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text)
    if bracketed:
        host, port = bracketed[1], bracketed[2]
        if ":" not in host:
            raise UnfitError(text, "has brackets around something other than an IPv6 address")
    else:
        host, colon, rest = text.partition(":")
        port = rest if colon and "/" not in text else None
        host = text if port is None else host
    if port is None:
        return host, None
    if not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= MAX_PORT:
        raise UnfitError(text, f"has no port from 1 to {MAX_PORT} after the colon")
    return host, int(port)


def _ip_literal(text: str) -> str | None:
    if ":" not in text and not text[-1:].isdecimal():
        return None  # a name; worth a short cut, there are many
    return _read_ip_literal(text)


@lru_cache(maxsize=4096)
def _read_ip_literal(text: str) -> str | None:
    """One address often stands for many names."""
    _, percent, zone = text.partition("%")
    if percent and not _ZONE.fullmatch(zone):
        return None
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _to_ascii(text: str, name: str) -> str:
    if len(name) > _LONGEST_NAME:
        return name
    try:
        return idna.encode(name, uts46=True).decode("ascii").lower().removesuffix(".")
    except (idna.IDNAError, UnicodeError):
        raise UnfitError(text, "is not a valid internationalised name; write its xn-- form") from None


def _refuse_other_things(text: str) -> None:
    """The things that people write for a host, each with what to write instead."""
    bare = text.strip()
    if not bare:
        raise UnfitError(text, "is empty; write a host name or an IP address")
    if "://" in bare:
        raise UnfitError(text, "is a URL; write only the host name")
    if bare.split() != [text]:
        raise UnfitError(text, "has blanks in it; write only the host name")
    if "*" in bare:
        raise UnfitError(text, "is a wildcard; write each host that the apps connect to")
    if "/" in bare:
        raise UnfitError(text, "has a path; write only the host name")
    if "@" in bare:
        raise UnfitError(text, "has a user name; write only the host name")
    if bare.startswith("[") and bare.endswith("]"):
        raise UnfitError(text, "has brackets; write the address without them")
    host, separator, port = bare.rpartition(":")
    if separator and port.isdigit() and (":" not in host or host.startswith("[")):
        raise UnfitError(text, "has a port; write it under port:")
    if ":" in bare:
        raise UnfitError(text, "is neither a host name nor a complete IP address")
