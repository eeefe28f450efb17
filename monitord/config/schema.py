"""The shape of the configuration file: every key of this version, its kind, its bounds and its default."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from monitord.config.faults import UnfitError
from monitord.config.fields import (
    GIVEN,
    CaFile,
    ChainFile,
    Connect,
    Expiry,
    FilePattern,
    Host,
    Labels,
    Listen,
    MailAddress,
    Name,
    Password,
    Pins,
    Port,
    PrivateKeyFile,
    ProxyUrl,
    SecretFile,
    Severities,
    Share,
    SigningSecretFile,
    StoreNames,
    StoreUrl,
    Url,
    duration,
    one_of,
)
from monitord.config.receivers import (
    EmailSettings,
    Receiver,
    ReceiverError,
    SmtpSettings,
    SmtpTls,
    WebhookFormat,
    WebhookSettings,
)
from monitord.config.settings import AlertSettings, ProbeSettings, WebSettings
from monitord.pinning.pins import Client
from monitord.pinning.target import DEFAULT_INTERVAL, DEFAULT_PORT, ClientCertificate, Proxy, StartTls

_ALERTS, _PROBING, _WEB = AlertSettings(), ProbeSettings(), WebSettings()  # the defaults
_SMTP_PORTS = {SmtpTls.STARTTLS: 587, SmtpTls.IMPLICIT: 465, SmtpTls.NONE: 25}


class Section(BaseModel):
    """A mapping of the file. Nothing is converted in silence and no key is passed over."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)


class PinSetEntry(Section):
    """An item of ``pinsets:``."""

    name: Name
    client: Annotated[Client, one_of(Client, "domains.pinsets.client")] = Client.GENERIC
    pins: Annotated[Pins | None, GIVEN] = None
    leaf_pins: Annotated[Pins | None, GIVEN] = None
    ca_pins: Annotated[Pins | None, GIVEN] = None
    trust: Annotated[StoreNames | None, GIVEN] = None
    expires: Annotated[Expiry | None, GIVEN] = None
    share: Annotated[Share | None, GIVEN] = None

    @model_validator(mode="after")
    def _refuse_lists_that_the_client_has_not(self) -> PinSetEntry:
        lists = self.leaf_pins is not None or self.ca_pins is not None
        if not lists and self.pins is None:
            raise UnfitError(self, "", "a pin set needs pins" + (", leaf_pins or ca_pins" if self._is_apple else ""))
        if lists and not self._is_apple:
            raise UnfitError(self, "", f"leaf_pins and ca_pins are for client apple; {self.client} has one list: pins")
        return self

    @property
    def _is_apple(self) -> bool:
        return self.client is Client.APPLE


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
    connect_to: list[Connect] = []
    starttls: Annotated[StartTls | None, one_of(StartTls, "domains.starttls")] = None
    proxy: Annotated[ProxyUrl | None, GIVEN] = None
    proxy_password_file: Annotated[SecretFile | None, GIVEN] = None
    client_certificate: Annotated[ClientCertificateEntry | None, GIVEN] = None
    interval: Annotated[timedelta | None, duration("5s", "365d")] = None
    labels: Labels = Field(default_factory=dict)
    pins: Annotated[Pins | None, GIVEN] = None
    pinsets: Annotated[list[PinSetEntry] | None, GIVEN] = None
    trust: Annotated[StoreNames | None, GIVEN] = None

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


