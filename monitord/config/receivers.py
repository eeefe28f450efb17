"""Who is told about incidents, and how they are reached: values that cannot hold a faulty receiver."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from email.headerregistry import Address
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitord.config.addresspolicy import AddressPolicy
from monitord.errors import MonitordError
from monitord.pinning.incident import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from monitord.config.secret import Secret
    from monitord.config.templates import Template
    from monitord.pinning.incident import IncidentKind
    from monitord.turns import Digest

DEFAULT_TIMEOUT = 30.0
LONGEST_TIMEOUT = 60.0  # a message stays leased to its sender for two minutes, then it is sent anew
SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every Standard Webhooks secret
_KEY_BYTES = range(24, 65)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110 section 5.6.2
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_OWN_HEADERS = frozenset(
    {
        "connection", "content-encoding", "content-length", "content-type", "expect", "host", "te", "trailer",
        "transfer-encoding", "upgrade", "webhook-id", "webhook-signature", "webhook-timestamp",
    }
)  # fmt: skip
_LONGEST_MAILBOX = 254
_ADDRESS = r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
_MAILBOX = re.compile(rf"(?a:(?:(?P<display>[^<>@]*)<)?(?P<address>{_ADDRESS})(?(display)>))")


class ReceiverError(MonitordError):
    """A receiver cannot work as configured; the sentence says which setting to change, and shows no secret."""


class SmtpTls(StrEnum):
    """How the connection to a mail server is protected; nothing is ever negotiated down."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


class WebhookFormat(StrEnum):
    """The shape of the body of a webhook."""

    STANDARD = "standard"
    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    ALERTMANAGER = "alertmanager"
    TEMPLATE = "template"


# Keys that mean nothing to other formats than this.
_KEYS_OF_FORMATS = {
    "secret_file": WebhookFormat.STANDARD,
    "routing_key_file": WebhookFormat.PAGERDUTY,
    "template_file": WebhookFormat.TEMPLATE,
}
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """A mail server.

    ``timeout`` is in seconds and bounds a whole attempt. ``ca_file`` is a PEM file of authorities that are trusted
    beside the system's, for a private mail server. Raises ReceiverError for a login without TLS, half a login, and a
    timeout of more than 60 s.
    """

    host: str
    port: int
    tls: SmtpTls = SmtpTls.STARTTLS
    username: str | None = None
    password: Secret | None = None
    timeout: float = DEFAULT_TIMEOUT
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what would send a password in clear."""
        _check_timeout(self.timeout)
        if (self.username is None) != (self.password is None):
            raise ReceiverError("smtp needs both username and password_file, or neither")
        if self.tls is SmtpTls.NONE and self.username is not None:
            raise ReceiverError("smtp with tls: none would send the password in clear; use tls: starttls or implicit")
        if self.tls is SmtpTls.NONE and self.ca_file is not None:
            raise ReceiverError("smtp with tls: none has no use for ca_file; use tls: starttls or implicit")


@dataclass(frozen=True, slots=True)
class EmailSettings:
    """Mail to people. ``to`` and ``sender`` are addresses, ``sender`` may have a display name.

    ``digest`` are the times at which what is not critical is sent, in one mail. Raises ReceiverError for anything that
    is not one address, and for an empty ``to``.
    """

    to: tuple[str, ...]
    sender: str
    smtp: SmtpSettings
    digest: Digest | None = None

    def __post_init__(self) -> None:
        """Refuse addresses that a mail server would."""
        if not self.to:
            raise ReceiverError("email.to names nobody; give at least one address")
        for address in (*self.to, self.sender):
            parse_mail_address(address)


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """An HTTP endpoint that takes events.

    ``url`` is a Secret because the URL of a webhook often holds its credential. ``secret`` signs the body; without
    it the body goes unsigned. ``retiring`` are secrets that sign beside it, for receivers that do not have the new one
    yet. ``timeout`` is in seconds and bounds a whole attempt. ``ca_file`` is a PEM file of authorities that are trusted
    beside the system's. ``addresses`` says what may be connected to. ``bearer_token``, or ``username`` and
    ``password``, log in; ``headers`` are sent along. ``routing_key`` names the service for format ``pagerduty``, and
    ``template`` makes the body for format ``template``. Raises ReceiverError for what cannot be called, signed or sent,
    and for what the format has no use for.
    """

    url: Secret
    format: WebhookFormat = WebhookFormat.STANDARD
    secret: Secret | None = None
    timeout: float = DEFAULT_TIMEOUT
    retiring: tuple[Secret, ...] = ()
    ca_file: Path | None = None
    addresses: AddressPolicy = field(default_factory=AddressPolicy)
    bearer_token: Secret | None = None
    username: str | None = None
    password: Secret | None = None
    headers: Mapping[str, Secret] = field(default_factory=dict)
    routing_key: Secret | None = None
    template: Template | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be called or signed."""
        _check_format(self)
        _check_timeout(self.timeout)
        _check_host(urlsplit(self.url.reveal()).hostname if self.origin else None, self.addresses)
        for secret in self.secrets:
            decode_webhook_secret(secret)
        _check_login(self)
        for name, value in self.headers.items():
            _check_header(name, value)

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret that signs, the newest first."""
        return (self.secret, *self.retiring) if self.secret else ()

    @property
    def origin(self) -> str:
        """``scheme://host:port`` of the URL, the part that may be shown."""
        url = self.url.reveal()
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            (host or "").encode("idna")
        except ValueError:  # a bad port, bracket or host name
            parts, host, port = urlsplit(""), None, None
        if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
            raise ReceiverError("webhook.url is not a URL; write https://HOST/PATH or http://HOST/PATH")
        shown = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")


