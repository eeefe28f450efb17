"""OkHttp's ``CertificatePinner``, in Kotlin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.formats.pinfile import comment, united

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.formats.pinfile import PinnedHost


def write(hosts: Sequence[PinnedHost]) -> str:
    """The expression that builds the pinner; pins of one host are alternatives."""
    lines = ["val certificatePinner = CertificatePinner.Builder()"]
    lines += [
        f'    .add("{host.host}", "{listed.pin}")' + (f"  // {comment(listed.note)}" if listed.note else "")
        for host in united(hosts)
        for listed in host.pins
    ]
    return "\n".join([*lines, "    .build()"]) + "\n"
