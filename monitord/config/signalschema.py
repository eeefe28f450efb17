"""The shape of ``signals:``: which sources of signals are asked, where and how often."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from monitord.config.faults import UnfitError
from monitord.config.fields import (
    GIVEN,
    Directory,
    FilePattern,
    LogKey,
    LogList,
    Name,
    NameServer,
    PlainUrl,
    SecretFile,
    duration,
    one_of,
)
from monitord.config.secrecy import is_here, keeps_secrets
from monitord.config.section import Section
from monitord.config.signals import (
    AriSettings,
    CrlSettings,
    CtLog,
    CtLogKind,
    CtSearchSettings,
    CtSettings,
    DnsSettings,
    OcspSettings,
    Programme,
    SignalSettings,
)

_ARI, _CT, _CRL, _OCSP, _DNS = AriSettings(), CtSettings(), CrlSettings(), OcspSettings(), DnsSettings()
_SEARCH = CtSearchSettings()
_POLITE = timedelta(minutes=1)


class AriEntry(Section):
    """``signals.ari:``."""

    enabled: bool = _ARI.enabled
    directories: list[PlainUrl] = Field(default_factory=list)
    public: bool = _ARI.public

    def settings(self) -> AriSettings:
        """As a value."""
        return AriSettings(self.enabled, tuple(dict.fromkeys(self.directories)), self.public)


class CtSearchEntry(Section):
    """``signals.ct.search:``; that it is there turns the search on."""

    url: PlainUrl = _SEARCH.url
    token_file: Annotated[SecretFile | None, GIVEN] = None
    every: Annotated[timedelta, duration("1h", "7d")] = _SEARCH.every

    @model_validator(mode="after")
    def _refuse_a_token_in_clear(self) -> CtSearchEntry:
        if self.token_file is not None and not keeps_secrets(self.url):
            raise UnfitError(self, "", "token_file needs a url that begins with https://")
        return self

    def settings(self) -> CtSearchSettings:
        """As a value."""
        return CtSearchSettings(self.url, self.token_file, self.every)


class CtLogEntry(Section):
    """An item of ``signals.ct.logs:``."""

    url: PlainUrl
    kind: Annotated[CtLogKind, one_of(CtLogKind, "signals.ct.logs.kind")] = CtLogKind.RFC6962
    key: Annotated[LogKey | None, GIVEN] = None
    name: Annotated[Name | None, GIVEN] = None
    origin: Annotated[Name | None, GIVEN] = None

    def settings(self) -> CtLog:
        """As a value."""
        return CtLog(self.url, self.kind, self.key, self.name or "", self.origin)


class CtEntry(Section):
    """``signals.ct:``."""

    hook: bool = _CT.hook
    spool: Annotated[Directory | None, GIVEN] = None
    search: Annotated[CtSearchEntry | None, GIVEN] = None
    logs: list[CtLogEntry] = Field(default_factory=list)
    log_list: Annotated[LogList | None, GIVEN] = None
    every: Annotated[timedelta, duration("5s", "1d")] = _CT.every

    @model_validator(mode="after")
    def _refuse_to_pester_logs(self) -> CtEntry:
        if self.every < _POLITE and (self.log_list is not None or not all(is_here(log.url) for log in self.logs)):
            raise UnfitError(
                self, "", "signals.ct.every: less than 1m is for logs on this host alone; write 1m or more"
            )
        return self

    def settings(self) -> CtSettings:
        """As a value."""
        return CtSettings(
            self.hook,
            self.spool,
            self.search.settings() if self.search else None,
            tuple(log.settings() for log in self.logs),
            self.log_list,
            self.every,
        )


class CrlEntry(Section):
    """``signals.crl:``."""

    enabled: bool = _CRL.enabled
    every: Annotated[timedelta, duration("1h", "7d")] = _CRL.every


class OcspEntry(Section):
    """``signals.ocsp:``."""

    enabled: bool = _OCSP.enabled


class DnsEntry(Section):
    """``signals.dns:``."""

    enabled: bool = _DNS.enabled
    every: Annotated[timedelta, duration("1m", "1d")] = _DNS.every
    servers: list[NameServer] = Field(default_factory=list)


class DistrustEntry(Section):
    """``signals.distrust:``; the loader applies it to the stores, for it takes both."""

    stores: dict[str, Annotated[Programme, one_of(Programme, "signals.distrust.stores")]] = Field(default_factory=dict)
    file: Annotated[FilePattern | None, GIVEN] = None


class SignalsEntry(Section):
    """``signals:``."""

    ari: AriEntry = AriEntry()
    ct: CtEntry = CtEntry()
    crl: CrlEntry = CrlEntry()
    ocsp: OcspEntry = OcspEntry()
    dns: DnsEntry = DnsEntry()
    distrust: DistrustEntry = DistrustEntry()

    def settings(self) -> SignalSettings:
        """As a value."""
        return SignalSettings(
            self.ari.settings(),
            self.ct.settings(),
            CrlSettings(self.crl.enabled, self.crl.every),
            OcspSettings(self.ocsp.enabled),
            DnsSettings(self.dns.enabled, self.dns.every, tuple(dict.fromkeys(self.dns.servers))),
        )
