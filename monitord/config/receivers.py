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

from monitord.errors import MonitordError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from monitord.config.secret import Secret
    from monitord.pinning.incident import Severity

DEFAULT_TIMEOUT = 30.0
LONGEST_TIMEOUT = 60.0  # a message stays leased to its sender for two minutes, then it is sent anew
SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every Standard Webhooks secret
_KEY_BYTES = range(24, 65)
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

    Raises ReceiverError for anything that is not one address, and for an empty ``to``.
    """

    to: tuple[str, ...]
    sender: str
    smtp: SmtpSettings

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
    it the body goes unsigned. ``timeout`` is in seconds and bounds a whole attempt. Raises ReceiverError for a URL
    that is not http or https, a malformed secret, and a timeout of more than 60 s.
    """

    url: Secret
    format: WebhookFormat = WebhookFormat.STANDARD
    secret: Secret | None = None
    timeout: float = DEFAULT_TIMEOUT

    def __post_init__(self) -> None:
        """Refuse what cannot be called or signed."""
        _check_timeout(self.timeout)
        _ = self.origin
        if self.secret is not None:
            decode_webhook_secret(self.secret)

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
class Receiver:
    """Someone to tell.

    ``severities`` None means all. ``match`` are labels that an endpoint must have, each with this value.
    Raises ReceiverError unless there is exactly one of ``email`` and ``webhook``.
    """

    name: str
    email: EmailSettings | None = None
    webhook: WebhookSettings | None = None
    severities: frozenset[Severity] | None = None
    match: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a receiver that is reached in no way or in two."""
        if (self.email is None) == (self.webhook is None):
            raise ReceiverError(f"receiver {self.name!r} needs exactly one of email and webhook")

    def wants(self, severity: Severity, labels: Mapping[str, str]) -> bool:
        """Whether an incident of this severity at an endpoint with these labels is for this receiver."""
        if self.severities is not None and severity not in self.severities:
            return False
        return all(labels.get(name) == value for name, value in self.match.items())


def _check_timeout(seconds: float) -> None:
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise ReceiverError(f"a timeout of {seconds:g} s does not work; give more than 0 s and at most 60 s")


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
