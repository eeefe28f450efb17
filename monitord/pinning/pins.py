"""Pins and pin sets: what an app was shipped with, in every spelling that people write."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from monitord.errors import MonitordError

if TYPE_CHECKING:
    from datetime import datetime

DIGEST_BYTES = 32
# curl's double slash is one only where a whole digest follows: a digest may begin with a slash itself.
_PREFIXES = re.compile(r"^(?:sha256//(?=[^=]{43})|sha256/|pin-sha256=|sha-?256:)", re.IGNORECASE)
_HEX = re.compile(r"^(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$")


class PinSpellingError(MonitordError):
    """A pin is not spelled as ``sha256/`` and the base64 of 32 bytes; the text says the right spelling if known."""


class Client(StrEnum):
    """The client library whose rules decide; see docs/clients.md."""

    GENERIC = "generic"
    OKHTTP = "okhttp"
    ANDROID = "android"
    APPLE = "apple"
    TRUSTKIT_IOS = "trustkit-ios"
    TRUSTKIT_ANDROID = "trustkit-android"
    CRONET = "cronet"
    CURL = "curl"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """A SHA-256 digest, of a SubjectPublicKeyInfo (client ``certificate``: of a whole certificate)."""

    digest: bytes

    def __str__(self) -> str:
        """The spelling used everywhere: ``sha256/`` and standard base64 with padding."""
        return "sha256/" + base64.b64encode(self.digest).decode("ascii")


@dataclass(frozen=True, slots=True)
class PinSet:
    """The pins that one population of app installations enforces for a host.

    ``pins`` may match any certificate that the client counts. ``leaf_pins`` and ``ca_pins`` are for clients that
    keep two lists (Apple): None means "no such list", an empty tuple is a list that nothing can match. ``expires``
    is the instant named in the configuration; what it means is the client's matter. ``share`` is the fraction of
    the users, 0 to 1, for alert texts only. ``trust`` names the trust stores the client may have. A set that is not
    ``enforced`` is report-only: the client connects all the same.
    """

    name: str
    client: Client = Client.GENERIC
    pins: tuple[Pin, ...] = ()
    leaf_pins: tuple[Pin, ...] | None = None
    ca_pins: tuple[Pin, ...] | None = None
    trust: tuple[str, ...] = ("mozilla",)
    expires: datetime | None = None
    share: float | None = None
    enforced: bool = True

    @property
    def all_pins(self) -> tuple[Pin, ...]:
        """Every pin of the set once, in the order written."""
        return tuple(dict.fromkeys((*self.pins, *(self.leaf_pins or ()), *(self.ca_pins or ()))))


def parse_pin(text: str) -> Pin:
    """The pin written as ``sha256/<base64 of 32 bytes>``.

    Raises PinSpellingError for anything else. Where the text is a digest in another spelling (hex, url-safe
    alphabet, missing padding, curl's double slash) the error gives the spelling to use: a client would not read
    the other one the same way, so it is not accepted silently.
    """
    if text.startswith("sha256/"):
        encoded = text.removeprefix("sha256/")
        try:
            digest = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            digest = b""
        if len(digest) == DIGEST_BYTES and base64.b64encode(digest).decode("ascii") == encoded:
            return Pin(digest)
    raise PinSpellingError(_complaint(text))


def _complaint(text: str) -> str:
    shown = text if len(text) <= 100 else text[:97] + "..."  # noqa: PLR2004 - a line of a terminal
    guess, fault = _guess(text)
    if guess is not None:
        return f"pin {shown!r} {fault}; write {guess}"
    return f"pin {shown!r} {fault}; a pin is sha256/ followed by the base64 of 32 bytes (44 characters ending in =)"


def _guess(text: str) -> tuple[Pin | None, str]:
    """The pin that was probably meant, if any, and what is wrong with its spelling."""
    bare = text.strip().strip("\"';").strip()
    match = _PREFIXES.match(bare)
    body = bare[match.end() :] if match else bare
    body = body.strip().strip('"')
    if _HEX.match(body):
        return Pin(bytes.fromhex(body.replace(":", ""))), "is hexadecimal where base64 is meant"
    if re.match(r"^sha-?(?:1|384|512)[/:]", bare, re.IGNORECASE):
        return None, "uses a hash that no pinning client reads as a pin"
    compact = re.sub(r"\s+", "", body)
    standard = compact.replace("-", "+").replace("_", "/").rstrip("=")
    if not re.fullmatch(r"[A-Za-z0-9+/]+", standard):
        return None, "has characters outside the base64 alphabet" if compact else "is empty"
    try:
        digest = base64.b64decode(standard + "=" * (-len(standard) % 4))
    except (binascii.Error, ValueError):
        return None, "is not valid base64"
    if len(digest) != DIGEST_BYTES:
        return None, f"decodes to {len(digest)} bytes where a SHA-256 digest has 32"
    return Pin(digest), _spelling_fault(text, bare, body, match.group() if match else "")


def _spelling_fault(text: str, bare: str, body: str, prefix: str) -> str:
    if re.search(r"\s", body) or bare != text:
        return "has blanks or quotes in it"
    if "-" in body or "_" in body:
        return "uses the url-safe alphabet"
    if not body.endswith("="):
        return "lacks the final ="
    if not prefix:
        return "lacks the sha256/ in front"
    if prefix != "sha256/":
        return "has another prefix than sha256/"
    return "is not in its canonical base64 form"
