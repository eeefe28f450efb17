"""monitord's own: entries of ``domains:``, as a file of ``domains.d`` holds them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from monitord.formats.pinfile import comment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.formats.pinfile import PinnedHost

_USUAL_PORT = 443


def write(hosts: Sequence[PinnedHost]) -> str:
    """A list with one entry for each host."""
    lines: list[str] = []
    for host in hosts:
        lines.append(f"- host: {json.dumps(host.host)}")
        if host.port != _USUAL_PORT:
            lines.append(f"  port: {host.port}")
        lines.append("  pins:")
        lines += [
            f"    - {listed.pin}" + (f"  # {comment(listed.note)}" if listed.note else "") for listed in host.pins
        ]
    return "\n".join(lines) + "\n"
