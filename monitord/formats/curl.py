"""curl's option ``--pinnedpubkey``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitord.formats.pinfile import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitord.formats.pinfile import PinnedHost


def write(hosts: Sequence[PinnedHost]) -> str:
    """A command line for each host. Raises FormatError for pins of authorities, which curl never looks at."""
    return "".join(_command(host) for host in hosts)


def _command(host: PinnedHost) -> str:
    if any(listed.authority for listed in host.pins):
        raise FormatError(
            f"curl compares the server's own key only, so an authority's pin for {host.host} never matches"
        )
    pins = ";".join(f"sha256//{listed.base64}" for listed in host.pins)
    name = f"[{host.host}]" if ":" in host.host else host.host
    port = f":{host.port}" if host.port != 443 else ""  # noqa: PLR2004 - what https means without a port
    return f'curl --pinnedpubkey "{pins}" https://{name}{port}/\n'
