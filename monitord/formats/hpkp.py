"""The header ``Public-Key-Pins`` (RFC 7469), which browsers dropped and some HTTP clients still read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.formats.pinfile import united

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.formats.pinfile import PinnedHost

_THIRTY_DAYS = 30 * 24 * 3600


def write(hosts: Sequence[PinnedHost]) -> str:
    """A header for each host, remembered for 30 days."""
    return "".join(
        "Public-Key-Pins: "
        + "; ".join([*(f'pin-sha256="{listed.base64}"' for listed in host.pins), f"max-age={_THIRTY_DAYS}"])
        + "\n"
        for host in united(hosts)
    )
