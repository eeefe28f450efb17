"""The shape of ``receivers:``: who is told, of what, and how they are reached."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from monitord.config.addresspolicy import AddressPolicy
from monitord.config.faults import UnfitError
from monitord.config.fields import GIVEN, CaFile, Host, Name, Port, SecretFile, TimeOfDay, Url, duration, one_of
from monitord.config.receiverfields import (
    Addresses,
    ContentType,
    HeaderValue,
    Kinds,
    LabelChoice,
    MailAddress,
    Password,
    Severities,
    SigningSecretFiles,
    TemplateFile,
)
from monitord.config.receivers import (
    PAGERDUTY_URL,
    EmailSettings,
    Rate,
    Receiver,
    ReceiverError,
    SmtpSettings,
    SmtpTls,
    WebhookFormat,
    WebhookSettings,
)
from monitord.config.secret import Secret
from monitord.config.section import Section
from monitord.turns import Digest

_DIGEST_AT = timedelta(hours=8)
_SMTP_PORTS = {SmtpTls.STARTTLS: 587, SmtpTls.IMPLICIT: 465, SmtpTls.NONE: 25}


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
    digest: Annotated[timedelta | None, duration("1h", "7d")] = None
    digest_at: Annotated[TimeOfDay | None, GIVEN] = None

    def settings(self) -> EmailSettings:
        """The mail as a value."""
        at = _DIGEST_AT if self.digest_at is None else self.digest_at
        digest = None if self.digest is None else Digest(self.digest, at)
        return EmailSettings(tuple(self.to), self.sender, self.smtp.settings(), digest)


class WebhookEntry(Section):
    """``webhook:`` of a receiver."""

    url: Annotated[Url | None, GIVEN] = None
    format: Annotated[WebhookFormat, one_of(WebhookFormat, "receivers.webhook.format")] = WebhookFormat.STANDARD
    secret_file: Annotated[SigningSecretFiles | None, GIVEN] = None
    routing_key_file: Annotated[SecretFile | None, GIVEN] = None
    content_type: Annotated[ContentType | None, GIVEN] = None
    template_file: Annotated[TemplateFile | None, GIVEN] = None
    bearer_token_file: Annotated[SecretFile | None, GIVEN] = None
    username: Annotated[Name | None, GIVEN] = None
    password_file: Annotated[SecretFile | None, GIVEN] = None
    headers: dict[str, HeaderValue] = Field(default_factory=dict)
    ca_file: Annotated[CaFile | None, GIVEN] = None
    allow_private: Annotated[Addresses, GIVEN] = AddressPolicy()
    timeout: Annotated[timedelta, duration("1s", "60s")] = timedelta(seconds=30)

    @model_validator(mode="after")
    def _refuse_what_cannot_work(self) -> WebhookEntry:
        if self.url is None and self.format is not WebhookFormat.PAGERDUTY:
            raise UnfitError(self, "", "the key 'url' is missing")
        if self.content_type is not None and self.format is not WebhookFormat.TEMPLATE:
            message = f"webhook.content_type is for format template; {self.format} has no use for it"
            raise UnfitError(self, "", message)
        try:
            self.settings()
        except ReceiverError as error:
            raise UnfitError(self, "", str(error)) from error
        return self

    @property
    def proves_itself(self) -> bool:
        """Whether the receiver can tell who called, or needs no telling since its URL is its secret."""
        named = self.secret_file or self.bearer_token_file or self.username or self.headers
        return bool(named) or self.format is not WebhookFormat.STANDARD

    def settings(self) -> WebhookSettings:
        """The webhook as a value."""
        return WebhookSettings(
            self.url or Secret(PAGERDUTY_URL),
            self.format,
            self.secret_file[0] if self.secret_file else None,
            self.timeout.total_seconds(),
            retiring=self.secret_file[1:] if self.secret_file else (),
            ca_file=self.ca_file,
            addresses=self.allow_private,
            bearer_token=self.bearer_token_file,
            username=self.username,
            password=self.password_file,
            headers=self.headers,
            routing_key=self.routing_key_file,
            template=self.template_file,
        )


class RateEntry(Section):
    """``rate:`` of a receiver."""

    per_minute: Annotated[int, Field(ge=1, le=10_000)] = int(Rate().per_minute)
    burst: Annotated[int, Field(ge=1, le=10_000)] = Rate().burst


class ReceiverEntry(Section):
    """An item of ``receivers:``."""

    name: Name
    email: Annotated[EmailEntry | None, GIVEN] = None
    webhook: Annotated[WebhookEntry | None, GIVEN] = None
    severities: Annotated[Severities | None, GIVEN] = None
    kinds: Annotated[Kinds | None, GIVEN] = None
    match: LabelChoice = Field(default_factory=dict)
    match_not: LabelChoice = Field(default_factory=dict)
    rate: RateEntry = RateEntry()

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
            email=email.settings() if email else None,
            webhook=webhook.settings() if webhook else None,
            severities=None if self.severities is None else frozenset(self.severities),
            match=self.match,
            match_not=self.match_not,
            kinds=None if self.kinds is None else frozenset(self.kinds),
            rate=Rate(self.rate.per_minute, self.rate.burst),
        )