class SmtpEntry(Section):
    """``smtp:`` of a mail receiver. The port defaults to what ``tls`` uses: 587, 465 or 25."""

    host: Host
    port: Annotated[Port | None, GIVEN] = None
    tls: Annotated[SmtpTls, one_of(SmtpTls, "receivers.email.smtp.tls")] = SmtpTls.STARTTLS
    username: Annotated[Name | None, GIVEN] = None
    password_file: Annotated[SecretFile | None, GIVEN] = None
    password: Annotated[Password | None, GIVEN] = None
    ca_file: Annotated[CaFile | None, GIVEN] = None
    timeout: Annotated[timedelta, duration("1s", "60s")] = timedelta(seconds=30)

    @model_validator(mode="after")
    def _refuse_what_cannot_work(self) -> SmtpEntry:
        if self.password is not None and self.password_file is not None:
            raise UnfitError(self, "", "password and password_file exclude each other; keep password_file")
        try:
            self.settings()
        except ReceiverError as error:
            raise UnfitError(self, "", str(error)) from error
        return self

    def settings(self) -> SmtpSettings:
        """The mail server as a value."""
        return SmtpSettings(
            host=self.host,
            port=self.port or _SMTP_PORTS[self.tls],
            tls=self.tls,
            username=self.username,
            password=self.password or self.password_file,
            timeout=self.timeout.total_seconds(),
            ca_file=self.ca_file,
        )


class EmailEntry(Section):
    """``email:`` of a receiver."""

    to: Annotated[list[MailAddress], Field(min_length=1)]
    sender: Annotated[MailAddress, Field(alias="from")]
    smtp: SmtpEntry


class WebhookEntry(Section):
    """``webhook:`` of a receiver."""

    url: Url
    format: Annotated[WebhookFormat, one_of(WebhookFormat, "receivers.webhook.format")] = WebhookFormat.STANDARD
    secret_file: Annotated[SigningSecretFile | None, GIVEN] = None
    timeout: Annotated[timedelta, duration("1s", "60s")] = timedelta(seconds=30)


class ReceiverEntry(Section):
    """An item of ``receivers:``."""

    name: Name
    email: Annotated[EmailEntry | None, GIVEN] = None
    webhook: Annotated[WebhookEntry | None, GIVEN] = None
    severities: Annotated[Severities | None, GIVEN] = None
    match: Labels = Field(default_factory=dict)

    @model_validator(mode="after")
    def _refuse_what_cannot_work(self) -> ReceiverEntry:
        try:
            self.receiver()
        except ReceiverError as error:
            raise UnfitError(self, "", str(error)) from error
        return self

    def receiver(self) -> Receiver:
        """The receiver as a value."""
        email, webhook = self.email, self.webhook
        return Receiver(
            name=self.name,
            email=EmailSettings(tuple(email.to), email.sender, email.smtp.settings()) if email else None,
            webhook=WebhookSettings(webhook.url, webhook.format, webhook.secret_file, webhook.timeout.total_seconds())
            if webhook
            else None,
            severities=None if self.severities is None else frozenset(self.severities),
            match=self.match,
        )


class AlertsEntry(Section):
    """``alerts:``."""

    repeat: Annotated[timedelta, duration("5s", "365d")] = _ALERTS.repeat
    resolved: bool = _ALERTS.resolved


class WebEntry(Section):
    """``web:``."""

    listen: Listen = (_WEB.host, _WEB.port)


class ProbingEntry(Section):
    """``probing:``."""

    max_addresses: Annotated[int, Field(ge=1, le=1000)] = _PROBING.max_addresses
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = _PROBING.concurrency


class MainFile(Section):
    """The main file, usually monitord.yaml."""

    interval: Annotated[timedelta, duration("5s", "365d")] = DEFAULT_INTERVAL
    timeout: Annotated[timedelta, duration("100ms", "10m")] = timedelta(seconds=10)
    release_time: Annotated[timedelta, duration("0s", "3650d")] = timedelta(days=14)
    horizon: Annotated[timedelta, duration("0s", "3650d")] = timedelta(days=30)
    confirm: Annotated[int, Field(ge=1, le=10)] = 2
    failures: Annotated[int, Field(ge=1, le=1000)] = 3
    trust: dict[str, FilePattern] = {}
    domains: list[DomainEntry] = []
    include: list[FilePattern] = []
    receivers: list[ReceiverEntry] = []
    alerts: AlertsEntry = AlertsEntry()
    store: Annotated[StoreUrl | None, GIVEN] = None
    web: WebEntry = WebEntry()
    probing: ProbingEntry = ProbingEntry()


class IncludedFile(Section):
    """A file named by ``include:``; a bare list stands for ``domains:``."""

    domains: list[DomainEntry] = []
