"""TrustKit for iOS: the key ``TSKConfiguration`` of an ``Info.plist``."""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING

from monitord.formats.pinfile import FormatError, united

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.formats.pinfile import PinnedHost

_FEWEST_PINS = 2


def write(hosts: Sequence[PinnedHost]) -> str:
    """A property list with that key. Raises FormatError for a lone pin."""
    refuse_lone_pins(hosts)
    domains = {
        host.host: {
            "TSKIncludeSubdomains": False,
            "TSKEnforcePinning": True,
            "TSKPublicKeyHashes": [listed.base64 for listed in host.pins],
        }
        for host in united(hosts)
    }
    return plistlib.dumps({"TSKConfiguration": {"TSKPinnedDomains": domains}}, sort_keys=False).decode("utf-8")


def refuse_lone_pins(hosts: Sequence[PinnedHost]) -> None:
    """Raise FormatError for a host with fewer than two pins: TrustKit refuses to start with such a set."""
    for host in united(hosts):
        if len(host.pins) < _FEWEST_PINS:
            raise FormatError(
                f"TrustKit crashes at launch with one pin for {host.host}; give a spare key, certificate or request too"
            )
