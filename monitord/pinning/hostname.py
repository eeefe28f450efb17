"""Does a certificate name this host? RFC 6125 and RFC 9525 as the clients apply them: by alternative names."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING

from monitord.pinning.extensions import read_profile
from monitord.pinning.names import common_names

if TYPE_CHECKING:
    from monitord.pinning.certificate import Certificate
    from monitord.pinning.extensions import GeneralName, Profile

_LABELS_WITH_WILDCARD = 3
_MAPPED = b"\0" * 10 + b"\xff\xff"


def names_host(
    certificate: Certificate, host: str, *, common_name: bool = False, mapped_addresses: bool = False
) -> bool:
    """Whether the alternative names cover ``host`` (ASCII form, or an IP literal).

    ``common_name``: the last common name counts where there is no DNS or IP name at all, as for curl with OpenSSL.
    ``mapped_addresses``: an IPv4 address may be written as IPv6 (::ffff:192.0.2.1), as for Java.
    """
    address = _address(host)
    names = read_profile(certificate).alternative_names or ()
    nameless = not any(name.kind in ("dns", "ip") for name in names)
    fallback = common_names(certificate.subject)[-1:] if common_name and nameless else ()
    if address is not None:
        accepted = (address, _MAPPED + address) if mapped_addresses else (address,)
        named = any(name.kind == "ip" and name.value in accepted for name in names)
        return named or host.strip("[]") in fallback
    wanted = host.lower().removesuffix(".")
    patterns = fallback or [name.text for name in names if name.kind == "dns"]
    return any(pattern_covers(pattern, wanted) for pattern in patterns)


def pattern_covers(pattern: str, host: str) -> bool:
    """Whether a DNS name in a certificate covers the lower-case ``host``.

    A wildcard is a whole left-most label, stands for exactly one label, and not directly above a top-level domain.
    """
    pattern = pattern.lower().removesuffix(".")
    if pattern == host:
        return "*" not in pattern
    labels, wanted = pattern.split("."), host.split(".")
    return (
        labels[0] == "*"
        and len(labels) == len(wanted) >= _LABELS_WITH_WILDCARD
        and wanted[0] != ""
        and labels[1:] == wanted[1:]
    )


def describe_names(profile: Profile) -> str:
    """The names in the certificate, for people; at most a handful."""
    shown = [_shown(name) for name in profile.alternative_names or () if name.kind in ("dns", "ip")]
    if not shown:
        return "no names"
    more = f" and {len(shown) - 4} more" if len(shown) > 5 else ""  # noqa: PLR2004
    return ", ".join(shown[: 4 if more else 5]) + more


def _shown(name: GeneralName) -> str:
    if name.kind == "ip":
        return str(ipaddress.ip_address(name.value))
    return "".join(c if c.isprintable() else f"\\{ord(c):02X}" for c in name.text)


@lru_cache(maxsize=4096)
def _address(host: str) -> bytes | None:
    try:
        return ipaddress.ip_address(host.strip("[]")).packed
    except ValueError:
        return None
