"""Apple's ``NSPinnedDomains`` in an ``Info.plist`` (iOS 14 and later)."""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING, Any

from monitord.formats.pinfile import FormatError, united

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.formats.pinfile import PinnedHost


def write(hosts: Sequence[PinnedHost]) -> str:
    """A property list with that key.

    Raises FormatError for a host with pins of both kinds: with two lists Apple demands a match in each, so that they
    would not be alternatives.
    """
    domains = {host.host: {"NSIncludesSubdomains": False, **_identities(host)} for host in united(hosts)}
    security = {"NSAppTransportSecurity": {"NSPinnedDomains": domains}}
    return plistlib.dumps(security, sort_keys=False).decode("utf-8")


def _identities(host: PinnedHost) -> dict[str, Any]:
    kinds = {listed.authority for listed in host.pins}
    if len(kinds) > 1:
        raise FormatError(
            f"Apple demands a match in both lists where {host.host} has pins of servers and of authorities; "
            "write only one kind"
        )
    key = "NSPinnedCAIdentities" if True in kinds else "NSPinnedLeafIdentities"
    return {key: [{"SPKI-SHA256-BASE64": listed.base64} for listed in host.pins]}
