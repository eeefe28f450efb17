"""Distinguished Names and DNS names: compared as RFC 5280 does, shown as RFC 4514 does."""

from __future__ import annotations

import re
from functools import lru_cache

from monitord.pinning import der

_STRING_CODECS = {
    0x0C: "utf-8",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
_SHORT = {
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}
_COMMON_NAME, _ORGANIZATION = "2.5.4.3", "2.5.4.10"
_SPECIAL = re.compile(r'([",+;<>\\])')


def canonical_name(raw: bytes) -> bytes:
    """A Name in a form whose bytes are equal where RFC 5280 section 7.1 calls two names equal.

    Letter case, runs of blanks and the choice of string type do not matter. A name that cannot be read is its own
    canonical form: it equals only itself.
    """
    try:
        pieces: list[bytes] = []
        for rdn in der.read_element(raw).children():
            attributes = sorted(_canonical_attribute(attribute) for attribute in rdn.children())
            pieces.append(len(attributes).to_bytes(2) + b"".join(attributes))
        return b"".join(pieces)
    except der.DerError:
        return raw


@lru_cache(maxsize=8192)
def display_name(raw: bytes) -> str:
    """A Name for people: most specific part first, special characters escaped (RFC 4514); "(empty)" if empty."""
    try:
        parts = ["+".join(f"{_SHORT.get(oid, oid)}={_escape(value)}" for oid, value in rdn) for rdn in _attributes(raw)]
    except der.DerError:
        return f"(unreadable name {raw[:20].hex()})"
    return ",".join(reversed(parts)) or "(empty)"


def common_names(raw: bytes) -> tuple[str, ...]:
    """The common names in a Name, in order; empty where the name cannot be read."""
    return _values(raw, _COMMON_NAME)


def organization_names(raw: bytes) -> tuple[str, ...]:
    """The organizations in a Name, in order; empty where the name cannot be read."""
    return _values(raw, _ORGANIZATION)


def _values(raw: bytes, wanted: str) -> tuple[str, ...]:
    try:
        return tuple(value for rdn in _attributes(raw) for oid, value in rdn if oid == wanted)
    except der.DerError:
        return ()


def _attributes(raw: bytes) -> list[list[tuple[str, str]]]:
    return [[_attribute(attribute) for attribute in rdn.children()] for rdn in der.read_element(raw).children()]


def _attribute(attribute: der.Element) -> tuple[str, str]:
    parts = list(attribute.children())
    if len(parts) != 2:  # noqa: PLR2004 - type and value
        raise der.DerError("a name attribute does not have two parts")
    oid = der.dotted_oid(der.expect(parts[0], der.OID, "a name attribute's type").content)
    codec = _STRING_CODECS.get(parts[1].tag)
    if codec is None:
        return oid, "#" + parts[1].raw.hex()
    return oid, parts[1].content.decode(codec, "replace")


def _canonical_attribute(attribute: der.Element) -> bytes:
    parts = list(attribute.children())
    oid, text = _attribute(attribute)
    if parts[1].tag in _STRING_CODECS:
        text = " ".join(text.split()).lower()
    encoded = oid.encode() + b"=" + text.encode("utf-8", "surrogatepass")
    return len(encoded).to_bytes(4) + encoded


def _escape(value: str) -> str:
    shown = _SPECIAL.sub(r"\\\1", value)
    if shown[:1] in (" ", "#"):
        shown = "\\" + shown
    if shown.endswith(" ") and len(shown) > 1:
        shown = shown[:-1] + "\\ "
    return "".join(
        c if c.isprintable() else "".join(f"\\{b:02X}" for b in c.encode("utf-8", "surrogatepass")) for c in shown
    )