@dataclass(frozen=True, slots=True)
class Rate:
    """How many messages a receiver is sent at most: ``burst`` at once, then so many a minute."""

    per_minute: float = 60.0
    burst: int = 20


@dataclass(frozen=True, slots=True)
class Receiver:
    """Someone to tell.

    ``severities`` and ``kinds`` None mean all. ``match`` are labels that an endpoint must have, each with this value or
    one of these; ``match_not`` are those of which it must have none. Raises ReceiverError unless there is exactly one
    of ``email`` and ``webhook``.
    """

    name: str
    email: EmailSettings | None = None
    webhook: WebhookSettings | None = None
    severities: frozenset[Severity] | None = None
    match: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    match_not: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    kinds: frozenset[IncidentKind] | None = None
    rate: Rate = Rate()

    def __post_init__(self) -> None:
        """Refuse a receiver that is reached in no way or in two."""
        if (self.email is None) == (self.webhook is None):
            raise ReceiverError(f"receiver {self.name!r} needs exactly one of email and webhook")

    def wants(self, kind: IncidentKind, severity: Severity, labels: Mapping[str, str]) -> bool:
        """Whether an incident of this kind and severity at an endpoint with these labels is for this receiver."""
        if any(_fits(labels.get(name), values) for name, values in self.match_not.items()):
            return False
        return self.takes(kind, severity) and all(_fits(labels.get(name), value) for name, value in self.match.items())

    @property
    def digest(self) -> Digest | None:
        """The times of its digest, if it has one."""
        return self.email.digest if self.email else None

    def can_wait_for(self, severity: Severity) -> bool:
        """Whether what is told of an incident of this severity waits for the digest."""
        return self.digest is not None and severity is not Severity.CRITICAL

    def takes(self, kind: IncidentKind, severity: Severity) -> bool:
        """Whether incidents of this kind and severity are for this receiver, at some endpoint."""
        if self.kinds is not None and kind not in self.kinds:
            return False
        return self.severities is None or severity in self.severities


def _fits(value: str | None, wanted: str | tuple[str, ...]) -> bool:
    return value == wanted if isinstance(wanted, str) else value in wanted


def _check_timeout(seconds: float) -> None:
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise ReceiverError(f"a timeout of {seconds:g} s does not work; give more than 0 s and at most 60 s")


