"""``web:`` of the main file together with the file that it names."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from monitord.config.document import exists
from monitord.config.fields import unusable_file
from monitord.config.settings import ProbeScope, WebSettings
from monitord.config.webfile import WebFile, read_web_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitord.config.faults import Findings
    from monitord.config.reading import Parsed
    from monitord.config.schema import MainFile

_NOBODY = "web.reload needs basic_auth_users or client certificates in web.config_file: who writes must be known"
_ANYBODY = (
    "web.listen can be reached from other hosts, and whoever does so may have any target probed; set web.probe: "
    "registered, or logins in web.config_file"
)


def web_settings(main: Parsed[MainFile], environment: Mapping[str, str], findings: Findings) -> WebSettings:
    """The settings; faults of either file go to ``findings``."""
    entry = main.content.web
    host, port = entry.listen
    path = None if entry.config_file is None else main.document.path.parent / entry.config_file
    file = WebFile()
    before = len(findings.faults)
    if path is not None and exists(path):
        file = read_web_file(path, environment, findings)
    elif path is not None:
        at = ("web", "config_file")
        findings.faults.append(main.complaint(at, unusable_file(main.document.value(at), f"there is no file {path}")))
    if entry.reload and not file.authenticates and len(findings.faults) == before:
        findings.faults.append(main.fault(("web", "reload"), _NOBODY))
    if not _is_loopback(host) and entry.probe is ProbeScope.ANY and not file.authenticates:
        findings.warnings.append(main.fault(("web", "listen"), _ANYBODY))
    return WebSettings(host, port, path, entry.probe, entry.reload)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
