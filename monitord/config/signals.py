"""Which sources of signals are asked, where and how often, as values with every default filled in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from monitord.config.secret import Secret

SEARCH_URL = "https://api.certspotter.com/v1/issuances"
_SHOWN = 80


class Programme(StrEnum):
    """The root programmes that publish rules of distrust."""

    MOZILLA = "mozilla"
    CHROME = "chrome"
    APPLE = "apple"
    MICROSOFT = "microsoft"


class CtLogKind(StrEnum):
    """The interface by which a log of Certificate Transparency is read."""

    RFC6962 = "rfc6962"
    TILED = "tiled"
    """static-ct-api: https://c2sp.org/static-ct-api."""


@dataclass(frozen=True, slots=True)
class AriSettings:
    """ACME directories that are asked about every certificate, and whether public CAs are asked about theirs."""

    enabled: bool = True
    directories: tuple[str, ...] = ()
    public: bool = True


@dataclass(frozen=True, slots=True)
class CtSearchSettings:
    """A service that finds issued certificates by name; each name is asked for once in ``every``."""

    url: str = SEARCH_URL
    token: Secret | None = None
    every: timedelta = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class CtLog:
    """A log of Certificate Transparency.

    ``url`` is what the paths of the interface are put behind; of a tiled log, its monitoring prefix. ``key`` is the
    DER of its SubjectPublicKeyInfo; without it signatures are not checked. ``name`` is for people. ``origin`` is the
    first line that a tiled log's checkpoint must have, None for any: its submission prefix without scheme and final
    slash. A log that is ``frozen`` signs nothing new; only log lists say so.
    """

    url: str
    kind: CtLogKind = CtLogKind.RFC6962
    key: bytes | None = None
    name: str = ""
    origin: str | None = None
    frozen: bool = False

    @property
    def prefix(self) -> str:
        """The URL without slashes at its end."""
        return self.url.rstrip("/")

    @property
    def label(self) -> str:
        """The name for people, or the URL; bounded, and only what can be printed."""
        text = self.name or self.url
        return "".join(c if c.isprintable() else "?" for c in text[:_SHOWN])

    @property
    def identity(self) -> str:
        """What its position is kept under: the same log, read by the same interface at the same place."""
        return hashlib.sha256(f"{self.kind}\0{self.prefix}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class CtSettings:
    """Certificate Transparency: what ``monitord ct-hook`` is given, a search, and logs read each ``every``.

    ``spool`` is the directory by which ``ct-hook`` hands over, None for the one beside the store. ``log_list`` is the
    URL or the path of a log list.
    """

    hook: bool = True
    spool: Path | None = None
    search: CtSearchSettings | None = None
    logs: tuple[CtLog, ...] = ()
    log_list: str | None = None
    every: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class CrlSettings:
    """Whether the CRLs that the served chains name are read, and how often."""

    enabled: bool = True
    every: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OcspSettings:
    """Whether OCSP responders are asked, where a certificate names one."""

    enabled: bool = True


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """Whether aliases and CAA are looked up, how often, and where: addresses with or without port, () as the system."""

    enabled: bool = True
    every: timedelta = timedelta(minutes=15)
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignalSettings:
    """All sources."""

    ari: AriSettings = AriSettings()
    ct: CtSettings = CtSettings()
    crl: CrlSettings = CrlSettings()
    ocsp: OcspSettings = OcspSettings()
    dns: DnsSettings = DnsSettings()
