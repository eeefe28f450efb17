"""A mail from a delivery, pure: the same delivery and time always give the same message."""

from __future__ import annotations

import hashlib
import re
from email.headerregistry import HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from typing import TYPE_CHECKING

from monitord.config.receivers import parse_mail_address
from monitord.notify.details import endpoint_of
from monitord.notify.digest import DIGEST, is_digest
from monitord.notify.plain import plain
from monitord.notify.render import render_html, render_text
from monitord.notify.wording import write_letter
from monitord.pinning.incident import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from monitord.config.receivers import EmailSettings
    from monitord.outbox import Delivery

_LONGEST_HEADER = 998  # RFC 5322 section 2.1.1
_THREADS = 10  # a header takes about a thousand characters
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9._+-]")


def write_mail(delivery: Delivery, settings: EmailSettings, now: datetime) -> EmailMessage:
    """The mail for a delivery; ``now`` is the time of the attempt and goes into ``Date`` only.

    ``Message-ID`` is made of the delivery's id, so every attempt carries the same. ``References`` and ``In-Reply-To``
    name the incident, as if it were the mail that began it all: mail programs show firing, repeats and resolved as one
    thread, whichever of them came first. A mail about several incidents is in the thread of each.
    """
    letter = write_letter(delivery.events, delivery.created_at)
    sender = parse_mail_address(settings.sender)
    message = EmailMessage(policy=_policy())
    message["From"] = sender
    message["To"] = tuple(parse_mail_address(address) for address in settings.to)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = _message_id(delivery.id, sender.domain)
    for name, value in _thread(delivery, sender.domain):
        message[name] = value
    message["Auto-Submitted"] = "auto-generated"
    if letter.mood == Severity.CRITICAL:
        message["Importance"] = "high"
    for name, described in _described(delivery):
        message[f"X-Monitord-{name}"] = plain(described)
    message.set_content(render_text(letter))
    message.add_alternative(render_html(letter), subtype="html")
    message.set_boundary("monitord-" + hashlib.sha256(delivery.id.encode()).hexdigest()[:32])
    return message


def _thread(delivery: Delivery, domain: str) -> Iterator[tuple[str, str]]:
    if not is_digest(delivery.events):
        threads = [_message_id(f"incident-{incident}", domain) for incident in delivery.incidents[:_THREADS]]
        yield "In-Reply-To", threads[0]
        yield "References", " ".join(threads)


def _described(delivery: Delivery) -> Iterator[tuple[str, object]]:
    """For filters; a digest is about too much to be filtered by more than that."""
    data = delivery.body["data"]
    if is_digest(delivery.events):
        yield "Event", DIGEST
        return
    yield "Event", delivery.body["type"]
    yield "Incident", data["incident"]
    yield "Severity", data.get("severity")
    if endpoint := endpoint_of(data):
        yield "Endpoint", endpoint


class _OneLineHeader(UniqueUnstructuredHeader):
    """A header that is never folded while it is ASCII.

    Python folds a text that fits into a line of its own before the first word, which reads as an empty header to
    simple programs, and a long word into encoded words, which no mail program undoes in ``References``.
    """

    def fold(self, *, policy: EmailPolicy[EmailMessage]) -> str:
        """The header as it is sent."""
        longest = _LONGEST_HEADER if str(self).isascii() else policy.max_line_length
        folded: str = super().fold(policy=policy.clone(max_line_length=longest))  # type: ignore[misc]  # of BaseHeader
        return folded


def _policy() -> EmailPolicy[EmailMessage]:
    registry = HeaderRegistry()
    for name in ("Subject", "References", "In-Reply-To", "X-Monitord-Endpoint"):
        registry.map_to_type(name, _OneLineHeader)  # type: ignore[arg-type]  # typeshed knows no mixins
    return SMTP.clone(header_factory=registry)


def _message_id(local: str, domain: str) -> str:
    return f"<{_NOT_IN_AN_ID.sub('_', local)}@{domain}>"
