"""Where lists of endpoints come from, and the rules by which they are read, as values with every default filled in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monitord.pinning.target import DEFAULT_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from monitord.config.secret import Secret


@dataclass(frozen=True, slots=True)
class HttpList:
    """A list that a server gives out (http_sd), and what proves to it who asks: a login, or a bearer's token."""

    url: str
    username: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    ca_file: Path | None = None

    @property
    def shown(self) -> str:
        """The URL as logs and metrics show it: without the query, which may hold a token."""
        return urlsplit(self.url)._replace(query="", fragment="").geturl()


@dataclass(frozen=True, slots=True)
class ListRules:
    """What the entries of a list may refer to, and what holds where they say nothing.

    ``stores`` are the trust stores that can be named. ``pinsets`` are pin sets by name, as they stand in the file.
    """

    default_trust: str = "mozilla"
    interval: timedelta = DEFAULT_INTERVAL
    timeout: timedelta = timedelta(seconds=10)
    stores: frozenset[str] = frozenset()
    pinsets: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """Lists in files, by patterns, and lists of servers, which are asked each ``every``.

    ``main`` is the file that the patterns are relative to, None where nothing is to be discovered.
    """

    main: Path | None = None
    file_sd: tuple[str, ...] = ()
    http_sd: tuple[HttpList, ...] = ()
    every: timedelta = timedelta(minutes=1)
    rules: ListRules = field(default_factory=ListRules)
