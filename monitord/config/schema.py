"""The shape of the configuration file: every key of this version, its kind, its bounds and its default."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from monitord.config.discoveryschema import DiscoveryEntry
from monitord.config.faults import UnfitError
from monitord.config.fields import (
    GIVEN,
    ChainFile,
    Connect,
    FilePattern,
    Host,
    Labels,
    Listen,
    Pins,
    Port,
    PrivateKeyFile,
    ProxyUrl,
    Repeat,
    SecretFile,
    Staging,
    StoreNames,
    StoreUrl,
    Url,
    duration,
    one_of,
)
from monitord.config.maintenanceschema import MaintenanceEntry
from monitord.config.pinsetschema import PinSetEntry
from monitord.config.receivers import WebhookSettings
from monitord.config.receiverschema import ReceiverEntry
from monitord.config.section import Section
from monitord.config.settings import AlertSettings, HeartbeatSettings, ProbeScope, ProbeSettings, WebSettings
from monitord.config.signalschema import SignalsEntry
from monitord.pinning.target import DEFAULT_INTERVAL, DEFAULT_PORT, ClientCertificate, Proxy, StartTls

_ALERTS, _PROBING, _WEB = AlertSettings(), ProbeSettings(), WebSettings()  # the defaults


class ClientCertificateEntry(Section):
    """``client_certificate:`` of a domain."""

    cert_file: ChainFile
    key_file: PrivateKeyFile

    @model_validator(mode="after")
    def _refuse_a_foreign_key(self) -> ClientCertificateEntry:
        if not self.key_file.belongs_to(self.cert_file[0]):
            message = "the key in key_file is not that of the first certificate in cert_file"
            raise UnfitError(self, "", message)
        return self

    def value(self) -> ClientCertificate:
        """The client certificate as a value."""
        return ClientCertificate(tuple(certificate.der for certificate in self.cert_file), self.key_file.der)


class DomainEntry(Section):
    """An item of ``domains:``, here or in an included file."""

    host: Host
    port: Port = DEFAULT_PORT
    server_name: Annotated[Host | None, GIVEN] = None
    sni: bool = True
    connect_to: list[Connect] = Field(default_factory=list)
    starttls: Annotated[StartTls | None, one_of(StartTls, "domains.starttls")] = None
    proxy: Annotated[ProxyUrl | None, GIVEN] = None
    proxy_password_file: Annotated[SecretFile | None, GIVEN] = None
    client_certificate: Annotated[ClientCertificateEntry | None, GIVEN] = None
    interval: Annotated[timedelta | None, duration("5s", "365d")] = None
    labels: Labels = Field(default_factory=dict)
    pins: Annotated[Pins | None, GIVEN] = None
    pinsets: Annotated[list[PinSetEntry] | None, GIVEN] = None
    trust: Annotated[StoreNames | None, GIVEN] = None
    staging: Annotated[Staging | None, GIVEN] = None

    @model_validator(mode="after")
    def _refuse_both(self) -> DomainEntry:
        if self.pins is not None and self.pinsets is not None:
            raise UnfitError(self, "", "pins and pinsets exclude each other; move the pins into a pin set")
        return self

    @model_validator(mode="after")
    def _refuse_half_a_login(self) -> DomainEntry:
        username = self.proxy.username if self.proxy else None
        password = self.proxy.password if self.proxy else None
        if self.proxy_password_file is not None and username is None:
            raise UnfitError(self, "", "proxy_password_file needs a proxy with a user name: http://USER@HOST:PORT")
        if self.proxy_password_file is not None and password is not None:
            raise UnfitError(self, "", "proxy has a password already; keep proxy_password_file")
        if username is not None and password is None and self.proxy_password_file is None:
            raise UnfitError(self, "", "proxy has a user name and no password; name the file: proxy_password_file")
        return self

    def way(self) -> Proxy | None:
        """The proxy with its password."""
        if self.proxy is None or self.proxy_password_file is None:
            return self.proxy
        return replace(self.proxy, password=self.proxy_password_file.reveal())


class AlertsEntry(Section):
    """``alerts:``."""

    repeat: Repeat = _ALERTS.repeat
    resolved: bool = _ALERTS.resolved
    group_wait: Annotated[timedelta, duration("0s", "5m")] = _ALERTS.group_wait
    group_interval: Annotated[timedelta, duration("0s", "1h")] = _ALERTS.group_interval


class HeartbeatEntry(Section):
    """``heartbeat:``."""

    url: Url
    every: Annotated[timedelta, duration("10s", "1d")] = timedelta(minutes=5)
    timeout: Annotated[timedelta, duration("1s", "1m")] = timedelta(seconds=10)

    def settings(self) -> HeartbeatSettings:
        """As a value."""
        return HeartbeatSettings(WebhookSettings(self.url, timeout=self.timeout.total_seconds()), self.every)


class WebEntry(Section):
    """``web:``."""

    listen: Listen = (_WEB.host, _WEB.port)
    config_file: Annotated[FilePattern | None, GIVEN] = None
    probe: Annotated[ProbeScope, one_of(ProbeScope, "web.probe")] = _WEB.probe
    reload: bool = _WEB.reload


class ProbingEntry(Section):
    """``probing:``."""

    max_addresses: Annotated[int, Field(ge=1, le=1000)] = _PROBING.max_addresses
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = _PROBING.concurrency
    hurried_interval: Annotated[timedelta, duration("1s", "1h")] = _PROBING.hurried_interval
    hurried_limit: Annotated[int, Field(ge=0, le=10_000)] = _PROBING.hurried_limit
    per_address: Annotated[int, Field(ge=1, le=10_000)] = _PROBING.per_address
    per_network: Annotated[int, Field(ge=1, le=10_000)] = _PROBING.per_network


class MainFile(Section):
    """The main file, usually monitord.yaml."""

    interval: Annotated[timedelta, duration("5s", "365d")] = DEFAULT_INTERVAL
    timeout: Annotated[timedelta, duration("100ms", "10m")] = timedelta(seconds=10)
    release_time: Annotated[timedelta, duration("0s", "3650d")] = timedelta(days=14)
    horizon: Annotated[timedelta, duration("0s", "3650d")] = timedelta(days=30)
    confirm: Annotated[int, Field(ge=1, le=10)] = 2
    failures: Annotated[int, Field(ge=1, le=1000)] = 3
    trust: dict[str, FilePattern] = Field(default_factory=dict)
    domains: list[DomainEntry] = Field(default_factory=list)
    include: list[FilePattern] = Field(default_factory=list)
    receivers: list[ReceiverEntry] = Field(default_factory=list)
    alerts: AlertsEntry = AlertsEntry()
    maintenance: list[MaintenanceEntry] = Field(default_factory=list)
    store: Annotated[StoreUrl | None, GIVEN] = None
    web: WebEntry = WebEntry()
    probing: ProbingEntry = ProbingEntry()
    signals: SignalsEntry = SignalsEntry()
    discovery: DiscoveryEntry = DiscoveryEntry()
    heartbeat: Annotated[HeartbeatEntry | None, GIVEN] = None


class IncludedFile(Section):
    """A file named by ``include:``; a bare list stands for ``domains:``."""

    domains: list[DomainEntry] = Field(default_factory=list)