def _check_format(webhook: WebhookSettings) -> None:
    given = {
        "secret_file": webhook.secret,
        "routing_key_file": webhook.routing_key,
        "template_file": webhook.template,
    }
    for key, value in given.items():
        if value is not None and webhook.format is not _KEYS_OF_FORMATS[key]:
            raise ReceiverError(
                f"webhook.{key} is for format {_KEYS_OF_FORMATS[key]}; {webhook.format} has no use for it"
            )
    if webhook.format is WebhookFormat.PAGERDUTY and webhook.routing_key is None:
        raise ReceiverError("webhook of format pagerduty needs routing_key_file, the integration key of the service")
    if webhook.format is WebhookFormat.TEMPLATE and webhook.template is None:
        raise ReceiverError("webhook of format template needs template_file")


def _check_host(host: str | None, addresses: AddressPolicy) -> None:
    """Refuse a URL with an address in it that would never be connected to."""
    try:
        objection = addresses.objection(host or "")
    except ValueError:  # a name, which is looked up at each attempt
        return
    if objection:
        raise ReceiverError(f"webhook.url cannot be called: its address {objection}")


def _check_login(webhook: WebhookSettings) -> None:
    if (webhook.username is None) != (webhook.password is None):
        raise ReceiverError("webhook needs both username and password_file, or neither")
    if webhook.username is not None and ":" in webhook.username:
        raise ReceiverError("webhook.username has a colon in it, which HTTP does not allow")
    ways = {
        "bearer_token_file": webhook.bearer_token is not None,
        "username": webhook.username is not None,
        "a user name in url": urlsplit(webhook.url.reveal()).username is not None,
        "a header Authorization": any(name.lower() == "authorization" for name in webhook.headers),
    }
    given = [way for way, used in ways.items() if used]
    if len(given) > 1:
        raise ReceiverError(f"webhook has more than one way to log in: {', '.join(given)}; keep one")


def _check_header(name: str, value: Secret) -> None:
    if not _HEADER_NAME.fullmatch(name):
        raise ReceiverError(f"webhook.headers has {name!r}, which is not the name of a header")
    if name.lower() in _OWN_HEADERS:
        raise ReceiverError(f"webhook.headers has {name}, which monitord sets itself")
    if not _HEADER_VALUE.fullmatch(value.reveal()):
        raise ReceiverError(f"webhook.headers has a value of {name} that is empty or not printable ASCII")


def parse_mail_address(text: str) -> Address:
    """The one address in a text such as ``ops@example.com`` or ``Operations <ops@example.com>``.

    Raises ReceiverError for none, several, one that is not ASCII (few servers carry those), or one with characters
    that have no business in a mail header.
    """
    match = _MAILBOX.fullmatch(text)
    encoded_word = "=?" in text  # would be decoded on the way out, into anything
    if match is None or encoded_word or not text.isprintable() or len(text) > _LONGEST_MAILBOX:
        raise ReceiverError(
            f"{text!r} is not a mail address; write name@example.com or Display Name <name@example.com>"
        )
    username, domain = match["address"].split("@")
    return Address((match["display"] or "").strip().strip('"'), username, domain)


def decode_webhook_secret(secret: Secret) -> bytes:
    """The signing key in ``whsec_`` followed by the base64 of 24 to 64 bytes.

    Raises ReceiverError, which does not quote the secret, for anything else.
    """
    text = secret.reveal().removesuffix("\n").removesuffix("\r")
    rule = f"write {SECRET_PREFIX} followed by the base64 of 24 to 64 random bytes"
    if not text.startswith(SECRET_PREFIX):
        raise ReceiverError(f"the webhook secret does not begin with {SECRET_PREFIX}; {rule}")
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ReceiverError(f"the webhook secret is not valid base64; {rule}") from None
    if len(key) not in _KEY_BYTES:
        raise ReceiverError(f"the webhook secret decodes to {len(key)} bytes; {rule}")
    return key
