"""ACME Renewal Information on the wire (RFC 9773): what a certificate is called, and what servers answer.

Answers are untrusted: whatever is not exactly of the standard's form is a SignalFault, whose sentence goes behind the
server's name ("https://ca.example ..."). Nothing of an answer's text is in a sentence.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from monitord.pinning import der
from monitord.pinning.extensions import AUTHORITY_KEY_IDENTIFIER
from monitord.signals.source import SignalFault

if TYPE_CHECKING:
    from monitord.pinning.certificate import Certificate

LARGEST_DIRECTORY = 64 * 1024
LARGEST_ANSWER = 16 * 1024
"""Bytes; real ones are below 2 KB and 300 bytes."""

SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(days=1)
"""What is made of a Retry-After below or above (RFC 9773 section 4.3.2)."""

_KEY_IDENTIFIER = 0x80  # its tag in the extension (RFC 5280 section 4.2.1.1)
_LONGEST_URL = 1000
_YEARS = range(2000, 2200)
_DIGITS = 10  # of seconds: 300 years
# RFC 3339 section 5.6. Zone offsets and fractions of any length are allowed; letters may be small.
_TIMESTAMP = re.compile(
    r"(?P<to_minute>[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}):(?P<second>[0-9]{2})(?:\.[0-9]{1,30})?"
    r"(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class Window:
    """When a server suggests to renew, both in UTC and ``start`` first, and the page on which it says why."""

    start: datetime
    end: datetime
    explanation: str | None = None


def certificate_id(leaf: Certificate) -> str | None:
    """What a server knows the certificate by (RFC 9773 section 4.1); None if it has no authority key identifier."""
    extension = leaf.extension(AUTHORITY_KEY_IDENTIFIER)
    if extension is None:
        return None
    try:
        parts = der.expect(der.read_element(extension.value), der.SEQUENCE, "the sequence").children()
        authority = next((part.content for part in parts if part.tag == _KEY_IDENTIFIER), b"")
    except der.DerError:
        return None
    return f"{_base64url(authority)}.{_base64url(leaf.serial)}" if authority else None


def read_directory(body: bytes, *, https: bool) -> str | None:
    """The URL of ``renewalInfo`` in an ACME directory; None: the server does not offer it.

    ``https``: the directory came over https, and so must what it points to. Raises SignalFault.
    """
    document = _object(body, "an ACME directory")
    url = document.get("renewalInfo")
    if url is None:
        return None
    if not isinstance(url, str) or not _is_url(url) or (https and urlsplit(url).scheme != "https"):
        raise SignalFault("has a renewalInfo in its ACME directory that is no https URL")
    return url.rstrip("/")


def read_window(body: bytes) -> Window:
    """The window in a RenewalInfo object (RFC 9773 section 4.2). Raises SignalFault.

    An explanation that is not a web page's URL is passed over: it is an extra.
    """
    document = _object(body, "renewal information")
    suggested = document.get("suggestedWindow")
    if not isinstance(suggested, dict):
        raise SignalFault("answered without a suggestedWindow")
    start, end = _timestamp(suggested.get("start"), "start"), _timestamp(suggested.get("end"), "end")
    if end <= start:
        raise SignalFault("answered with a window that ends before it starts, which RFC 9773 calls invalid")
    explanation = document.get("explanationURL")
    return Window(start, end, explanation if isinstance(explanation, str) and _is_url(explanation) else None)


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """How long a Retry-After header asks to wait (RFC 9110 section 10.2.3), between a minute and a day.

    None: there is none, or it is neither seconds nor a date.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        asked = timedelta(seconds=int(value[:_DIGITS]))
    else:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        asked = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return max(SHORTEST_WAIT, min(asked, LONGEST_WAIT))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _object(body: bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise SignalFault(f"answered with what is not JSON instead of {what}") from None
    if not isinstance(document, dict):
        raise SignalFault(f"answered with JSON that is not {what}")
    return document


def _timestamp(value: object, what: str) -> datetime:
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise SignalFault(f"answered with a window whose {what} is not a time as in RFC 3339")
    # A leap second is the second before it; a fraction does not matter.
    text = f"{match['to_minute']}:{min(int(match['second']), 59):02}{match['zone']}"
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise SignalFault(f"answered with a window whose {what} is not a time that exists") from None
    if moment.year not in _YEARS:
        raise SignalFault(f"answered with a window whose {what} is in a year before 2000 or after 2199")
    return moment


def _is_url(text: str) -> bool:
    """Whether this is a web page's URL, without user name and in visible ASCII."""
    if len(text) > _LONGEST_URL or not text.isascii() or any(not "!" <= char <= "~" for char in text):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False
